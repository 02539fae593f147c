/**
 * The rooms of this browser beside the one that is open: what was said last in each, and whether something is new.
 * Two of them are followed as they go on, so that a browser has three streams at most; the others are asked after
 * slowly. What they say is read from this browser, and nothing is told to anybody in them. No DOM.
 *
 * @import { RoomRecord, Store } from '../storage/store.js'
 * @import { RoomFacade } from './facade.js'
 */

import { gist, quoteOf } from '../values/text.js';
import { Api } from '../wire/api.js';
import { checkNews, listRooms, nameOfRoom } from './rooms.js';
import { Room } from './room.js';
import { countUnread } from './unread.js';

/** Beside the open one. */
const MOST_FOLLOWED = 2;
/** The others are asked after this often, on average. */
const POLL_MS = 120_000;
/** The room that was opened goes first; those beside it wait this long. */
const PATIENCE_MS = 1_500;
/** What stands in one line. */
const MOST_CHARACTERS = 80;

/**
 * @typedef {{ who: string, own: boolean, text: string, atMs: number | null }} Words
 *
 * @typedef {object} Near
 * @property {RoomRecord} record
 * @property {string} name
 * @property {Words | null} words What was said last, as far as this browser knows.
 * @property {boolean} unread
 * @property {boolean} muted
 * @property {boolean} open It is the one on the screen.
 */

export class Nearby extends EventTarget {
	/** Most recently opened first, in the order in which they were when the list was made. @type {readonly Near[]} */
	rooms = [];

	#store;
	#wakes;
	#shows;
	#followed;
	#api;
	/** The one on the screen. @type {RoomFacade | null} */
	#open = null;
	/** Followed ones by their ids. @type {Map<string, { room: Room, left: AbortController }>} */
	#rooms = new Map();
	/** @type {Map<string, Words | null>} */
	#words = new Map();
	/** Where the server has something new. @type {Set<string>} */
	#news = new Set();
	/** Their order, which does not change under the eyes. @type {string[]} */
	#order = [];
	#closed = new AbortController();
	/** Ends hearing the open one. */
	#left = new AbortController();
	#turn = 0;

	/**
	 * @param {Store} store
	 * @param {object} surroundings
	 * @param {EventTarget} [surroundings.wakes]
	 * @param {() => boolean} surroundings.shows whether anybody looks at the list
	 * @param {(room: RoomFacade, left: AbortSignal) => void} [surroundings.followed] a room is followed until `left`
	 * @param {Api} [surroundings.api]
	 */
	constructor(store, { wakes, shows, followed = () => {}, api = new Api() }) {
		super();
		this.#store = store;
		this.#wakes = wakes;
		this.#shows = shows;
		this.#followed = followed;
		this.#api = api;
		void this.#poll();
	}

