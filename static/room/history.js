/**
 * A room's history: the log that is shown, filled from this browser's cache and from the server, and
 * kept true to both: what was deleted is erased, what has expired goes, what a server lost is kept.
 * No DOM.
 *
 * @import { Api, Page } from '../wire/api.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Changes, Item } from './log.js'
 * @import { Mark } from '../wire/sequencer.js'
 * @import { Identity, RoomKeys } from '../crypto/secrets.js'
 * @import { Bodies } from './bodies.js'
 * @import { RoomRecord, Store, StoredEvent } from '../storage/store.js'
 */

import { Log } from './log.js';

/** Events in a page of history, and from the cache at first. */
const PAGE = 100;
/** A newcomer reads so many older events, in pages of this, to know whose the names are. */
const MOST_NAMES = 1_000;
const NAMES_PAGE = 200;
/** Own copies of events that a server lost, kept beyond a reload. */
const MOST_LOST = 500;

export class RoomHistory {
	/** The first sequence that has not expired, as far as is known. */
	firstSeq = 1;

	#record;
	#keys;
	#bodies;
	#identity;
	#api;
	#store;
	#remember;
	#changed;
	#closed;
	#droppedBefore = 1;
	/** Above this the server has told nothing when it was asked. */
	#beginning = 1;
	/** @type {Promise<number> | null} */
	#loadingOlder = null;

	/**
	 * @param {object} parts
	 * @param {RoomRecord} parts.record
	 * @param {RoomKeys} parts.keys
	 * @param {Bodies} parts.bodies
	 * @param {Identity | null} parts.identity
	 * @param {Api} parts.api
	 * @param {Store} parts.store
	 * @param {(changes: Partial<RoomRecord>) => Promise<void>} parts.remember
	 * @param {(changes: Changes) => void} parts.changed
	 * @param {AbortSignal} parts.closed Ends requests.
	 */
	constructor({ record, keys, bodies, identity, api, store, remember, changed, closed }) {
		this.#record = record;
		this.#keys = keys;
		this.#bodies = bodies;
		this.#identity = identity;
		this.#api = api;
		this.#store = store;
		this.#remember = remember;
		this.#changed = changed;
		this.#closed = closed;
		this.log = this.#newLog();
	}

