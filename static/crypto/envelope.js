/**
 * Bodies: what is said, signed and sealed so that the server cannot read it, and opened again.
 * An envelope binds its content to the room, kind, id, author and target it was made for; moved
 * anywhere else it does not open. No DOM, no network.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Identity } from './secrets.js'
 */

import { concat, decodeBase64url, encodeBase64url, randomBytes, utf8 } from '../values/bytes.js';

/**
 * Where an envelope belongs. A field that is absent is null.
 *
 * @typedef {object} Place
 * @property {string} room
 * @property {string} kind Of an event; of a signal `signal/<kind>`.
 * @property {string | null} client_id
 * @property {string | null} author The public member id.
 * @property {number | null} target
 *
 * @typedef {object} Content What a member says. Members of the JSON that are not listed are ignored.
 * @property {string} [name]
 * @property {number} [at_ms] When it was written, by the writer's clock.
 * @property {string} [text]
 * @property {string} [emoji]
 * @property {boolean} [on]
 * @property {string} [target_id] The target's `client_id`.
 * @property {Previous} [prev] What the writer had seen last.
 *
 * @typedef {{ seq: number, sha256: string }} Previous `sha256`: base64url over the body's text.
 *
 * @typedef {'newer' | 'malformed' | 'undecryptable' | 'forged'} Fault Why an envelope did not open: of
 *   a later version; not in the form; wrong key or moved from elsewhere; wrong signature.
 *
 * @typedef {{ ok: true, content: Content, signer: string } | { ok: false, fault: Fault }} Opened
 */

/** The most that fits a body of 16,384 bytes. */
export const MAX_CONTENT_BYTES = 11_935;

/** The most that fits an `about` of 4,096 bytes. */
export const MAX_ABOUT_BYTES = 2_719;

/** The additional data of a room's `about`. */
export const ABOUT = 'v1|about';

const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Lengths show only in steps of this. */
const PADDING_STEP = 256;

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Imported public keys by their text: importing costs as much as verifying. */
const publicKeys = /** @type {Map<string, Promise<CryptoKey>>} */ (new Map());
const PUBLIC_KEYS_KEPT = 1000;

/** @param {Place} place @returns {string} the additional data */
export function additionalData({ room, kind, client_id, author, target }) {
	return ['v1', room, kind, client_id ?? '', author ?? '', target ?? ''].join('|');
}

/** A content too long for an envelope; `code` is `too_long`. */
class TooLong extends Error {
	/** @param {number} bytes @param {number} most */
	constructor(bytes, most) {
		super(`the content has ${bytes} bytes; at most ${most} fit`);
		this.code = 'too_long';
	}
}

/**
 * @param {CryptoKey} key The room's content key.
 * @param {Identity} identity
 * @param {string} bound The additional data.
 * @param {Content} content
 * @param {Bytes} [nonce] Only for test vectors: a nonce used twice breaks the encryption.
 * @returns {Promise<string>} `v1.<nonce>.<ciphertext>`
 * @throws {TooLong}
 */
export async function seal(key, identity, bound, content, nonce = randomBytes(NONCE_BYTES)) {
	const bytes = utf8(JSON.stringify(content));
	const most = bound === ABOUT ? MAX_ABOUT_BYTES : MAX_CONTENT_BYTES;
	if (bytes.length > most) throw new TooLong(bytes.length, most);
	const signature = await identity.sign(signedBytes(bound, bytes));
	const plain = pad(concat(identity.publicKey, signature, bytes));
	const parameters = { name: 'AES-GCM', iv: nonce, additionalData: utf8(bound) };
	const cipher = new Uint8Array(await crypto.subtle.encrypt(parameters, key, plain));
	return `v1.${encodeBase64url(nonce)}.${encodeBase64url(cipher)}`;
}

/**
 * @param {CryptoKey} key The room's content key.
 * @param {string} bound The additional data.
 * @param {string} body
 * @returns {Promise<Opened>} never rejects, whatever the body holds
 */
