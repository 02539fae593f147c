import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { SseParser } from '../../static/wire/sse.js';

/** @import { Frame } from '../../static/wire/sse.js' */

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);

/** Parses a stream given whole, and again one byte at a time. @param {string} text */
function frames(text) {
	const whole = new SseParser().push(bytes(text));
	const parser = new SseParser();
	const single = Array.from(bytes(text)).flatMap((byte) => parser.push(Uint8Array.of(byte)));
	assert.deepEqual(single, whole);
	return whole;
}

/** What each stream is, its text, and what comes of it. @type {[string, string, Frame[]][]} */
const TABLE = [
	['one frame', 'id: 1\nevent: message\ndata: a\n\n', [{ event: 'message', data: 'a', id: '1' }]],
	['data of several lines', 'data: a\ndata: b\n\n', [{ event: 'message', data: 'a\nb', id: '' }]],
	['only one leading space goes', 'data:  a\n\n', [{ event: 'message', data: ' a', id: '' }]],
	['no space at all', 'data:a\n\n', [{ event: 'message', data: 'a', id: '' }]],
	[
		'carriage returns',
		'id: 1\rdata: a\r\rdata: b\r\r',
		[
			{ event: 'message', data: 'a', id: '1' },
			{ event: 'message', data: 'b', id: '1' },
		],
	],
	[
		'both',
		'data: a\r\n\r\ndata: b\r\n\r\n',
		[
			{ event: 'message', data: 'a', id: '' },
			{ event: 'message', data: 'b', id: '' },
		],
	],
	['line ends mixed', 'data: a\r\ndata: b\rdata: c\n\r\n', [{ event: 'message', data: 'a\nb\nc', id: '' }]],
	['comments', ': keep-alive\n\n:\ndata: a\n:x\n\n', [{ event: 'message', data: 'a', id: '' }]],
	['an event without data is none', 'event: a\n\ndata: b\n\n', [{ event: 'message', data: 'b', id: '' }]],
	[
		'empty data is data',
		'data\n\ndata:\n\n',
		[
			{ event: 'message', data: '', id: '' },
			{ event: 'message', data: '', id: '' },
		],
	],
	[
		'the id stays',
		'id: 7\ndata: a\n\ndata: b\n\n',
		[
			{ event: 'message', data: 'a', id: '7' },
			{ event: 'message', data: 'b', id: '7' },
		],
	],
	[
		'an empty id clears',
		'id: 7\ndata: a\n\nid\ndata: b\n\n',
		[
			{ event: 'message', data: 'a', id: '7' },
			{ event: 'message', data: 'b', id: '' },
		],
	],
	['an id with NUL is ignored', 'id: 7\nid: 8\0\ndata: a\n\n', [{ event: 'message', data: 'a', id: '7' }]],
	['unknown fields', 'sequence: 9\ndata: a\nDATA: b\n\n', [{ event: 'message', data: 'a', id: '' }]],
	['a frame cut off is none', 'data: a\n\ndata: b\n', [{ event: 'message', data: 'a', id: '' }]],
	['one byte order mark', '\ufeffdata: a\n\n', [{ event: 'message', data: 'a', id: '' }]],
	['only one', '\ufeff\ufeffdata: a\n\ndata: b\n\n', [{ event: 'message', data: 'b', id: '' }]],
	['characters of several bytes', 'data: 👋🏽 ß\n\n', [{ event: 'message', data: '👋🏽 ß', id: '' }]],
];

for (const [name, text, expected] of TABLE) {
	test(`the parser follows the standard: ${name}`, () => assert.deepEqual(frames(text), expected));
}

test('retry is taken only as digits', () => {
	const parser = new SseParser();
	assert.equal(parser.retry, null);
	parser.push(bytes('retry: 2350\n'));
	assert.equal(parser.retry, 2350);
	parser.push(bytes('retry: 1e3\nretry:\nretry: -1\n'));
	assert.equal(parser.retry, 2350);
});

test('a line that never ends is refused before it fills the memory', () => {
	const parser = new SseParser();
	const chunk = bytes('a'.repeat(1 << 20));
	assert.throws(() => {
		for (let count = 0; count < 10; count += 1) parser.push(chunk);
	}, /too long/);
});

/**
 * The server’s encoder as docs/protocol.md describes it, with any line ends and comments thrown in.
 *
 * @param {Frame[]} sent
 * @param {string} lineEnd
 * @param {string[]} comments One before each frame, as far as there are any.
 */
function encode(sent, lineEnd, comments) {
	return sent
		.map(({ id, event, data }, at) => {
			const lines = [...(comments[at] === undefined ? [] : [`: ${comments[at]}`]), `id: ${id}`, `event: ${event}`];
			return [...lines, ...data.split('\n').map((line) => `data: ${line}`), '', ''].join(lineEnd);
		})
		.join('');
}

test('whatever is encoded comes out again, cut anywhere', () => {
	const line = fc.string({ unit: 'binary' }).map((text) => text.replace(/[\r\n\0]/g, ' '));
	const data = fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n'));
	const event = fc.constantFrom('hello', 'message', 'edit', 'signal', 'reset', 'closed');
	const sent = fc.array(fc.record({ id: fc.nat().map(String), event, data }), { maxLength: 8 });
	fc.assert(
		fc.property(
			sent,
			fc.constantFrom('\n', '\r', '\r\n'),
			fc.array(line),
			fc.array(fc.nat({ max: 40 })),
			fc.boolean(),
			(frames, lineEnd, comments, cuts, mark) => {
				const whole = bytes((mark ? '\ufeff' : '') + encode(frames, lineEnd, comments));
				const parser = new SseParser();
				/** @type {Frame[]} */
				const got = [];
				let at = 0;
				for (const length of [...cuts, whole.length]) {
					got.push(...parser.push(whole.subarray(at, at + length)));
					at += length;
				}
				// The byte of a line feed that may follow the last carriage return.
				const expected = frames.map(({ id, event, data }) => ({
					id,
					event,
					data: new TextDecoder().decode(bytes(data)),
				}));
				assert.deepEqual(
					got.map(({ id, event, data }) => ({ id, event, data })),
					expected,
				);
			},
		),
		{ numRuns: 500 },
	);
});

test('arbitrary bytes never throw, and cutting changes nothing', () => {
	const chunk = fc.uint8Array({ maxLength: 200 });
	const text = fc.array(fc.constantFrom('data', ':', ' ', '\r', '\n', 'id', 'event', 'é', '\ufeff', '\0'), {
		maxLength: 60,
	});
	fc.assert(
		fc.property(
			fc.oneof(
				chunk,
				text.map((parts) => bytes(parts.join(''))),
			),
			fc.nat(),
			(whole, where) => {
				const at = whole.length === 0 ? 0 : where % whole.length;
				const cut = new SseParser();
				assert.deepEqual(
					[...cut.push(whole.subarray(0, at)), ...cut.push(whole.subarray(at))],
					new SseParser().push(whole),
				);
			},
		),
		{ numRuns: 1000 },
	);
});
