/**
 * What one says oneself: sealed in the order of the calls, sent by the outbox, and shown while it is on its way.
 *
 * @import { Api } from '../wire/api.js'
 * @import { Content } from '../crypto/envelope.js'
 * @import { Identity, RoomKeys } from '../crypto/secrets.js'
 * @import { OutboxEntry, Store } from '../storage/store.js'
 * @import { Bodies } from './bodies.js'
 * @import { Log, Unsent } from './log.js'
 */

import { ApiError } from '../wire/api.js';
import { Outbox } from './outbox.js';

/** Something that the user wanted and that cannot be; `code` says what. */
export class RoomError extends Error {
	/** @param {'empty' | 'read_only' | 'not_loaded'} code @param {string} message */
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

export class Posting {
	#keys;
	#bodies;
	#identity;
	#api;
	#log;
	#yourName;
	#show;
	/** What own unsent bodies hold, by id. @type {Map<string, Content>} */
	#contents = new Map();
	/** @type {Promise<unknown>} */
	#sealing = Promise.resolve();

	/**
	 * @param {object} parts
	 * @param {RoomKeys} parts.keys
	 * @param {Bodies} parts.bodies
	 * @param {Identity} parts.identity
	 * @param {Api} parts.api
	 * @param {Store} parts.store
	 * @param {() => Log} parts.log As it is now.
	 * @param {() => string} parts.yourName
	 * @param {(unsent: Unsent[]) => void} parts.show
	 * @param {LockManager | undefined} parts.locks
	 * @param {BroadcastChannel | null | undefined} parts.channel To the other tabs.
	 */
	constructor({ keys, bodies, identity, api, store, log, yourName, show, locks, channel }) {
		this.#keys = keys;
		this.#bodies = bodies;
		this.#identity = identity;
		this.#api = api;
		this.#log = log;
		this.#yourName = yourName;
		this.#show = show;
		this.outbox = new Outbox({
			room: keys.room,
			store,
			send: (entry) => this.#send(entry),
			changed: () => void this.#showUnsent(),
			locks,
			channel,
		});
	}

	/** Takes up what was left. @returns {Promise<void>} */
	async load() {
		await this.outbox.load();
		await this.#showUnsent();
	}

	/** @param {string} kind @param {number | null} target @param {Content} said @returns {Promise<string>} its client id */
	post(kind, target, said) {
		const posted = this.#sealing.then(async () => {
			const log = this.#log();
			const answered = target === null ? undefined : log.item(target);
			if (target !== null && !answered) throw new RoomError('not_loaded', 'that message is not loaded');
			/** @type {Content} */
			const content = { name: this.#yourName(), at_ms: Date.now(), ...said, prev: log.previous };
			if (answered) content.target_id = answered.event.client_id;
			const client_id = crypto.randomUUID();
			const body = await this.#bodies.sealPost({ kind, client_id, target }, content);
			this.#contents.set(client_id, content);
			await this.outbox.add({ client_id, kind, target, body, author_secret: this.#identity.authorSecret });
			await this.#showUnsent();
			return client_id;
		});
		this.#sealing = posted.catch(() => {});
		return posted;
	}

	/** @param {OutboxEntry} entry */
	async #send(entry) {
		const { room, postToken, ownerToken } = this.#keys;
		const author = entry.author_secret ?? this.#identity.authorSecret;
		try {
			return await this.#api.post(room, { token: postToken, author }, entry);
		} catch (cause) {
			// The weakest token goes first; the owner's opens a locked room and deletes what others wrote.
			const code = cause instanceof ApiError ? cause.code : null;
			if (!ownerToken || (code !== 'room_locked' && code !== 'not_allowed')) throw cause;
			return this.#api.post(room, { token: ownerToken, author }, entry);
		}
	}

	async #showUnsent() {
		for (const entry of this.outbox.entries) {
			if (this.#contents.has(entry.client_id)) continue;
			const opened = await this.#bodies.openUnsent(entry);
			if (opened.ok) this.#contents.set(entry.client_id, opened.content);
		}
		const unsent = this.outbox.entries.map(({ client_id, kind, target, state, error }) => ({
			clientId: client_id,
			kind,
			target,
			content: this.#contents.get(client_id) ?? {},
			state: state === 'waiting' ? /** @type {const} */ ('sending') : state,
			error,
		}));
		const kept = new Set(unsent.map(({ clientId }) => clientId));
		for (const clientId of this.#contents.keys()) if (!kept.has(clientId)) this.#contents.delete(clientId);
		this.#show(unsent);
	}
}

/** @param {string} text @returns {string} what is worth sending of it @throws {RoomError} `empty` */
export function spoken(text) {
	const said = text.trimEnd();
	if (said.trim() === '') throw new RoomError('empty', 'there is nothing to send');
	return said;
}
