/**
 * What somebody wants to say, looked at before anything is done with it. Pure.
 */

import { MAX_CONTENT_BYTES } from '../crypto/envelope.js';
import { utf8 } from '../values/bytes.js';

/** What a message says besides its words, at most: when, what it answers, and what was seen. */
const BESIDE_BYTES = 520;
/** The most that {@link sizeOf} the words of one message may be. */
export const TEXT_BYTES = MAX_CONTENT_BYTES - BESIDE_BYTES;
/** A block of code that goes on in the next message is closed in one, and opened again in the other. */
const FENCES_BYTES = 240;
/** Where a text is cut, best first: between paragraphs, lines, sentences, words. */
const CUTS = ['\n\n', '\n', '. ', ' '];

/** Something that the user wanted and that cannot be; `code` says what. */
export class RoomError extends Error {
	/** @param {'empty' | 'read_only' | 'not_loaded' | 'no_key'} code @param {string} message */
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

/** @param {string} text @returns {string} what is worth sending of it @throws {RoomError} `empty` */
export function spoken(text) {
	const said = text.trimEnd();
	if (said.trim() === '') throw new RoomError('empty', 'there is nothing to send');
	return said;
}

/** @param {string} text @returns {number} how many bytes it takes in a message */
export function sizeOf(text) {
	return utf8(JSON.stringify(text)).length;
}

/**
 * Cuts a text that is too long for one message where it hurts least.
 *
 * @param {string} text
 * @param {number} [most] {@link sizeOf} each
 * @returns {string[]} in order, none of them empty
 */
export function split(text, most = TEXT_BYTES) {
	const parts = [];
	let rest = text.trimEnd();
	while (sizeOf(rest) > most) {
		const fits = longestFitting(rest, most - FENCES_BYTES);
		const cut = CUTS.map((between) => rest.lastIndexOf(between, fits - between.length) + between.length).find(
			(at) => at > fits / 2,
		);
		const at = cut ?? fits;
		let head = rest.slice(0, at).trimEnd();
		rest = rest.slice(at).replace(/^\n+/, '');
		const fences = head.match(/^```.*$/gm) ?? [];
		const opening = fences.length % 2 === 1 ? (fences.at(-1) ?? '').slice(0, 80) : null;
		if (opening !== null) {
			head += '\n```';
			rest = `${opening}\n${rest}`;
		}
		if (head.trim() !== '') parts.push(head);
	}
	if (rest.trim() !== '') parts.push(rest);
	return parts;
}

/** @param {string} text @param {number} most @returns {number} how many code units of it fit, of no letter only a half */
function longestFitting(text, most) {
	let low = 1;
	let high = Math.min(text.length, most);
	while (low < high) {
		const middle = (low + high + 1) >> 1;
		if (sizeOf(text.slice(0, middle)) <= most) low = middle;
		else high = middle - 1;
	}
	const half = /[\ud800-\udbff]$/.test(text.slice(0, low));
	return half && low > 1 ? low - 1 : low;
}
