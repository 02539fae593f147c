/**
 * The form of a signed copy of a room (docs/protocol.md, "Signed copies"): one JSON text in lines, so that it is
 * written and read piece by piece however long it is, and signed as it stands. What the lines say is for copying.js and
 * checking.js. No DOM.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Identity } from '../crypto/identity.js'
 */

import { isEncoded } from '../crypto/content.js';
import { verify } from '../crypto/identity.js';
import { concat, decodeBase64url, encodeBase64url, sha256, utf8 } from '../values/bytes.js';
import { toObject } from '../values/json.js';

/** The lists of a copy, in their order. */
export const SECTIONS = /** @type {const} */ (['rotations', 'keys', 'cards', 'events', 'files']);

/** @typedef {typeof SECTIONS[number]} Section */

const VERSION = 1;
const FIRST_LINE = `{"format":"buddy/copy","version":${VERSION},`;
/** Bytes that are hashed at once. */
const PIECE_BYTES = 65_536;
/** Handed to the browser at once, which need not keep them in memory. */
const HANDED_BYTES = 262_144;
/** A rotation of 500 people, or a part of a file, has less. */
const LINE_BYTES = 2_097_152;
const NEWLINE = 0x0a;

/**
 * Why a file is no copy that could be looked at; `line` counts from 1.
 *
 * - `no_copy`: something else.
 * - `newer`: of a later version.
 * - `cut_off`: it ends before its end.
 * - `malformed`: a line is not what should stand there.
 * - `order`: an event does not come after the one before it.
 * - `no_room`: what the room began with is not its owner's.
 *
 * @typedef {'no_copy' | 'newer' | 'cut_off' | 'malformed' | 'order' | 'no_room'} CopyFault
 */
export class CopyError extends Error {
	/** @param {CopyFault} code @param {number} line */
	constructor(code, line) {
		super(`this is no copy: ${code} in line ${line}`);
		this.code = code;
		this.line = line;
	}
}

/** The hash of bytes that come one after another: H of the hashes of pieces, the last of which may be shorter. */
class Digest {
	#piece = new Uint8Array(PIECE_BYTES);
	#filled = 0;
	/** @type {Bytes[]} */
	#hashes = [];

