/**
 * A room's history: the log that is shown, filled from this browser's cache and from the server, and
 * kept true to both: what was believably deleted is erased, what has expired goes, what a server lost is kept.
 * No DOM.
 *
 * @import { Api, Page } from '../wire/api.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { RoomRecord, Store, StoredEvent } from '../storage/store.js'
 * @import { Mark } from '../wire/sequencer.js'
 * @import { Bodies } from './bodies.js'
 * @import { Changes } from './log.js'
 * @import { Standing } from './standing.js'
 * @import { Fact, Item } from './trust.js'
 */

import { Log } from './log.js';
import { Trust, mayChange } from './trust.js';

/** Events in a page of history, and from the cache at first. */
const PAGE = 100;
/** Own copies of events that a server lost, kept beyond a reload. */
const MOST_LOST = 500;

export class RoomHistory {
	/** The first sequence that has not expired, as far as is known. */
	firstSeq = 1;

	#record;
	#readToken;
	#bodies;
	#identity;
	#standing;
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
	 * @param {() => string} parts.readToken Of the epoch now in force.
	 * @param {Bodies} parts.bodies
	 * @param {Identity | null} parts.identity Null for who only reads.
	 * @param {Standing} parts.standing
	 * @param {Api} parts.api
	 * @param {Store} parts.store
	 * @param {(changes: Partial<RoomRecord>) => Promise<void>} parts.remember
	 * @param {(changes: Changes) => void} parts.changed
	 * @param {AbortSignal} parts.closed Ends requests.
	 */
	constructor({ record, readToken, bodies, identity, standing, api, store, remember, changed, closed }) {
		this.#record = record;
		this.#readToken = readToken;
		this.#bodies = bodies;
		this.#identity = identity;
		this.#standing = standing;
		this.#api = api;
		this.#store = store;
		this.#remember = remember;
		this.#changed = changed;
		this.#closed = closed;
		this.trust = this.#newTrust();
		this.log = this.#newLog(this.trust);
	}

