/**
 * Puts what streams, history and other tabs bring into one sequence: every event once and in order,
 * what is missing fetched from history. Knows no connection and no clock.
 *
 * @import { Page } from './api.js'
 * @import { LogEvent } from '../values/event.js'
 */

/**
 * What the server says of its log when a stream begins, or cannot go on.
 *
 * @typedef {object} Mark
 * @property {string} log This incarnation of the log.
 * @property {number} first_seq
 * @property {number} last_seq
 * @property {number} [stream_max_s] For how long a stream lasts, where that is so short that each costs.
 *
 * @typedef {object} Sink
 * @property {(events: LogEvent[]) => void | Promise<void>} events The next ones of the sequence.
 * @property {(seq: number) => void} missing The server skipped what it should still have, up to this sequence.
 * @property {(mark: Mark) => number | Promise<number>} diverged Nothing is known yet, or the log is another
 *   one, or ends before the cursor. History must be read; the answer is the cursor to go on from.
 */

/** Events per page of history. */
const PAGE = 200;

export class Sequencer {
	/** All work in turn: a stream and another tab may bring the same events at once. @type {Promise<unknown>} */
	#turn = Promise.resolve();
	#history;
	#sink;

	/**
	 * @param {{ cursor: number | null, log: string | null }} start What is already known; null: nothing.
	 * @param {(range: { after: number, limit: number }) => Promise<Page>} history
	 * @param {Sink} sink
	 */
	constructor({ cursor, log }, history, sink) {
		/** The last sequence handed on. */
		this.cursor = cursor;
		this.log = log;
		this.#history = history;
		this.#sink = sink;
	}

	/**
	 * @param {LogEvent[]} events Ascending; may repeat, overlap or leave gaps.
	 * @returns {Promise<void>} rejects where a gap could not be filled; the same events may be given again
	 */
	accept(events) {
		return this.#next(async () => {
			/** @type {LogEvent[]} */
			let run = [];
			for (const event of events) {
				const expected = (run.at(-1)?.seq ?? this.cursor ?? event.seq - 1) + 1;
				if (event.seq > expected) {
					await this.#deliver(run);
					run = [];
					await this.#fill(event.seq - 1);
				}
				if (event.seq > (run.at(-1)?.seq ?? this.cursor ?? 0)) run.push(event);
			}
			await this.#deliver(run);
		});
	}

	/**
	 * A stream began.
	 *
	 * @param {Mark} mark
	 * @returns {Promise<boolean>} false if the stream continues another log than the one known here
	 */
	hello(mark) {
		return this.#next(async () => {
			if (this.cursor === null) await this.#diverge(mark);
			else if (this.#differs(mark)) return this.#diverge(mark);
			this.log = mark.log;
			return true;
		});
	}

	/**
	 * The stream could not go on from the cursor, and goes on from `last_seq`.
	 *
	 * @param {Mark} mark
	 * @returns {Promise<boolean>} false as of {@link hello}
	 */
	reset(mark) {
		return this.#next(async () => {
			if (this.cursor === null || this.#differs(mark)) return this.#diverge(mark);
			this.log = mark.log;
			this.cursor = Math.max(this.cursor, mark.first_seq - 1);
			await this.#fill(mark.last_seq);
			return true;
		});
	}

	/**
	 * Fetches everything up to here that has not come by itself.
	 *
	 * @param {number} seq
	 * @returns {Promise<void>}
	 */
	catchUp(seq) {
		return this.#next(() => this.#fill(seq));
	}

	/** @param {Mark} mark */
	#differs(mark) {
		return (this.log !== null && mark.log !== this.log) || (this.cursor !== null && this.cursor > mark.last_seq);
	}

	/** @param {Mark} mark @returns {Promise<false>} */
	async #diverge(mark) {
		this.cursor = await this.#sink.diverged(mark);
		this.log = mark.log;
		return false;
	}

	/** @param {number} to */
	async #fill(to) {
		while (this.cursor !== null && this.cursor < to) {
			const page = await this.#history({ after: this.cursor, limit: PAGE });
			// What has expired meanwhile is no gap.
			this.cursor = Math.max(this.cursor, Math.min(page.first_seq - 1, to));
			const cursor = this.cursor;
			const fresh = page.messages.filter((event) => event.seq > cursor);
			const first = fresh[0];
			if (!first) {
				if (cursor < to) throw new Error('history ends before the event that the stream has sent');
				return;
			}
			for (const [index, event] of fresh.entries()) {
				const before = fresh[index - 1]?.seq ?? cursor;
				if (event.seq !== before + 1) this.#sink.missing(event.seq - 1);
			}
			await this.#deliver(fresh);
		}
	}

	/** @param {LogEvent[]} run */
	async #deliver(run) {
		const last = run.at(-1);
		if (!last) return;
		await this.#sink.events(run);
		this.cursor = last.seq;
	}

	/**
	 * @template T
	 * @param {() => Promise<T>} work
	 * @returns {Promise<T>}
	 */
	#next(work) {
		const done = this.#turn.then(work);
		this.#turn = done.catch(() => {});
		return done;
	}
}
