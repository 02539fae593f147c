// What is said where the server, or somebody's page, did what it may not: a sentence where it happened, and what it
// means behind it. No module else words an alarm.

import { t } from '../values/words.js';

/**
 * @import { Alarm, EntryAlarm } from '../room/facade.js'
 * @import { Key } from '../values/words.js'
 *
 * @typedef {{ text: string, meaning: string }} Words
 */

/** @type {Record<EntryAlarm, [text: Key, meaning: Key]>} */
const ENTRY = {
	window: ['alarmWindow', 'alarmWindowMeaning'],
	after: ['alarmAfter', 'alarmAfterMeaning'],
	repeated: ['alarmRepeated', 'alarmRepeatedMeaning'],
	reused: ['alarmReused', 'alarmReusedMeaning'],
	blanked: ['alarmBlanked', 'alarmBlankedMeaning'],
	epoch: ['alarmEpoch', 'alarmEpochMeaning'],
	signer: ['alarmSigner', 'alarmSignerMeaning'],
};

/** @type {Record<'gap' | 'own' | 'diverged', [text: Key, meaning: Key]>} */
const LOST = {
	gap: ['lostGap', 'lostGapMeaning'],
	own: ['lostOwn', 'lostOwnMeaning'],
	diverged: ['lostDiverged', 'lostDivergedMeaning'],
};

/** @type {Record<Alarm['code'], [text: Key, meaning: Key, tone: 'warm' | 'danger']>} */
const ROOM = {
	bad_rotation: ['badRotation', 'badRotationMeaning', 'danger'],
	two_rotations: ['twoRotations', 'twoRotationsMeaning', 'danger'],
	claims_gone: ['claimsGone', 'claimsGoneMeaning', 'danger'],
	fork: ['fork', 'forkMeaning', 'danger'],
	server_state: ['serverState', 'serverStateMeaning', 'warm'],
	set_back: ['setBack', 'setBackMeaning', 'warm'],
	left_waiting: ['leftWaiting', 'leftWaitingMeaning', 'warm'],
};

/** What it does otherwise, by an alarm's detail. @type {Record<string, Key>} */
const OTHERWISE = {
	lock: 'serverLock',
	lifetime: 'serverLifetime',
	expiry: 'serverExpiry',
};

/** @param {string} code @returns {Words} */
export function entryAlarm(code) {
	const known = Object.hasOwn(ENTRY, code) ? ENTRY[/** @type {EntryAlarm} */ (code)] : null;
	const [text, meaning] = known ?? /** @type {const} */ (['somethingWrong', 'bothMeaning']);
	return { text: t(text), meaning: t(meaning) };
}

/** @param {'gap' | 'own' | 'diverged'} how @returns {Words} */
export function lostAlarm(how) {
	const [text, meaning] = LOST[how];
	return { text: t(text), meaning: t(meaning) };
}

/**
 * @param {Pick<Alarm, 'code' | 'detail'>} alarm
 * @param {string} [who] whose page it is about, if that is known
 * @returns {Words & { tone: 'warm' | 'danger' }}
 */
export function roomAlarm({ code, detail }, who) {
	const [text, meaning, tone] = ROOM[code];
	const more = code === 'server_state' && detail !== null ? OTHERWISE[detail] : undefined;
	const said = t(text, { who: who ?? t('somebodyHere') });
	return { text: more === undefined ? said : `${said} ${t(more)}`, meaning: t(meaning), tone };
}
