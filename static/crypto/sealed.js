/**
 * Bytes under a key that both sides hold: AES-256-GCM with a nonce that is drawn anew each time, `nonce ‖
 * ciphertext`, bound to a text that says what they are.
 *
 * @import { Bytes } from '../values/bytes.js'
 */

import { concat, decodeBase64url, encodeBase64url, randomBytes, utf8 } from '../values/bytes.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * @param {CryptoKey} key
 * @param {string} bound The additional data.
 * @param {Bytes} plain
 * @param {Bytes} [nonce] Only for test vectors: a nonce used twice breaks the encryption.
 * @returns {Promise<string>} base64url
 */
export async function sealBytes(key, bound, plain, nonce = randomBytes(NONCE_BYTES)) {
	const parameters = { name: 'AES-GCM', iv: nonce, additionalData: utf8(bound) };
	return encodeBase64url(concat(nonce, new Uint8Array(await crypto.subtle.encrypt(parameters, key, plain))));
}

/** @param {CryptoKey} key @param {string} bound @param {string} sealed @returns {Promise<Bytes | null>} null: it does not open */
export async function openBytes(key, bound, sealed) {
	const bytes = decodeBase64url(sealed);
	if (!bytes || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
	const iv = bytes.subarray(0, NONCE_BYTES);
	try {
		const parameters = { name: 'AES-GCM', iv, additionalData: utf8(bound) };
		return new Uint8Array(await crypto.subtle.decrypt(parameters, key, bytes.subarray(NONCE_BYTES)));
	} catch {
		return null;
	}
}
