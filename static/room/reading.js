/**
 * Opens the bodies of events, so that the log can be folded without waiting for anything.
 *
 * @import { LogEvent } from '../values/event.js'
 * @import { Item } from './log.js'
 * @import { RoomKeys } from '../crypto/secrets.js'
 */

import { encodeBase64url, sha256, utf8 } from '../values/bytes.js';
import { ABOUT, additionalData, open } from '../crypto/envelope.js';
import { parseObject } from './log.js';

/** Kinds whose bodies are members' envelopes. */
const SEALED = new Set(['message', 'edit', 'delete', 'react']);

/** So many bodies at once keep the browser's threads busy and the page free. */
const AT_ONCE = 64;

/**
 * @param {RoomKeys} keys
 * @param {LogEvent[]} events
 * @param {Map<number, string | null>} [signers] Who signed what was blanked since.
 * @returns {Promise<Item[]>} in the same order
 */
export async function readEvents(keys, events, signers = new Map()) {
	/** @type {Item[]} */
	const items = [];
	for (let at = 0; at < events.length; at += AT_ONCE) {
		const batch = events.slice(at, at + AT_ONCE);
		items.push(...(await Promise.all(batch.map((event) => readEvent(keys, event, signers.get(event.seq) ?? null)))));
	}
	return items;
}

/** @param {RoomKeys} keys @param {LogEvent} event @param {string | null} signer @returns {Promise<Item>} */
async function readEvent(keys, event, signer) {
	const [opened, hash] = await Promise.all([openBody(keys, event), sha256(utf8(event.body))]);
	return { event, opened, hash: encodeBase64url(hash), signer };
}

/** @param {RoomKeys} keys @param {LogEvent} event */
async function openBody(keys, event) {
	if (event.body === '') return null;
	if (SEALED.has(event.kind)) return open(keys.content, additionalData({ ...event, room: keys.room }), event.body);
	if (event.kind !== 'room') return null;
	const { about } = parseObject(event.body);
	return typeof about === 'string' ? open(keys.content, ABOUT, about) : null;
}
