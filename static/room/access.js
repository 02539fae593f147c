/**
 * How this browser gets at a room: opens its link, follows renewals, meets its people, and knows what the owner said
 * last (docs/protocol.md, "Links", "Renewing", "Cards" and "Statements"). All that it takes from the server is
 * checked before it is believed or stored.
 *
 * @import { State } from '../crypto/content.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { RoomRecord, Store, StoredCard } from '../storage/store.js'
 * @import { Api, RoomAnswer } from '../wire/api.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Keyring } from './keyring.js'
 * @import { Owning } from './owning.js'
 */

import { epochOf, open } from '../crypto/envelope.js';
import { openLink, openGift } from '../crypto/links.js';
import { RotationError, parsePublic } from '../crypto/rotation.js';
import { ApiError } from '../wire/api.js';
import { statementId } from './keyring.js';
import { Standing } from './standing.js';

/**
 * `current`: the keys in force are here. `removed`, `left_out`: they are not, and no link brings them.
 *
 * @typedef {'current' | 'removed' | 'left_out'} Outcome
 */

export class Access {
	#record;
	#identity;
	#api;
	#store;
	#owning;
	#refused;
	#setBack;
	#leftWaiting;
	#closed;
	/** The last card that is known of, whether it is one or not. */
	cardsSeen = 0;
	/** Keys were asked for, and what comes with them is not all here: a connection may break in the middle. */
	isUnfinished = false;
	/** @type {Standing | null} */
	#standing = null;
	/** @type {Promise<Outcome> | null} */
	#following = null;
	/** @type {Promise<void> | null} */
	#meeting = null;

	/**
	 * @param {object} parts
	 * @param {RoomRecord} parts.record
	 * @param {Identity} parts.identity A reader has one, too: nobody sees it.
	 * @param {Keyring} parts.keyring
	 * @param {Api} parts.api
	 * @param {Store} parts.store
	 * @param {Owning | null} parts.owning
	 * @param {(fault: RotationError) => void} parts.refused Something that is no rotation was offered as one.
	 * @param {(is: boolean) => void} parts.setBack Whether the server does not know renewals that are known here.
	 * @param {() => void} parts.leftWaiting The owner gave this person keys, and the server kept them back.
	 * @param {AbortSignal} parts.closed
	 */
	constructor({ record, identity, keyring, api, store, owning, refused, setBack, leftWaiting, closed }) {
		this.#record = record;
		this.#identity = identity;
		this.keyring = keyring;
		this.#api = api;
		this.#store = store;
		this.#owning = owning;
		this.#refused = refused;
		this.#setBack = setBack;
		this.#leftWaiting = leftWaiting;
		this.#closed = closed;
	}

	/** Who may be believed; there once a rotation is. @returns {Standing} */
	get standing() {
		const { owner } = this.keyring;
		if (owner === null) throw new Error('no rotation of this room is at hand');
		this.#standing ??= new Standing(this.#record.room, owner);
		return this.#standing;
	}

	/** The token for reading, or the owner's. @returns {string} */
	get readToken() {
		return this.keyring.keys.readToken;
	}

