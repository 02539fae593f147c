/**
 * Everything that follows from the secret in a link: keys, tokens and identity.
 * Secrets come in and go out as raw bytes; keys exist only in memory. Nothing here speaks to the
 * network, and no message of an error holds a secret.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Role } from '../values/link.js'
 */

import {
	concat,
	decodeBase64url,
	encodeBase64url,
	equalBytes,
	hex,
	randomBytes,
	sha256,
	utf8,
} from '../values/bytes.js';

/**
 * @typedef {object} RoomKeys All that a link's secret gives. What it does not give is null.
 * @property {string} room
 * @property {Role} role
 * @property {Bytes | null} owner
 * @property {Bytes | null} member
 * @property {Bytes} reader
 * @property {CryptoKey} content The AES-256-GCM key of every body in the room.
 * @property {string} readToken
 * @property {string | null} postToken
 * @property {string | null} ownerToken
 *
 * @typedef {object} Identity One person in one room.
 * @property {Bytes} secret
 * @property {string} authorSecret The header `buddy-author`; known to the server only.
 * @property {string} author The public member id: 32 hex characters.
 * @property {Bytes} publicKey Ed25519, 32 bytes.
 * @property {string} signer The public key as base64url, as entries name it.
 * @property {(bytes: Bytes) => Promise<Bytes>} sign Ed25519, 64 bytes.
 */

/** Every secret, derived or drawn, is this long. */
const SECRET_BYTES = 32;

/** An Ed25519 private key in PKCS#8 (RFC 8410, section 7) is this, then the 32 bytes of the seed. */
const PKCS8_ED25519 = new Uint8Array([
	0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

/**
 * Whether this browser, on this address, can do what rooms need. Without a secure context there is
 * no `crypto.subtle`; browsers before 2025 have no Ed25519.
 *
 * @returns {Promise<'ok' | 'insecure' | 'old'>}
 */
export async function support() {
	if (globalThis.isSecureContext === false) return 'insecure';
	try {
		await openIdentity(new Uint8Array(SECRET_BYTES));
		return 'ok';
	} catch {
		return 'old';
	}
}

/** @returns {Bytes} a new owner secret or identity */
export function newSecret() {
	return randomBytes(SECRET_BYTES);
}

/**
 * One step down: HKDF-SHA256 (RFC 5869) with an empty salt and the label as info, 32 bytes out.
 * There is no way back up.
 *
 * @param {Bytes} parent
 * @param {string} label ASCII, such as `buddy/v1/member`
 * @returns {Promise<Bytes>}
 */
export async function derive(parent, label) {
	const key = await crypto.subtle.importKey('raw', parent, 'HKDF', false, ['deriveBits']);
	const salt = new Uint8Array(0);
	const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info: utf8(label) }, key, 256);
	return new Uint8Array(bits);
}

/**
 * @param {string} room
 * @param {Role} role
 * @param {Bytes} secret The role's own secret.
 * @returns {Promise<RoomKeys>}
 */
export async function openKeys(room, role, secret) {
	const owner = role === 'owner' ? secret : null;
	const member = owner ? await derive(owner, 'buddy/v1/member') : role === 'member' ? secret : null;
	const reader = member ? await derive(member, 'buddy/v1/reader') : secret;
	const [content, readToken, postToken, ownerToken] = await Promise.all([
		derive(reader, 'buddy/v1/content'),
		derive(reader, 'buddy/v1/read-token'),
		member && derive(member, 'buddy/v1/post-token'),
		owner && derive(owner, 'buddy/v1/owner-token'),
	]);
	return {
		room,
		role,
		owner,
		member,
		reader,
		content: await crypto.subtle.importKey('raw', content, 'AES-GCM', false, ['encrypt', 'decrypt']),
		readToken: encodeBase64url(readToken),
		postToken: postToken && encodeBase64url(postToken),
		ownerToken: ownerToken && encodeBase64url(ownerToken),
	};
}

/**
 * What the server keeps of a token: SHA-256 over its text, in hex.
 *
 * @param {string} token
 * @returns {Promise<string>}
 */
export async function hashToken(token) {
	return hex(await sha256(utf8(token)));
}

/** @param {Bytes} owner @returns {Promise<Bytes>} the owner's identity, the same on every device */
export function ownerIdentity(owner) {
	return derive(owner, 'buddy/v1/identity');
}

/**
 * @param {Bytes} secret 32 bytes per room and browser, or from {@link ownerIdentity}
 * @returns {Promise<Identity>}
 */
export async function openIdentity(secret) {
	const authorSecret = encodeBase64url(await derive(secret, 'buddy/v1/author'));
	const seed = await derive(secret, 'buddy/v1/sign');
	// Extractable, for the public half is only to be had by exporting.
	const key = await crypto.subtle.importKey('pkcs8', concat(PKCS8_ED25519, seed), 'Ed25519', true, ['sign']);
	const exported = await crypto.subtle.exportKey('jwk', key);
	const publicKey = decodeBase64url(exported.x ?? '');
	if (publicKey?.length !== 32) throw new Error('the browser exported no Ed25519 public key');
	return {
		secret,
		authorSecret,
		author: await memberId(authorSecret),
		publicKey,
		signer: encodeBase64url(publicKey),
		sign: async (bytes) => new Uint8Array(await crypto.subtle.sign('Ed25519', key, bytes)),
	};
}

/** @param {string} authorSecret @returns {Promise<string>} the public member id that the server makes of it */
export async function memberId(authorSecret) {
	return hex((await sha256(utf8(authorSecret))).subarray(0, 16));
}

/**
 * Whether two roles' secrets belong to one room, found by deriving both down to the reader.
 *
 * @param {{ room: string, role: Role, secret: Bytes }} one
 * @param {{ room: string, role: Role, secret: Bytes }} other
 * @returns {Promise<boolean>}
 */
export async function sameRoom(one, other) {
	if (one.room !== other.room) return false;
	const [left, right] = await Promise.all([one, other].map((link) => openKeys(link.room, link.role, link.secret)));
	return left !== undefined && right !== undefined && equalBytes(left.reader, right.reader);
}
