// A room as a file to keep: all that it shows, and nothing in it that could act.

import assert from 'node:assert/strict';
import test from 'node:test';

import './english.js';
import { asHtml, asText, fileName } from '../../static/room/exporting.js';

/** @import { Entry } from '../../static/room/log.js' */

/** @param {number} seq @param {string} text @param {object} [more] */
const message = (seq, text, more = {}) =>
	/** @type {Entry} */ (
		/** @type {unknown} */ ({
			type: 'message',
			key: `k${seq}`,
			seq,
			text,
			name: 'Ana',
			own: false,
			files: [],
			reactions: [],
			replyTo: null,
			replyBroken: false,
			edited: null,
			nameTaken: false,
			alarm: null,
			sentAtMs: seq * 3_600_000,
			...more,
		})
	);

const KEPT = {
	title: 'Trip <b>',
	entries: [
		message(1, 'Who brings\nthe tent?'),
		message(2, 'I & mine <script>alert(1)</script>', {
			name: 'Ben "x"',
			replyTo: { seq: 1, clientId: '' },
			edited: { atMs: 1, pending: false },
			reactions: [{ emoji: '🎉', count: 2 }],
			files: [{ name: 'map.pdf' }],
		}),
		/** @type {Entry} */ (/** @type {unknown} */ ({ ...message(3, 'gone'), type: 'removed' })),
		message(4, 'not sent', { seq: null, sentAtMs: null }),
		message(30, 'a day later', { name: '' }),
	],
	atMs: 200_000_000,
	whole: true,
	day: (/** @type {number} */ ms) => `day ${Math.floor(ms / 86_400_000)}`,
	time: (/** @type {number} */ ms) => `${Math.floor((ms % 86_400_000) / 3_600_000)}:00`,
};

test('a copy as text holds who said what when, line by line', () => {
	assert.equal(
		asText(KEPT),
		`Trip <b>
Kept from Buddy on day 2, 7:00.

day 0

[1:00] Ana: Who brings
    the tent?
[2:00] Ben "x": (to Ana: “Who brings the tent?”) I & mine <script>alert(1)</script>
    (file: map.pdf, 🎉 2, edited)

day 1

[6:00] Someone: a day later
`,
	);
	assert.match(asText({ ...KEPT, whole: false }), /Older messages were not loaded and are missing/);
});

test('a copy as a page is whole, and nothing in it can act', () => {
	const page = asHtml(KEPT);
	assert.ok(!/<script|<b>/.test(page));
	assert.match(page, /I &amp; mine &lt;script&gt;alert\(1\)&lt;\/script&gt;/);
	assert.match(page, /<strong dir="auto">Ben &quot;x&quot;<\/strong>/);
	assert.match(page, /default-src 'none'/);
	assert.equal(page.match(/<article>/g)?.length, 3);
	assert.ok(!page.includes('gone') && !page.includes('not sent'));
});

test('the name of a copy is one that every system takes', () => {
	assert.equal(fileName('Trip: to/the ..\\sea?', '2026-11-25', 'txt'), 'Trip-to-the-sea-2026-11-25.txt');
	assert.equal(fileName('رحلة', '2026-11-25', 'html'), 'رحلة-2026-11-25.html');
	assert.equal(fileName('///', '2026-11-25', 'html'), 'room-2026-11-25.html');
});
