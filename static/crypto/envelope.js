/**
 * Bodies: what is said, signed and sealed so that the server cannot read it, and opened again
 * (docs/protocol.md, "Envelopes"). An envelope binds its content to the room, epoch, kind, id, author and
 * target it was made for; moved anywhere else it does not open.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Identity } from './identity.js'
 * @import { Content } from './content.js'
 */

import { concat, decodeBase64url, encodeBase64url, utf8 } from '../values/bytes.js';
import { parseContent } from './content.js';
import { verify } from './identity.js';
import { openBytes, sealBytes } from './sealed.js';

/**
 * Where an envelope belongs. A field that is absent is null.
 *
 * @typedef {object} Place
 * @property {string} room
 * @property {number} epoch
 * @property {string} kind Of an event; of a signal `signal/<kind>`.
 * @property {string | null} client_id
 * @property {string | null} author The public member id.
 * @property {number | null} target
 *
 * @typedef {'newer' | 'malformed' | 'undecryptable' | 'forged'} Fault Why an envelope did not open: of
 *   a later version; not in the form; wrong key or moved from elsewhere; wrong signature.
 *
 * @typedef {{ ok: true, content: Content, signer: string } | { ok: false, fault: Fault }} Opened
 */

/** The most that fits a body of 16,384 bytes in an epoch of up to six digits. */
export const MAX_CONTENT_BYTES = 11_935;

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Lengths show only in steps of this. */
const PADDING_STEP = 256;

/** @param {Place} place @returns {string} the additional data */
export function additionalData({ room, epoch, kind, client_id, author, target }) {
	return ['v2', room, epoch, kind, client_id ?? '', author ?? '', target ?? ''].join('|');
}

/** A content too long for an envelope; `code` is `too_long`. */
export class TooLong extends Error {
	/** @param {number} bytes @param {number} most */
	constructor(bytes, most) {
		super(`the content has ${bytes} bytes; at most ${most} fit`);
		this.code = 'too_long';
	}
}

/**
 * @param {CryptoKey} key The epoch's content key.
 * @param {Pick<Identity, 'publicKey' | 'sign'>} identity
 * @param {Place} place
 * @param {object} content
 * @param {{ nonce?: Bytes, most?: number }} [more] `nonce`: only for test vectors; `most`: bytes of content.
 * @returns {Promise<string>} `v2.<epoch>.<base64url(nonce ‖ ciphertext)>`
 * @throws {TooLong}
 */
export async function seal(key, identity, place, content, { nonce, most = MAX_CONTENT_BYTES } = {}) {
	const bytes = utf8(JSON.stringify(content));
	if (bytes.length > most) throw new TooLong(bytes.length, most);
	const bound = additionalData(place);
	const signature = await identity.sign(signedBytes(bound, bytes));
	const plain = pad(concat(identity.publicKey, signature, bytes));
	return `v2.${place.epoch}.${await sealBytes(key, bound, plain, nonce)}`;
}

/**
 * The epoch that a body says it is of.
 *
 * @param {string} body
 * @returns {number | 'newer' | 'malformed'}
 */
export function epochOf(body) {
	const found = /^v2\.(0|[1-9][0-9]{0,15})\.[A-Za-z0-9_-]+$/.exec(body);
	if (found) {
		const epoch = Number(found[1]);
		return Number.isSafeInteger(epoch) ? epoch : 'malformed';
	}
	const version = /^v([1-9][0-9]{0,3})\./.exec(body)?.[1];
	return version !== undefined && Number(version) > 2 ? 'newer' : 'malformed';
}

/**
 * @param {CryptoKey} key The content key of the epoch that the body names.
 * @param {Omit<Place, 'epoch'>} place
 * @param {string} body
 * @returns {Promise<Opened>} never rejects, whatever the body holds
 */
export async function open(key, place, body) {
	const epoch = epochOf(body);
	if (typeof epoch === 'string') return { ok: false, fault: epoch };
	const sealed = body.slice(body.lastIndexOf('.') + 1);
	if (decodeBase64url(sealed) === null) return { ok: false, fault: 'malformed' };
	const bound = additionalData({ ...place, epoch });
	const padded = await openBytes(key, bound, sealed);
	if (!padded) return { ok: false, fault: 'undecryptable' };
	const plain = unpad(padded);
	if (!plain || plain.length < KEY_BYTES + SIGNATURE_BYTES) return { ok: false, fault: 'malformed' };

	const signer = encodeBase64url(plain.subarray(0, KEY_BYTES));
	const signature = plain.subarray(KEY_BYTES, KEY_BYTES + SIGNATURE_BYTES);
	const bytes = plain.subarray(KEY_BYTES + SIGNATURE_BYTES);
	if (!(await verify(signer, signature, signedBytes(bound, bytes)))) return { ok: false, fault: 'forged' };
	const content = parseContent(place.kind, bytes);
	return content ? { ok: true, content, signer } : { ok: false, fault: 'malformed' };
}

/** @param {string} bound @param {Bytes} content @returns {Bytes} */
function signedBytes(bound, content) {
	return concat(utf8(`buddy/v2/signature\0${bound}\0`), content);
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
