// Windows over the log are hashed from one piece of memory where that is possible; that must not show.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import { Lines } from '../../static/room/lines.js';

const ROOM = 'ab'.repeat(32);
const MOST = 90;

/** What happens to the lines that somebody holds: `page`: some come in order, from a sequence on. */
const STEP = fc.oneof(
	{ weight: 6, arbitrary: fc.record({ does: fc.constant('next'), count: fc.integer({ min: 1, max: 40 }) }) },
	{
		weight: 3,
		arbitrary: fc.record({
			does: fc.constant('page'),
			seq: fc.integer({ min: 1, max: MOST }),
			count: fc.integer({ min: 1, max: 20 }),
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({ does: fc.constantFrom('set', 'after', 'before'), seq: fc.integer({ min: 1, max: MOST }) }),
	},
	{ weight: 1, arbitrary: fc.record({ does: fc.constant('copy'), seq: fc.integer({ min: 1, max: MOST }) }) },
);

test('what is added after a copy is none of the copy’s', async () => {
	const lines = new Lines(ROOM);
	const others = new Lines(ROOM);
	for (const seq of [1, 2, 1]) lines.set(seq, `${seq}|${lines.has(1)}`);
	for (const seq of [2, 1]) others.set(seq, `${seq}|true`);
	const copy = lines.since(0);
	lines.set(2, '2|another');
	assert.equal(await copy.digest({ seq: 2, from: 1 }), await others.digest({ seq: 2, from: 1 }));
});

test('a window’s digest is that of its lines, however they came and went', async () => {
	let compared = 0;
	await fc.assert(
		fc.asyncProperty(
			fc.array(STEP, { minLength: 1, maxLength: 25, size: 'max' }),
			fc.boolean(),
			async (steps, long) => {
				const lines = new Lines(ROOM);
				const held = new Map();
				const copies = [];
				let version = 0;
				const set = (/** @type {number} */ seq) => {
					// Long ones, and such as no honest server makes, begin new pieces of memory.
					const line = `${seq}|${version % 3}|é${long ? 'x'.repeat(1_000 * (seq % 5)) : ''}`;
					lines.set(seq, line);
					held.set(seq, line);
				};
				for (const step of steps) {
					version += 1;
					if (step.does === 'next') for (let left = step.count; left > 0; left -= 1) set(lines.last + 1);
					else if (step.does === 'page') for (let at = 0; at < step.count; at += 1) set(step.seq + at);
					else if (step.does === 'set') set(step.seq);
					else if (step.does === 'after') {
						lines.forgetAfter(step.seq);
						for (const seq of held.keys()) if (seq > step.seq) held.delete(seq);
					} else if (step.does === 'before') {
						lines.forgetBefore(step.seq);
						for (const seq of held.keys()) if (seq < step.seq) held.delete(seq);
					} else copies.push({ lines: lines.since(step.seq), held: new Map(held), from: step.seq - 63 });
				}
				for (const one of [{ lines, held, from: 1 }, ...copies]) {
					for (let seq = 1; seq <= MOST + 40; seq += 7) {
						for (const from of [seq, seq - 5, seq - 20, seq - 63]) {
							if (from < Math.max(1, one.from)) continue;
							const texts = Array.from({ length: seq - from + 1 }, (_, at) => one.held.get(from + at));
							const whole = texts.every((text) => text !== undefined);
							assert.equal(one.lines.covers({ seq, from }), whole);
							if (!whole) continue;
							const hash = createHash('sha256').update(`buddy/v2/log\0${ROOM}\0${texts.join('\n')}`);
							assert.equal(await one.lines.digest({ seq, from }), hash.digest('base64url'), `${from} to ${seq}`);
							compared += 1;
						}
					}
				}
			},
		),
		{ numRuns: 200 },
	);
	assert.ok(compared > 1_000, 'there were windows');
});
