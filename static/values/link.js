/**
 * Links to rooms as text. Pure: what follows from a link's secret is `crypto/`'s to say.
 *
 * @import { Bytes } from './bytes.js'
 */

import { decodeBase64url, encodeBase64url } from './bytes.js';

/**
 * What a link lets its holder do: own the room, take part, or read.
 *
 * @typedef {'owner' | 'member' | 'reader'} Role
 *
 * @typedef {{ state: 'ok', origin: string, room: string, role: Role, secret: Bytes, identity: Bytes | null }} RoomLink
 * @typedef {RoomLink | { state: 'incomplete' | 'newer', room: string } | { state: 'unknown_room' | 'none' }} ParsedLink
 */

/** A link's secrets are this long. */
const SECRET_BYTES = 32;

/** @type {Record<string, Role>} */
const ROLES = { o: 'owner', m: 'member', r: 'reader' };

/**
 * A room's path and fragment.
 *
 * @param {string} room
 * @param {Role} role
 * @param {Bytes} secret
 * @param {Bytes | null} [identity] Only with a member's secret: the link to one's own other device.
 * @returns {string}
 */
export function formatLink(room, role, secret, identity = null) {
	return `/r/${room}#${role[0]}.${encodeBase64url(secret)}${identity ? `.${encodeBase64url(identity)}` : ''}`;
}

/**
 * Reads a room's link from an address or from pasted text that contains one.
 *
 * @param {string} text
 * @returns {ParsedLink}
 */
export function parseLink(text) {
	const found = /(https?:\/\/[^\s/?#]+)?\/r\/([^\s?#]*)[^\s#]*(?:#(\S*))?/.exec(text);
	if (!found) return { state: 'none' };
	const [, origin = '', room = '', fragment = ''] = found;
	if (!/^[0-9a-f]{64}$/.test(room)) return { state: 'unknown_room' };

	const [letter = '', secretText = '', identityText, ...rest] = fragment.split('.');
	const role = Object.hasOwn(ROLES, letter) ? ROLES[letter] : undefined;
	if (role === undefined) return { state: /^[A-Za-z][0-9]*$/.test(letter) ? 'newer' : 'incomplete', room };
	const secret = decodeSecret(secretText);
	const identity = identityText === undefined ? null : decodeSecret(identityText);
	const complete = secret && rest.length === 0 && (identityText === undefined || (role === 'member' && identity));
	if (!complete) return { state: 'incomplete', room };
	return { state: 'ok', origin, room, role, secret, identity };
}

/** @param {string} text @returns {Bytes | null} */
function decodeSecret(text) {
	const bytes = decodeBase64url(text);
	return bytes?.length === SECRET_BYTES ? bytes : null;
}
