/**
 * The key schedule (docs/protocol.md, "Keys"): what follows from an owner's secret, from an epoch's
 * member and reader secrets, and the token hashes that a server keeps. Secrets come in and go out as raw
 * bytes; keys exist only in memory. Nothing here speaks to the network, and no error holds a secret.
 *
 * @import { Bytes } from '../values/bytes.js'
 */

import { encodeBase64url, hex, randomBytes, sha256, utf8 } from '../values/bytes.js';
import { openSeed } from './identity.js';

/**
 * What a reader holds of an epoch.
 *
 * @typedef {object} ReaderKeys
 * @property {number} epoch
 * @property {Bytes} reader
 * @property {CryptoKey} content The AES-256-GCM key of all that is said in the epoch.
 * @property {CryptoKey} past Around the reader's secret of the epoch before.
 * @property {string} readToken
 *
 * What a member holds besides.
 *
 * @typedef {object} MemberKeys
 * @property {Bytes} member
 * @property {CryptoKey} invite Around the room's link.
 * @property {string} postToken
 * @property {Signing} admit
 *
 * @typedef {ReaderKeys & Partial<MemberKeys>} EpochKeys
 *
 * @typedef {{ publicKey: Bytes, sign: (bytes: Bytes) => Promise<Bytes> }} Signing Ed25519: 32 and 64 bytes.
 */

/** Every secret, derived or drawn, is this long. */
export const SECRET_BYTES = 32;

/** Salts of epochs and seeds of links. */
export const SALT_BYTES = 16;

const NONE = new Uint8Array(0);

/** @returns {Bytes} a new owner secret, identity or link secret */
export function newSecret() {
	return randomBytes(SECRET_BYTES);
}

/**
 * One step down: HKDF-SHA256 (RFC 5869), 32 bytes out. There is no way back up.
 *
 * @param {Bytes} secret
 * @param {string} label ASCII, such as `buddy/v2/reader`
 * @param {Bytes} [salt]
 * @returns {Promise<Bytes>}
 */
export async function derive(secret, label, salt = NONE) {
	const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
	const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info: utf8(label) }, key, 256);
	return new Uint8Array(bits);
}

/** @param {Bytes} secret @param {string} label @returns {Promise<CryptoKey>} for AES-256-GCM */
export async function deriveKey(secret, label) {
	return importAes(await derive(secret, label));
}

/** @param {Bytes} bytes @returns {Promise<CryptoKey>} for AES-256-GCM */
export function importAes(bytes) {
	return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

/** @param {Bytes} secret @param {string} label @returns {Promise<string>} base64url */
export async function deriveToken(secret, label) {
	return encodeBase64url(await derive(secret, label));
}

/** @param {Bytes} owner @returns {Promise<Bytes>} the owner's identity, the same on every device */
export function ownerIdentity(owner) {
	return derive(owner, 'buddy/v2/identity');
}

/** @param {Bytes} owner @returns {Promise<string>} */
export function ownerToken(owner) {
	return deriveToken(owner, 'buddy/v2/owner-token');
}

/** @param {Bytes} owner @returns {Promise<CryptoKey>} around the owner's notes about links */
export function noteKey(owner) {
	return deriveKey(owner, 'buddy/v2/note');
}

/** @param {Bytes} owner @param {number} epoch @param {Bytes} salt @returns {Promise<Bytes>} what a grant holds */
export function freshSecret(owner, epoch, salt) {
	return derive(owner, `buddy/v2/fresh|${epoch}|${encodeBase64url(salt)}`);
}

/** @param {Bytes} owner @param {Bytes} seed @returns {Promise<Bytes>} */
export function linkSecret(owner, seed) {
	return derive(owner, `buddy/v2/link|${encodeBase64url(seed)}`);
}

/**
 * @param {string} room
 * @param {number} epoch
 * @param {Bytes} fresh
 * @param {Bytes} [before] The member secret of the epoch before; none for epoch 0.
 * @returns {Promise<Bytes>} the member secret of the epoch
 */
export function memberSecret(room, epoch, fresh, before = NONE) {
	return derive(fresh, `buddy/v2/member|${room}|${epoch}`, before);
}

/** What opens all that is said in an epoch, and nothing else: no token comes of it. @param {Bytes} reader @returns {Promise<Bytes>} */
export function contentSecret(reader) {
	return derive(reader, 'buddy/v2/content');
}

/** @param {number} epoch @param {Bytes} reader @returns {Promise<ReaderKeys>} */
export async function openReader(epoch, reader) {
	const [content, past, readToken] = await Promise.all([
		contentSecret(reader).then(importAes),
		deriveKey(reader, 'buddy/v2/past'),
		deriveToken(reader, 'buddy/v2/read-token'),
	]);
	return { epoch, reader, content, past, readToken };
}

/** @param {number} epoch @param {Bytes} member @returns {Promise<ReaderKeys & MemberKeys>} */
export async function openMember(epoch, member) {
	const reader = await derive(member, 'buddy/v2/reader');
	const [read, invite, postToken, admit] = await Promise.all([
		openReader(epoch, reader),
		deriveKey(member, 'buddy/v2/invite'),
		deriveToken(member, 'buddy/v2/post-token'),
		derive(member, 'buddy/v2/admit').then(openSeed),
	]);
	return { ...read, member, invite, postToken, admit };
}

/** @param {string} token @returns {Promise<string>} what a server keeps of it: SHA-256 over its text, in hex */
export async function hashToken(token) {
	return hex(await sha256(utf8(token)));
}
