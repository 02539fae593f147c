// The microphone: records what is said, tells how loud it is meanwhile, and lets go of the device as soon as it ends,
// for whatever reason. Loaded when somebody records.

import { MOST_BYTES } from '../room/files.js';
import { levelOf, waveformOf } from '../values/waveform.js';

/**
 * @typedef {import('../values/waveform.js').Heard} Heard
 *
 * `type` without parameters, which decide nothing for whoever plays it.
 *
 * @typedef {{ blob: Blob, type: string, voice: { durationMs: number, waveform: Uint8Array<ArrayBuffer> } }} Recorded
 *
 * @typedef {'limit' | 'lost'} Ending Without being asked to: it is as long as it may be, or the device is gone.
 */

/** What is said is understood at this many bits a second, and quarter of an hour of it is 4 MB. */
const BITS_PER_S = 32_000;
/** The first that the browser can write, best first: all of today's play it. */
const FORMS = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'];

export const MOST_MS = 15 * 60_000;

/** Pieces come this often, so that what is too large ends in time. */
const PIECE_MS = 1000;
const LEVEL_MS = 50;
/** What is still to come when the recording ends. */
const SPARE_BYTES = 100_000;

export class Recorder {
	#stream;
	#recorder;
	#heard;
	#ended;
	/** @type {AudioContext | null} */
	#context = null;
	/** @type {AnalyserNode | null} */
	#analyser = null;
	#samples = new Float32Array(2048);
	/** @type {Heard[]} */
	#levels = [];
	/** @type {Blob[]} */
	#pieces = [];
	#bytes = 0;
	#began = performance.now();
	/** How long it has become, once it has ended. @type {number | null} */
	#lasted = null;
	#timer;
	/** Resolves when all of it is here. */
	#whole;

	/**
	 * Asks for the microphone and begins.
	 *
	 * @param {object} told
	 * @param {(heard: Heard) => void} told.heard some twenty times a second
	 * @param {(why: Ending) => void} told.ended by itself
	 * @returns {Promise<Recorder>}
	 * @throws {DOMException} as `getUserMedia` does, or the browser cannot record
	 */
	static async begin(told) {
		const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
		const stream = await navigator.mediaDevices.getUserMedia({ audio });
		try {
			return new Recorder(stream, told);
		} catch (cause) {
			for (const track of stream.getTracks()) track.stop();
			throw cause;
		}
	}

	/** @param {MediaStream} stream @param {Parameters<typeof Recorder.begin>[0]} told */
	constructor(stream, { heard, ended }) {
		this.#stream = stream;
		this.#heard = heard;
		this.#ended = ended;
		const mimeType = FORMS.find((form) => MediaRecorder.isTypeSupported(form));
		this.#recorder = new MediaRecorder(stream, { ...(mimeType && { mimeType }), audioBitsPerSecond: BITS_PER_S });
		this.#recorder.addEventListener('dataavailable', ({ data }) => {
			this.#pieces.push(data);
			this.#bytes += data.size;
			if (this.#bytes > MOST_BYTES - SPARE_BYTES) this.#endItself('limit');
		});
		this.#whole = new Promise((resolve) => this.#recorder.addEventListener('stop', resolve, { once: true }));
		// It also stops when its tracks do.
		this.#recorder.addEventListener('stop', () => this.#endItself('lost'));
		this.#recorder.addEventListener('error', () => this.#endItself('lost'));
		for (const track of stream.getTracks()) track.addEventListener('ended', () => this.#endItself('lost'));
		this.#recorder.start(PIECE_MS);
		this.#listen();
		this.#timer = setInterval(() => this.#look(), LEVEL_MS);
	}

	/** In milliseconds. */
	get elapsed() {
		return this.#lasted ?? performance.now() - this.#began;
	}

	/** Ends it. @returns {Promise<Recorded | null>} null: nothing was recorded */
	async stop() {
		this.#end();
		await this.#whole;
		const [type = ''] = this.#recorder.mimeType.split(';');
		const durationMs = Math.max(1, Math.round(this.elapsed));
		if (this.#bytes === 0 || type === '') return null;
		return {
			blob: new Blob(this.#pieces, { type }),
			type,
			voice: { durationMs, waveform: waveformOf(this.#levels, durationMs) },
		};
	}

	/** Ends it, and forgets it. */
	discard() {
		this.#end();
		this.#pieces = [];
	}

	/** Without it there is no waveform, and all else. */
	#listen() {
		try {
			this.#context = new AudioContext();
			this.#analyser = this.#context.createAnalyser();
			this.#analyser.fftSize = this.#samples.length;
			this.#context.createMediaStreamSource(this.#stream).connect(this.#analyser);
			void this.#context.resume().catch(() => {});
		} catch {
			this.#analyser = null;
		}
	}

	#look() {
		const atMs = this.elapsed;
		if (atMs >= MOST_MS) {
			this.#endItself('limit');
			return;
		}
		this.#analyser?.getFloatTimeDomainData(this.#samples);
		const heard = { atMs, level: this.#analyser ? levelOf(this.#samples) : 0 };
		this.#levels.push(heard);
		this.#heard(heard);
	}

	/** @param {Ending} why */
	#endItself(why) {
		if (this.#lasted !== null) return;
		this.#end();
		this.#ended(why);
	}

	#end() {
		if (this.#lasted !== null) return;
		this.#lasted = this.elapsed;
		clearInterval(this.#timer);
		if (this.#recorder.state !== 'inactive') this.#recorder.stop();
		for (const track of this.#stream.getTracks()) track.stop();
		void this.#context?.close().catch(() => {});
	}
}
