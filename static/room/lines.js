/**
 * The log as it is signed: one line for each event, over hashes, so that erasing a body changes nothing, and
 * windows over up to 64 of them (docs/protocol.md, "Windows"). Whoever holds the same lines can tell whether the
 * server showed both the same. Knows nothing of who may be believed.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Window } from '../crypto/content.js'
 */

import { WINDOW_LINES } from '../crypto/content.js';
import { encodeBase64url, sha256, utf8 } from '../values/bytes.js';

/**
 * All of an event but its body.
 *
 * @typedef {object} Heading
 * @property {number} seq
 * @property {string} kind
 * @property {string} client_id
 * @property {string | null} author
 * @property {number | null} target
 * @property {number} sent_at_ms
 */

const NEWLINE = 0x0a;
/** Digests of windows by their ends; writers who saw the same signed the same. */
const DIGESTS_KEPT = 512;

/** @param {Heading} heading @param {string} hash SHA-256 of the body as it was appended, in hex @returns {string} */
export function lineOf({ seq, kind, client_id, author, target, sent_at_ms }, hash) {
	return `${seq}|${kind}|${client_id}|${author ?? ''}|${target ?? ''}|${sent_at_ms}|${hash}`;
}

export class Lines {
	/** @type {Map<number, Bytes>} */
	#lines = new Map();
	#room;
	#prefix;
	/** @type {Map<string, Promise<string>>} */
	#digests = new Map();
	#last = 0;
	/** The first line from which on none is missing up to the last. */
	#from = 1;

	/** @param {string} room */
	constructor(room) {
		this.#room = room;
		this.#prefix = utf8(`buddy/v2/log\0${room}\0`);
	}

	/** The last sequence held; 0 for none. */
	get last() {
		return this.#last;
	}

	/** @param {number} seq @returns {boolean} */
	has(seq) {
		return this.#lines.has(seq);
	}

	/** @param {number} seq @param {string} line */
	set(seq, line) {
		const held = this.#lines.has(seq);
		this.#lines.set(seq, utf8(line));
		if (held) this.#digests.clear();
		if (seq > this.#last) {
			if (seq !== this.#last + 1 || this.#last === 0) this.#from = seq;
			this.#last = seq;
		}
		while (this.#lines.has(this.#from - 1)) this.#from -= 1;
	}

	/** The end of what is held, as it is now: all that windows which end after a sequence may need. @param {number} seq @returns {Lines} */
	since(seq) {
		const copy = new Lines(this.#room);
		for (const [at, line] of this.#lines) if (at > seq - WINDOW_LINES) copy.#lines.set(at, line);
		copy.#last = this.#last;
		copy.#from = Math.max(this.#from, seq - WINDOW_LINES + 1);
		return copy;
	}

	/** Forgets what stands after a sequence: the log is another one from there on. @param {number} seq */
	forgetAfter(seq) {
		for (const held of this.#lines.keys()) if (held > seq) this.#lines.delete(held);
		this.#digests.clear();
		this.#last = 0;
		for (const held of this.#lines.keys()) this.#last = Math.max(this.#last, held);
		this.#from = this.#last || 1;
		while (this.#lines.has(this.#from - 1)) this.#from -= 1;
	}

	/** @param {number} seq */
	forgetBefore(seq) {
		for (const held of this.#lines.keys()) if (held < seq) this.#lines.delete(held);
		this.#from = Math.max(this.#from, seq);
	}

	/** @param {{ seq: number, from: number }} window @returns {boolean} whether every line of it is held */
	covers({ seq, from }) {
		// Nearly always it lies within what is held without a gap.
		if (from >= this.#from && seq <= this.#last) return true;
		for (let at = from; at <= seq; at += 1) if (!this.#lines.has(at)) return false;
		return true;
	}

	/** What was seen, as the next own event says it. @returns {Promise<Window | null>} null: nothing */
	async head() {
		if (this.#last === 0) return null;
		const seq = this.#last;
		const from = Math.max(seq - WINDOW_LINES + 1, this.#from);
		return { seq, from, digest: await this.digest({ seq, from }) };
	}

	/** @param {{ seq: number, from: number }} window One that is {@link covers covered}. @returns {Promise<string>} base64url */
	digest({ seq, from }) {
		const key = `${from}|${seq}`;
		const known = this.#digests.get(key);
		if (known) return known;
		const digest = sha256(this.#text(from, seq)).then(encodeBase64url);
		if (this.#digests.size >= DIGESTS_KEPT) this.#digests.clear();
		this.#digests.set(key, digest);
		return digest;
	}

	/** @param {number} from @param {number} seq @returns {Bytes} what is hashed */
	#text(from, seq) {
		let length = this.#prefix.length + seq - from;
		for (let at = from; at <= seq; at += 1) length += this.#line(at).length;
		const text = new Uint8Array(length);
		text.set(this.#prefix);
		let end = this.#prefix.length;
		for (let at = from; at <= seq; at += 1) {
			if (at > from) text[end++] = NEWLINE;
			const line = this.#line(at);
			text.set(line, end);
			end += line.length;
		}
		return text;
	}

	/** @param {number} seq @returns {Bytes} */
	#line(seq) {
		return /** @type {Bytes} */ (this.#lines.get(seq));
	}
}
