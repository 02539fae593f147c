/**
 * Has the server tell those who are not here that something was written: once a while and never twice at a time, and
 * where nobody wants to be told, hardly ever. Whatever fails, fails silently. No DOM.
 *
 * @import { Told } from '../wire/api.js'
 */

/** The server tells a room so often. */
const BETWEEN_MS = 10_000;
/** Where nobody wants to be told, it is asked again after this, or once somebody has left who may want it now. */
const NOBODY_MS = 300_000;
const FAILED_MS = 60_000;

export class Teller {
	#tell;
	#here;
	#pause;
	/** With what something was written that nobody was told of yet. @type {{ token: string, isRepeat: boolean } | null} */
	#owed = null;
	#busy = false;
	/** The server tells nobody until then. */
	#notBefore = 0;
	/** Until then nobody wants to be told, unless one of these has left. */
	#quiet = { untilMs: 0, here: /** @type {string[]} */ ([]) };

	/**
	 * @param {object} parts
	 * @param {(token: string) => Promise<Told>} parts.tell
	 * @param {() => string[]} parts.here Who is here, by their signers.
	 * @param {(ms: number) => Promise<unknown>} [parts.pause]
	 */
	constructor({ tell, here, pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }) {
		this.#tell = tell;
		this.#here = here;
		this.#pause = pause;
	}

	/** A message of this tab has arrived. @param {string} token that let it be written */
	said(token) {
		if (this.#isQuiet()) return;
		this.#owed = { token, isRepeat: false };
		if (!this.#busy) void this.#run();
	}

	async #run() {
		this.#busy = true;
		while (this.#owed !== null) {
			const wait = this.#notBefore - Date.now();
			if (wait > 0) await this.#pause(wait);
			const { token, isRepeat } = this.#owed;
			this.#owed = null;
			try {
				const { again_in_s, registrations } = await this.#tell(token);
				if (registrations === 0) this.#rest(NOBODY_MS, this.#here());
				else if (again_in_s === 0) this.#notBefore = Date.now() + BETWEEN_MS;
				else {
					this.#notBefore = Date.now() + again_in_s * 1000;
					// Once: whoever told them in between told them of this as well.
					if (!isRepeat) this.#owed ??= { token, isRepeat: true };
				}
			} catch {
				this.#rest(FAILED_MS, []);
			}
		}
		this.#busy = false;
	}

	/** @param {number} ms @param {string[]} here */
	#rest(ms, here) {
		this.#quiet = { untilMs: Date.now() + ms, here };
		this.#owed = null;
	}

	#isQuiet() {
		const { untilMs, here } = this.#quiet;
		if (Date.now() >= untilMs) return false;
		const now = new Set(this.#here());
		return here.every((signer) => now.has(signer));
	}
}
