/**
 * Seals what is said in a room and opens it again: the one place where a body meets its keys. What is opened here
 * can be folded and judged without waiting for anything.
 *
 * @import { LogEvent } from '../values/event.js'
 * @import { Content } from '../crypto/content.js'
 * @import { Opened } from '../crypto/envelope.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { StoredEvent } from '../storage/store.js'
 * @import { SignalEvent } from '../wire/stream.js'
 * @import { Keyring } from './keyring.js'
 * @import { SignalKind } from './presence.js'
 * @import { Item } from './trust.js'
 */

import { epochOf, open, seal } from '../crypto/envelope.js';
import { parseRotationBody, verifyPublic } from '../crypto/rotation.js';
import { hex, sha256, utf8 } from '../values/bytes.js';

/** Kinds whose bodies are envelopes. */
const SEALED = new Set(['message', 'edit', 'delete', 'react', 'card', 'change']);

/** So many bodies at once keep the browser's threads busy and the page free. */
const AT_ONCE = 64;

export class Bodies {
	#room;
	#keyring;

	/** @param {string} room @param {Keyring} keyring */
	constructor(room, keyring) {
		this.#room = room;
		this.#keyring = keyring;
	}

	/**
	 * Under the keys now in force.
	 *
	 * @param {Identity} identity
	 * @param {{ kind: string, client_id: string, target: number | null }} post
	 * @param {Content} content
	 * @returns {Promise<{ epoch: number, body: string }>}
	 */
	async sealPost(identity, { kind, client_id, target }, content) {
		const { epoch, content: key } = this.#keyring.keys;
		const place = { room: this.#room, epoch, kind, client_id, author: identity.author, target };
		return { epoch, body: await seal(key, identity, place, content) };
	}

	/** @param {Identity} identity @param {SignalKind} kind @param {Content} content @returns {Promise<{ epoch: number, body: string }>} */
	async sealSignal(identity, kind, content) {
		const { epoch, content: key } = this.#keyring.keys;
		const place = { ...signalPlace(this.#room, kind, identity.author), epoch };
		return { epoch, body: await seal(key, identity, place, content) };
	}

	/** @param {SignalEvent} signal @returns {Promise<(Opened & { epoch: number }) | null>} null: its key is not at hand */
	async openSignal({ kind, author, body }) {
		const epoch = epochOf(body);
		const key = typeof epoch === 'number' ? this.#keyring.get(epoch)?.keys?.content : undefined;
		if (typeof epoch !== 'number' || !key) return null;
		return { ...(await open(key, signalPlace(this.#room, kind, author), body)), epoch };
	}

	/** @param {LogEvent[]} events @returns {Promise<Item[]>} in the same order */
	readEvents(events) {
		return inBatches(events, (event) => this.#read(event, null, null));
	}

	/** Who signed what was blanked since, and its hash, are remembered beside it. @param {StoredEvent[]} stored @returns {Promise<Item[]>} */
	readStored(stored) {
		return inBatches(stored, ({ event, hash, signer }) => this.#read(event, hash, signer));
	}

	/** @param {LogEvent} event @param {string | null} known @param {string | null} signer @returns {Promise<Item>} */
	async #read(event, known, signer) {
		if (event.body === '') {
			return { event, opened: null, epoch: null, hash: known ?? event.erased ?? null, signer };
		}
		const [{ opened, epoch }, hash] = await Promise.all([this.#open(event), known ?? hashBody(event.body)]);
		return { event, opened, epoch, hash, signer };
	}

	/** @param {LogEvent} event @returns {Promise<Pick<Item, 'opened' | 'epoch'>>} */
	async #open(event) {
		if (event.kind === 'rotate') return this.#openRotation(event);
		if (!SEALED.has(event.kind)) return { opened: null, epoch: null };
		const epoch = epochOf(event.body);
		if (typeof epoch === 'string') return { opened: { ok: false, fault: epoch }, epoch: null };
		const key = this.#keyring.get(epoch)?.keys?.content;
		if (!key) return { opened: { ok: false, fault: 'no_key' }, epoch };
		return { opened: await open(key, { ...event, room: this.#room }, event.body), epoch };
	}

	/** A renewal's event says in its public part what its owner had seen. @param {LogEvent} event @returns {Promise<Pick<Item, 'opened' | 'epoch'>>} */
	async #openRotation(event) {
		const rotation = parseRotationBody(event.body);
		if (!rotation) return { opened: { ok: false, fault: 'malformed' }, epoch: null };
		try {
			const { owner, epoch, head } = await verifyPublic(this.#room, rotation);
			return { opened: { ok: true, content: { prev: head }, signer: owner }, epoch };
		} catch {
			return { opened: { ok: false, fault: 'forged' }, epoch: null };
		}
	}
}

/** @param {string} body @returns {Promise<string>} SHA-256, in hex */
export async function hashBody(body) {
	return hex(await sha256(utf8(body)));
}

/** @param {string} room @param {string} kind @param {string | null} author */
function signalPlace(room, kind, author) {
	return { room, kind: `signal/${kind}`, client_id: null, author, target: null };
}

/**
 * @template T, U
 * @param {T[]} values
 * @param {(value: T) => Promise<U>} work
 * @returns {Promise<U[]>}
 */
async function inBatches(values, work) {
	/** @type {U[]} */
	const done = [];
	for (let at = 0; at < values.length; at += AT_ONCE) {
		done.push(...(await Promise.all(values.slice(at, at + AT_ONCE).map(work))));
	}
	return done;
}
