/**
 * Looks through what a room shows, a slice at a time: what one types meanwhile is not held up by a hundred thousand
 * messages. No DOM.
 *
 * @import { RoomFacade } from './facade.js'
 * @import { Entry } from './log.js'
 */

import { foldText, holdsAll } from '../values/finding.js';
import { fileWords } from '../values/text.js';

/** So long a slice may take: less than half a frame. In milliseconds. */
const SLICE_MS = 6;
/** The clock is looked at after so many entries. */
const STEP = 64;

/**
 * @typedef {object} Hit
 * @property {number} seq
 * @property {string} key of its entry
 */

export class Finder {
	/** What entries are compared by. One that changed is a new object, so none is ever out of date. @type {WeakMap<object, string>} */
	#folded = new WeakMap();
	#pause;

	/** @param {() => Promise<unknown>} [pause] lets others go first */
	constructor(pause = letOthers) {
		this.#pause = pause;
	}

	/**
	 * Finds the messages that hold all of the words.
	 *
	 * @param {readonly Entry[]} entries ascending, as a room gives them
	 * @param {readonly string[]} words folded; none finds nothing
	 * @param {object} how
	 * @param {() => boolean} how.wanted asked after each slice: whether anybody still wants to know
	 * @param {(hits: readonly Hit[]) => void} [how.found] told after each slice that found something
	 * @returns {Promise<Hit[] | null>} newest first; null where it was given up
	 */
	async find(entries, words, { wanted, found = () => {} }) {
		/** @type {Hit[]} */
		const hits = [];
		if (words.length === 0) return hits;
		let told = 0;
		let began = performance.now();
		for (let at = entries.length - 1; at >= 0; at -= 1) {
			const entry = /** @type {Entry} */ (entries[at]);
			if (entry.type === 'message' && entry.seq !== null && holdsAll(this.#foldedOf(entry), words)) {
				hits.push({ seq: entry.seq, key: entry.key });
			}
			if (at % STEP > 0 || performance.now() - began < SLICE_MS) continue;
			if (hits.length > told) found(hits);
			told = hits.length;
			await this.#pause();
			if (!wanted()) return null;
			began = performance.now();
		}
		return hits;
	}

	/** @param {Extract<Entry, { type: 'message' }>} entry */
	#foldedOf(entry) {
		let folded = this.#folded.get(entry);
		if (folded === undefined)
			this.#folded.set(entry, (folded = foldText([entry.text, ...entry.files.map(fileWords)].join('\n'))));
		return folded;
	}
}

/**
 * The first entry of a time or after it.
 *
 * @param {readonly Entry[]} entries ascending
 * @param {number} ms Unix milliseconds
 * @returns {Entry | undefined} with a sequence
 */
export function firstSince(entries, ms) {
	return entries.find(({ seq, sentAtMs }) => seq !== null && sentAtMs !== null && sentAtMs >= ms);
}

/**
 * How much of a room's log is loaded.
 *
 * @param {Pick<RoomFacade, 'entries' | 'info'>} room
 * @returns {number} from 0 to 1
 */
export function loadedShare({ entries, info: { firstSeq, lastSeq } }) {
	const first = entries.find(({ seq }) => seq !== null)?.seq ?? lastSeq;
	return lastSeq <= firstSeq ? 1 : (lastSeq - first) / (lastSeq - firstSeq);
}

/** @returns {Promise<unknown>} */
function letOthers() {
	const { scheduler } = /** @type {{ scheduler?: { yield?: () => Promise<void> } }} */ (globalThis);
	return scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));
}
