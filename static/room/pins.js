/**
 * Which messages the owner pinned, and which of them are there to be shown (docs/protocol.md, "Statements"). Pins stand
 * in the owner's statements, so nobody else makes one, and newcomers know them from the first. Pure.
 *
 * @import { Pin } from '../crypto/content.js'
 * @import { Entry, MessageEntry } from './log.js'
 */

import { MOST_PINS } from '../crypto/content.js';

/**
 * @typedef {object} Pinning
 * @property {{ firstSeq: number, pins: readonly Pin[] }} info
 * @property {(seq: number) => Entry | undefined} entry
 *
 * `message`: null while it is not loaded.
 *
 * @typedef {{ seq: number, message: MessageEntry | null }} Pinned
 */

/** What is pinned and still there, in the order in which it was pinned. @param {Pinning} room @returns {Pinned[]} */
export function pinnedIn(room) {
	/** @type {Pinned[]} */
	const pinned = [];
	for (const { seq, id } of room.info.pins) {
		const entry = room.entry(seq);
		if (!entry && seq >= room.info.firstSeq) pinned.push({ seq, message: null });
		// Otherwise it was erased, has expired, or is not the one that the owner meant.
		if (entry?.type === 'message' && entry.clientId === id) pinned.push({ seq, message: entry });
	}
	return pinned;
}

/**
 * What is to be pinned after a message was, or no longer is. What is not there any more goes as well.
 *
 * @param {Pinning} room
 * @param {{ seq: number, clientId: string }} message
 * @param {boolean} on
 * @returns {Pin[] | null} null: no more can be pinned
 */
export function pinsWith(room, message, on) {
	const there = new Set(pinnedIn(room).map(({ seq }) => seq));
	const others = room.info.pins.filter(({ seq }) => there.has(seq) && seq !== message.seq);
	if (!on) return others;
	return others.length < MOST_PINS ? [...others, { seq: message.seq, id: message.clientId }] : null;
}
