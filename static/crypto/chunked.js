/**
 * Files, sealed and opened in parts so that no more than a part need be in memory: C2SP chunked-encryption
 * (https://c2sp.org/chunked-encryption), Cobblestone-256, as docs/protocol.md says under "Files". Every file has a key
 * of its own. Pure but for Web Crypto.
 *
 * @import { Bytes } from '../values/bytes.js'
 */

import { concat, equalBytes, randomBytes, utf8 } from '../values/bytes.js';

const CHUNK_BYTES = 16 * 1024;
const TAG_BYTES = 16;
const SALT_BYTES = 24;
/** Salt and commitment, before the first chunk. */
const HEADER_BYTES = 56;
const NONCE_BYTES = 12;
/** Chunks of a part. */
const PART_CHUNKS = 16;

/** What a part holds before it is sealed, but for the last one. */
export const PART_BYTES = PART_CHUNKS * CHUNK_BYTES;

/** No file is shorter once it is filled up. */
const LEAST_BYTES = 4096;

/** Why a file does not open: what the server gives is not what was sealed. */
export class Damaged extends Error {
	/** @param {string} message */
	constructor(message) {
		super(message);
		this.code = 'damaged';
	}
}

/**
 * The size that a file is filled up to with zeros before it is sealed, so that a length does not name it: Padmé, at
 * most 12 % more.
 *
 * @param {number} size
 * @returns {number}
 */
export function filledUp(size) {
	if (size <= LEAST_BYTES) return LEAST_BYTES;
	const exponent = Math.floor(Math.log2(size));
	const step = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
	return Math.ceil(size / step) * step;
}

/** @param {number} size Of the file, before it is filled up. @returns {number} its parts */
export function partsOf(size) {
	return Math.floor(filledUp(size) / PART_BYTES) + 1;
}

/** @returns {Bytes} */
export function newSalt() {
	return randomBytes(SALT_BYTES);
}

/** The keys of one file. */
export class SealedFile {
	#key;
	#nonce;
	#header;

	/** @param {CryptoKey} key @param {Bytes} nonce @param {Bytes} header */
	constructor(key, nonce, header) {
		this.#key = key;
		this.#nonce = nonce;
		this.#header = header;
	}

	/**
	 * For whoever seals it. The same salt must never seal something else under the same key.
	 *
	 * @param {{ room: string, id: string, key: Bytes }} file
	 * @param {Bytes} salt
	 * @returns {Promise<SealedFile>}
	 */
	static async make({ room, id, key }, salt) {
		const derived = await expand(key, salt, `buddy/v2/file|${room}|${id}`);
		const aes = await crypto.subtle.importKey('raw', derived.subarray(0, 32), 'AES-GCM', false, ['encrypt', 'decrypt']);
		return new SealedFile(aes, derived.slice(32, 44), concat(salt, derived.subarray(44, 76)));
	}

	/**
	 * For whoever opens it.
	 *
	 * @param {{ room: string, id: string, key: Bytes }} file
	 * @param {Bytes} first What part 0 begins with, or more of it.
	 * @returns {Promise<SealedFile>}
	 * @throws {Damaged} It was not sealed with this key as this file.
	 */
	static async open(file, first) {
		if (first.length < HEADER_BYTES) throw new Damaged('the file is too short');
		const made = await SealedFile.make(file, first.slice(0, SALT_BYTES));
		if (!equalBytes(made.#header, first.subarray(0, HEADER_BYTES))) throw new Damaged('the commitment does not fit');
		return made;
	}

	/**
	 * @param {number} number
	 * @param {Bytes} plain 256 KiB; of the last part fewer, and maybe none.
	 * @returns {Promise<Bytes>} the part as the server gets it
	 */
	async sealPart(number, plain) {
		const header = number === 0 ? this.#header : new Uint8Array(0);
		const isLast = plain.length < PART_BYTES;
		const count = isLast ? Math.floor(plain.length / CHUNK_BYTES) + 1 : PART_CHUNKS;
		const part = new Uint8Array(header.length + plain.length + count * TAG_BYTES);
		part.set(header);
		for (let at = 0; at < count; at += 1) {
			const chunk = plain.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES);
			const iv = this.#nonceOf(number * PART_CHUNKS + at);
			const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, this.#key, chunk);
			part.set(new Uint8Array(sealed), header.length + at * (CHUNK_BYTES + TAG_BYTES));
		}
		return part;
	}

	/**
	 * @param {number} number
	 * @param {Bytes} part As the server gave it.
	 * @param {number} length How many bytes it must hold.
	 * @returns {Promise<Bytes>}
	 * @throws {Damaged}
	 */
	async openPart(number, part, length) {
		const sealed = number === 0 ? part.subarray(HEADER_BYTES) : part;
		const count = length < PART_BYTES ? Math.floor(length / CHUNK_BYTES) + 1 : PART_CHUNKS;
		// A file that was cut short, or had something added, does not get as far as being opened.
		if (sealed.length !== length + count * TAG_BYTES) throw new Damaged('a part has another length');
		const plain = new Uint8Array(length);
		for (let at = 0; at < count; at += 1) {
			const from = at * (CHUNK_BYTES + TAG_BYTES);
			const chunk = sealed.subarray(from, from + CHUNK_BYTES + TAG_BYTES);
			const iv = this.#nonceOf(number * PART_CHUNKS + at);
			const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, this.#key, chunk).catch(() => null);
			if (!opened) throw new Damaged('a chunk does not open');
			plain.set(new Uint8Array(opened), at * CHUNK_BYTES);
		}
		return plain;
	}

	/** The base nonce XOR a chunk's number. @param {number} chunk @returns {Bytes} */
	#nonceOf(chunk) {
		const nonce = this.#nonce.slice();
		const view = new DataView(nonce.buffer);
		// Far fewer than 2^32 chunks: the last four bytes are all that changes.
		view.setUint32(NONCE_BYTES - 4, view.getUint32(NONCE_BYTES - 4) ^ chunk);
		return nonce;
	}
}

/** HKDF-Expand (RFC 5869) without Extract, which Web Crypto has no name for. @param {Bytes} key @param {Bytes} salt @param {string} context @returns {Promise<Bytes>} 128 bytes, of which 76 count */
async function expand(key, salt, context) {
	const hmac = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-512' }, false, ['sign']);
	const info = concat(utf8('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0'), salt, utf8(context));
	const first = new Uint8Array(await crypto.subtle.sign('HMAC', hmac, concat(info, Uint8Array.of(1))));
	const second = await crypto.subtle.sign('HMAC', hmac, concat(first, info, Uint8Array.of(2)));
	return concat(first, new Uint8Array(second));
}
