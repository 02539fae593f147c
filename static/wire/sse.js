/**
 * Parses server-sent events as the WHATWG HTML standard says (section 9.2.6), from bytes cut
 * anywhere. Pure: no network, no clock.
 *
 * @typedef {object} Frame
 * @property {string} event `message` where the stream names none.
 * @property {string} data
 * @property {string} id The last id seen, of this frame or an earlier one; `""` if none.
 */

/** A frame longer than this is not from this server, and would only fill the memory. */
const MAX_LINE_CHARACTERS = 1 << 22;

export class SseParser {
	/** The server's reconnection time in milliseconds, once it has told one. @type {number | null} */
	retry = null;

	// Keeps a character or byte order mark that two chunks share, and drops one leading mark.
	#decoder = new TextDecoder('utf-8');
	#rest = '';
	#afterCarriageReturn = false;
	#event = '';
	/** @type {string[]} */
	#data = [];
	#id = '';

	/**
	 * @param {Uint8Array} chunk
	 * @returns {Frame[]} the frames that this chunk completed
	 * @throws {Error} on a line that never ends
	 */
	push(chunk) {
		let text = this.#decoder.decode(chunk, { stream: true });
		// A line feed that belongs to a carriage return at the end of the last chunk.
		if (this.#afterCarriageReturn && text !== '') {
			if (text[0] === '\n') text = text.slice(1);
			this.#afterCarriageReturn = false;
		}
		/** @type {Frame[]} */
		const frames = [];
		const lines = (this.#rest + text).split(/\r\n|\n|\r/);
		this.#afterCarriageReturn ||= text.endsWith('\r');
		this.#rest = lines.pop() ?? '';
		if (this.#rest.length > MAX_LINE_CHARACTERS) throw new Error('a line of the stream is too long');
		for (const line of lines) {
			const frame = this.#line(line);
			if (frame) frames.push(frame);
		}
		return frames;
	}

	/** @param {string} line @returns {Frame | null} */
	#line(line) {
		if (line === '') return this.#dispatch();
		const colon = line.indexOf(':');
		if (colon === 0) return null;
		const field = colon < 0 ? line : line.slice(0, colon);
		let value = colon < 0 ? '' : line.slice(colon + 1);
		if (value[0] === ' ') value = value.slice(1);
		if (field === 'event') this.#event = value;
		else if (field === 'data') this.#data.push(value);
		else if (field === 'id' && !value.includes('\0')) this.#id = value;
		else if (field === 'retry' && /^[0-9]+$/.test(value)) this.retry = Number(value);
		return null;
	}

	/** @returns {Frame | null} */
	#dispatch() {
		const frame = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
		const empty = this.#data.length === 0;
		this.#event = '';
		this.#data = [];
		return empty ? null : frame;
	}
}
