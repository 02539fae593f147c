/**
 * A room's epochs as this browser knows them: their rotations, checked, and the keys that open them. Follows
 * renewals by grants and links, and looks back where the owner lets it (docs/protocol.md, "Renewing"). What the
 * owner did not sign, or what does not follow what is known, never gets in. Speaks to no server.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Content, Kept } from '../crypto/content.js'
 * @import { Opened } from '../crypto/envelope.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { EpochKeys } from '../crypto/keys.js'
 * @import { PublicPart } from '../crypto/rotation.js'
 * @import { Gift } from '../crypto/links.js'
 * @import { StoredRotation } from '../storage/store.js'
 * @import { KeysRow } from '../wire/api.js'
 * @import { LogEvent } from '../values/event.js'
 */

import { epochOf, open } from '../crypto/envelope.js';
import { freshSecret, importAes, memberSecret, openMember, openReader } from '../crypto/keys.js';
import {
	RotationError,
	checkKeys,
	checkNext,
	hashPublic,
	openGrant,
	openPast,
	openPrivate,
	parsePublic,
	verifyPublic,
} from '../crypto/rotation.js';
import { decodeBase64url, hex, sha256, utf8 } from '../values/bytes.js';
import { hashToken } from '../crypto/keys.js';

/**
 * `content`: the private part, where it is at hand and of the owner.
 *
 * @typedef {object} Epoch
 * @property {StoredRotation} row
 * @property {PublicPart} part
 * @property {EpochKeys | null} keys
 * @property {Content | null} content
 *
 * How following ended: all that the server told of was taken, or there was no grant for an epoch that opens. `given`:
 * there was one all the same.
 *
 * @typedef {{ state: 'current' } | { state: 'no_grant', epoch: number, removed: boolean, given: boolean }} Followed
 */

export class Keyring {
	/** Two rotations of one epoch, both of the owner. @type {KeysRow | null} */
	other = null;
	/** The owner's member id, once it is known: their requests are bound to it. @type {string | null} */
	ownerAuthor = null;
	/** @type {Map<number, Epoch>} */
	#epochs = new Map();
	#room;
	#owner;
	#identity;

	/**
	 * @param {string} room
	 * @param {Bytes | null} owner The owner's secret, in the owner's browser.
	 * @param {Identity | null} identity Null for who is nobody in the room and looks at a copy of it.
	 */
	constructor(room, owner, identity) {
		this.#room = room;
		this.#owner = owner;
		this.#identity = identity;
	}

