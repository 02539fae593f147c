/**
 * A box: bytes that only the holder of one private key opens. HPKE's base mode, single-shot (RFC 9180, sections
 * 4, 5.1 and 6.1), with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
 *
 * @import { Bytes } from '../values/bytes.js'
 */

import { concat, utf8 } from '../values/bytes.js';
import { isBoxKey } from './point.js';

/** @typedef {{ publicKey: Bytes, privateKey: CryptoKey }} KeyPair X25519. */

/** An AEAD of HPKE: its number and the length of its key. Only the RFC's vectors need another than the second. */
export const AES_128_GCM = { id: 1, keyBytes: 16 };
export const AES_256_GCM = { id: 2, keyBytes: 32 };

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const NOTHING = new Uint8Array(0);

const KEM_SUITE = concat(utf8('KEM'), number(0x0020));

/** A key that nothing may be boxed to, or a box that does not open. Says nothing of what is in it. */
export class BoxError extends Error {
	/** @param {'bad_key' | 'malformed' | 'unopenable'} code */
	constructor(code) {
		super(`a box failed: ${code}`);
		this.code = code;
	}
}

/**
 * @param {Bytes} recipient An X25519 key.
 * @param {Bytes} info What it is for, and for whom.
 * @param {Bytes} plain
 * @param {{ ephemeral?: KeyPair, bound?: Bytes, aead?: typeof AES_256_GCM }} [more] Only for test vectors.
 * @returns {Promise<Bytes>} the encapsulated key (32 bytes) and the ciphertext
 * @throws {BoxError} for a key that is not canonical or of small order
 */
export async function sealBox(recipient, info, plain, { ephemeral, bound = NOTHING, aead = AES_256_GCM } = {}) {
	if (!isBoxKey(recipient)) throw new BoxError('bad_key');
	const { publicKey, privateKey } = ephemeral ?? (await newPair());
	const shared = await agree(privateKey, recipient, publicKey, recipient);
	const { key, nonce } = await schedule(shared, info, aead);
	const parameters = { name: 'AES-GCM', iv: nonce, additionalData: bound };
	return concat(publicKey, new Uint8Array(await crypto.subtle.encrypt(parameters, key, plain)));
}

/**
 * @param {KeyPair} recipient
 * @param {Bytes} info
 * @param {Bytes} sealed
 * @param {{ bound?: Bytes, aead?: typeof AES_256_GCM }} [more] Only for test vectors.
 * @returns {Promise<Bytes>}
 * @throws {BoxError}
 */
export async function openBox({ publicKey, privateKey }, info, sealed, { bound = NOTHING, aead = AES_256_GCM } = {}) {
	const encapsulated = sealed.slice(0, KEY_BYTES);
	if (!isBoxKey(encapsulated)) throw new BoxError('malformed');
	const shared = await agree(privateKey, encapsulated, encapsulated, publicKey);
	const { key, nonce } = await schedule(shared, info, aead);
	try {
		const parameters = { name: 'AES-GCM', iv: nonce, additionalData: bound };
		return new Uint8Array(await crypto.subtle.decrypt(parameters, key, sealed.slice(KEY_BYTES)));
	} catch {
		throw new BoxError('unopenable');
	}
}

/** @returns {Promise<KeyPair>} */
async function newPair() {
	const pair = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey('X25519', true, ['deriveBits']));
	const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
	return { publicKey, privateKey: pair.privateKey };
}

/**
 * Encap and Decap of section 4.1, which differ only in whose half is whose.
 *
 * @param {CryptoKey} own
 * @param {Bytes} other
 * @param {Bytes} encapsulated
 * @param {Bytes} recipient
 * @returns {Promise<Bytes>} the shared secret
 */
async function agree(own, other, encapsulated, recipient) {
	let bits;
	try {
		const key = await crypto.subtle.importKey('raw', other, 'X25519', false, []);
		bits = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: key }, own, 256));
	} catch {
		throw new BoxError('bad_key');
	}
	// Section 7.1.4: no engine may be relied on to refuse it.
	if (bits.every((byte) => byte === 0)) throw new BoxError('bad_key');
	const secret = await importHmac(await extract(await noSalt(), KEM_SUITE, 'eae_prk', bits));
	return expand(secret, KEM_SUITE, 'shared_secret', concat(encapsulated, recipient), KEY_BYTES);
}

/** Section 5.1, without a pre-shared key. @param {Bytes} shared @param {Bytes} info @param {typeof AES_256_GCM} aead */
async function schedule(shared, info, { id, keyBytes }) {
	const suite = concat(utf8('HPKE'), number(0x0020), number(0x0001), number(id));
	const [noId, about, secret] = await Promise.all([
		extract(await noSalt(), suite, 'psk_id_hash', NOTHING),
		extract(await noSalt(), suite, 'info_hash', info),
		importHmac(shared).then(async (key) => importHmac(await extract(key, suite, 'secret', NOTHING))),
	]);
	const context = concat(new Uint8Array(1), noId, about);
	const [key, nonce] = await Promise.all([
		expand(secret, suite, 'key', context, keyBytes),
		expand(secret, suite, 'base_nonce', context, NONCE_BYTES),
	]);
	return { key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']), nonce };
}

/** LabeledExtract. @param {CryptoKey} salt @param {Bytes} suite @param {string} label @param {Bytes} secret @returns {Promise<Bytes>} */
function extract(salt, suite, label, secret) {
	return hmac(salt, concat(utf8('HPKE-v1'), suite, utf8(label), secret));
}

/**
 * LabeledExpand, for no more than one block.
 *
 * @param {CryptoKey} key
 * @param {Bytes} suite
 * @param {string} label
 * @param {Bytes} info
 * @param {number} length At most 32 bytes.
 * @returns {Promise<Bytes>}
 */
async function expand(key, suite, label, info, length) {
	const block = concat(number(length), utf8('HPKE-v1'), suite, utf8(label), info, new Uint8Array([1]));
	return (await hmac(key, block)).slice(0, length);
}

/** HMAC pads a key with zeros, and Web Crypto takes no empty one. @type {Promise<CryptoKey> | undefined} */
let unsalted;

function noSalt() {
	unsalted ??= importHmac(new Uint8Array(32));
	return unsalted;
}

/** @param {Bytes} key @returns {Promise<CryptoKey>} */
function importHmac(key) {
	return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

/** @param {CryptoKey} key @param {Bytes} bytes @returns {Promise<Bytes>} */
async function hmac(key, bytes) {
	return new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes));
}

/** @param {number} value Below 65,536. @returns {Bytes} two bytes, most significant first */
function number(value) {
	return new Uint8Array([value >> 8, value & 0xff]);
}
