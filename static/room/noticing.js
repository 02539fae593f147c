/**
 * Of which messages a person wants to be told. Pure.
 *
 * @import { Notify } from '../storage/store.js'
 * @import { Entry, MessageEntry } from './log.js'
 */

import { mentionsIn } from '../values/mentions.js';

/**
 * @param {readonly Entry[]} entries
 * @param {object} who
 * @param {Notify} who.notify
 * @param {string} who.yourName empty for none
 * @param {(seq: number) => Entry | undefined} who.entryOf
 * @param {number} who.after Up to here all was read, or told.
 * @returns {(MessageEntry & { seq: number })[]} messages of others, in order
 */
export function worthTelling(entries, { notify, yourName, entryOf, after }) {
	if (notify === 'nothing') return [];
	const told = [];
	for (const entry of entries) {
		if (entry.type !== 'message' || entry.own || entry.seq === null || entry.seq <= after) continue;
		if (notify === 'mentions' && !isForYou(entry, { yourName, entryOf })) continue;
		told.push({ ...entry, seq: entry.seq });
	}
	return told;
}

/**
 * Whether a message names somebody, or answers them.
 *
 * @param {MessageEntry} message
 * @param {{ yourName: string, entryOf: (seq: number) => Entry | undefined }} who
 * @returns {boolean}
 */
export function isForYou({ text, replyTo, own }, { yourName, entryOf }) {
	if (own) return false;
	if (mentionsIn(text, [yourName]).length > 0) return true;
	return replyTo !== null && entryOf(replyTo.seq)?.own === true;
}
