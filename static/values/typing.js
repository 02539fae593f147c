/**
 * What is being typed before the caret: a name behind `@`, or an emoji's behind a colon. Pure; carets and places are in
 * UTF-16 units.
 *
 * @typedef {{ from: number, query: string }} Open `from`: where the sign stands
 */

import { LETTER, LONGEST } from './mentions.js';

/** A colon between words that no other touches, and so much of a name that `:D` and `:p` are left alone. */
const SHORTCODE = /(?<![\p{L}\p{N}_:])(:[+\w-]{2,40})$/u;
const WHOLE_SHORTCODE = /(?<![\p{L}\p{N}_:])(:[+\w-]{2,40}):$/u;
/** A sign, the longest name, and another sign. */
const LONGEST_SHORTCODE = 44;

/**
 * The name that is being typed, if one is.
 *
 * @param {string} text
 * @param {number} caret
 * @returns {Open | null}
 */
export function openMention(text, caret) {
	const from = text.lastIndexOf('@', caret - 1);
	if (from < 0 || caret - from > LONGEST || (from > 0 && LETTER.test(text[from - 1] ?? ''))) return null;
	const query = text.slice(from + 1, caret);
	return /^\s|\n|@/.test(query) ? null : { from, query };
}

/**
 * The emoji's name that is being typed, if one is: `:ta`.
 *
 * @param {string} text
 * @param {number} caret
 * @returns {Open | null}
 */
export function openShortcode(text, caret) {
	return shortcode(text, caret, SHORTCODE);
}

/**
 * The emoji's name that ends at the caret, if one does: `:tada:`.
 *
 * @param {string} text
 * @param {number} caret
 * @returns {Open | null}
 */
export function wholeShortcode(text, caret) {
	return shortcode(text, caret, WHOLE_SHORTCODE);
}

/** @param {string} text @param {number} caret @param {RegExp} form @returns {Open | null} */
function shortcode(text, caret, form) {
	const begin = Math.max(0, caret - LONGEST_SHORTCODE);
	const found = form.exec(text.slice(begin, caret));
	return found?.[1] === undefined ? null : { from: begin + found.index, query: found[1].slice(1) };
}