	/** Whether there is more above what is shown. */
	get hasOlder() {
		return (this.log.first ?? 0) > Math.max(this.firstSeq, this.#beginning);
	}

	/** Begins again with nothing but what a server lost. @returns {Promise<void>} */
	async renew() {
		const { unsent } = this.log;
		this.trust = this.#newTrust();
		this.log = this.#newLog(this.trust);
		this.log.setUnsent(unsent);
		for (const one of this.#record.lost) await this.#showLost(one);
	}

	/** Shows nothing more. */
	end() {
		this.trust = this.#newTrust();
		this.log = this.#newLog(this.trust);
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
		// Between what was read and this page there may have been cards.
		this.#standing.complete = false;
		await this.#addPage(page, page.last_seq);
		await this.#remember({ lastSeq: page.last_seq });
		const changed = new Set([...before, ...this.log.entries].map(({ key }) => key));
		this.#changed({ changed, kind: 'update' });
		return page.last_seq;
	}

	/**
	 * @param {{ after?: number, before?: number, limit?: number }} range
	 * @returns {Promise<Page>}
	 */
	page(range) {
		return this.#api.history(this.#record.room, { token: this.#readToken() }, range, this.#closed);
	}

	/** New events, in order. @param {LogEvent[]} events @param {string | null} log @returns {Promise<Item[]>} */
	async append(events, log) {
		const items = await this.#bodies.readEvents(events);
		if (this.#closed.aborted) return items;
		const before = this.log.first === null ? null : this.log.last;
		await this.#take(items);
		if (before !== null) this.#noteGaps(events, events.at(-1)?.seq ?? 0, before);
		// It is shown before it is stored: what a crash takes from the storage, the server has.
		await this.#keep(items);
		await this.#remember({ lastSeq: events.at(-1)?.seq ?? 0, log });
		return items;
	}

	/** What comes up to here has been read, with all that may explain it. @param {number} seq */
	settle(seq) {
		if (!this.#standing.complete) return;
		this.#changed(this.log.refresh(this.trust.settle(seq)));
	}

	/** Keys, cards or the owner's word were learnt: what waited for them is read and judged anew. @returns {Promise<void>} */
	async review() {
		const closed = this.log.closed.map(({ event }) => event);
		const items = await this.#bodies.readEvents(closed);
		const opened = items.filter((item) => !(item.opened && !item.opened.ok && item.opened.fault === 'no_key'));
		if (opened.length > 0) this.#changed(this.log.replace(opened, await this.trust.replace(opened)));
		this.#changed(this.log.refresh(this.trust.held));
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
		/** @type {Item[]} */
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
			const items = await this.#bodies.readEvents(page.messages);
			const agreed = items.findLast((item) => this.#agrees(item))?.event.seq;
			newer = [...items.filter(({ event }) => event.seq > (agreed ?? 0)), ...newer];
			same = agreed ?? same;
			above = page.messages[0]?.seq;
			if (agreed !== undefined || above === undefined || above <= first) break;
		}
		if (this.log.last > same) await this.#lose(same);
		await this.#take(newer);
		await this.#keep(newer);
		const events = newer.map(({ event }) => event);
		this.#noteGaps(events, lastSeq, Math.max(same, firstSeq - 1));
		await this.#remember({ lastSeq, log: mark.log });
		return lastSeq;
	}

	/** The server tells the first event that it keeps. @param {number} seq */
	startAt(seq) {
		if (seq <= this.firstSeq) return;
		// Where no lifetime explains it, what is no longer there was lost, and own copies are all that is left of it.
		if (this.trust.explainsMissing(seq - 1)) this.firstSeq = seq;
		else this.#noteGap(seq - 1);
	}

	/** The server skipped what it should still have. @param {number} seq Up to here. */
	noteMissing(seq) {
		this.#noteGap(seq);
	}

	/** An own post that was acknowledged is not there. @param {number} seq Where it should be. */
	noteOwnLost(seq) {
		this.#changed(this.log.noteLost(seq, 'own'));
	}

	/** Lets go what has ended, here and in the cache, whether the server was heard or not. @returns {Promise<void>} */
	async dropExpired() {
		const { room } = this.#record;
		const lifetime = this.#lifetime;
		if (lifetime !== null) {
			const oldest = Date.now() - lifetime * 1000;
			const first = this.log.firstAfter(oldest);
			this.firstSeq = Math.max(this.firstSeq, first);
			await this.#dropLost(oldest);
		}
		if (this.firstSeq <= this.#droppedBefore) return;
		this.#droppedBefore = this.firstSeq;
		this.#changed(this.log.dropBefore(this.firstSeq));
		this.trust.forgetBefore(this.firstSeq);
		await this.#store.dropEvents(room, 0, this.firstSeq - 1).catch(() => {});
		const { lost } = this.#record;
		const kept = lost.filter(({ after }) => after >= this.firstSeq - 1);
		if (kept.length < lost.length) await this.#remember({ lost: kept });
	}

	get #lifetime() {
		return this.#record.state?.state.message_ttl_s ?? null;
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
		for (const one of fewer) await this.#showLost(one);
	}

	#newTrust() {
		const trust = new Trust(this.#record.room, this.#standing);
		const { state } = this.#record;
		if (state) trust.setState(state.state);
		return trust;
	}

	/** @param {Trust} trust */
	#newLog(trust) {
		return new Log({ signer: this.#identity?.signer ?? null, author: this.#identity?.author ?? null }, trust);
	}

	/** Judges events, and shows them. @param {Item[]} items */
	async #take(items) {
		const ids = items.map(({ event }) => event.client_id).filter((clientId) => clientId !== '');
		const uses = await this.#store.firstUses(this.#record.room, ids).catch(() => []);
		const stale = this.trust.rememberUses(uses);
		for (const seq of await this.trust.add(items)) stale.add(seq);
		this.#changed(this.log.add(items, stale));
	}

	/** @param {RoomRecord['lost'][number]} lost */
	async #showLost({ after, events }) {
		const trust = this.#newTrust();
		const kept = this.#newLog(trust);
		const items = await this.#bodies.readStored(events);
		kept.add(items, await trust.add(items));
		this.#changed(this.log.noteLost(after, 'diverged', kept.entries.slice()));
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
		const lifetime = this.#lifetime;
		const oldest = lifetime === null ? -Infinity : Date.now() - lifetime * 1000;
		// Times never decrease with the sequence, unless a server errs: the first that holds decides.
		const first = cached.find(({ event }) => event.sent_at_ms > oldest)?.seq ?? (cached.at(-1)?.seq ?? 0) + 1;
		if (first !== cached[0]?.seq) this.firstSeq = Math.max(this.firstSeq, first);
		const kept = cached.filter(({ seq }) => seq >= this.firstSeq);
		await this.#take(await this.#bodies.readStored(kept));
		return kept.length;
	}

	/** @param {Page} page @param {number} last Up to here it should go. */
	async #addPage(page, last) {
		this.startAt(page.first_seq);
		const items = await this.#bodies.readEvents(page.messages);
		await this.#take(items);
		await this.#keep(items);
		this.#noteGaps(page.messages, last, (page.messages[0]?.seq ?? page.first_seq) - 1);
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
		if (events.length === 0 && this.trust.explainsMissing(last)) return;
		let next = Math.max(before + 1, this.firstSeq);
		for (const seq of [...events.map(({ seq }) => seq), last + 1]) {
			if (seq > next) this.#noteGap(seq - 1);
			next = Math.max(next, seq + 1);
		}
	}

	/** @param {number} seq */
	#noteGap(seq) {
		this.#changed(this.log.noteLost(seq, 'gap'));
	}

	/** Caches events, and erases what they believably delete. @param {Item[]} items */
	async #keep(items) {
		const { room, joined } = this.#record;
		if (!joined) return;
		try {
			await this.#store.putEvents(this.#toStored(items));
			for (const item of items) {
				if (item.event.kind === 'delete' && (await this.#counts(item))) {
					await this.#store.eraseMessage(room, item.event.target ?? 0);
				}
			}
		} catch {
			// A full or failing cache loses nothing: the server has it.
		}
	}

	/** Whether a deletion is of one who may delete that, though it be no longer shown. @param {Item} item */
	async #counts({ event }) {
		const outcome = this.trust.outcome(event.seq);
		if (outcome.counts) return true;
		const { target } = event;
		if (target === null || this.trust.fact(target) || outcome.alarm !== null || outcome.hidden !== null) return false;
		const deletion = this.trust.fact(event.seq);
		const stored = await this.#store.event(this.#record.room, target);
		if (!deletion || !stored || outcome.believed === 'no') return false;
		/** @type {Pick<Fact, 'event' | 'signer' | 'blank'>} */
		const held = { event: stored.event, signer: stored.signer, blank: stored.event.body === '' };
		return mayChange(deletion, held, this.#standing);
	}

	/** The server no longer has what came after a sequence: own copies are kept and marked. @param {number} seq */
	async #lose(seq) {
		const { room, lost } = this.#record;
		const events = this.#toStored(this.log.itemsAfter(seq)).slice(-MOST_LOST);
		this.trust.forgetAfter(seq);
		this.#standing.complete = false;
		this.#changed(this.log.loseAfter(seq));
		await this.#store.dropEvents(room, seq + 1).catch(() => {});
		await this.#store.dropCards(room, seq + 1).catch(() => {});
		await this.#remember({ lost: [...lost, { after: seq, events }], lastPost: null });
	}

	/** Whether the server has at a sequence what is known here, erased or not. @param {Item} item */
	#agrees({ event, hash }) {
		const known = this.log.item(event.seq);
		return known !== undefined && known.event.client_id === event.client_id && known.hash === hash;
	}

	/** @param {Item[]} items @returns {StoredEvent[]} */
	#toStored(items) {
		const { room } = this.#record;
		return items.map(({ event, opened, hash, signer = null }) => ({
			room,
			seq: event.seq,
			event,
			hash,
			signer: opened?.ok ? opened.signer : signer,
		}));
	}
}
