/**
 * Who is here and who types: receives signals, sends one's own. No DOM.
 *
 * @import { Content } from '../crypto/content.js'
 * @import { SignalEvent } from '../wire/stream.js'
 */

/**
 * @typedef {'here' | 'typing' | 'gone'} SignalKind
 *
 * @typedef {object} Present
 * @property {string} signer
 * @property {string | null} author
 * @property {number} hereUntil
 * @property {number} typingUntil
 */

/** A signal this old by its writer's clock is ignored, for it may be a replay. */
const OLDEST_MS = 60_000;
/** The server forgets a signal after this. */
const HERE_LASTS_MS = 30_000;
const HERE_EVERY_MS = 20_000;
const TYPING_LASTS_MS = 6_000;
const TYPING_EVERY_MS = 3_000;

export class Presence {
	/** By key. @type {Map<string, Present>} */
	present = new Map();

	/** When each said something last, by their own clock. @type {Map<string, number>} */
	#saidAt = new Map();
	#send;
	#changed;
	#typedAt = 0;
	#visible = false;
	#stopped = false;
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#fading;

	/**
	 * @param {(kind: SignalKind) => void} send Best effort: signals are not repeated.
	 * @param {() => void} changed
	 */
	constructor(send, changed) {
		this.#send = send;
		this.#changed = changed;
	}

	/** Others have heard nothing for a while, for there was no connection. */
	returned() {
		if (this.#visible) this.#send('here');
	}

	/** @param {boolean} visible One is here while the page is looked at. */
	setVisible(visible) {
		if (visible === this.#visible) return;
		this.#visible = visible;
		clearInterval(this.#timer);
		if (!visible) return;
		this.#send('here');
		this.#timer = setInterval(() => this.#send('here'), HERE_EVERY_MS);
	}

	typing() {
		if (Date.now() - this.#typedAt < TYPING_EVERY_MS) return;
		this.#typedAt = Date.now();
		this.#send('typing');
	}

	typingStopped() {
		if (this.#typedAt === 0) return;
		const lately = Date.now() - this.#typedAt < TYPING_LASTS_MS;
		this.#typedAt = 0;
		if (lately) this.#send('here');
	}

	/** @param {SignalEvent} signal @param {Content} content @param {string} signer */
	receive({ kind, author }, { at_ms = 0 }, signer) {
		const age = Date.now() - at_ms;
		if (age > OLDEST_MS || this.#stopped) return;
		if (kind === 'gone') {
			this.present.delete(signer);
		} else if (kind === 'here' || kind === 'typing') {
			const now = Date.now();
			// A reader who has just come gets signals up to half a minute old; a clock ahead of ours is as if new.
			// Signals are gathered for a while, so that one may come after the message that was being written.
			const typing = kind === 'typing' && age < TYPING_LASTS_MS && at_ms > (this.#saidAt.get(signer) ?? 0);
			this.present.set(signer, {
				signer,
				author,
				hereUntil: now + HERE_LASTS_MS,
				typingUntil: typing ? now + TYPING_LASTS_MS : 0,
			});
		}
		this.#fade();
	}

	/** Who has just said something types no more. @param {string} signer @param {number} atMs By the clock of who said it. */
	said(signer, atMs) {
		this.#saidAt.set(signer, atMs);
		const held = this.present.get(signer);
		if (held && held.typingUntil > 0) {
			held.typingUntil = 0;
			this.#changed();
		}
	}

	/** Leaves, telling so where presence was told. */
	stop() {
		this.#stopped = true;
		clearTimeout(this.#fading);
		clearInterval(this.#timer);
		if (this.#visible) this.#send('gone');
		this.#visible = false;
	}

	/** Lets go whom nothing was heard of, now and when the next is due. */
	#fade() {
		clearTimeout(this.#fading);
		const now = Date.now();
		let next = Infinity;
		for (const held of this.present.values()) {
			if (held.hereUntil <= now) this.present.delete(held.signer);
			else next = Math.min(next, held.hereUntil, held.typingUntil > now ? held.typingUntil : Infinity);
		}
		if (next < Infinity) this.#fading = setTimeout(() => this.#fade(), next - now + 10);
		this.#changed();
	}
}
