/**
 * What this browser keeps: rooms with their secrets as raw bytes, the messages it has read (sealed,
 * as the server gave them), what waits to be sent, drafts. Deletes and lifetimes are obeyed by whoever
 * reads the log; forgetting a room wipes everything of it.
 *
 * @import { LogEvent } from '../values/event.js'
 * @import { Bytes } from '../values/bytes.js'
 * @import { Role } from '../values/link.js'
 * @import { Tables } from './tables.js'
 */

import { MemoryTables, openIndexedTables } from './tables.js';

/**
 * @typedef {object} RoomRecord
 * @property {string} room
 * @property {Role} role
 * @property {Bytes | null} owner The owner's secret, in the owner's browser.
 * @property {{ secret: Bytes, clientId: string } | null} link The one that let this browser in, and as what it was
 *   opened: opening it again is not counted.
 * @property {Bytes} identity
 * @property {boolean} [carriesIdentity] The identity came with the link.
 * @property {boolean} joined False for one whose link was only opened.
 * @property {string} label A name that only this browser knows.
 * @property {string} title The name that the members share.
 * @property {string} yourName
 * @property {number} openedAtMs
 * @property {string | null} log The incarnation of the log that `lastSeq` is of.
 * @property {number} lastSeq The last event held here; 0 for none.
 * @property {number} readSeq
 * @property {string | null} ownerSigner The owner's key, which the room's id names; null until a rotation was seen.
 * @property {boolean} ownerLinkKept
 * @property {Notify} [notify] Of what this browser tells; of nothing where it is missing.
 * @property {boolean} [muted] It neither tells nor counts.
 * @property {Push | null} [push] It is also to be told of where no tab is open, as long as `notify` is `all`.
 * @property {Compared[]} [compared] With whom words were compared, the newest last.
 * @property {number} [noticedSeq] Up to here one of the tabs told, or nothing was to be told.
 * @property {number} createdAtMs
 * @property {number} expiresAtMs By the server's word.
 * @property {{ seq: number, state: State } | null} state What the owner said last, and where.
 * @property {{ client_id: string, seq: number } | null} lastPost The last one of this browser that was acknowledged.
 * @property {'deleted' | 'expired' | null} closed
 * @property {Removal | null} [removal] One is not among those who stay.
 * @property {{ after: number, events: StoredEvent[] }[]} lost What the server no longer has, and after what.
 * @property {StoredRotation} [founding] Of a room that was made here, and may not have been stored.
 *
 * What the owner set, as it stands in statements (docs/protocol.md, "Statements").
 *
 * @typedef {object} State
 * @property {string} name
 * @property {boolean} locked
 * @property {number | null} message_ttl_s
 * @property {number} expires_in_s
 * @property {number | null} ever_ttl The shortest `message_ttl_s` that was ever in force.
 * @property {string | null} invite The room's link, sealed for members.
 * @property {{ seq: number, id: string }[]} [pins] What is pinned.
 *
 * `unsent`: what one had written by then and nobody else has read, oldest first; the draft last.
 *
 * @typedef {{ how: 'removed' | 'left_out', title: string, owner: string, unsent: string[] }} Removal
 *
 * An epoch's beginning. `secret`: what this browser holds of it, as what; `client_id` and `author`: by which request it
 * was made; `request`: that request, in the owner's browser that made it.
 *
 * @typedef {object} StoredRotation
 * @property {string} room
 * @property {number} epoch
 * @property {number} seq Of its event; 0 for the first, or where that is not known.
 * @property {string} public
 * @property {string} signature
 * @property {string | null} private
 * @property {'member' | 'reader' | null} role
 * @property {Bytes | null} secret
 * @property {string | null} [client_id]
 * @property {string | null} [author]
 * @property {string} [request] JSON.
 *
 * @typedef {{ room: string, seq: number, event: LogEvent, hash: string | null, signer: string | null }} StoredEvent
 *   `hash` of the body and `signer` outlive it, so that windows stay whole and a deletion can still be judged.
 *
 * @typedef {{ room: string, seq: number, event: LogEvent, epoch: number }} StoredCard
 *
 * What waits to be sent. It is sealed just before its first attempt; every attempt sends those bytes.
 *
 * @typedef {object} OutboxEntry
 * @property {string} room
 * @property {number} order
 * @property {string} client_id
 * @property {string} kind
 * @property {number | null} target
 * @property {Record<string, any>} said The words.
 * @property {Bytes} identity Whose they are; one's identity here may change while they wait.
 * @property {string | null} body Null until it is sealed.
 * @property {number | null} epoch The one that it is sealed for.
 * @property {string | null} again The id under which it was first tried, in an epoch that is over.
 * @property {'waiting' | 'sent' | 'failed'} state `sent`: acknowledged, but not yet seen in the log.
 * @property {number | null} seq Once acknowledged.
 * @property {string | null} error
 *
 * A file that waits to be uploaded, as it was chosen. `salt`: what it is sealed with, so that every attempt gives the
 * same bytes.
 *
 * @typedef {{ room: string, file: string, salt: Bytes, blob: Blob }} Upload
 *
 * @typedef {{ text: string, replyTo: number | null }} Draft
 * @typedef {'all' | 'mentions' | 'nothing'} Notify
 * @typedef {{ signer: string, name: string, atMs: number }} Compared Their key, and the name that they went by.
 *
 * `endpoint`: what the server was told last, null for nothing; `epoch`: under whose keys; the rest are words for the
 * worker, in the person's language.
 *
 * @typedef {{ endpoint: string | null, epoch: number, unnamed: string, news: string }} Push
 */

