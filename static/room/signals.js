/**
 * Sends one's own presence and hears that of others. Best effort: presence is a courtesy.
 *
 * @import { Api } from '../wire/api.js'
 * @import { Identity, RoomKeys } from '../crypto/secrets.js'
 * @import { SignalEvent } from '../wire/stream.js'
 * @import { Bodies } from './bodies.js'
 * @import { SignalKind } from './presence.js'
 */

import { Presence } from './presence.js';

export class Signals {
	#keys;
	#bodies;
	#identity;
	#api;
	#locked;
	#yourName;
	/** Sealed beforehand: a page that is being left has no time for it. @type {string | null} */
	#farewell = null;

	/**
	 * @param {object} parts
	 * @param {RoomKeys} parts.keys
	 * @param {Bodies} parts.bodies
	 * @param {Identity | null} parts.identity Null for who only reads, who tells nothing.
	 * @param {Api} parts.api
	 * @param {() => boolean} parts.locked
	 * @param {() => string} parts.yourName
	 * @param {() => void} parts.changed
	 */
	constructor({ keys, bodies, identity, api, locked, yourName, changed }) {
		this.#keys = keys;
		this.#bodies = bodies;
		this.#identity = identity;
		this.#api = api;
		this.#locked = locked;
		this.#yourName = yourName;
		this.presence = new Presence((kind) => void this.#send(kind), changed);
	}

	/** @param {SignalEvent[]} signals */
	async hear(signals) {
		for (const signal of signals) {
			const opened = await this.#bodies.openSignal(signal);
			if (opened.ok) this.presence.receive(signal, opened.content, opened.signer);
		}
	}

	/** @param {SignalKind} kind */
	async #send(kind) {
		if (!this.#identity) return;
		const { room, postToken, ownerToken } = this.#keys;
		const token = this.#locked() && ownerToken ? ownerToken : postToken;
		try {
			const body = kind === 'gone' ? this.#farewell : await this.#seal(kind);
			if (body === null) return;
			if (kind !== 'gone') this.#farewell = await this.#seal('gone');
			await this.#api.signal(room, { token, author: this.#identity.authorSecret }, { kind, body });
		} catch {
			// The next signal comes soon.
		}
	}

	/** @param {SignalKind} kind */
	#seal(kind) {
		return this.#bodies.sealSignal(kind, { name: this.#yourName(), at_ms: Date.now() });
	}
}