	/** Takes up what this browser holds. @returns {Promise<void>} */
	async restore() {
		const { room, founding } = this.#record;
		const rows = await this.#store.rotations(room).catch(() => []);
		await this.keyring.restore(rows.length === 0 && founding ? [founding] : rows);
		if (this.keyring.owner === null) return;
		this.#tellStanding();
		for (const card of await this.#store.cards(room).catch(() => [])) await this.#takeCard(card);
		// What was stored may have been stored in the middle.
		this.isUnfinished = this.#wholeUpTo < this.keyring.epochs.length;
	}

	/**
	 * Gets the keys now in force: by the owner's secret, by grants, or by the link.
	 *
	 * @returns {Promise<Outcome>}
	 * @throws {ApiError} among others `link_ended` and `room_not_found` where nothing at all is known of the room
	 */
	follow() {
		this.#following ??= this.#follow().finally(() => {
			this.#following = null;
		});
		return this.#following;
	}

	async #follow() {
		const { current } = this.keyring;
		this.isUnfinished = true;
		if (!current && !this.#owning) await this.enter();
		const followed = await this.#fetch();
		if (followed.state === 'current') return this.#settled();
		if (followed.removed) return 'removed';
		try {
			await this.enter();
		} catch (cause) {
			const code = cause instanceof ApiError ? cause.code : null;
			if (code === 'room_not_found' || code === 'link_ended') return 'left_out';
			throw cause;
		}
		await this.#fetch();
		const outcome = await this.#settled();
		const kept = this.keyring.keptIn(followed.epoch) ?? [];
		if (!followed.given && kept.some(({ signer }) => signer === this.#identity.signer)) this.#leftWaiting();
		return outcome;
	}

	/** @returns {Promise<Outcome>} */
	async #settled() {
		await this.keyring.lookBack();
		this.isUnfinished = false;
		this.#tellStanding();
		await this.locate();
		await this.#keep();
		return 'current';
	}

	/** How many epochs are here with all that is to be had of them, from the first on. */
	get #wholeUpTo() {
		const { epochs } = this.keyring;
		const missing = epochs.findIndex(({ part, row, keys }, at) => {
			const isWhole = row.private !== null && (!this.#owning || keys?.member !== undefined);
			return part.epoch !== at || !isWhole;
		});
		return missing < 0 ? epochs.length : missing;
	}

	/** What the server tells of epochs that are not known yet. */
	async #fetch() {
		/** @type {Awaited<ReturnType<Keyring['follow']>>} */
		let outcome = { state: 'current' };
		for (;;) {
			const known = this.keyring.epochs;
			// From the first on, as far as the chain is not whole; else what came since the keys that are here.
			const chained = this.#wholeUpTo;
			const since = chained === 0 ? null : Math.min(chained - 1, this.keyring.current?.part.epoch ?? Infinity);
			const answer = await this.#askKeys(since);
			const before = known.length;
			this.keyring.ownerAuthor ??= this.#standing?.cardOf(this.standing.owner)?.author ?? null;
			try {
				outcome = await this.keyring.follow(answer.rotations);
			} catch (cause) {
				if (cause instanceof RotationError) this.#refused(cause);
				throw cause instanceof RotationError ? new ApiError('foreign_keys', cause.message) : cause;
			} finally {
				await this.#keep();
			}
			const last = this.keyring.epochs.at(-1)?.part.epoch ?? 0;
			if (last < answer.epoch && this.keyring.epochs.length > before && outcome.state === 'current') continue;
			await this.#putBack(answer.epoch, last);
			return outcome;
		}
	}

	/**
	 * Asks with the token in force. A server that was set back to an older copy of itself does not know that one, but
	 * one from before it.
	 *
	 * @param {number | null} since
	 */
	async #askKeys(since) {
		const { room } = this.#record;
		if (this.#owning) return this.#api.keys(room, await this.#owning.access(), since, this.#closed);
		const author = this.#identity.authorSecret;
		const held = this.keyring.epochs.flatMap(({ keys }) => keys ?? []).reverse();
		for (const [age, { epoch, readToken }] of held.entries()) {
			try {
				return await this.#api.keys(room, { token: readToken, author }, age === 0 ? since : epoch, this.#closed);
			} catch (cause) {
				const isUnknown = cause instanceof ApiError && cause.code === 'room_not_found';
				if (!isUnknown || age === held.length - 1) throw cause;
			}
		}
		throw new ApiError('room_not_found', 'no key of this room is at hand');
	}

	/** A server that lost a renewal gets it back from whoever made it. @param {number} epoch @param {number} known */
	async #putBack(epoch, known) {
		this.#setBack(epoch < known);
		if (epoch >= known || !this.#owning) return;
		if (await this.#owning.putBack(epoch)) this.#setBack(false);
	}

	/**
	 * Opens the link, whose opening is counted once for this browser.
	 *
	 * @returns {Promise<void>}
	 * @throws {ApiError}
	 */
	async enter() {
		const { room, link } = this.#record;
		if (!link) throw new ApiError('room_not_found', 'there is no link to open');
		const keys = await openLink(link.secret);
		const opened = await this.#api.openLink(room, keys.id, keys.token, link.clientId);
		const epoch = parsePublic(opened.public)?.epoch ?? -1;
		const gift = await openGift(keys, room, epoch, opened.sealed);
		try {
			if (!gift) throw new RotationError('wrong_keys');
			await this.keyring.enter(opened, gift);
		} catch (cause) {
			if (!(cause instanceof RotationError)) throw cause;
			this.#refused(cause);
			throw new ApiError('foreign_keys', cause.message);
		}
		if (gift.role !== this.#record.role && !this.#owning) this.#record.role = gift.role;
		this.#tellStanding();
		await this.#keep();
	}

	/** The link's id by which one came, as one's card says. @returns {Promise<string | null>} */
	async via() {
		const { link } = this.#record;
		return link && !this.#owning ? (await openLink(link.secret)).id : null;
	}

	/** The cards that are known of, as a copy of the room needs them. @returns {Promise<StoredCard[]>} ascending @throws {ApiError} */
	async cards() {
		await this.meet();
		return this.#store.cards(this.#record.room);
	}

	/** Loads each author's newest card, unless all are known. @returns {Promise<void>} @throws {ApiError} */
	meet() {
		if (this.standing.complete) return Promise.resolve();
		this.#meeting ??= this.#meet().finally(() => {
			this.#meeting = null;
		});
		return this.#meeting;
	}

	async #meet() {
		const { room, joined } = this.#record;
		for (let after = 0; ;) {
			const { cards, more } = await this.#api.cards(room, { token: this.readToken }, after, this.#closed);
			const held = cards.map(({ epoch, ...event }) => ({ room, seq: event.seq, event, epoch }));
			for (const card of held) await this.#takeCard(card);
			if (joined) await this.#store.putCards(held).catch(() => {});
			const last = cards.at(-1)?.seq;
			if (!more || last === undefined) break;
			after = last;
		}
		this.standing.complete = true;
	}

	/** Remembers the cards among new events beyond what is kept of the log. @param {{ event: LogEvent, epoch: number | null }[]} items */
	async note(items) {
		const cards = items.flatMap(({ event, epoch }) =>
			event.kind === 'card' && epoch !== null ? [{ room: this.#record.room, seq: event.seq, event, epoch }] : [],
		);
		for (const { seq } of cards) this.cardsSeen = Math.max(this.cardsSeen, seq);
		if (this.#record.joined) await this.#store.putCards(cards).catch(() => {});
	}

	/** @param {StoredCard} card */
	async #takeCard({ event, epoch }) {
		this.cardsSeen = Math.max(this.cardsSeen, event.seq);
		const opened = await this.keyring.openCard({ event, epoch });
		if (opened?.ok) await this.standing.addCard(event, epoch, opened.signer, opened.content);
	}

	/**
	 * What the owner said last, of all that is known: the server's newest statement, the private part of the epoch in
	 * force, and what was believed before.
	 *
	 * @param {RoomAnswer} answer
	 * @returns {Promise<{ seq: number, state: State } | null>}
	 */
	async state(answer) {
		const { current } = this.keyring;
		const renewed = current?.content?.state;
		const stated = answer.state_seq === 0 ? this.#first() : await this.#statement(answer);
		const told = [
			this.#record.state,
			stated && { seq: answer.state_seq, state: stated },
			renewed ? { seq: current.row.seq, state: renewed } : null,
		];
		return told.reduce((latest, one) => (one && (!latest || one.seq >= latest.seq) ? one : latest), null);
	}

	#first() {
		return this.keyring.get(0)?.content?.state ?? null;
	}

	/** @param {RoomAnswer} answer @returns {Promise<State | null>} */
	async #statement({ state: body, state_seq: seq }) {
		const epoch = epochOf(body);
		const key = typeof epoch === 'number' ? this.keyring.get(epoch)?.keys?.content : undefined;
		if (!key) return null;
		const owner = this.keyring.owner ?? '';
		const { author } = this.standing.cardOf(owner) ?? {};
		const places = [
			async () => this.#owning && { client_id: await statementId(body), author: this.#identity.author },
			async () => (author ? { client_id: await statementId(body), author } : null),
			() => this.#placeOf(seq, body),
		];
		for (const find of places) {
			const place = await find();
			if (!place) continue;
			const opened = await open(key, { room: this.#record.room, kind: 'change', target: null, ...place }, body);
			if (opened.ok && opened.signer === owner) return opened.content.state ?? null;
		}
		return null;
	}

	/** The event of a statement says what it is bound to. @param {number} seq @param {string} body */
	async #placeOf(seq, body) {
		const { room } = this.#record;
		const stored = await this.#store.event(room, seq).catch(() => undefined);
		if (stored?.event.body === body) return stored.event;
		try {
			const page = await this.#api.history(room, { token: this.readToken }, { after: seq - 1, limit: 1 }, this.#closed);
			const event = page.messages[0];
			return event?.seq === seq && event.body === body ? event : null;
		} catch {
			return null;
		}
	}

	/** Private parts that are bound to an event which is not in what was read: asks for it. @returns {Promise<boolean>} whether any opened */
	async locate() {
		const { room } = this.#record;
		let found = false;
		for (const { part, row } of this.keyring.unlocated) {
			const range = { after: row.seq - 1, limit: 1 };
			const page = await this.#api.history(room, { token: this.readToken }, range, this.#closed).catch(() => null);
			// Whom the owner kept is not known before: that is asked once more.
			if (!page) this.isUnfinished = true;
			const event = page?.messages[0];
			if (event?.seq === row.seq && event.kind === 'rotate')
				found = (await this.keyring.locate(part.epoch, event)) || found;
		}
		if (found) {
			this.#tellStanding();
			await this.#keep();
		}
		return found;
	}

	/** The event of a renewal that one already follows. @param {number} epoch @param {LogEvent} event @returns {Promise<void>} */
	async began(epoch, event) {
		if (await this.keyring.locate(epoch, event)) await this.#keep();
		this.#tellStanding();
	}

	/**
	 * Compares all renewals that the server has with those that are known here: after a restored backup it may have
	 * others.
	 *
	 * @returns {Promise<void>}
	 * @throws {ApiError}
	 */
	async compare() {
		const { room } = this.#record;
		const access = this.#owning
			? await this.#owning.access()
			: { token: this.readToken, author: this.#identity.authorSecret };
		const { rotations } = await this.#api.keys(room, access, null, this.#closed);
		try {
			await this.keyring.follow(rotations);
		} catch (cause) {
			if (!(cause instanceof RotationError)) throw cause;
			this.#refused(cause);
		}
	}

	/** Follows the other of two renewals of one time. @returns {Promise<Outcome>} */
	async choose() {
		const epoch = this.keyring.choose();
		if (epoch !== null) await this.#store.dropRotations(this.#record.room, epoch + 1).catch(() => {});
		this.standing.forgetEpochsAfter(epoch ?? Infinity);
		return this.follow();
	}

	/** What the log forgot, its readers know still: renewals and cards. */
	recall() {
		this.#tellStanding();
	}

	#tellStanding() {
		if (this.keyring.owner === null) return;
		const { standing } = this;
		for (const { part, row, content } of this.keyring.epochs) {
			standing.addEpoch({
				epoch: part.epoch,
				seq: row.seq,
				admit: part.admit,
				kept: this.keyring.keptIn(part.epoch),
				state: content?.state ?? null,
			});
		}
	}

	async #keep() {
		if (!this.#record.joined) return;
		await this.#store.putRotations(this.keyring.epochs.map(({ row }) => row)).catch(() => {});
	}

	/** @returns {Promise<void>} */
	keep() {
		return this.#keep();
	}
}
