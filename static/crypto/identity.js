/**
 * People: what follows from an identity's 32 bytes (docs/protocol.md, "Keys"), and the id of a room, which
 * names its owner's key.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Signing } from './keys.js'
 */

import { concat, decodeBase64url, encodeBase64url, hex, sha256, utf8 } from '../values/bytes.js';
import { derive, deriveToken } from './keys.js';
import { isSigner } from './point.js';

/**
 * One person in one room.
 *
 * @typedef {object} Identity
 * @property {Bytes} secret
 * @property {string} authorSecret The header `buddy-author`; known to the server only.
 * @property {string} author The public member id: 32 hex characters.
 * @property {Bytes} publicKey Ed25519, 32 bytes.
 * @property {string} signer The public key as base64url, as entries name it.
 * @property {(bytes: Bytes) => Promise<Bytes>} sign Ed25519, 64 bytes.
 * @property {Bytes} boxKey X25519, 32 bytes: what grants are boxed to.
 * @property {CryptoKey} unbox The private half.
 */

/** A private key in PKCS#8 (RFC 8410, section 7) is one of these, then the 32 bytes of the seed. */
const PKCS8_ED25519 = pkcs8(0x70);
const PKCS8_X25519 = pkcs8(0x6e);

/** @param {number} algorithm The last byte of 1.3.101.110 (X25519) or 1.3.101.112 (Ed25519). */
function pkcs8(algorithm) {
	return new Uint8Array([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, algorithm, 4, 0x22, 4, 0x20]);
}

/**
 * Whether this browser, on this address, can do what rooms need. Without a secure context there is no
 * `crypto.subtle`; browsers before 2025 lack Ed25519 or X25519.
 *
 * @returns {Promise<'ok' | 'insecure' | 'old'>}
 */
export async function support() {
	if (globalThis.isSecureContext === false) return 'insecure';
	try {
		await openIdentity(new Uint8Array(32));
		return 'ok';
	} catch {
		return 'old';
	}
}

/** @param {Bytes} secret 32 bytes per room and browser, or an owner's @returns {Promise<Identity>} */
export async function openIdentity(secret) {
	const [authorSecret, signing, box] = await Promise.all([
		deriveToken(secret, 'buddy/v2/author'),
		derive(secret, 'buddy/v2/sign').then(openSeed),
		derive(secret, 'buddy/v2/box').then(openBoxSeed),
	]);
	return {
		secret,
		authorSecret,
		author: await memberId(authorSecret),
		publicKey: signing.publicKey,
		signer: encodeBase64url(signing.publicKey),
		sign: signing.sign,
		boxKey: box.publicKey,
		unbox: box.privateKey,
	};
}

/** @param {string} authorSecret @returns {Promise<string>} the public member id that the server makes of it */
export async function memberId(authorSecret) {
	return hex((await sha256(utf8(authorSecret))).subarray(0, 16));
}

/** @param {Bytes} ownerKey The owner's Ed25519 key. @returns {Promise<string>} the id of the owner's room */
export async function roomOf(ownerKey) {
	return hex(await sha256(concat(utf8('buddy/v2/room\0'), ownerKey)));
}

/** @param {Bytes} seed @returns {Promise<Signing>} */
export async function openSeed(seed) {
	// Extractable, for the public half is only to be had by exporting.
	const key = await crypto.subtle.importKey('pkcs8', concat(PKCS8_ED25519, seed), 'Ed25519', true, ['sign']);
	const sign = async (/** @type {Bytes} */ bytes) => new Uint8Array(await crypto.subtle.sign('Ed25519', key, bytes));
	return { publicKey: await publicHalf(key), sign };
}

/** @param {Bytes} seed @returns {Promise<{ publicKey: Bytes, privateKey: CryptoKey }>} */
export async function openBoxSeed(seed) {
	const privateKey = await crypto.subtle.importKey('pkcs8', concat(PKCS8_X25519, seed), 'X25519', true, ['deriveBits']);
	return { publicKey: await publicHalf(privateKey), privateKey };
}

/** @param {CryptoKey} key @returns {Promise<Bytes>} */
async function publicHalf(key) {
	const { x = '' } = await crypto.subtle.exportKey('jwk', key);
	const bytes = decodeBase64url(x);
	if (bytes?.length !== 32) throw new Error('the browser exported no public key');
	return bytes;
}

/** Imported public keys by their text: importing costs as much as verifying. @type {Map<string, Promise<CryptoKey>>} */
const imported = new Map();
const IMPORTED_KEPT = 1000;

/**
 * @param {string} signer base64url
 * @param {Bytes} signature
 * @param {Bytes} bytes
 * @returns {Promise<boolean>} false also for keys that no honest person has
 */
export async function verify(signer, signature, bytes) {
	try {
		let key = imported.get(signer);
		if (!key) {
			const raw = decodeBase64url(signer);
			if (!raw || !isSigner(raw)) return false;
			if (imported.size >= IMPORTED_KEPT) imported.clear();
			key = crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
			imported.set(signer, key);
		}
		return await crypto.subtle.verify('Ed25519', await key, signature, bytes);
	} catch {
		// Thirty-two bytes that are no point of the curve.
		return false;
	}
}