	/** Whether there is more above what is shown. */
	get hasOlder() {
		return (this.log.first ?? 0) > Math.max(this.firstSeq, this.#beginning);
	}

	/** Begins again with nothing but what a server lost. @returns {Promise<void>} */
	async renew() {
		const { names, lost } = this.#record;
		const log = this.#newLog();
		log.rememberNames(names);
		log.setUnsent(this.log.unsent);
		for (const one of lost) await this.#showLost(log, one);
		this.log = log;
	}

	/** @param {Log} log @param {RoomRecord['lost'][number]} lost @returns {Promise<Changes>} */
	async #showLost(log, { after, events }) {
		const kept = this.#newLog();
		kept.add(await this.#bodies.readStored(events));
		return log.noteLost(after, kept.entries);
	}

	/** Shows nothing more. */
	end() {
		this.log = this.#newLog();
	}

	/** Shows the end of what is cached, if it is the end of what is known. @returns {Promise<void>} */
	async readCache() {
		await this.renew();
		const { room, lastSeq } = this.#record;
		const cached = await this.#store.eventsBefore(room, lastSeq + 1, PAGE).catch(() => []);
		if (cached.at(-1)?.seq === lastSeq) {
			await this.#addCached(cached);
			await this.dropExpired();
		} else {
			this.#record.lastSeq = 0;
			this.#record.log = null;
		}
	}

	/** Shows the newest page instead of what is shown. @returns {Promise<number>} the sequence it goes up to */
	async showNewest() {
		const page = await this.page({ limit: PAGE });
		const before = this.log.entries;
		// What is cached stays, and is shown again when scrolling reaches it.
		await this.renew();
		await this.#addPage(page, page.last_seq);
		await this.#remember({ lastSeq: page.last_seq, namesFrom: null });
		const changed = new Set([...before, ...this.log.entries].map(({ key }) => key));
		this.#changed({ changed, kind: 'update' });
		return page.last_seq;
	}

	/**
	 * @param {{ after?: number, before?: number, limit?: number }} range
	 * @returns {Promise<Page>}
	 */
	page(range) {
		return this.#api.history(this.#record.room, { token: this.#keys.readToken }, range, this.#closed);
	}

	/** New events, in order. @param {LogEvent[]} events @param {string | null} log @returns {Promise<Item[]>} */
	async append(events, log) {
		const items = await this.#bodies.readEvents(events);
		if (this.#closed.aborted) return items;
		await this.#learnUses(items);
		const before = this.log.first === null ? null : this.log.last;
		const { nameCount } = this.log;
		const changes = this.log.add(items);
		if (before !== null && this.#record.mayExpire === false) this.#noteGaps(events, events.at(-1)?.seq ?? 0, before);
		// It is shown before it is stored: what a crash takes from the storage, the server has.
		this.#changed(changes);
		await this.#keep(items);
		// Whoever floods a room with names must not make every message costly to store.
		const names = this.log.nameCount === nameCount ? {} : { names: this.log.names };
		await this.#remember({ lastSeq: events.at(-1)?.seq ?? 0, log, ...names });
		return items;
	}

	/** @param {boolean} offline Then less is better than nothing. @returns {Promise<number>} how many events came */
	loadOlder(offline) {
		this.#loadingOlder ??= this.#loadOlder(offline).finally(() => {
			this.#loadingOlder = null;
		});
		return this.#loadingOlder;
	}

	/**
	 * Reads history anew where nothing is known, or the server's log is not the one known here.
	 *
	 * @param {Mark} mark
	 * @returns {Promise<number>} the cursor to go on from
	 */
	async reconcile(mark) {
		const first = this.log.first;
		if (first === null) {
			await this.#remember({ log: mark.log });
			return this.showNewest();
		}
		/** @type {LogEvent[]} */
		let newer = [];
		let same = Math.min(mark.last_seq, first - 1);
		let lastSeq = mark.last_seq;
		let firstSeq = mark.first_seq;
		/** @type {number | undefined} */
		let above;
		for (;;) {
			const page = await this.page({ limit: PAGE, ...(above === undefined ? {} : { before: above }) });
			if (above === undefined) lastSeq = page.last_seq;
			firstSeq = page.first_seq;
			const agreed = page.messages.findLast((event) => this.#agrees(event))?.seq;
			newer = [...page.messages.filter(({ seq }) => seq > (agreed ?? 0)), ...newer];
			same = agreed ?? same;
			above = page.messages[0]?.seq;
			if (agreed !== undefined || above === undefined || above <= first) break;
		}
		if (this.log.last > same) await this.#lose(same);
		const items = await this.#bodies.readEvents(newer);
		await this.#keep(items);
		this.#changed(this.log.add(items));
		// Where things expire, the oldest may have gone between two statements of the server.
		const before = this.#record.mayExpire === false ? Math.max(same, firstSeq - 1) : (newer[0]?.seq ?? 1) - 1;
		this.#noteGaps(newer, lastSeq, before);
		await this.#remember({ lastSeq, log: mark.log });
		return lastSeq;
	}

	/**
	 * Reads older history for the names in it, for a name belongs to who used it first. It is cached on
	 * the way, so that scrolling up finds it here.
	 *
	 * @returns {Promise<void>}
	 */
	async learnNames() {
		const first = this.log.first ?? 0;
		let before = Math.min(first, this.#record.namesFrom ?? first);
		while (before > Math.max(this.firstSeq, first - MOST_NAMES) && !this.#closed.aborted) {
			const page = await this.page({ before, limit: NAMES_PAGE });
			const items = await this.#bodies.readEvents(page.messages);
			await this.#keep(items);
			this.#changed(this.log.learnUses(items));
			before = page.messages[0]?.seq ?? 0;
			await this.#remember({ names: this.log.names, namesFrom: before });
		}
	}

	/** The server tells the first event that it keeps. @param {number} seq */
	startAt(seq) {
		if (seq <= this.firstSeq) return;
		const held = this.log.first !== null && this.log.first < seq;
		// Where nothing ever expires, what is no longer there was lost, and own copies are all that is left of it.
		if (held && this.#record.mayExpire === false) this.#changed(this.log.noteLost(seq - 1, []));
		else this.firstSeq = seq;
	}

	/** Lets go what has ended, here and in the cache, whether the server was heard or not. @returns {Promise<void>} */
	async dropExpired() {
		const { room, messageTtlS } = this.#record;
		if (messageTtlS !== null) {
			const oldest = Date.now() - messageTtlS * 1000;
			const first = this.log.firstAfter(oldest);
			this.firstSeq = Math.max(this.firstSeq, first);
			await this.#dropLost(oldest);
		}
		if (this.firstSeq <= this.#droppedBefore) return;
		this.#droppedBefore = this.firstSeq;
		this.#changed(this.log.dropBefore(this.firstSeq));
		await this.#store.dropEvents(room, 0, this.firstSeq - 1).catch(() => {});
		const { lost } = this.#record;
		const kept = lost.filter(({ after }) => after >= this.firstSeq - 1);
		if (kept.length < lost.length) await this.#remember({ lost: kept });
	}

	/** Own copies of what a server lost do not outlive what it kept. @param {number} oldest */
	async #dropLost(oldest) {
		const { lost } = this.#record;
		const kept = lost.map(({ after, events }) => ({
			after,
			events: events.filter(({ event }) => event.sent_at_ms > oldest),
		}));
		const fewer = kept.filter(({ events }, at) => events.length < (lost[at]?.events.length ?? 0));
		if (fewer.length === 0) return;
		await this.#remember({ lost: kept });
		for (const one of fewer) this.#changed(await this.#showLost(this.log, one));
	}

	#newLog() {
		const signer = this.#identity?.signer ?? null;
		return new Log({ signer, author: this.#identity?.author ?? null, ownerSigner: this.#record.ownerSigner });
	}

	/** @param {boolean} offline */
	async #loadOlder(offline) {
		const first = this.log.first;
		if (first === null || !this.hasOlder) return 0;
		const cached = await this.#store.eventsBefore(this.#record.room, first, PAGE).catch(() => []);
		const joins = cached.at(-1)?.seq === first - 1;
		if (joins && (cached.length === PAGE || cached[0]?.seq === this.firstSeq || offline)) {
			return this.#addCached(cached);
		}
		const page = await this.page({ before: first, limit: PAGE });
		await this.#addPage(page, first - 1);
		// Nothing above, though not all has expired: it was asked for, and there is no use in asking again.
		if (page.messages.length === 0) this.#beginning = first;
		return page.messages.length;
	}

	/** @param {StoredEvent[]} cached @returns {Promise<number>} how many of them have not expired */
	async #addCached(cached) {
		const { messageTtlS } = this.#record;
		const oldest = messageTtlS === null ? -Infinity : Date.now() - messageTtlS * 1000;
		// Times never decrease with the sequence, unless a server errs: the first that holds decides.
		const first = cached.find(({ event }) => event.sent_at_ms > oldest)?.seq ?? (cached.at(-1)?.seq ?? 0) + 1;
		if (first !== cached[0]?.seq) this.firstSeq = Math.max(this.firstSeq, first);
		const kept = cached.filter(({ seq }) => seq >= this.firstSeq);
		this.#changed(this.log.add(await this.#bodies.readStored(kept)));
		return kept.length;
	}

	/** @param {Page} page @param {number} last Up to here it should go. */
	async #addPage(page, last) {
		this.startAt(page.first_seq);
		const items = await this.#bodies.readEvents(page.messages);
		await this.#learnUses(items);
		await this.#keep(items);
		this.#changed(this.log.add(items));
		this.#noteGaps(page.messages, last, (page.messages[0]?.seq ?? page.first_seq) - 1);
	}

	/** An id seen before is known as such however far above that was. @param {Item[]} items */
	async #learnUses(items) {
		const ids = items.map(({ event }) => event.client_id).filter((clientId) => clientId !== '');
		const uses = await this.#store.firstUses(this.#record.room, ids).catch(() => []);
		this.#changed(this.log.rememberUses(uses));
	}

	/**
	 * What a server keeps has no gaps, for events expire from the oldest on.
	 *
	 * @param {LogEvent[]} events Ascending.
	 * @param {number} last
	 * @param {number} before The sequence before them.
	 */
	#noteGaps(events, last, before) {
		// All of it may have expired between two statements of the server.
		if (events.length === 0 && this.#record.mayExpire !== false) return;
		let next = before + 1;
		for (const seq of [...events.map(({ seq }) => seq), last + 1]) {
			if (seq > next) this.#changed(this.log.noteLost(seq - 1, []));
			next = seq + 1;
		}
	}

	/** Caches events, and erases what they delete. @param {Item[]} items */
	async #keep(items) {
		const { room, joined } = this.#record;
		if (!joined) return;
		try {
			await this.#store.putEvents(this.#toStored(items));
			for (const { event } of items) {
				if (event.kind === 'delete' && event.target !== null) await this.#store.eraseMessage(room, event.target);
			}
		} catch {
			// A full or failing cache loses nothing: the server has it.
		}
	}

	/** The server no longer has what came after a sequence: own copies are kept and marked. @param {number} seq */
	async #lose(seq) {
		const { room, lost } = this.#record;
		const events = this.#toStored(this.log.itemsAfter(seq)).slice(-MOST_LOST);
		this.#changed(this.log.loseAfter(seq));
		await this.#store.dropEvents(room, seq + 1).catch(() => {});
		await this.#remember({ lost: [...lost, { after: seq, events }] });
	}

	/** Whether the server has at a sequence what is known here; what was deleted meanwhile agrees. @param {LogEvent} event */
	#agrees(event) {
		const known = this.log.item(event.seq)?.event;
		if (!known || known.client_id !== event.client_id) return false;
		return known.body === event.body || event.body === '' || known.body === '';
	}

	/** @param {Item[]} items @returns {StoredEvent[]} */
	#toStored(items) {
		const { room } = this.#record;
		return items.map(({ event, opened, signer = null }) => ({
			room,
			seq: event.seq,
			event,
			signer: opened?.ok ? opened.signer : signer,
		}));
	}
}