	/** @param {Bytes} bytes */
	async add(bytes) {
		for (let at = 0; at < bytes.length;) {
			const some = bytes.subarray(at, at + PIECE_BYTES - this.#filled);
			this.#piece.set(some, this.#filled);
			this.#filled += some.length;
			at += some.length;
			if (this.#filled === PIECE_BYTES) await this.#take();
		}
	}

	/** @returns {Promise<Bytes>} what is signed */
	async end() {
		if (this.#filled > 0) await this.#take();
		return concat(utf8('buddy/v2/copy\0'), await sha256(concat(...this.#hashes)));
	}

	async #take() {
		this.#hashes.push(await sha256(this.#piece.subarray(0, this.#filled)));
		this.#filled = 0;
	}
}

/** Writes a copy: what it is about, then each of {@link SECTIONS}, then the signature. */
export class CopyWriter {
	#digest = new Digest();
	/** @type {Blob[]} */
	#pieces = [];
	/** @type {Bytes[]} */
	#waiting = [];
	#bytes = 0;
	#isFirst = true;

	/** @param {object} about */
	async begin(about) {
		await this.#line(FIRST_LINE);
		await this.#line(`"about":${JSON.stringify(about)},`);
	}

	/** @param {Section} name @param {Iterable<object> | AsyncIterable<object>} items */
	async section(name, items) {
		await this.#line(`${JSON.stringify(name)}:[`);
		this.#isFirst = true;
		for await (const item of items) {
			await this.#line(`${this.#isFirst ? '' : ','}${JSON.stringify(item)}`);
			this.#isFirst = false;
		}
		await this.#line('],');
	}

	/** @param {Pick<Identity, 'signer' | 'sign'>} identity Whose copy it is. @returns {Promise<Blob>} */
	async sign({ signer, sign }) {
		const signature = encodeBase64url(await sign(await this.#digest.end()));
		this.#hold(utf8(`"signed":${JSON.stringify({ by: signer, signature })}}\n`));
		this.#hand();
		return new Blob(this.#pieces, { type: 'application/json' });
	}

	/** @param {string} text */
	async #line(text) {
		const bytes = utf8(`${text}\n`);
		await this.#digest.add(bytes);
		this.#hold(bytes);
	}

	/** @param {Bytes} bytes */
	#hold(bytes) {
		this.#waiting.push(bytes);
		this.#bytes += bytes.length;
		if (this.#bytes >= HANDED_BYTES) this.#hand();
	}

	#hand() {
		this.#pieces.push(new Blob(this.#waiting));
		this.#waiting = [];
		this.#bytes = 0;
	}
}

/**
 * An item of a list and where it stands. `start`, `end`: the bytes of its line.
 *
 * @typedef {{ value: Record<string, any>, line: number, start: number, end: number }} Item
 */

/** Reads a copy in its order, a line at a time. */
export class CopyReader {
	#lines;
	#digest = new Digest();
	#line = 0;
	#start = 0;
	#end = 0;

	/** @param {Blob} file */
	constructor(file) {
		this.#lines = linesOf(file);
	}

	/** The line that was read last, from 1. */
	get line() {
		return this.#line;
	}

	/** @returns {Promise<Record<string, any>>} what it is about @throws {CopyError} */
	async begin() {
		const first = await this.#next().catch(() => null);
		const version = Number(/^\{"format":"buddy\/copy","version":([1-9][0-9]{0,8}),$/.exec(first ?? '')?.[1]);
		if (first === null || Number.isNaN(version)) throw new CopyError('no_copy', 1);
		if (version > VERSION) throw new CopyError('newer', 1);
		const text = await this.#next();
		if (!text.startsWith('"about":') || !text.endsWith(',')) throw this.fault();
		return this.#object(text.slice(8, -1));
	}

	/** @param {Section} name @returns {AsyncGenerator<Item, void>} @throws {CopyError} */
	async *items(name) {
		if ((await this.#next()) !== `${JSON.stringify(name)}:[`) throw this.fault();
		for (let isFirst = true; ; isFirst = false) {
			const text = await this.#next();
			if (text === '],') return;
			if (text.startsWith(',') === isFirst) throw this.fault();
			const value = this.#object(isFirst ? text : text.slice(1));
			yield { value, line: this.#line, start: this.#start, end: this.#end };
		}
	}

	/** @returns {Promise<{ by: string, fits: boolean }>} who signed it, and whether nothing was changed since @throws {CopyError} */
	async end() {
		const signed = await this.#digest.end();
		const text = await this.#next({ signed: false });
		if (!text.startsWith('"signed":') || !text.endsWith('}')) throw this.fault();
		const { by, signature } = this.#object(text.slice(9, -1));
		if (!isEncoded(by, 32) || !isEncoded(signature, 64)) throw this.fault();
		const { done } = await this.#lines.next();
		if (!done) throw new CopyError('malformed', this.#line + 1);
		return { by, fits: await verify(by, /** @type {Bytes} */ (decodeBase64url(signature)), signed) };
	}

	/** @returns {CopyError} The line that was read last is not what should stand there. */
	fault() {
		return new CopyError('malformed', this.#line);
	}

	/** @param {string} text */
	#object(text) {
		const value = toObject(text);
		if (!value) throw this.fault();
		return value;
	}

	/** @param {{ signed?: boolean }} [how] Whether what is signed holds it. @returns {Promise<string>} the next line, without its end */
	async #next({ signed = true } = {}) {
		this.#line += 1;
		const { value: line } = await this.#lines.next();
		if (!line) throw new CopyError('cut_off', this.#line);
		if (line === 'too_long') throw this.fault();
		this.#start = this.#end;
		this.#end += line.length;
		if (signed) await this.#digest.add(line);
		const isWhole = line[line.length - 1] === NEWLINE;
		// Of a file that was cut off, the last line is a piece of one; the signature may stand without a newline behind it.
		if (signed && !isWhole) throw new CopyError('cut_off', this.#line);
		try {
			return DECODER.decode(isWhole ? line.subarray(0, -1) : line);
		} catch {
			throw this.fault();
		}
	}
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param {Blob} file @returns {AsyncGenerator<Bytes | 'too_long', void>} its lines, newlines included */
async function* linesOf(file) {
	/** @type {Bytes[]} */
	let begun = [];
	let length = 0;
	const reader = file.stream().getReader();
	try {
		for (;;) {
			const { value, done } = await reader.read();
			if (done) break;
			for (let at = 0; at < value.length;) {
				const found = value.indexOf(NEWLINE, at);
				const end = found < 0 ? value.length : found + 1;
				begun.push(value.subarray(at, end));
				length += end - at;
				at = end;
				if (length > LINE_BYTES) {
					yield 'too_long';
					return;
				}
				if (found < 0) continue;
				yield begun.length === 1 ? /** @type {Bytes} */ (begun[0]) : concat(...begun);
				begun = [];
				length = 0;
			}
		}
		if (length > 0) yield concat(...begun);
	} finally {
		await reader.cancel().catch(() => {});
	}
}
