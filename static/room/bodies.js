/**
 * Seals what is said in a room and opens it again: the one place where a body meets its keys. What is opened here
 * can be folded and judged without waiting for anything.
 *
 * @import { LogEvent } from '../values/event.js'
 * @import { Content, Opened } from '../crypto/envelope.js'
 * @import { Identity, RoomKeys } from '../crypto/secrets.js'
 * @import { OutboxEntry, StoredEvent } from '../storage/store.js'
 * @import { SignalEvent } from '../wire/stream.js'
 * @import { Item } from './log.js'
 * @import { SignalKind } from './presence.js'
 */

import { encodeBase64url, sha256, utf8 } from '../values/bytes.js';
import { ABOUT, additionalData, open, seal } from '../crypto/envelope.js';
import { memberId } from '../crypto/secrets.js';
import { parseObject } from '../values/json.js';
import { cleanName } from '../values/text.js';

/** Kinds whose bodies are members' envelopes. */
const SEALED = new Set(['message', 'edit', 'delete', 'react']);

/** So many bodies at once keep the browser's threads busy and the page free. */
const AT_ONCE = 64;

export class Bodies {
	#keys;
	#identity;

	/** @param {RoomKeys} keys @param {Identity | null} identity Null for who only reads. */
	constructor(keys, identity) {
		this.#keys = keys;
		this.#identity = identity;
	}

	/** @param {{ kind: string, client_id: string, target: number | null }} post @param {Content} content @returns {Promise<string>} */
	sealPost(post, content) {
		return this.#seal(additionalData({ ...post, room: this.#keys.room, author: this.#speaker.author }), content);
	}

	/** @param {SignalKind} kind @param {Content} content @returns {Promise<string>} */
	sealSignal(kind, content) {
		return this.#seal(this.#signalPlace(kind, this.#speaker.author), content);
	}

	/** @param {string} name The room's. @returns {Promise<string>} */
	sealTitle(name) {
		return this.#seal(ABOUT, { name: cleanName(name), at_ms: Date.now() });
	}

	/** @param {string} about @returns {Promise<Opened>} */
	openTitle(about) {
		return open(this.#keys.content, ABOUT, about);
	}

	/** @param {SignalEvent} signal @returns {Promise<Opened>} */
	openSignal({ kind, author, body }) {
		return open(this.#keys.content, this.#signalPlace(kind, author), body);
	}

	/** What waits to be sent, which may have been sealed as somebody else. @param {OutboxEntry} entry @returns {Promise<Opened>} */
	async openUnsent(entry) {
		const author = entry.author_secret ? await memberId(entry.author_secret) : this.#speaker.author;
		return open(this.#keys.content, additionalData({ ...entry, author }), entry.body);
	}

	/** @param {LogEvent[]} events @returns {Promise<Item[]>} in the same order */
	readEvents(events) {
		return this.#readAll(events, new Map());
	}

	/** Who signed what was blanked since is remembered beside it. @param {StoredEvent[]} stored @returns {Promise<Item[]>} */
	readStored(stored) {
		const signers = new Map(stored.map(({ seq, signer }) => [seq, signer]));
		return this.#readAll(
			stored.map(({ event }) => event),
			signers,
		);
	}

	get #speaker() {
		if (!this.#identity) throw new Error('who only reads seals nothing');
		return this.#identity;
	}

	/** @param {string} bound @param {Content} content */
	#seal(bound, content) {
		return seal(this.#keys.content, this.#speaker, bound, content);
	}

	/** @param {string} kind @param {string | null} author */
	#signalPlace(kind, author) {
		return additionalData({ room: this.#keys.room, kind: `signal/${kind}`, client_id: null, author, target: null });
	}

	/** @param {LogEvent[]} events @param {Map<number, string | null>} signers */
	async #readAll(events, signers) {
		/** @type {Item[]} */
		const items = [];
		for (let at = 0; at < events.length; at += AT_ONCE) {
			const batch = events.slice(at, at + AT_ONCE);
			items.push(...(await Promise.all(batch.map((event) => this.#read(event, signers.get(event.seq) ?? null)))));
		}
		return items;
	}

	/** @param {LogEvent} event @param {string | null} signer @returns {Promise<Item>} */
	async #read(event, signer) {
		const [opened, hash] = await Promise.all([this.#open(event), sha256(utf8(event.body))]);
		return { event, opened, hash: encodeBase64url(hash), signer };
	}

	/** @param {LogEvent} event */
	async #open(event) {
		if (event.body === '') return null;
		if (SEALED.has(event.kind)) {
			return open(this.#keys.content, additionalData({ ...event, room: this.#keys.room }), event.body);
		}
		if (event.kind !== 'room') return null;
		const { about } = parseObject(event.body);
		return typeof about === 'string' ? this.openTitle(about) : null;
	}
}
