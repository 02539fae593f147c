/**
 * One stream per room for all tabs of a browser. The tab that holds the room's lock leads: it streams
 * and passes on what it hears; the others listen, and help themselves where it falls silent. No DOM.
 *
 * @import { Page } from './api.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Sink } from './sequencer.js'
 * @import { Closed, Connection, Follower, SignalEvent, Timing } from './stream.js'
 */

import { Sequencer } from './sequencer.js';
import { RoomStream } from './stream.js';

/**
 * What tabs tell each other: the leader how it stands and what came, the others that they are looked at
 * (`visible`) or want to know how the leader stands (`ask`).
 *
 * @typedef {{ type: 'events', events: LogEvent[] }
 *   | { type: 'signals', signals: SignalEvent[] }
 *   | { type: 'standing', connection: Connection, cursor: number | null, log: string | null, visible: boolean }
 *   | { type: 'closed', closed: Closed }
 *   | { type: 'ask' } | { type: 'visible' }} Message
 *
 * @typedef {object} Patience In milliseconds.
 * @property {number} answer A leader answers within this, or it is frozen.
 * @property {number} silence Two heartbeats.
 * @property {number} beat How often a leader tells that it hears the server.
 * @property {number} poll How often a hidden tab that may not stream asks for news.
 * @property {number} seldom The same where the server counts requests.
 */

/** @type {Patience} */
const PATIENCE = { answer: 3_000, silence: 30_000, beat: 10_000, poll: 30_000, seldom: 120_000 };

/** A browser has six connections for a server that speaks HTTP/1.1, and needs some for requests. */
const MOST_STREAMS = 3;

const LOCKS = 'buddy/stream/';

export class SharedStream {
	/** @type {Connection} */
	connection = { state: 'idle', code: null, retryAtMs: null };

	#room;
	#follower;
	#stream;
	#locks;
	#channel;
	#patience;
	#visible = true;
	#leading = false;
	/** Lets the lock go. @type {(() => void) | null} */
	#release = null;
	#heardAt = 0;
	#beatAt = 0;
	#polledAt = 0;
	#running = new AbortController();
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