	/**
	 * Another room is on the screen.
	 *
	 * @param {RoomFacade} room
	 */
	async show(room) {
		this.#left.abort();
		this.#left = new AbortController();
		const { signal } = this.#left;
		this.#open = room;
		this.#drop(room.room);
		this.#words.set(room.room, lastWords(room));
		this.#news.delete(room.room);
		this.#listen(room, signal);
		await this.refresh();
		await waited(PATIENCE_MS, this.#closed.signal);
		if (!signal.aborted && !this.#closed.signal.aborted) await this.#followSome();
	}

	/** Takes in what rooms there are now. */
	async refresh() {
		this.#turn += 1;
		const turn = this.#turn;
		const records = await listRooms(this.#store);
		if (turn !== this.#turn || this.#closed.signal.aborted) return;
		const known = new Map(records.map((record) => [record.room, record]));
		for (const { room } of records) if (!this.#order.includes(room)) this.#order.unshift(room);
		if (this.rooms.length === 0) this.#order = records.map(({ room }) => room);
		this.#order = this.#order.filter((room) => known.has(room));
		for (const room of this.#rooms.keys()) if (!known.has(room)) this.#drop(room);
		this.rooms = this.#order.map((room) => this.#near(/** @type {RoomRecord} */ (known.get(room))));
		this.#changed();
		for (const { record } of this.rooms) {
			if (turn !== this.#turn || this.#closed.signal.aborted) return;
			if (!this.#words.has(record.room)) await this.#peek(record);
		}
	}

	/** @param {string} room @param {boolean} muted */
	async mute(room, muted) {
		if (this.#open?.room === room) await this.#open.setNotify(this.#open.notify, muted);
		else {
			await this.#store.changeRoom(room, { muted }).catch(() => {});
			const followed = this.#rooms.get(room);
			if (followed) await followed.room.setNotify(followed.room.notify, muted);
			else await this.#settlePush(room);
		}
		await this.refresh();
	}

	/** What is pushed of a room that is not open follows it all the same. @param {string} room */
	async #settlePush(room) {
		if (!(await this.#store.room(room).catch(() => undefined))?.push) return;
		const settled = import('./pushing.js').then(({ settlePush }) => settlePush(this.#store, room, this.#api));
		await settled.catch((error) => console.warn('Nothing is pushed:', /** @type {Error} */ (error).message));
	}

	close() {
		this.#closed.abort();
		this.#left.abort();
		for (const room of Array.from(this.#rooms.keys())) this.#drop(room);
	}

	/** @param {RoomRecord} record @returns {Near} */
	#near(record) {
		const open = record.room === this.#open?.room;
		const live = open ? this.#open : this.#rooms.get(record.room)?.room;
		const muted = record.muted ?? false;
		const unread = live ? countUnread(live.entries, live.readSeq) > 0 : this.#news.has(record.room);
		return {
			record,
			name: live?.displayName || nameOfRoom(record),
			words: this.#words.get(record.room) ?? null,
			unread: unread && !open && !muted && record.closed === null,
			muted,
			open,
		};
	}

	/** @param {RoomFacade} room @param {AbortSignal} left */
	#listen(room, left) {
		const hear = () => {
			this.#words.set(room.room, lastWords(room));
			this.#news.delete(room.room);
			this.#renew(room.room);
		};
		for (const type of ['entries', 'info', 'phase']) room.addEventListener(type, hear, { signal: left });
	}

	/** @param {string} room something of it has changed */
	#renew(room) {
		this.rooms = this.rooms.map((near) => (near.record.room === room ? this.#near(near.record) : near));
		this.#changed();
	}

	/** Reads what this browser holds of a room. @param {RoomRecord} record */
	async #peek(record) {
		const { room, lastSeq, readSeq, closed, removal } = record;
		this.#words.set(room, null);
		if (lastSeq > readSeq) this.#news.add(room);
		if (closed !== null || removal || this.#rooms.has(room) || this.#open?.room === room) return;
		const peeked = new Room({ ...record }, { store: this.#store, locks: undefined, channel: null });
		try {
			await peeked.peek();
			this.#words.set(room, lastWords(peeked));
			if (countUnread(peeked.entries, readSeq) === 0 && lastSeq > readSeq) this.#news.delete(room);
		} catch (error) {
			console.warn('A room beside cannot be read:', /** @type {Error} */ (error).message);
		} finally {
			peeked.close();
		}
		this.#renew(room);
	}

	/** Follows those that were opened last. */
	async #followSome() {
		const records = (await listRooms(this.#store)).filter(
			({ room, closed, removal }) => room !== this.#open?.room && closed === null && !removal,
		);
		const wanted = records.slice(0, MOST_FOLLOWED);
		for (const room of Array.from(this.#rooms.keys())) {
			if (!wanted.some((record) => record.room === room)) this.#drop(room);
		}
		for (const record of wanted) {
			if (this.#closed.signal.aborted || this.#rooms.has(record.room) || record.room === this.#open?.room) continue;
			const room = new Room(record, {
				store: this.#store,
				visible: false,
				...(this.#wakes === undefined ? {} : { wakes: this.#wakes }),
			});
			const left = new AbortController();
			this.#rooms.set(record.room, { room, left });
			const facade = /** @type {RoomFacade} */ (/** @type {unknown} */ (room));
			this.#listen(facade, left.signal);
			await room.follow();
			if (!left.signal.aborted) this.#followed(facade, left.signal);
			await waited(PATIENCE_MS, this.#closed.signal);
		}
	}

	/** @param {string} room */
	#drop(room) {
		const followed = this.#rooms.get(room);
		this.#rooms.delete(room);
		followed?.left.abort();
		followed?.room.close();
	}

	async #poll() {
		const { signal } = this.#closed;
		const wanted = () => !signal.aborted && this.#shows();
		for (;;) {
			await waited(POLL_MS * (0.75 + Math.random() / 2), signal);
			if (signal.aborted) return;
			if (!wanted()) continue;
			const others = (/** @type {RoomRecord} */ { room }) => !this.#rooms.has(room) && room !== this.#open?.room;
			for await (const room of checkNews(this.#store, undefined, { wanted, only: others })) this.#news.add(room);
			await this.refresh();
		}
	}

	#changed() {
		if (!this.#closed.signal.aborted) this.dispatchEvent(new Event('change'));
	}
}

/** @param {Pick<RoomFacade, 'entries'>} room @returns {Words | null} */
export function lastWords({ entries }) {
	const last = entries.findLast(({ type }) => type === 'message');
	if (last?.type !== 'message') return null;
	const { own, name, sentAtMs, writtenAtMs } = last;
	return { own, who: name, text: quoteOf(gist(last), MOST_CHARACTERS), atMs: sentAtMs ?? writtenAtMs };
}

/** @param {number} ms @param {AbortSignal} signal ends it sooner @returns {Promise<void>} */
function waited(ms, signal) {
	return new Promise((resolve) => {
		if (signal.aborted) return resolve();
		const timer = setTimeout(resolve, ms);
		signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
	});
}
