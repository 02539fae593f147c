/**
 * What is being written in a room and not sent yet, kept through reloads.
 *
 * @import { Draft, Store } from '../storage/store.js'
 */

/** Typing goes on for this long before it is stored. */
const DELAY_MS = 400;

export class Drafts {
	#room;
	#store;
	#kept;
	/** @type {Draft | null} */
	#unsaved = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;

	/** @param {string} room @param {Store} store @param {() => boolean} kept Whether anything of the room is to be stored. */
	constructor(room, store, kept) {
		this.#room = room;
		this.#store = store;
		this.#kept = kept;
	}

	/** @returns {Promise<Draft>} */
	async read() {
		const stored = await this.#store.draft(this.#room).catch(() => undefined);
		return this.#unsaved ?? stored ?? { text: '', replyTo: null };
	}

	/** @param {Draft} draft */
	save(draft) {
		this.#unsaved = draft;
		clearTimeout(this.#timer);
		// What was sent must not be there to be sent again after a crash.
		const delay = draft.text === '' ? 0 : DELAY_MS;
		this.#timer = setTimeout(() => void this.write(), delay);
	}

	/** Stores at once what was not yet. @returns {Promise<void>} */
	async write() {
		clearTimeout(this.#timer);
		const draft = this.#unsaved;
		if (!draft || !this.#kept()) return;
		await this.#store.putDraft(this.#room, draft).catch(() => {});
		if (this.#unsaved === draft) this.#unsaved = null;
	}
}
