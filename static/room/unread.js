/**
 * What counts as unread: the messages of others after what was read. Pure.
 *
 * @import { Entry } from './log.js'
 */

/** @param {Pick<Entry, 'seq' | 'own'> & { type: string }} entry @param {number} readSeq @returns {boolean} */
export function isUnread({ seq, own, type }, readSeq) {
	return seq !== null && seq > readSeq && !own && type === 'message';
}

/**
 * @typedef {Pick<Entry, 'seq' | 'own'> & { type: string }} Counted
 *
 * @param {readonly Counted[]} entries Ascending, unsent ones last.
 * @param {number} readSeq
 * @returns {number}
 */
export function countUnread(entries, readSeq) {
	return unread(entries, readSeq).count;
}

/**
 * @template {Counted} One
 * @param {readonly One[]} entries Ascending, unsent ones last.
 * @param {number} readSeq
 * @returns {One | undefined} the oldest that is unread
 */
export function firstUnread(entries, readSeq) {
	return unread(entries, readSeq).first;
}

/** @template {Counted} One @param {readonly One[]} entries @param {number} readSeq */
function unread(entries, readSeq) {
	let count = 0;
	/** @type {One | undefined} */
	let first;
	for (let index = entries.length - 1; index >= 0; index -= 1) {
		const entry = /** @type {One} */ (entries[index]);
		if (entry.seq !== null && entry.seq <= readSeq) break;
		if (!isUnread(entry, readSeq)) continue;
		count += 1;
		first = entry;
	}
	return { count, first };
}
