/**
 * What has been done to one message: its last edit, and who gave which reaction. Kept as changes come and go, for
 * a message may have thousands of them and each must cost little. Pure; the outcome depends on the changes that
 * count alone, not on the order in which they came.
 */

import { isEmoji } from '../values/text.js';

/** So many of those who gave a reaction are named: more than anybody reads. */
export const MOST_NAMES = 20;

/** More different reactions than people give: what is beyond is only counted. */
export const MOST_REACTIONS = 20;

/**
 * @typedef {object} Word What somebody said of a reaction.
 * @property {string} emoji
 * @property {boolean} on Whether they give it, or take it back.
 * @property {string} signer
 *
 * @typedef {object} Given
 * @property {string} emoji
 * @property {number} count
 * @property {boolean} own
 * @property {string[]} signers The first {@link MOST_NAMES} of those who give it.
 * @property {boolean} pending An own word about it is on its way.
 */

export class Tally {
	/** Edits that count. @type {Set<number>} */
	#edits = new Set();
	#lastEdit = 0;
	/** @type {Map<number, Word>} */
	#words = new Map();
	/** @type {Map<string, Givers>} */
	#givers = new Map();
	/** Those of `#givers` that somebody gives, ascending; null: to be found anew. @type {Givers[] | null} */
	#given = null;

	/** The sequence of the last edit that counts; 0 for none. */
	get lastEdit() {
		return this.#lastEdit;
	}

	/** @param {number} seq */
	addEdit(seq) {
		this.#edits.add(seq);
		this.#lastEdit = Math.max(this.#lastEdit, seq);
	}

	/** @param {number} seq @param {Word} word */
	addWord(seq, word) {
		if (this.#words.has(seq) || !isEmoji(word.emoji)) return;
		this.#words.set(seq, word);
		let givers = this.#givers.get(word.emoji);
		if (!givers) this.#givers.set(word.emoji, (givers = new Givers(word.emoji)));
		givers.add(seq, word);
		this.#given = null;
	}

	/** It no longer counts, or never did. @param {number} seq */
	remove(seq) {
		if (this.#edits.delete(seq) && seq === this.#lastEdit) this.#lastEdit = Math.max(0, ...this.#edits);
		const word = this.#words.get(seq);
		if (!word) return;
		this.#words.delete(seq);
		this.#givers.get(word.emoji)?.remove(seq, word);
		this.#given = null;
	}

	/**
	 * What is given, in the order in which it first was; own ones and the first {@link MOST_REACTIONS}.
	 *
	 * @param {string} own The signer of who looks.
	 * @param {{ emoji: string, on: boolean }[]} waiting Own words that have no sequence yet.
	 * @returns {{ given: Given[], more: number }} and how many others there are
	 */
	given(own, waiting) {
		/** @type {Map<string, boolean>} */
		const last = new Map();
		for (const { emoji, on } of waiting) if (isEmoji(emoji)) last.set(emoji, on);
		this.#given ??= Array.from(this.#givers.values())
			.filter(({ size }) => size > 0)
			.sort((one, other) => one.since - other.since);
		/** @type {Given[]} */
		const given = [];
		let more = 0;
		let place = 0;
		for (const givers of this.#given) {
			const pending = last.has(givers.emoji);
			const before = givers.has(own);
			const isOwn = last.get(givers.emoji) ?? before;
			last.delete(givers.emoji);
			const count = givers.size + Number(isOwn) - Number(before);
			if (count === 0) continue;
			place += 1;
			if (place > MOST_REACTIONS && !isOwn) {
				more += 1;
				continue;
			}
			const others = before && !isOwn ? givers.first.filter((signer) => signer !== own) : givers.first;
			const signers = isOwn && !before ? [...others, own] : others;
			given.push({ emoji: givers.emoji, count, own: isOwn, signers: signers.slice(0, MOST_NAMES), pending });
		}
		for (const [emoji, on] of last) if (on) given.push({ emoji, count: 1, own: true, signers: [own], pending: true });
		return { given, more };
	}
}

/** Those who give one reaction. */
class Givers {
	/** What each said of it, ascending; nearly always once. @type {Map<string, { seq: number, on: boolean }[]>} */
	#words = new Map();
	/** Who gives it, and since which word. @type {Map<string, number>} */
	#since = new Map();
	/** The first of them, ascending; null: to be found anew. @type {string[] | null} */
	#first = [];
	#least = Infinity;

	/** @param {string} emoji */
	constructor(emoji) {
		this.emoji = emoji;
	}

	get size() {
		return this.#since.size;
	}

	/** The sequence of the first word that gives it. */
	get since() {
		if (this.#least === Infinity) for (const since of this.#since.values()) this.#least = Math.min(this.#least, since);
		return this.#least;
	}

	/** Who gave it first: one more than are named, so that one may be left out. @returns {readonly string[]} */
	get first() {
		this.#first ??= firstOf(this.#since);
		return this.#first;
	}

	/** @param {string} signer */
	has(signer) {
		return this.#since.has(signer);
	}

	/** @param {number} seq @param {Word} word */
	add(seq, { signer, on }) {
		const words = this.#words.get(signer);
		if (!words) this.#words.set(signer, [{ seq, on }]);
		else {
			const at = words.findLastIndex((word) => word.seq < seq);
			words.splice(at + 1, 0, { seq, on });
		}
		this.#judge(signer);
	}

	/** @param {number} seq @param {Word} word */
	remove(seq, { signer }) {
		const words = (this.#words.get(signer) ?? []).filter((word) => word.seq !== seq);
		if (words.length > 0) this.#words.set(signer, words);
		else this.#words.delete(signer);
		this.#judge(signer);
	}

	/** Whether somebody gives it, their last word decides; and since when, the first one that it repeats. @param {string} signer */
	#judge(signer) {
		const words = this.#words.get(signer) ?? [];
		const since = words.at(-1)?.on ? words[words.findLastIndex(({ on }) => !on) + 1]?.seq : undefined;
		const before = this.#since.get(signer);
		if (since === before) return;
		if (before !== undefined) {
			this.#since.delete(signer);
			if (before === this.#least) this.#least = Infinity;
			if (this.#first?.includes(signer)) this.#first = null;
		}
		if (since === undefined) return;
		this.#since.set(signer, since);
		// Infinity stands for not known, unless nobody gives it.
		if (this.#least !== Infinity || this.#since.size === 1) this.#least = Math.min(this.#least, since);
		this.#place(signer, since);
	}

	/** Puts somebody among the first, if they are. @param {string} signer @param {number} since */
	#place(signer, since) {
		const first = this.#first;
		if (!first) return;
		const at = first.findLastIndex((held) => (this.#since.get(held) ?? 0) < since) + 1;
		if (at > MOST_NAMES) return;
		first.splice(at, 0, signer);
		first.length = Math.min(first.length, MOST_NAMES + 1);
	}
}

/** @param {Map<string, number>} since @returns {string[]} */
function firstOf(since) {
	/** @type {[string, number][]} */
	const first = [];
	for (const entry of since) {
		if (first.length > MOST_NAMES && entry[1] >= (first[MOST_NAMES]?.[1] ?? 0)) continue;
		const at = first.findLastIndex(([, seq]) => seq < entry[1]) + 1;
		first.splice(at, 0, entry);
		first.length = Math.min(first.length, MOST_NAMES + 1);
	}
	return first.map(([signer]) => signer);
}
