/**
 * What makes links work (docs/protocol.md, "Links"): what follows from their secret, what they give, and the note
 * that only the owner reads.
 *
 * @import { Bytes } from '../values/bytes.js'
 */

import { decodeBase64url, encodeBase64url, hex, utf8 } from '../values/bytes.js';
import { toObject } from '../values/json.js';
import { isCount, isText } from './json.js';
import { SALT_BYTES, SECRET_BYTES, derive, deriveKey, deriveToken } from './keys.js';
import { openBytes, sealBytes } from './sealed.js';

/**
 * @typedef {{ id: string, token: string, key: CryptoKey }} LinkKeys
 *
 * @typedef {{ role: 'member' | 'reader', epoch: number, secret: Bytes }} Gift `secret`: of the epoch, the member's or the reader's.
 *
 * `epoch` is the one in which the link was made, which no renewal changes.
 *
 * @typedef {{ seed: Bytes, name: string, role: 'member' | 'reader', epoch: number }} Note
 */

/** @param {Bytes} secret @returns {Promise<LinkKeys>} */
export async function openLink(secret) {
	const [id, token, key] = await Promise.all([
		derive(secret, 'buddy/v2/link-id'),
		deriveToken(secret, 'buddy/v2/link-token'),
		deriveKey(secret, 'buddy/v2/link-key'),
	]);
	return { id: hex(id.subarray(0, 16)), token, key };
}

/** @param {LinkKeys} link @param {string} room @param {Gift} gift @param {Bytes} [nonce] @returns {Promise<string>} base64url */
export function sealGift({ id, key }, room, { role, epoch, secret }, nonce) {
	const gift = { role, epoch, [role]: encodeBase64url(secret) };
	return sealBytes(key, `v2|link|${room}|${id}|${epoch}`, utf8(JSON.stringify(gift)), nonce);
}

/**
 * @param {LinkKeys} link
 * @param {string} room
 * @param {number} epoch Of the rotation that came with it.
 * @param {string} sealed
 * @returns {Promise<Gift | null>} null: not of this link, room and epoch
 */
export async function openGift({ id, key }, room, epoch, sealed) {
	const gift = await openJson(key, `v2|link|${room}|${id}|${epoch}`, sealed);
	const role = gift?.['role'];
	if ((role !== 'member' && role !== 'reader') || gift?.['epoch'] !== epoch) return null;
	const secret = isText(gift[role]) ? decodeSecret(gift[role]) : null;
	return secret && { role, epoch, secret };
}

/** @param {CryptoKey} key The owner's note key. @param {string} room @param {string} id @param {Note} note @param {Bytes} [nonce] @returns {Promise<string>} */
export function sealNote(key, room, id, { seed, name, role, epoch }, nonce) {
	const note = { seed: encodeBase64url(seed), name, role, epoch };
	return sealBytes(key, `v2|note|${room}|${id}`, utf8(JSON.stringify(note)), nonce);
}

/** @param {CryptoKey} key @param {string} room @param {string} id @param {string} sealed @returns {Promise<Note | null>} null: not the owner's, or of another link */
export async function openNote(key, room, id, sealed) {
	const note = await openJson(key, `v2|note|${room}|${id}`, sealed);
	if (!note) return null;
	const { seed: text, name, role, epoch } = note;
	const seed = isText(text) ? decodeBase64url(text) : null;
	const fits =
		seed?.length === SALT_BYTES && isText(name) && (role === 'member' || role === 'reader') && isCount(epoch);
	return fits ? { seed, name, role, epoch } : null;
}

/** @param {CryptoKey} key The epoch's invite key. @param {string} room @param {number} epoch @param {Bytes} secret The room's link's. @param {Bytes} [nonce] */
export function sealInvite(key, room, epoch, secret, nonce) {
	return sealBytes(key, `v2|invite|${room}|${epoch}`, secret, nonce);
}

/** @param {CryptoKey} key @param {string} room @param {number} epoch @param {string} sealed @returns {Promise<Bytes | null>} */
export async function openInvite(key, room, epoch, sealed) {
	const secret = await openBytes(key, `v2|invite|${room}|${epoch}`, sealed);
	return secret?.length === SECRET_BYTES ? secret : null;
}

/** @param {CryptoKey} key @param {string} bound @param {string} sealed @returns {Promise<Record<string, any> | null>} */
async function openJson(key, bound, sealed) {
	const bytes = await openBytes(key, bound, sealed);
	return bytes && toObject(new TextDecoder().decode(bytes));
}

/** @param {string} text @returns {Bytes | null} */
function decodeSecret(text) {
	const bytes = decodeBase64url(text);
	return bytes?.length === SECRET_BYTES ? bytes : null;
}
