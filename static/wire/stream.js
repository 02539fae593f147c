/**
 * Follows a room's stream for as long as it is told to: connects, resumes from the cursor, notices
 * silence, wakes with the device. It never gives up on a fault that may pass. No DOM: what wakes it
 * is an `EventTarget` it is given.
 *
 * @import { LogEvent } from '../values/event.js'
 * @import { Mark, Sequencer } from './sequencer.js'
 * @import { Frame } from './sse.js'
 */

import { ApiError } from './api.js';
import { toLogEvent } from '../values/event.js';
import { isMark, isSignal } from './shapes.js';
import { SseParser } from './sse.js';

/**
 * How a reader stands. `code` of `offline` and `refused` is an {@link ApiError}'s, or `silent` where
 * heartbeats stayed out; `retryAtMs` is when the next attempt is due.
 *
 * @typedef {object} Connection
 * @property {'idle' | 'connecting' | 'catching_up' | 'live' | 'offline' | 'refused' | 'closed'} state
 * @property {string | null} code
 * @property {number | null} retryAtMs
 *
 * @typedef {object} SignalEvent
 * @property {string} kind
 * @property {string | null} author
 * @property {string} body
 * @property {number} sent_at_ms
 * @property {number} expires_at_ms
 *
 * Why a stream ended for good. `farewell` is the server's word until it was checked.
 *
 * @typedef {{ reason: 'deleted' | 'expired' | 'renewed', farewell: string | null }} Closed
 *
 * @typedef {object} Follower What follows a stream, besides the sequencer.
 * @property {(connection: Connection) => void} connection
 * @property {(signals: SignalEvent[]) => void} signals
 * @property {(closed: Closed) => void} closed The room is no more, or has new keys.
 * @property {() => void} [alive] The server was heard.
 *
 * @typedef {object} Timing All in milliseconds.
 * @property {number} silence Without a byte for so long, a connection is taken for dead: two heartbeats and some.
 * @property {number} stale The same when something woke the page, for then there is reason to doubt.
 * @property {number} retry Between attempts, until the server says how much.
 * @property {number} retryMost
 * @property {number} resume A stream that ended in good order is resumed within this.
 * @property {number} settled A connection that held so long makes earlier failures forgotten.
 */

/** @type {Timing} */
const TIMING = { silence: 40_000, stale: 20_000, retry: 2_000, retryMost: 30_000, resume: 500, settled: 5_000 };

/** The server's own words for what will not pass. A bare 404 may be a proxy's, whose server is being replaced. */
const REFUSALS = new Set(['room_not_found', 'not_allowed']);

/** These wake a page; the last two by way of the document or the network. */
const WAKING = ['online', 'pageshow', 'visibilitychange'];

export class RoomStream {
	/** @type {Connection} */
	connection = { state: 'idle', code: null, retryAtMs: null };
	/** The server's streams end so soon that one for nobody who looks is a waste. */
	isDear = false;

	#open;
	#sequencer;
	#follower;
	#wakes;
	#timing;
	#random;
	/** Ends everything; null while not running. @type {AbortController | null} */
	#running = null;
	/** Ends the present connection only. @type {AbortController | null} */
	#connected = null;
	#heardAt = 0;
	/** The room's last sequence when the stream began: from there on it is live. */
	#liveFrom = Infinity;
	#failures = 0;
	/** The server asked to be left alone until then. */
	#notBefore = 0;
	#retry;
	/** The connection was dropped to make a better one at once. */
	#woken = false;
	/** Cuts a wait short. @type {(() => void) | null} */
	#wakeUp = null;

	/**
	 * @param {object} parts
	 * @param {(cursor: number | null, signal: AbortSignal) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>} parts.open
	 * @param {Sequencer} parts.sequencer
	 * @param {Follower} parts.follower
	 * @param {EventTarget} [parts.wakes] Where `online`, `pageshow` and `visibilitychange` are heard.
	 * @param {Partial<Timing>} [parts.timing]
	 * @param {() => number} [parts.random]
	 */
	constructor({ open, sequencer, follower, wakes = new EventTarget(), timing = {}, random = Math.random }) {
		this.#open = open;
		this.#sequencer = sequencer;
		this.#follower = follower;
		this.#wakes = wakes;
		this.#timing = { ...TIMING, ...timing };
		this.#retry = this.#timing.retry;
		this.#random = random;
	}