export async function open(key, bound, body) {
	const [version = '', nonceText = '', cipherText, ...rest] = body.split('.');
	if (version !== 'v1') return { ok: false, fault: /^v[1-9][0-9]{0,3}$/.test(version) ? 'newer' : 'malformed' };
	const nonce = decodeBase64url(nonceText);
	const cipher = cipherText === undefined ? null : decodeBase64url(cipherText);
	if (rest.length > 0 || nonce?.length !== NONCE_BYTES || !cipher) return { ok: false, fault: 'malformed' };

	let plain;
	try {
		const parameters = { name: 'AES-GCM', iv: nonce, additionalData: utf8(bound) };
		plain = new Uint8Array(await crypto.subtle.decrypt(parameters, key, cipher));
	} catch {
		return { ok: false, fault: 'undecryptable' };
	}
	const unpadded = unpad(plain);
	if (!unpadded || unpadded.length < KEY_BYTES + SIGNATURE_BYTES) return { ok: false, fault: 'malformed' };

	const signer = encodeBase64url(unpadded.subarray(0, KEY_BYTES));
	const signature = unpadded.subarray(KEY_BYTES, KEY_BYTES + SIGNATURE_BYTES);
	const bytes = unpadded.subarray(KEY_BYTES + SIGNATURE_BYTES);
	if (!(await verify(signer, signature, signedBytes(bound, bytes)))) return { ok: false, fault: 'forged' };
	const content = parseContent(bytes);
	return content ? { ok: true, content, signer } : { ok: false, fault: 'malformed' };
}

/** @param {string} bound @param {Bytes} content @returns {Bytes} */
function signedBytes(bound, content) {
	return concat(utf8('buddy/v1/signature\0'), utf8(bound), new Uint8Array(1), content);
}

/** @param {string} signer @param {Bytes} signature @param {Bytes} bytes @returns {Promise<boolean>} */
async function verify(signer, signature, bytes) {
	try {
		return await crypto.subtle.verify('Ed25519', await importPublicKey(signer), signature, bytes);
	} catch {
		// Thirty-two bytes that are no point of the curve.
		return false;
	}
}

/** @param {string} signer @returns {Promise<CryptoKey>} */
function importPublicKey(signer) {
	const known = publicKeys.get(signer);
	if (known) return known;
	const bytes = /** @type {Bytes} */ (decodeBase64url(signer));
	const imported = crypto.subtle.importKey('raw', bytes, 'Ed25519', false, ['verify']);
	if (publicKeys.size >= PUBLIC_KEYS_KEPT) publicKeys.clear();
	publicKeys.set(signer, imported);
	return imported;
}

/** @param {Bytes} bytes @returns {Bytes} followed by 0x80 and zeros up to a multiple of the step */
function pad(bytes) {
	const padded = new Uint8Array((Math.floor(bytes.length / PADDING_STEP) + 1) * PADDING_STEP);
	padded.set(bytes);
	padded[bytes.length] = 0x80;
	return padded;
}

/** @param {Bytes} padded @returns {Bytes | null} */
function unpad(padded) {
	const end = padded.findLastIndex((byte) => byte !== 0);
	const canonical = padded.length % PADDING_STEP === 0 && padded[end] === 0x80 && padded.length - end <= PADDING_STEP;
	return canonical ? padded.subarray(0, end) : null;
}

/** @type {Record<string, (value: any) => boolean>} */
const FIELDS = {
	name: isText,
	at_ms: isCount,
	text: isText,
	emoji: isText,
	on: (value) => typeof value === 'boolean',
	target_id: isText,
	prev: (value) => typeof value === 'object' && value !== null && isCount(value.seq) && isText(value.sha256),
};

/** @param {Bytes} bytes @returns {Content | null} */
function parseContent(bytes) {
	let parsed;
	try {
		parsed = JSON.parse(DECODER.decode(bytes));
	} catch {
		return null;
	}
	if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
	/** @type {Record<string, unknown>} */
	const content = {};
	for (const [field, fits] of Object.entries(FIELDS)) {
		if (!Object.hasOwn(parsed, field)) continue;
		if (!fits(parsed[field])) return null;
		content[field] = parsed[field];
	}
	return content;
}

/** @param {unknown} value */
function isText(value) {
	return typeof value === 'string';
}

/** @param {unknown} value */
function isCount(value) {
	return Number.isSafeInteger(value) && Number(value) >= 0;
}
