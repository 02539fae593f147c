/**
 * Bytes and their text forms. Knows nothing of rooms, keys or the network.
 *
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The value of each character code of the alphabet, 255 for all others. */
const VALUES = new Uint8Array(128).fill(255);
for (let value = 0; value < ALPHABET.length; value += 1) VALUES[ALPHABET.charCodeAt(value)] = value;

/** The alphabet's character codes. */
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));

/** Two digits for each byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** @param {number} length @returns {Bytes} */
export function randomBytes(length) {
	return crypto.getRandomValues(new Uint8Array(length));
}

/** @param {string} text @returns {Bytes} */
export function utf8(text) {
	return ENCODER.encode(text);
}

/** @param {...Uint8Array} parts @returns {Bytes} */
export function concat(...parts) {
	const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** @param {Uint8Array} bytes @returns {string} lowercase */
export function hex(bytes) {
	let text = '';
	for (const byte of bytes) text += HEX[byte];
	return text;
}

/**
 * Base64url without padding (RFC 4648, section 5).
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function encodeBase64url(bytes) {
	const codes = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
	let bits = 0;
	let held = 0;
	let at = 0;
	for (const byte of bytes) {
		bits = ((bits << 8) | byte) & 0xffff;
		for (held += 8; held >= 6; at += 1) {
			held -= 6;
			codes[at] = codeOf(bits >> held);
		}
	}
	if (held > 0) codes[at] = codeOf(bits << (6 - held));
	return DECODER.decode(codes);
}

/** @param {number} bits Of which the last six count. */
function codeOf(bits) {
	return /** @type {number} */ (CODES[bits & 63]);
}

/**
 * The bytes that encode to exactly this text, or null: no padding, no white space and no stray
 * bits in the last character, so that one secret has one spelling.
 *
 * @param {string} text
 * @returns {Bytes | null}
 */
export function decodeBase64url(text) {
	const tail = text.length % 4;
	if (tail === 1) return null;
	const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
	let bits = 0;
	let held = 0;
	let at = 0;
	for (let index = 0; index < text.length; index += 1) {
		const value = VALUES[text.charCodeAt(index)] ?? 255;
		if (value === 255) return null;
		bits = ((bits << 6) | value) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[at] = bits >> held;
			at += 1;
		}
	}
	return (bits & ((1 << held) - 1)) === 0 ? bytes : null;
}

/** @param {Uint8Array} left @param {Uint8Array} right @returns {boolean} */
export function equalBytes(left, right) {
	return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** @param {Bytes} bytes @returns {Promise<Bytes>} 32 bytes */
export async function sha256(bytes) {
	return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}