	/** Follows until {@link stop}, or until the room is refused or closed. */
	start() {
		if (this.#running) return;
		this.#running = new AbortController();
		for (const type of WAKING) this.#wakes.addEventListener(type, this.#wake);
		this.#failures = 0;
		void this.#follow(this.#running.signal);
	}

	stop() {
		if (!this.#running) return;
		this.#end({ state: 'idle', code: null, retryAtMs: null });
	}

	/** @param {Event} event */
	#wake = ({ type }) => {
		if (this.#wakeUp) {
			if (Date.now() >= this.#notBefore) this.#wakeUp();
			return;
		}
		// Back from being offline, often in another network: what was connected before is dead more often than not,
		// and to ask anew costs less than to wait for its silence.
		const doubtful = type === 'online' || Date.now() - this.#heardAt > this.#timing.stale;
		if (!this.#connected || !doubtful) return;
		this.#woken = true;
		this.#drop('silent');
	};

	/** @param {AbortSignal} running */
	async #follow(running) {
		this.#report('connecting');
		while (!running.aborted) {
			const before = { cursor: this.#sequencer.cursor, at: Date.now() };
			/** @type {ApiError | null} */
			let fault = null;
			try {
				await this.#connect(running);
			} catch (cause) {
				fault = cause instanceof ApiError ? cause : new ApiError('network', 'the connection broke');
			}
			// After a stop, another run may own the fields already.
			if (running.aborted) return;
			this.#connected = null;
			if (fault?.code === 'renewed') {
				this.#end({ state: 'idle', code: null, retryAtMs: null });
				this.#follower.closed({ reason: 'renewed', farewell: null });
				return;
			}
			if (fault?.code === 'room_gone') {
				this.#end({ state: 'closed', code: null, retryAtMs: null });
				this.#follower.closed({ reason: 'deleted', farewell: fault.farewell });
				return;
			}
			if (fault && REFUSALS.has(fault.code)) {
				this.#end({ state: 'refused', code: fault.code, retryAtMs: null });
				return;
			}
			const progressed = this.#sequencer.cursor !== before.cursor || Date.now() - before.at > this.#timing.settled;
			this.#failures = progressed ? 0 : this.#failures + 1;
			await this.#pause(fault, running);
		}
	}

	/** One connection, until it ends; rejects where it did not end in good order. @param {AbortSignal} running */
	async #connect(running) {
		const connected = new AbortController();
		this.#connected = connected;
		const signal = AbortSignal.any([running, connected.signal]);
		this.#heardAt = Date.now();
		// What the stream before had promised says nothing of this one.
		this.#liveFrom = Infinity;
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let silence;
		try {
			const body = await this.#open(this.#sequencer.cursor, signal);
			const reader = body.getReader();
			const parser = new SseParser();
			for (;;) {
				silence = setTimeout(() => this.#drop('silent'), this.#timing.silence);
				const { done, value } = await reader.read();
				clearTimeout(silence);
				if (done) return;
				this.#heardAt = Date.now();
				this.#follower.alive?.();
				const frames = parser.push(value);
				this.#retry = parser.retry ?? this.#retry;
				if (!(await this.#take(frames, running))) return;
			}
		} catch (cause) {
			throw connected.signal.reason instanceof ApiError ? connected.signal.reason : cause;
		} finally {
			clearTimeout(silence);
			connected.abort();
		}
	}

	/** @param {Frame[]} frames @param {AbortSignal} running @returns {Promise<boolean>} whether this stream goes on */
	async #take(frames, running) {
		/** @type {LogEvent[]} */
		let events = [];
		/** @type {SignalEvent[]} */
		const signals = [];
		for (const frame of frames) {
			if (frame.event === 'signal') {
				signals.push(...[parse(frame.data)].flat().filter(isSignal));
			} else if (frame.event === 'hello' || frame.event === 'reset') {
				await this.#sequencer.accept(events);
				events = [];
				const mark = /** @type {Mark} */ (parse(frame.data));
				if (!isMark(mark)) throw new ApiError('bad_answer', 'the stream began with something unknown');
				this.#liveFrom = mark.last_seq;
				// A reset in the middle of a stream does not say it again.
				if (frame.event === 'hello' || !this.isDear) this.isDear = mark.stream_max_s !== undefined;
				this.#report('catching_up');
				const goesOn = frame.event === 'reset' ? this.#sequencer.reset(mark) : this.#sequencer.hello(mark);
				if (!(await goesOn)) return false;
			} else if (frame.event === 'closed') {
				await this.#sequencer.accept(events);
				if (running.aborted) return false;
				const { reason, farewell } = /** @type {Record<string, unknown>} */ (parse(frame.data) ?? {});
				const known = reason === 'expired' || reason === 'renewed' ? reason : 'deleted';
				this.#end({ state: known === 'renewed' ? 'idle' : 'closed', code: null, retryAtMs: null });
				this.#follower.closed({ reason: known, farewell: typeof farewell === 'string' ? farewell : null });
				return false;
			} else {
				const event = logEventOf(frame);
				if (event) events.push(event);
			}
		}
		await this.#sequencer.accept(events);
		if (running.aborted) return false;
		if (signals.length > 0) this.#follower.signals(signals);
		if ((this.#sequencer.cursor ?? 0) >= this.#liveFrom) this.#report('live');
		return true;
	}

	/** @param {ApiError | null} fault @param {AbortSignal} running */
	async #pause(fault, running) {
		const { retryMost, resume } = this.#timing;
		const woken = this.#woken && fault?.code === 'silent';
		this.#woken = false;
		let delay;
		if (woken) {
			delay = 0;
		} else if (this.#failures === 0) {
			delay = this.#random() * (fault ? this.#retry : resume);
		} else {
			const most = Math.min(this.#retry * 2 ** (this.#failures - 1), Math.max(retryMost, this.#retry));
			delay = most * (0.5 + this.#random() / 2);
		}
		this.#notBefore = Date.now() + (fault?.retryAfterMs ?? 0);
		delay = Math.max(delay, fault?.retryAfterMs ?? 0);
		// A stream that ended in good order is about to go on; anything else is worth telling.
		if (!woken && (fault || this.#failures > 0)) this.#report('offline', fault?.code ?? 'network', Date.now() + delay);
		else this.#report('catching_up');

		await new Promise((resolve) => {
			const wakeUp = () => {
				clearTimeout(timer);
				running.removeEventListener('abort', wakeUp);
				if (this.#wakeUp === wakeUp) this.#wakeUp = null;
				resolve(undefined);
			};
			const timer = setTimeout(wakeUp, delay);
			running.addEventListener('abort', wakeUp);
			this.#wakeUp = wakeUp;
		});
	}

	/** @param {string} code */
	#drop(code) {
		this.#connected?.abort(new ApiError(code, 'the server fell silent'));
	}

	/** @param {Connection} connection */
	#end(connection) {
		for (const type of WAKING) this.#wakes.removeEventListener(type, this.#wake);
		this.#running?.abort();
		this.#running = null;
		this.#report(connection.state, connection.code);
	}

	/** @param {Connection['state']} state @param {string | null} [code] @param {number | null} [retryAtMs] */
	#report(state, code = null, retryAtMs = null) {
		const { connection } = this;
		if (connection.state === state && connection.code === code && connection.retryAtMs === retryAtMs) return;
		this.connection = { state, code, retryAtMs };
		this.#follower.connection(this.connection);
	}
}

/** An event of the log; null for a frame without an id. @param {Frame} frame @returns {LogEvent | null} */
function logEventOf(frame) {
	const seq = Number(frame.id);
	if (!/^[0-9]+$/.test(frame.id) || !Number.isSafeInteger(seq)) return null;
	return toLogEvent(parse(frame.data), seq, frame.event);
}

/** @param {string} data @returns {unknown} undefined where it is no JSON */
function parse(data) {
	try {
		return JSON.parse(data);
	} catch {
		return undefined;
	}
}
