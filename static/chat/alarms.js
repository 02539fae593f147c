// What is said where the server, or somebody's page, did what it may not: a sentence where it happened, and what it
// means behind it. No module else words an alarm.

/**
 * @import { Alarm, EntryAlarm } from '../room/facade.js'
 *
 * @typedef {{ text: string, meaning: string }} Words
 */

const BOTH =
	'Either the server changed what it shows, or the page of whoever wrote this lies about what it had seen. Nobody else can cause it. Ask them, by another way, what they wrote just before.';

/** @type {Record<EntryAlarm, Words>} */
const ENTRY = {
	window: {
		text: 'Whoever wrote this saw something else than you do.',
		meaning: `Every message says what its writer had seen before it, and here that does not fit: something was left out, changed or put in another order. ${BOTH}`,
	},
	after: {
		text: 'Something that its writer had written before is missing here.',
		meaning:
			'Their page says that the server had taken an earlier message of theirs, and that message is not where it should be. The server withholds it, or their page lies. Ask them what they wrote.',
	},
	repeated: {
		text: 'This came a second time. The first one counts.',
		meaning: 'The server showed the same message twice. Nothing is lost by that, but it should not happen.',
	},
	reused: {
		text: 'This came under the mark of an earlier message, with other words. The earlier one counts.',
		meaning: `Each message has a mark of its own, so that none can be swapped for another. ${BOTH}`,
	},
	blanked: {
		text: 'The server erased this, and nobody asked it to.',
		meaning:
			'A message is erased when its writer or the owner signs that, or when its time is over. Neither is so here. What it said may have mattered: ask whoever wrote it.',
	},
	epoch: {
		text: 'This was locked with keys that were not in use here.',
		meaning:
			'When the owner changes the keys, what is written before and after uses different ones. The server shows this on the wrong side, or it was written by a page that did not know of the change.',
	},
	signer: {
		text: 'This is by somebody who was never let in to write.',
		meaning:
			'Whoever takes part has a card that only a link to take part can make, and this writer has none. Perhaps somebody with a read-only link writes, with the server’s help. Do not believe it.',
	},
};

/** @type {Record<'gap' | 'own' | 'diverged', Words>} */
const LOST = {
	gap: {
		text: 'Messages are missing here.',
		meaning:
			'The server numbers everything that is said, and numbers are missing that no lifetime of this room explains. It withholds or lost what was said here.',
	},
	own: {
		text: 'A message of yours that the server had taken is not here.',
		meaning:
			'The server said that it has your message, and does not show it to this browser. Others may not see it either. You can send it again.',
	},
	diverged: {
		text: 'From here on the server tells another story than before.',
		meaning:
			'What this browser saw earlier is not what the server shows now. An operator may have restored a backup, which loses what was said since; they can say so. If nobody did, the server shows different people different things.',
	},
};

/** @type {Record<Alarm['code'], Words & { tone: 'warm' | 'danger' }>} */
const ROOM = {
	bad_rotation: {
		text: 'The server offered new keys that the owner did not make. They are not used.',
		meaning:
			'Only the owner can change the keys of this room, and signs that. What the server offers is not signed like that, or does not follow what this browser knows. You stay with the keys you have; ask the owner whether they changed something.',
		tone: 'danger',
	},
	two_rotations: {
		text: 'There are two changes of the keys for the same time, both by the owner.',
		meaning:
			'That happens when a server is set back to an older copy of itself and the owner changes the keys once more. Ask the owner which one holds. Until you choose, this page stays with the one it knew first.',
		tone: 'danger',
	},
	claims_gone: {
		text: 'The server says that this room is gone, and cannot show that its owner wanted that.',
		meaning:
			'Who deletes a room signs a farewell, which the server hands to whoever asks. Here is none. This browser keeps what it has; ask the owner.',
		tone: 'danger',
	},
	fork: {
		text: 'Somebody who is here sees another conversation than you do.',
		meaning:
			'While people are here, their pages tell each other what they have seen last. One of them has seen something that this server never showed you, or the other way round. Compare by another way what was said.',
		tone: 'danger',
	},
	server_state: {
		text: 'The server does not do what the owner set.',
		meaning:
			'What holds in this room, such as whether it is locked and how long messages stay, is signed by the owner. The server acts differently. This page goes by the owner’s word where it can.',
		tone: 'warm',
	},
	set_back: {
		text: 'The server has forgotten the last change of the keys. What you write waits here.',
		meaning:
			'It was probably set back to an older copy of itself. The page of the owner that changed the keys gives them back by itself when it is open. If this stays, ask the owner to open the room.',
		tone: 'warm',
	},
	left_waiting: {
		text: 'The owner gave you new keys, and the server kept them from you.',
		meaning:
			'When the owner changes the keys, there are new ones for everybody who stays. The owner’s list has you, and the server handed you none; the link that you came by brought them all the same. Nothing is lost by that, but the server should not do it.',
		tone: 'warm',
	},
};

/** What it does otherwise, by an alarm's detail. @type {Record<string, string>} */
const OTHERWISE = {
	lock: 'It lets write, or keeps from writing, whom it should not.',
	lifetime: 'It keeps messages for another time.',
	expiry: 'It keeps the room for another time.',
};

/** @param {string} code @returns {Words} */
export function entryAlarm(code) {
	return Object.hasOwn(ENTRY, code)
		? ENTRY[/** @type {EntryAlarm} */ (code)]
		: { text: 'Something is wrong with this.', meaning: BOTH };
}

/** @param {'gap' | 'own' | 'diverged'} how @returns {Words} */
export function lostAlarm(how) {
	return LOST[how];
}

/** @param {Pick<Alarm, 'code' | 'detail'>} alarm */
export function roomAlarm({ code, detail }) {
	const words = ROOM[code];
	const more = code === 'server_state' && detail !== null ? OTHERWISE[detail] : undefined;
	return more === undefined ? words : { ...words, text: `${words.text} ${more}` };
}