	/**
	 * @param {object} parts
	 * @param {string} parts.room
	 * @param {{ cursor: number | null, log: string | null }} parts.start
	 * @param {(cursor: number | null, signal: AbortSignal) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>} parts.open
	 * @param {(range: { after: number, limit: number }) => Promise<Page>} parts.history
	 * @param {() => Promise<number>} parts.lastSeq The room's, asked of the server.
	 * @param {Sink} parts.sink
	 * @param {Follower} parts.follower
	 * @param {EventTarget} [parts.wakes]
	 * @param {LockManager | undefined} [parts.locks] Without these or the channel, each tab streams.
	 * @param {BroadcastChannel | null} [parts.channel] Is closed with this.
	 * @param {Partial<Timing>} [parts.timing]
	 * @param {Partial<Patience>} [parts.patience]
	 */
	constructor({
		room,
		start,
		open,
		history,
		lastSeq,
		sink,
		follower,
		wakes,
		locks,
		channel = null,
		timing,
		patience = {},
	}) {
		this.#room = room;
		this.#follower = follower;
		this.#locks = locks;
		this.#channel = channel;
		this.#patience = { ...PATIENCE, ...patience };
		this.lastSeq = lastSeq;
		this.sequencer = new Sequencer(start, history, {
			...sink,
			events: async (events) => {
				await sink.events(events);
				if (this.#leading) this.#post({ type: 'events', events });
			},
		});
		this.#stream = new RoomStream({
			open,
			sequencer: this.sequencer,
			wakes,
			timing,
			follower: {
				connection: (connection) => this.#stand(connection),
				signals: (signals) => {
					if (this.#leading) this.#post({ type: 'signals', signals });
					follower.signals(signals);
				},
				closed: (closed) => {
					if (this.#leading) this.#post({ type: 'closed', closed });
					follower.closed(closed);
				},
				alive: () => this.#beat(),
			},
		});
	}

	/** @param {boolean} visible Whether this tab is looked at. */
	start(visible) {
		this.#visible = visible;
		if (!this.#locks || !this.#channel) {
			this.#startStream();
			return;
		}
		this.#stand({ state: 'connecting', code: null, retryAtMs: null });
		this.#channel.addEventListener('message', this.#hear);
		this.#timer = setInterval(() => this.#look(), Math.min(this.#patience.beat, this.#patience.silence) / 2);
		void this.#lead();
		this.#ask();
	}

	stop() {
		this.#running.abort();
		clearInterval(this.#timer);
		this.#stream.stop();
		this.#release?.();
		this.#channel?.close();
	}

	/** @param {boolean} visible */
	setVisible(visible) {
		if (this.#visible === visible) return;
		this.#visible = visible;
		if (this.#leading) this.#look();
		else if (visible) this.#ask();
		// On its own a tab streams only while it is looked at.
		else if (this.#locks && this.#channel) this.#stream.stop();
	}

	/** Leads whenever this tab gets the lock, until the tab stops. */
	async #lead() {
		while (!this.#running.signal.aborted) {
			try {
				await this.#locks?.request(LOCKS + this.#room, { signal: this.#running.signal }, async () => {
					this.#leading = true;
					const released = new Promise((resolve) => {
						this.#release = () => resolve(undefined);
					});
					await this.#chooseHow();
					this.#tellStanding();
					await released;
					this.#leading = false;
					this.#release = null;
					this.#stream.stop();
				});
			} catch {
				this.#leading = false;
				// Stopped while waiting; or there are no locks to be had here, and each tab is on its own.
				this.#startStream();
				return;
			}
		}
	}

	/** A leader streams; a hidden one among many, or whose stream is dear, asks from time to time. */
	async #chooseHow() {
		const { held = [] } = (await this.#locks?.query()) ?? {};
		if (!this.#leading || this.#running.signal.aborted) return;
		const streams = held.filter(({ name }) => name?.startsWith(LOCKS)).length;
		const { isDear } = this.#stream;
		if (this.#visible || (streams <= MOST_STREAMS && !isDear)) {
			this.#startStream();
			return;
		}
		this.#stream.stop();
		const pause = isDear ? this.#patience.seldom : this.#patience.poll;
		if (Date.now() - this.#polledAt < pause) return;
		this.#polledAt = Date.now();
		try {
			await this.sequencer.catchUp(await this.lastSeq());
			this.#stand({ state: 'live', code: null, retryAtMs: null });
		} catch {
			this.#stand({ state: 'offline', code: 'network', retryAtMs: Date.now() + pause });
		}
	}

	/** Goes on with the keys that are there now, also where those of before were refused. */
	resume() {
		if (!this.#leading && this.#locks && this.#channel) return;
		if (this.connection.state === 'refused' && !this.#running.signal.aborted) this.#stream.start();
		else this.#startStream();
	}

	/** A room that is gone or refused stays so. */
	#startStream() {
		if (this.#running.signal.aborted) return;
		if (this.connection.state !== 'refused' && this.connection.state !== 'closed') this.#stream.start();
	}

	/** Runs on a timer: sees to what no message brings about. */
	#look() {
		if (this.#leading) {
			void this.#chooseHow();
		} else if (this.#visible && Date.now() - this.#heardAt > this.#patience.silence) {
			this.#startStream();
		}
	}

	/** Asks the leader how it stands; one that is frozen does not answer. */
	#ask() {
		const asked = Date.now();
		this.#post({ type: 'visible' });
		this.#post({ type: 'ask' });
		setTimeout(() => {
			const alone = !this.#running.signal.aborted && !this.#leading && this.#visible;
			if (alone && this.#heardAt < asked) this.#startStream();
		}, this.#patience.answer);
	}

	/** @param {MessageEvent<Message>} message */
	#hear = async ({ data }) => {
		if (this.#leading) {
			if (data.type === 'ask') this.#tellStanding();
			else if (data.type === 'visible' && !this.#visible) this.#release?.();
			return;
		}
		if (data.type === 'ask' || data.type === 'visible') return;
		this.#heardAt = Date.now();
		try {
			if (data.type === 'events') await this.sequencer.accept(data.events);
			else if (data.type === 'signals') this.#follower.signals(data.signals);
			else if (data.type === 'closed') this.#follower.closed(data.closed);
			else await this.#hearStanding(data);
		} catch {
			// A gap that history did not fill now is filled with the next thing heard.
		}
	};

	/** @param {Extract<Message, { type: 'standing' }>} standing */
	async #hearStanding({ connection, cursor, log, visible }) {
		if (!visible && this.#visible) this.#post({ type: 'visible' });
		const { sequencer } = this;
		if (cursor !== null && log !== null) {
			if (sequencer.cursor === null || log !== sequencer.log)
				await sequencer.hello({ log, first_seq: 1, last_seq: cursor });
			await sequencer.catchUp(cursor);
		}
		if (this.#leading || this.#running.signal.aborted) return;
		if (connection.state !== 'idle') {
			this.#stream.stop();
			this.#stand(connection);
		}
	}

	/** @param {Connection} connection */
	#stand(connection) {
		if (connection.state === 'idle' && !this.#running.signal.aborted) return;
		this.connection = connection;
		if (this.#leading) this.#tellStanding();
		this.#follower.connection(connection);
	}

	#beat() {
		if (!this.#leading || Date.now() - this.#beatAt < this.#patience.beat) return;
		this.#beatAt = Date.now();
		this.#tellStanding();
	}

	#tellStanding() {
		const { cursor, log } = this.sequencer;
		this.#post({ type: 'standing', connection: this.connection, cursor, log, visible: this.#visible });
	}

	/** @param {Message} message */
	#post(message) {
		if (!this.#running.signal.aborted) this.#channel?.postMessage(message);
	}
}