	/** @returns {Epoch[]} ascending */
	get epochs() {
		return Array.from(this.#epochs.values()).sort((one, other) => one.part.epoch - other.part.epoch);
	}

	/** The newest epoch whose keys are here. @returns {(Epoch & { keys: EpochKeys }) | null} */
	get current() {
		const held = this.epochs.findLast(({ keys }) => keys !== null);
		return held ? /** @type {any} */ (held) : null;
	}

	/** The keys now in force. @returns {EpochKeys} @throws where none are here */
	get keys() {
		const { current } = this;
		if (!current) throw new Error('no key of this room is at hand');
		return current.keys;
	}

	/** Names what is known, so that one sees whether that became more: the keys in force, and what comes with them. */
	get extent() {
		const opened = this.epochs.filter(({ content }) => content !== null).length;
		return `${this.current?.part.epoch}/${opened}`;
	}

	/** @param {number} epoch @returns {Epoch | undefined} */
	get(epoch) {
		return this.#epochs.get(epoch);
	}

	/** The owner's signer, which every rotation names. @returns {string | null} */
	get owner() {
		return this.epochs[0]?.part.owner ?? null;
	}

	/** Takes back what this browser stored, which was checked before it was. @param {StoredRotation[]} rows */
	async restore(rows) {
		for (const row of rows) {
			const part = parsePublic(row.public);
			if (!part || part.room !== this.#room) continue;
			const keys = row.secret && (await (row.role === 'member' ? openMember : openReader)(row.epoch, row.secret));
			this.#epochs.set(row.epoch, { row, part, keys, content: null });
		}
		for (const epoch of this.#epochs.values()) await this.#openContent(epoch);
	}

	/** @param {StoredRotation} row One that this browser made itself, with its keys. */
	async add(row) {
		await this.restore([row]);
	}

	/**
	 * Enters by what a link gave: an epoch with its keys, whatever is known of those before.
	 *
	 * @param {{ public: string, signature: string }} signed
	 * @param {Gift} gift
	 * @throws {RotationError}
	 */
	async enter(signed, { role, epoch, secret }) {
		const part = await verifyPublic(this.#room, signed);
		const keys = await (role === 'member' ? openMember : openReader)(epoch, secret);
		await checkKeys(part, keys);
		if (epoch < (this.current?.part.epoch ?? 0)) throw new RotationError('not_next');
		const known = this.#epochs.get(epoch);
		if (known && known.row.public !== signed.public) throw new RotationError('not_next');
		const before = this.#epochs.get(epoch - 1);
		if (before) await checkNext({ part: before.part, public: before.row.public }, part);
		const row = known?.row ?? { room: this.#room, epoch, seq: 0, ...signed, private: null, role: null, secret: null };
		// A reader's link does not take from a member what they hold.
		if (known?.keys?.member && role === 'reader') return;
		const entered = { part, keys, content: null, row: { ...row, role, secret } };
		this.#epochs.set(epoch, entered);
		await this.#openContent(entered);
	}

	/**
	 * Takes in what the server tells of epochs, ascending, each after the other.
	 *
	 * @param {KeysRow[]} rows
	 * @returns {Promise<Followed>}
	 * @throws {RotationError} something that is no rotation; what came before it was taken
	 */
	async follow(rows) {
		/** @type {Followed} */
		let outcome = { state: 'current' };
		let removed = false;
		for (const row of rows) {
			const part = await verifyPublic(this.#room, row);
			if (part.epoch !== row.epoch) throw new RotationError('not_next');
			const known = this.#epochs.get(part.epoch);
			if (known && known.row.public !== row.public) {
				// Both of the owner: which one counts is for a person to say.
				this.other = row;
				throw new RotationError('not_next');
			}
			const before = this.#epochs.get(part.epoch - 1);
			if (before) await checkNext({ part: before.part, public: before.row.public }, part);
			const after = this.#epochs.get(part.epoch + 1);
			if (after && after.part.previous !== (await hashPublic(row.public))) throw new RotationError('not_next');
			// An owner, who knew less before, has all keys by now.
			const suffices = known?.keys && (this.#owner === null || known.keys.member);
			const keys = suffices ? known.keys : ((await this.#keysOf(part, before, row)) ?? known?.keys ?? null);
			removed ||= part.removed.includes(this.#identity?.author ?? '') && this.#owner === null;
			const taken = { part, keys, content: known?.content ?? null, row: merge(this.#room, known, row, keys) };
			this.#epochs.set(part.epoch, taken);
			await this.#openContent(taken);
			if (!keys && part.epoch > (this.current?.part.epoch ?? -1) && outcome.state === 'current') {
				outcome = { state: 'no_grant', epoch: part.epoch, removed: false, given: row.grant !== null };
			}
		}
		return outcome.state === 'no_grant' ? { ...outcome, removed } : outcome;
	}

	/**
	 * Takes what opens an epoch and nothing else, as a copy of a room has it. What follows from a reader's secret is not
	 * to be had by it.
	 *
	 * @param {number} epoch
	 * @param {Bytes} secret Of its content key.
	 * @returns {Promise<boolean>} whether there is such an epoch
	 */
	async lend(epoch, secret) {
		const held = this.#epochs.get(epoch);
		if (!held || held.keys) return false;
		held.keys = /** @type {EpochKeys} */ ({ epoch, content: await importAes(secret) });
		await this.#openContent(held);
		return true;
	}

	/**
	 * Opens a card that stands beside the log.
	 *
	 * @param {{ event: LogEvent, epoch: number }} card
	 * @returns {Promise<Opened | null>} null: of an epoch that it is not of, or whose key is not here
	 */
	async openCard({ event, epoch }) {
		const key = this.#epochs.get(epoch)?.keys?.content;
		if (!key || epochOf(event.body) !== epoch) return null;
		return open(key, { ...event, room: this.#room }, event.body);
	}

	/** Goes back through what the owner left open to whoever comes later. @returns {Promise<boolean>} whether anything was found */
	async lookBack() {
		let found = false;
		for (const epoch of this.epochs.reverse()) {
			const before = this.#epochs.get(epoch.part.epoch - 1);
			const { past } = epoch.part;
			if (!epoch.keys || !before || before.keys || past === null) continue;
			const reader = await openPast(epoch.keys.past, this.#room, epoch.part.epoch, past);
			const keys = reader && (await openReader(before.part.epoch, reader));
			// What does not fit is as if it were not shared; the owner alone could have made it so.
			if (!reader || !keys || (await hashToken(keys.readToken)) !== before.part.read_token_hash) continue;
			before.keys = keys;
			before.row = { ...before.row, role: 'reader', secret: reader };
			await this.#openContent(before);
			found = true;
		}
		return found;
	}

	/**
	 * Follows the other of two rotations of one epoch.
	 *
	 * @returns {number | null} the epoch to go on from: all after it is forgotten
	 */
	choose() {
		const epoch = this.other?.epoch ?? null;
		this.other = null;
		if (epoch === null) return null;
		for (const held of this.#epochs.keys()) if (held >= epoch) this.#epochs.delete(held);
		return epoch - 1;
	}

	/** @param {PublicPart} part @param {Epoch | undefined} before @param {KeysRow} row @returns {Promise<EpochKeys | null>} */
	async #keysOf(part, before, { grant }) {
		const member = before?.keys?.member;
		/** @type {Bytes | null} */
		let secret = null;
		if (this.#owner) {
			const salt = /** @type {Bytes} */ (decodeBase64url(part.salt));
			const fresh = await freshSecret(this.#owner, part.epoch, salt);
			if (part.epoch === 0 || member) secret = await memberSecret(this.#room, part.epoch, fresh, member);
		} else if (grant !== null && member && this.#identity) {
			secret = await openGrant(this.#room, part.epoch, this.#identity, grant, member);
		}
		if (!secret) return null;
		const keys = await openMember(part.epoch, secret);
		await checkKeys(part, keys);
		if (part.past !== null && before?.keys) {
			const reader = await openPast(keys.past, this.#room, part.epoch, part.past);
			const fits = reader && hex(reader) === hex(before.keys.reader);
			if (!fits) throw new RotationError('wrong_keys');
		}
		return keys;
	}

	/** @param {Epoch} epoch */
	async #openContent(epoch) {
		const { row, part, keys } = epoch;
		if (epoch.content || !keys || row.private === null) return;
		for (const place of await requestsOf(row, (this.#owner && this.#identity?.author) ?? this.ownerAuthor)) {
			const opened = await openPrivate(keys.content, this.#room, place, row.private);
			if (!opened.ok || opened.signer !== part.owner) continue;
			epoch.content = opened.content;
			epoch.row = { ...row, client_id: place.client_id, author: place.author };
			return;
		}
	}

	/**
	 * The event of a renewal says by which request and author it was made, which its private part is bound to.
	 *
	 * @param {number} epoch
	 * @param {{ client_id: string, author: string | null, seq: number }} event
	 * @returns {Promise<boolean>} whether the private part is open now, and was not before
	 */
	async locate(epoch, { client_id, author, seq }) {
		const held = this.#epochs.get(epoch);
		if (!held) return false;
		if (held.row.seq === 0) held.row = { ...held.row, seq };
		if (held.content) return false;
		held.row = { ...held.row, client_id, author };
		await this.#openContent(held);
		return held.content !== null;
	}

	/** Private parts that are here and do not open yet, for want of the event they are bound to. @returns {Epoch[]} */
	get unlocated() {
		return this.epochs.filter(({ row, keys, content }) => keys && row.private !== null && !content && row.seq > 0);
	}

	/** Whom the owner kept, by epoch. @param {number} epoch @returns {Kept[] | null} null: not known */
	keptIn(epoch) {
		if (epoch === 0) return [];
		return this.#epochs.get(epoch)?.content?.kept ?? null;
	}
}

/** By which requests a private part may have been made. @param {StoredRotation} row @param {string | null} owner */
async function requestsOf({ epoch, client_id, author, public: part }, owner) {
	if (epoch === 0) return [{ client_id: null, author: null }];
	const known = client_id && author ? [{ client_id, author }] : [];
	// An owner's page names its requests by what they say, so that they can be found again without the log.
	const named = owner ? [{ client_id: await requestId(part), author: owner }] : [];
	return [...known, ...named];
}

/** Base64url of the 12 bytes that an envelope begins with. */
const NONCE_LETTERS = 16;

/**
 * The request by which a statement came, as an owner's page names it, so that it opens without its event.
 *
 * @param {string} body
 * @returns {Promise<string>} a `client_id`
 */
export function statementId(body) {
	return requestId(body.slice(body.lastIndexOf('.') + 1).slice(0, NONCE_LETTERS));
}

/** @param {string} text What a request is about. @returns {Promise<string>} an id that follows from it, in the form of a UUID (RFC 9562, version 8) */
export async function requestId(text) {
	const digits = hex((await sha256(utf8(`buddy/v2/request\0${text}`))).subarray(0, 16));
	const variant = ((parseInt(digits[16] ?? '0', 16) & 3) | 8).toString(16);
	const parts = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(13, 16)}`, variant + digits.slice(17, 20)];
	return [...parts, digits.slice(20)].join('-');
}

/** @param {string} room @param {Epoch | undefined} known @param {KeysRow} row @param {EpochKeys | null} keys @returns {StoredRotation} */
function merge(room, known, { epoch, seq, public: part, signature, private: sealed }, keys) {
	const held = known?.row;
	return {
		...held,
		room,
		epoch,
		seq: seq || (held?.seq ?? 0),
		public: part,
		signature,
		private: sealed ?? held?.private ?? null,
		role: keys ? (keys.member ? 'member' : 'reader') : null,
		secret: keys ? (keys.member ?? keys.reader) : null,
	};
}
