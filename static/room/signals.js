/**
 * Sends one's own presence and hears that of others. Best effort: presence is a courtesy. What somebody who is here
 * has seen of the log is compared with what is shown here, so that two logs show within seconds.
 *
 * @import { Api } from '../wire/api.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { Window } from '../crypto/content.js'
 * @import { SignalEvent } from '../wire/stream.js'
 * @import { Bodies } from './bodies.js'
 * @import { Keyring } from './keyring.js'
 * @import { SignalKind } from './presence.js'
 * @import { Standing } from './standing.js'
 * @import { Trust } from './trust.js'
 */

import { ApiError } from '../wire/api.js';
import { Presence } from './presence.js';

/** What others have seen and is not here yet has so long to come. */
const PATIENCE_MS = 8_000;
/** So many are waited for at most. */
const MOST_WAITING = 50;

/** Where the server does not say how long to wait. */
const BACK_OFF_MS = 10_000;

export class Signals {
	#room;
	#keyring;
	#bodies;
	#identity;
	#api;
	#locked;
	#ownerToken;
	#trust;
	#standing;
	#apart;
	/** Sealed beforehand: a page that is being left has no time for it. @type {{ epoch: number, body: string } | null} */
	#farewell = null;
	/** The server has asked to wait until then. */
	#notBefore = 0;
	/** Heads that are ahead of what is here. @type {{ signer: string, head: Window, sinceMs: number }[]} */
	#ahead = [];

	/**
	 * @param {object} parts
	 * @param {string} parts.room
	 * @param {Keyring} parts.keyring
	 * @param {Bodies} parts.bodies
	 * @param {Identity | null} parts.identity Null for who only reads, who tells nothing.
	 * @param {Api} parts.api
	 * @param {() => boolean} parts.locked
	 * @param {() => string | null} parts.ownerToken
	 * @param {() => Trust} parts.trust As it is now.
	 * @param {Standing} parts.standing
	 * @param {(signer: string) => void} parts.apart Somebody who is here sees another log.
	 * @param {() => void} parts.changed
	 */
	constructor({ room, keyring, bodies, identity, api, locked, ownerToken, trust, standing, apart, changed }) {
		this.#room = room;
		this.#keyring = keyring;
		this.#bodies = bodies;
		this.#identity = identity;
		this.#api = api;
		this.#locked = locked;
		this.#ownerToken = ownerToken;
		this.#trust = trust;
		this.#standing = standing;
		this.#apart = apart;
		this.presence = new Presence((kind) => void this.#send(kind), changed);
	}

	/** @param {SignalEvent[]} signals */
	async hear(signals) {
		for (const signal of signals) {
			const opened = await this.#bodies.openSignal(signal);
			// One of an epoch that is over, or just begun, says nothing of this one.
			if (!opened?.ok || opened.epoch !== this.#keyring.current?.part.epoch) continue;
			const { signer, content, epoch } = opened;
			// Who has said nothing yet has no card and no name, and is here all the same.
			this.presence.receive(signal, content, signer);
			const head = content.head ?? null;
			const counts = head && signer !== this.#identity?.signer;
			if (counts && this.#standing.believes(signer, epoch) === 'yes') await this.#judge(signer, head, Date.now());
		}
	}

	/**
	 * More of the log is here: what was waited for is compared.
	 *
	 * @param {boolean} complete All is here that the server tells of, so what is still ahead was withheld.
	 */
	async catchUp(complete) {
		const waiting = this.#ahead;
		this.#ahead = [];
		for (const { signer, head, sinceMs } of waiting) {
			if (head.seq <= this.#trust().lines.last) await this.#judge(signer, head, sinceMs);
			else if (complete && Date.now() - sinceMs > PATIENCE_MS) this.#apart(signer);
			else this.#ahead.push({ signer, head, sinceMs });
		}
	}

	/** Whether something is waited for longer than it should take. */
	get overdue() {
		return this.#ahead.some(({ sinceMs }) => Date.now() - sinceMs > PATIENCE_MS);
	}

	/** @param {string} signer @param {Window} head @param {number} sinceMs */
	async #judge(signer, head, sinceMs) {
		const outcome = await this.#trust().signal(signer, head);
		if (outcome === 'differs') this.#apart(signer);
		if (outcome !== 'wait') return;
		const known = this.#ahead.find((waiting) => waiting.signer === signer);
		// What one saw first and still is not here counts.
		if (!known && this.#ahead.length < MOST_WAITING) this.#ahead.push({ signer, head, sinceMs });
	}

	/** @param {SignalKind} kind */
	async #send(kind) {
		const identity = this.#identity;
		const { current } = this.#keyring;
		if (!identity || !current?.keys.postToken || (kind !== 'gone' && Date.now() < this.#notBefore)) return;
		const token = (this.#locked() && this.#ownerToken()) || current.keys.postToken;
		try {
			const sealed = kind === 'gone' ? this.#farewell : await this.#seal(identity, kind);
			if (sealed === null) return;
			if (kind !== 'gone') this.#farewell = await this.#seal(identity, 'gone');
			await this.#api.signal(this.#room, { token, author: identity.authorSecret }, { kind, ...sealed });
		} catch (cause) {
			// The next signal comes soon, but not while the server has enough of them.
			const limited = cause instanceof ApiError && cause.code === 'rate_limited';
			if (limited) this.#notBefore = Date.now() + (cause.retryAfterMs ?? BACK_OFF_MS);
		}
	}

	/** @param {Identity} identity @param {SignalKind} kind */
	async #seal(identity, kind) {
		const head = await this.#trust().lines.head();
		return this.#bodies.sealSignal(identity, kind, { at_ms: Date.now(), head });
	}
}
