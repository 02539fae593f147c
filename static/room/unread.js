/**
 * What counts as unread: the messages of others after what was read. Pure.
 *
 * @import { Entry } from './log.js'
 */

/** @param {Pick<Entry, 'seq' | 'own'> & { type: string }} entry @param {number} readSeq @returns {boolean} */
export function isUnread({ seq, own, type }, readSeq) {
	return seq !== null && seq > readSeq && !own && type === 'message';
}

/** @param {readonly (Pick<Entry, 'seq' | 'own'> & { type: string })[]} entries Ascending, unsent ones last. @param {number} readSeq @returns {number} */
export function countUnread(entries, readSeq) {
	let count = 0;
	for (let index = entries.length - 1; index >= 0; index -= 1) {
		const entry = /** @type {(typeof entries)[number]} */ (entries[index]);
		if (entry.seq !== null && entry.seq <= readSeq) break;
		if (isUnread(entry, readSeq)) count += 1;
	}
	return count;
}
