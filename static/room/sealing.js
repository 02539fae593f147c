/**
 * What a post says besides its words (docs/protocol.md, "Windows" and "Sending across a renewal"), put together just
 * before its first attempt. Pure.
 *
 * @import { Content, Window } from '../crypto/content.js'
 */

/**
 * @typedef {{ client_id: string, seq: number }} Acknowledged This device's last acknowledged post.
 *
 * @param {Content} said The words.
 * @param {object} seen
 * @param {Window | null} seen.prev What this device has seen.
 * @param {Acknowledged | null} seen.after
 * @param {string | null} [seen.again] The `client_id` of the own post that this one replaces.
 * @returns {Content}
 */
export function withSeen(said, { prev, after, again = null }) {
	// What is acknowledged and already seen stands in the window.
	const ahead = after !== null && after.seq > (prev?.seq ?? 0);
	return { ...said, prev, ...(ahead ? { after } : {}), ...(again === null ? {} : { again }) };
}
