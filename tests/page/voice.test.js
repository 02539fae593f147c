/** Voice messages: how they look, what they say in few words, what is believed of them, and that they come as they went. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseContent } from '../../static/crypto/content.js';
import { asText } from '../../static/room/exporting.js';
import { Finder } from '../../static/room/finder.js';
import { encodeBase64url, utf8 } from '../../static/values/bytes.js';
import { fileWords, gist } from '../../static/values/text.js';
import { BARS, levelOf, pathOf, waveformOf } from '../../static/values/waveform.js';
import { playingTime } from '../../static/values/when.js';
import './english.js';

const FILE = {
	id: '0a'.repeat(16),
	key: encodeBase64url(new Uint8Array(32)),
	name: 'voice-message.webm',
	type: 'audio/webm',
	size: 4321,
};
const VOICE = { duration_ms: 12_345, waveform: encodeBase64url(new Uint8Array(BARS).fill(7)) };

/** @param {object} file */
function parsed(file) {
	return parseContent('message', utf8(JSON.stringify({ at_ms: 1, text: '', files: [file] })));
}

test('a waveform is as loud as what was heard, and its loudest bar is the highest', () => {
	// First silence, then louder and louder.
	const heard = Array.from({ length: 200 }, (_, at) => ({ atMs: at * 50, level: at < 100 ? 0 : (at - 99) / 400 }));
	const heights = waveformOf(heard, 10_000);
	assert.equal(heights.length, BARS);
	assert.ok(heights.subarray(0, BARS / 2).every((height) => height === 0));
	assert.equal(heights.at(-1), 255);
	for (let bar = BARS / 2; bar < BARS; bar += 1)
		assert.ok((heights[bar] ?? 0) >= (heights[bar - 1] ?? 0), `bar ${bar}`);
	// A quiet room is no roar.
	assert.ok(Math.max(...waveformOf([{ atMs: 0, level: 0.0001 }], 1000)) < 50);
	assert.deepEqual(waveformOf([], 1000), new Uint8Array(BARS));
});

test('a clock that was slowed down leaves no gaps in a waveform, and what came too late is at its end', () => {
	const seldom = waveformOf(
		[
			{ atMs: 0, level: 0.25 },
			{ atMs: 1000, level: 1 },
			{ atMs: 2100, level: 1 },
		],
		2000,
	);
	assert.deepEqual(Array.from(seldom), [...Array(BARS / 2).fill(128), ...Array(BARS / 2).fill(255)]);
});

test('how loud a piece of sound is goes from silence to full scale', () => {
	assert.equal(levelOf(new Float32Array(2048)), 0);
	assert.equal(levelOf(new Float32Array(8).fill(-1)), 1);
	const tone = Float32Array.from({ length: 4800 }, (_, at) => Math.sin(at / 10));
	assert.ok(Math.abs(levelOf(tone) - Math.SQRT1_2) < 0.01);
	assert.equal(levelOf(new Float32Array(0)), 0);
});

test('bars stay within their drawing, also where somebody says nothing of them', () => {
	assert.equal(pathOf([0, 255]), 'M2 15v2M6 2v28');
	assert.equal(pathOf([]), '');
});

test('a time within a sound is said as players say it', () => {
	const times = [0, 999, 7_400, 60_000, 754_999, 3_723_000, -5];
	assert.deepEqual(times.map(playingTime), ['0:00', '0:00', '0:07', '1:00', '12:34', '1:02:03', '0:00']);
});

test('a voice message is read with its length and its waveform, and never with half of that', () => {
	assert.deepEqual(parsed({ ...FILE, ...VOICE })?.files, [{ ...FILE, ...VOICE }]);
	assert.ok(parsed(FILE), 'a file like any other');
	const { duration_ms, waveform } = VOICE;
	/** @type {[string, object][]} */
	const wrong = [
		['no waveform', { duration_ms }],
		['no length', { waveform }],
		['no time at all', { waveform, duration_ms: 0 }],
		['a time that runs backwards', { waveform, duration_ms: -1 }],
		['more than a day', { waveform, duration_ms: 86_400_001 }],
		['half a millisecond', { waveform, duration_ms: 1.5 }],
		['a time in words', { waveform, duration_ms: '12' }],
		['a bar too few', { duration_ms, waveform: encodeBase64url(new Uint8Array(BARS - 1)) }],
		['a bar too many', { duration_ms, waveform: encodeBase64url(new Uint8Array(BARS + 1)) }],
		['bars that are a list', { duration_ms, waveform: [1, 2, 3] }],
		['nothing', { duration_ms: null, waveform: null }],
	];
	for (const [what, fields] of wrong) assert.equal(parsed({ ...FILE, ...fields }), null, what);
	assert.ok(parsed({ ...FILE, waveform, duration_ms: 86_400_000 }), 'a day');
	const spoken = waveformOf([{ atMs: 5, level: 0.5 }], 10);
	assert.ok(parsed({ ...FILE, duration_ms: 10, waveform: encodeBase64url(spoken) }), 'what the page makes');
});

test('in few words a voice message is called so, wherever it is quoted, kept or found', async () => {
	assert.equal(gist({ text: '', files: [{ ...FILE, ...VOICE }] }), '🎤 Voice message (0:12)');
	assert.equal(gist({ text: 'Listen', files: [{ ...FILE, ...VOICE }] }), 'Listen');
	assert.equal(gist({ text: '', files: [FILE] }), '📎 voice-message.webm');
	assert.equal(fileWords(FILE), 'voice-message.webm');

	const spoken = message(1, { files: [{ ...FILE, ...VOICE }] });
	const entries = [spoken, message(2, { text: 'Yes', replyTo: { seq: 1 } })];
	const kept = asText({
		title: 'Room',
		entries,
		atMs: 0,
		whole: true,
		day: () => 'Today',
		time: () => '9:00',
	});
	assert.match(kept, /\[9:00\] Ana: \n {4}\(file: Voice message \(0:12\)\)/);
	assert.match(kept, /\(to Ana: “🎤 Voice message \(0:12\)”\) Yes/);
	const hits = await new Finder().find(entries, ['voice', 'message'], { wanted: () => true });
	assert.deepEqual(
		hits?.map(({ seq }) => seq),
		[1],
	);
});

/** @param {number} seq @param {object} said @returns {any} as a room gives it */
function message(seq, said) {
	const shown = { name: 'Ana', nameTaken: false, edited: null, reactions: [], alarm: null, replyBroken: false };
	return { ...shown, type: 'message', seq, key: `#${seq}`, text: '', files: [], sentAtMs: seq, replyTo: null, ...said };
}
