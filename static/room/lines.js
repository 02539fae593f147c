/**
 * The log as it is signed: one line for each event, over hashes, so that erasing a body changes nothing, and
 * windows over up to 64 of them (docs/protocol.md, "Windows"). Whoever holds the same lines can tell whether the
 * server showed both the same. Knows nothing of who may be believed.
 *
 * @import { Window } from '../crypto/content.js'
 */

import { WINDOW_LINES } from '../crypto/content.js';
import { concat, encodeBase64url, equalBytes, utf8 } from '../values/bytes.js';

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

/**
 * Lines that were added one after another, and stand so in one piece of memory, a newline after each: a window is
 * nearly always copied as a whole.
 *
 * @typedef {{ bytes: Uint8Array, last: number }} Run `last`: the sequence of its last line.
 *
 * @typedef {{ run: Run, start: number, end: number }} Place
 */

const NEWLINE = 0x0a;
/** Digests of windows by their ends; writers who saw the same signed the same. */
const DIGESTS_KEPT = 512;
/** Some 400 lines. */
const PIECE_BYTES = 65_536;
const ENCODER = new TextEncoder();

/** @param {Heading} heading @param {string} hash SHA-256 of the body as it was appended, in hex @returns {string} */
export function lineOf({ seq, kind, client_id, author, target, sent_at_ms }, hash) {
	return `${seq}|${kind}|${client_id}|${author ?? ''}|${target ?? ''}|${sent_at_ms}|${hash}`;
}

export class Lines {
	/** @type {Map<number, Place>} */
	#lines = new Map();
	#room;
	/** What is hashed, written anew for each window, after what all begin with. */
	#text;
	#prefix;
	/** @type {Map<number, Promise<string>>} */
	#digests = new Map();
	#last = 0;
	/** The first line from which on none is missing up to the last. */
	#from = 1;
	/** Where lines are added. @type {Run} */
	#run = { bytes: new Uint8Array(0), last: 0 };
	#end = 0;

	/** @param {string} room */
	constructor(room) {
		this.#room = room;
		this.#text = utf8(`buddy/v2/log\0${room}\0`);
		this.#prefix = this.#text.length;
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
		const held = this.#lines.get(seq);
		if (held) {
			if (equalBytes(held.run.bytes.subarray(held.start, held.end), utf8(line))) return;
			this.#takeOut(seq, held);
		}
		this.#lines.set(seq, this.#write(seq, line));
		if (seq > this.#last) {
			if (seq !== this.#last + 1 || this.#last === 0) this.#from = seq;
			this.#last = seq;
		}
		while (this.#lines.has(this.#from - 1)) this.#from -= 1;
	}

	/** The end of what is held, as it is now: all that windows which end after a sequence may need. @param {number} seq @returns {Lines} */
	since(seq) {
		const copy = new Lines(this.#room);
		for (const [at, place] of this.#lines) if (at > seq - WINDOW_LINES) copy.#lines.set(at, place);
		copy.#last = this.#last;
		copy.#from = Math.max(this.#from, seq - WINDOW_LINES + 1);
		// What is added here from now on is no part of the runs that both have.
		this.#run = { ...this.#run };
		return copy;
	}

	/** Forgets what stands after a sequence: the log is another one from there on. @param {number} seq */
	forgetAfter(seq) {
		// What was copied by {@link since} goes on as it was.
		/** @type {Map<Run, Run>} */
		const shorter = new Map();
		for (const [held, place] of this.#lines) {
			if (held > seq) this.#lines.delete(held);
			else if (place.run.last > seq) {
				const run = shorter.get(place.run) ?? { bytes: place.run.bytes, last: seq };
				shorter.set(place.run, run);
				this.#lines.set(held, { ...place, run });
			}
		}
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
		const key = seq * WINDOW_LINES + (seq - from);
		const known = this.#digests.get(key);
		if (known) return known;
		// Web Crypto takes a copy before it lets go (its section 14.3.5), so that the same memory serves the next one.
		const digest = crypto.subtle.digest('SHA-256', this.#writeText(from, seq)).then(toText);
		if (this.#digests.size >= DIGESTS_KEPT) this.#digests.clear();
		this.#digests.set(key, digest);
		return digest;
	}

	/** @param {number} from @param {number} seq @returns {Uint8Array<ArrayBuffer>} what is hashed */
	#writeText(from, seq) {
		let end = this.#prefix;
		for (let at = from; at <= seq;) {
			const { run, start } = this.#place(at);
			const last = Math.min(run.last, seq);
			// With the newline after it.
			const lines = run.bytes.subarray(start, this.#place(last).end + 1);
			if (end + lines.length > this.#text.length)
				this.#text = concat(this.#text.subarray(0, end), new Uint8Array(end + 2 * lines.length));
			this.#text.set(lines, end);
			end += lines.length;
			at = last + 1;
		}
		return this.#text.subarray(0, end - 1);
	}

	/** @param {number} seq @param {string} line @returns {Place} */
	#write(seq, line) {
		// A character takes at most three bytes.
		const most = 3 * line.length + 1;
		if (seq !== this.#run.last + 1 || this.#end + most > this.#run.bytes.length) {
			const fits = this.#end + most <= this.#run.bytes.length;
			if (!fits) this.#end = 0;
			this.#run = { bytes: fits ? this.#run.bytes : new Uint8Array(Math.max(PIECE_BYTES, most)), last: seq };
		}
		const run = this.#run;
		const start = this.#end;
		const end = start + ENCODER.encodeInto(line, run.bytes.subarray(start)).written;
		run.bytes[end] = NEWLINE;
		run.last = seq;
		this.#end = end + 1;
		return { run, start, end };
	}

	/** A line of the middle of a run is another one now: each of the others stands for itself. @param {number} seq @param {Place} place */
	#takeOut(seq, { run }) {
		this.#digests.clear();
		for (const [at, place] of this.#lines) {
			if (place.run === run) this.#lines.set(at, { ...place, run: { bytes: run.bytes, last: at } });
		}
		if (this.#run === run) this.#run = { bytes: run.bytes, last: seq - 1 };
	}

	/** @param {number} seq @returns {Place} */
	#place(seq) {
		return /** @type {Place} */ (this.#lines.get(seq));
	}
}

/** @param {ArrayBuffer} digest */
function toText(digest) {
	return encodeBase64url(new Uint8Array(digest));
}