/**
 * Opens the browser's storage, or a substitute that forgets. Never rejects.
 *
 * @param {IDBFactory | null} [factory] The browser's own if left out; null for none.
 * @returns {Promise<Store>}
 */
export async function openStore(factory) {
	try {
		// Where storage is blocked, even naming it may throw.
		return new Store(await openIndexedTables(factory === undefined ? globalThis.indexedDB : factory), true);
	} catch {
		return new Store(new MemoryTables(), false);
	}
}

/** What changes with every message, and is found again if the machine loses power. */
const FOUND_AGAIN = new Set(['lastSeq', 'log', 'readSeq']);

export class Store {
	#tables;

	/** @param {Tables} tables @param {boolean} persistent */
	constructor(tables, persistent) {
		this.#tables = tables;
		/** False: the storage is unavailable, and all is forgotten with the page. */
		this.persistent = persistent;
	}

	/** @param {string} room @returns {Promise<RoomRecord | undefined>} */
	room(room) {
		return this.#tables.get('rooms', room);
	}

	/** @returns {Promise<RoomRecord[]>} */
	rooms() {
		return this.#tables.select('rooms', null);
	}

	/** @param {RoomRecord} record @returns {Promise<void>} */
	putRoom(record) {
		return this.#tables.put('rooms', [record]);
	}

	/**
	 * Changes a known room; one that was forgotten meanwhile stays forgotten.
	 *
	 * @param {string} room
	 * @param {Partial<RoomRecord>} changes
	 * @returns {Promise<void>}
	 */
	changeRoom(room, changes) {
		const lasting = !Object.keys(changes).every((name) => FOUND_AGAIN.has(name));
		return this.#tables.update('rooms', room, (held) => held && { ...held, ...changes }, lasting);
	}

