/**
 * JSON that somebody else wrote, read strictly: a text in which a name comes twice means different things to
 * different readers, and is refused. Pure.
 */

import { toObject } from '../values/json.js';

/**
 * @param {string} text
 * @returns {Record<string, unknown> | null} null: no JSON, no object, or a name that comes twice in one object
 */
export function parseStrict(text) {
	const parsed = toObject(text);
	return parsed && !repeatsName(text) ? parsed : null;
}

/** Strings, and what opens, closes and separates. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Whether some object of a text that is JSON has a name twice, escaped or not. @param {string} text */
function repeatsName(text) {
	/** One for each object or list that is open. @type {(Set<string> | null)[]} */
	const open = [];
	let last = '';
	for (const [token] of text.matchAll(TOKENS)) {
		if (token === '{') open.push(new Set());
		else if (token === '[') open.push(null);
		else if (token === '}' || token === ']') open.pop();
		else if (token === ':') {
			const names = open.at(-1);
			const name = JSON.parse(last);
			if (names?.has(name)) return true;
			names?.add(name);
		}
		last = token;
	}
	return false;
}

/** @param {unknown} value @returns {value is string} */
export function isText(value) {
	return typeof value === 'string';
}

/** @param {unknown} value @returns {value is number} */
export function isCount(value) {
	return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** @param {unknown} value @returns {value is string} */
export function isHex32(value) {
	return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** @param {unknown} value @returns {value is string} a member id or a link's */
export function isId(value) {
	return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}
