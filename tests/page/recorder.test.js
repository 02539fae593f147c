/** The microphone, in a browser that is played: whatever ends a recording, what was said is there and the device is free. */

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

import { MOST_MS, Recorder } from '../../static/view/recorder.js';
import { there } from './there.js';

/** A microphone. */
class Track extends EventTarget {
	isFree = false;

	stop() {
		this.isFree = true;
	}
}

/** Writes a piece each second, and the rest when it is stopped. */
class PlayedRecorder extends EventTarget {
	static last = /** @type {PlayedRecorder | null} */ (null);
	/** @type {string[]} */
	static writes = [];
	static piece = 4000;
	state = 'inactive';
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

	/** @param {string} form */
	static isTypeSupported(form) {
		return PlayedRecorder.writes.includes(form);
	}

	/** @param {unknown} _ @param {{ mimeType?: string }} options */
	constructor(_, { mimeType = '' }) {
		super();
		if (mimeType === '') throw new DOMException('writes nothing', 'NotSupportedError');
		this.mimeType = mimeType;
		PlayedRecorder.last = this;
	}

	/** @param {number} ms */
	start(ms) {
		this.state = 'recording';
		this.#timer = setInterval(() => this.#give(PlayedRecorder.piece), ms);
	}

	stop() {
		this.state = 'inactive';
		clearInterval(this.#timer);
		// As browsers do, after whoever stopped it has gone on.
		queueMicrotask(() => {
			this.#give(7);
			this.dispatchEvent(new Event('stop'));
		});
	}

	/** @param {number} length */
	#give(length) {
		this.dispatchEvent(Object.assign(new Event('dataavailable'), { data: new Blob([new Uint8Array(length)]) }));
	}
}

let track = new Track();
/** @type {DOMException | null} */
let refusal = null;
let now = 0;

beforeEach(() => {
	mock.timers.reset();
	mock.timers.enable({ apis: ['setInterval'] });
	track = new Track();
	refusal = null;
	now = 0;
	PlayedRecorder.writes = ['audio/mp4', 'audio/webm;codecs=opus'];
	PlayedRecorder.piece = 4000;
	const mediaDevices = {
		async getUserMedia() {
			if (refusal) throw refusal;
			return { getTracks: () => [track] };
		},
	};
	Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices }, configurable: true });
	Object.defineProperty(globalThis, 'MediaRecorder', { value: PlayedRecorder, configurable: true });
	mock.method(performance, 'now', () => now);
});

/** @param {number} ms */
function pass(ms) {
	for (const end = now + ms; now < end;) {
		now += 50;
		mock.timers.tick(50);
	}
}

async function begin() {
	/** @type {string[]} */
	const endings = [];
	let heard = 0;
	const recorder = await Recorder.begin({ heard: () => (heard += 1), ended: (why) => void endings.push(why) });
	return { recorder, endings, heard: () => heard };
}

test('what was said is kept with its length, and the microphone is free', async () => {
	const { recorder, endings, heard } = await begin();
	pass(2500);
	assert.equal(recorder.elapsed, 2500);
	assert.equal(heard(), 50, 'twenty times a second');
	assert.equal(track.isFree, false);
	const { blob, type, voice } = there(await recorder.stop());
	assert.deepEqual([blob.size, blob.type, type, voice.durationMs], [8007, 'audio/webm', 'audio/webm', 2500]);
	assert.equal(voice.waveform.length, 48);
	assert.ok(track.isFree);
	pass(2000);
	assert.equal(recorder.elapsed, 2500, 'it has ended');
	assert.deepEqual(endings, [], 'and not by itself');
	assert.equal(there(await recorder.stop()).blob.size, 8007, 'asked again it is the same');
});

test('a browser writes what it can, and one that can write nothing keeps no microphone', async () => {
	PlayedRecorder.writes = ['audio/mp4'];
	const { recorder } = await begin();
	pass(1000);
	assert.equal((await recorder.stop())?.type, 'audio/mp4');
	PlayedRecorder.writes = [];
	track = new Track();
	await assert.rejects(begin, { name: 'NotSupportedError' });
	assert.ok(track.isFree);
	refusal = new DOMException('no', 'NotAllowedError');
	await assert.rejects(begin, { name: 'NotAllowedError' });
});

test('a microphone that is taken away ends the recording, once, and what was said is kept', async () => {
	const { recorder, endings } = await begin();
	pass(1200);
	track.dispatchEvent(new Event('ended'));
	there(PlayedRecorder.last).dispatchEvent(new Event('error'));
	pass(1000);
	assert.deepEqual(endings, ['lost']);
	assert.deepEqual(
		[(await recorder.stop())?.blob.size, (await recorder.stop())?.voice.durationMs, track.isFree],
		[4007, 1200, true],
	);
});

test('a recording ends before it is too long or too large to be sent', async () => {
	const long = await begin();
	pass(MOST_MS - 50);
	assert.deepEqual(long.endings, []);
	pass(100);
	assert.deepEqual(long.endings, ['limit']);
	assert.ok(track.isFree);
	assert.equal((await long.recorder.stop())?.voice.durationMs, MOST_MS);
	PlayedRecorder.piece = 10_000_000;
	const large = await begin();
	pass(2000);
	assert.deepEqual(large.endings, []);
	pass(1000);
	assert.deepEqual(large.endings, ['limit']);
});

test('what is discarded frees the microphone and says nothing', async () => {
	const { recorder, endings } = await begin();
	pass(500);
	recorder.discard();
	assert.ok(track.isFree);
	assert.deepEqual(endings, []);
});