	/**
	 * Changes what is known of being told where no tab is open, unless that is not wanted any more.
	 *
	 * @param {string} room
	 * @param {Partial<Push>} changes
	 * @returns {Promise<void>}
	 */
	changePush(room, changes) {
		return this.#tables.update('rooms', room, (/** @type {RoomRecord | undefined} */ held) =>
			held?.push ? { ...held, push: { ...held.push, ...changes } } : null,
		);
	}

	/**
	 * Lets one of several tabs tell of messages: whoever comes first.
	 *
	 * @param {string} room
	 * @param {number} from Up to here was told, as far as this tab knows.
	 * @param {number} seq Up to here it would tell.
	 * @returns {Promise<boolean>} false where another tab has told of some meanwhile
	 */
	async claimNotices(room, from, seq) {
		let claimed = false;
		await this.#tables.update(
			'rooms',
			room,
			(/** @type {RoomRecord | undefined} */ held) => {
				claimed = held !== undefined && (held.noticedSeq ?? 0) === from;
				return claimed && held ? { ...held, noticedSeq: seq } : null;
			},
			false,
		);
		return claimed;
	}

	/** @param {string} room @returns {Promise<void>} */
	async forgetRoom(room) {
		await this.#tables.delete('rooms', [room, room]);
		await this.#tables.delete('rotations', allOf(room));
		await this.closeRoom(room);
	}

	/** @param {string} room @returns {Promise<StoredRotation[]>} ascending */
	rotations(room) {
		return this.#tables.select('rotations', allOf(room));
	}

	/** @param {StoredRotation[]} rows @returns {Promise<void>} */
	async putRotations(rows) {
		if (rows.length > 0) await this.#tables.put('rotations', rows);
	}

	/** Forgets what began with an epoch and after it. @param {string} room @param {number} epoch @returns {Promise<void>} */
	dropRotations(room, epoch) {
		return this.#tables.delete('rotations', [
			[room, epoch],
			[room, Number.MAX_SAFE_INTEGER],
		]);
	}

	/** @param {string} room @returns {Promise<StoredCard[]>} ascending */
	cards(room) {
		return this.#tables.select('cards', allOf(room));
	}

	/** @param {StoredCard[]} cards @returns {Promise<void>} */
	async putCards(cards) {
		if (cards.length > 0) await this.#tables.put('cards', cards);
	}

	/** @param {string} room @param {number} seq And after it. @returns {Promise<void>} */
	dropCards(room, seq) {
		return this.#tables.delete('cards', [
			[room, seq],
			[room, Number.MAX_SAFE_INTEGER],
		]);
	}

	/** Wipes what was said in a room; that it was known stays. @param {string} room @returns {Promise<void>} */
	async closeRoom(room) {
		await this.dropSaid(room);
		await this.dropOutbox(room);
		await this.#tables.delete('drafts', [room, room]);
	}

	/** Drops what others said, and keeps what is one's own and not sent. @param {string} room @returns {Promise<void>} */
	async dropSaid(room) {
		await this.#tables.delete('cards', allOf(room));
		await this.#tables.delete('events', allOf(room));
	}

	/** Drops what waits to be sent, with its files. @param {string} room @returns {Promise<void>} */
	async dropOutbox(room) {
		await this.#tables.delete('outbox', allOf(room));
		await this.#tables.delete('uploads', [
			[room, ''],
			[room, '\uffff'],
		]);
	}

	/**
	 * The events held before a sequence, ascending and without a gap.
	 *
	 * @param {string} room
	 * @param {number} before
	 * @param {number} limit
	 * @returns {Promise<StoredEvent[]>}
	 */
	async eventsBefore(room, before, limit) {
		/** @type {StoredEvent[]} */
		const held = await this.#tables.select(
			'events',
			[
				[room, 0],
				[room, before - 1],
			],
			{ last: true, limit },
		);
		const gap = held.findIndex(({ seq }, at) => at > 0 && seq !== (held[at - 1]?.seq ?? 0) - 1);
		return (gap < 0 ? held : held.slice(0, gap)).reverse();
	}

	/**
	 * Drops what has ended, from the oldest on: times never decrease with the sequence.
	 *
	 * @param {string} room
	 * @param {number} oldestMs What was sent by then has ended.
	 * @returns {Promise<void>}
	 */
	async dropEnded(room, oldestMs) {
		for (let from = 0; ;) {
			/** @type {StoredEvent[]} */
			const held = await this.#tables.select('events', [[room, from], allOf(room)[1]], { limit: 100 });
			const ended = held.filter(({ event }) => event.sent_at_ms <= oldestMs);
			const last = ended.at(-1);
			if (last) await this.dropEvents(room, 0, last.seq);
			if (!last || ended.length < held.length) return;
			from = last.seq + 1;
		}
	}

	/** @param {string} room @param {number} seq @returns {Promise<StoredEvent | undefined>} */
	event(room, seq) {
		return this.#tables.get('events', [room, seq]);
	}

	/**
	 * Where ids were first used, as far as events are held.
	 *
	 * @param {string} room
	 * @param {string[]} clientIds
	 * @returns {Promise<[string, number][]>}
	 */
	async firstUses(room, clientIds) {
		const values = clientIds.map((clientId) => [room, clientId]);
		const keys = await this.#tables.find('client', values);
		return clientIds.flatMap((clientId, at) => {
			const seq = keys[at]?.[0]?.[1];
			return typeof seq === 'number' ? [/** @type {[string, number]} */ ([clientId, seq])] : [];
		});
	}

	/** @param {StoredEvent[]} events @returns {Promise<void>} */
	async putEvents(events) {
		if (events.length > 0) await this.#tables.put('events', events);
	}

	/** @param {string} room @param {number} seq @param {number} [upTo] Both are dropped, too. @returns {Promise<void>} */
	dropEvents(room, seq, upTo = Number.MAX_SAFE_INTEGER) {
		return this.#tables.delete('events', [
			[room, seq],
			[room, upTo],
		]);
	}

	/** Erases what a message and its edits say, shown or not. @param {string} room @param {number} seq @returns {Promise<void>} */
	async eraseMessage(room, seq) {
		const [changes = []] = await this.#tables.find('target', [[room, seq]]);
		for (const key of [[room, seq], ...changes]) {
			await this.#tables.update('events', key, (/** @type {StoredEvent | undefined} */ held) => {
				const says = held && held.event.body !== '' && (held.seq === seq || held.event.kind === 'edit');
				const erased = held?.hash ? { erased: held.hash } : {};
				return says ? { ...held, event: { ...held.event, ...erased, body: '' } } : null;
			});
		}
	}

	/** @param {string} room @returns {Promise<OutboxEntry[]>} in order */
	outbox(room) {
		return this.#tables.select('outbox', allOf(room));
	}

	/** @param {OutboxEntry} entry @returns {Promise<void>} */
	putOutbox(entry) {
		return this.#tables.put('outbox', [entry]);
	}

	/**
	 * Changes an entry that is still there; what another tab discarded does not come back.
	 *
	 * @param {OutboxEntry} entry
	 * @param {Partial<OutboxEntry>} changes
	 * @returns {Promise<void>}
	 */
	changeOutbox({ room, order }, changes) {
		return this.#tables.update('outbox', [room, order], (held) => held && { ...held, ...changes });
	}

	/**
	 * Keeps the bytes of an entry that has none yet; of two tabs that seal the same one, the first wins.
	 *
	 * @param {OutboxEntry} entry
	 * @param {Pick<OutboxEntry, 'body' | 'epoch'>} sealed
	 * @returns {Promise<OutboxEntry | undefined>} as it is kept now; undefined: discarded meanwhile
	 */
	async sealOutbox({ room, order, client_id }, sealed) {
		await this.#tables.update('outbox', [room, order], (held) =>
			held && held.body === null && held.client_id === client_id ? { ...held, ...sealed } : null,
		);
		return this.#tables.get('outbox', [room, order]);
	}

	/** @param {OutboxEntry} entry @returns {Promise<void>} */
	removeOutbox({ room, order }) {
		return this.#tables.delete('outbox', [
			[room, order],
			[room, order],
		]);
	}

	/** @param {string} room @param {string} file @returns {Promise<Upload | undefined>} */
	upload(room, file) {
		return this.#tables.get('uploads', [room, file]);
	}

	/** @param {Upload} upload @returns {Promise<void>} */
	putUpload(upload) {
		return this.#tables.put('uploads', [upload]);
	}

	/** @param {string} room @param {string} file @returns {Promise<void>} */
	dropUpload(room, file) {
		return this.#tables.delete('uploads', [
			[room, file],
			[room, file],
		]);
	}

	/** @param {string} room @returns {Promise<Draft | undefined>} */
	draft(room) {
		return this.#tables.get('drafts', room);
	}

	/** @param {string} room @param {Draft} draft @returns {Promise<void>} */
	putDraft(room, { text, replyTo }) {
		if (text === '' && replyTo === null) return this.#tables.delete('drafts', [room, room]);
		return this.#tables.put('drafts', [{ room, text, replyTo }]);
	}

	/** @param {string} name @returns {Promise<string>} `""` for none */
	async setting(name) {
		return (await this.#tables.get('settings', name))?.value ?? '';
	}

	/** @param {string} name @param {string} value @returns {Promise<void>} */
	putSetting(name, value) {
		return this.#tables.put('settings', [{ name, value }]);
	}
}

/** @param {string} room @returns {[(string | number)[], (string | number)[]]} */
function allOf(room) {
	return [
		[room, 0],
		[room, Number.MAX_SAFE_INTEGER],
	];
}
