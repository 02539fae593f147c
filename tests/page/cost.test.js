// What the page's own work costs: little, and no more where there is more of everything.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judging, naming, quantile, reacting } from './costs.js';

// Other programs on the machine cost time, too: what something takes is what it took where they left it alone.
const least = (/** @type {number[]} */ costs) => quantile(costs, 0.05);

test('judging an event costs little more than hashing its window, which no machine can save', async (context) => {
	const { costs, hashes } = await judging();
	const [judged, hashing] = [least(costs), least(hashes)];
	context.diagnostic(`${judged.toFixed(1)} µs an event, of which hashing a window takes ${hashing.toFixed(1)}`);
	// Both are slower on a busy machine; at the 6 µs of an idle one this is less than 15 µs.
	assert.ok(judged < 2.4 * hashing, `${judged} µs, ${hashing} µs of them for hashing`);
});

test('a reaction costs no more where there are thousands', async (context) => {
	const [few, many] = [least(await reacting(200)), least(await reacting(5_000))];
	context.diagnostic(`${few.toFixed(2)} ms among 200, ${many.toFixed(2)} ms among 5,000`);
	assert.ok(many < 3 * few, `${few} and ${many} ms`);
});

test('a message is shown as fast if thousands of people gave a reaction', async (context) => {
	const [few, many] = [least((await naming(40)).shown), least((await naming(20_000)).shown)];
	context.diagnostic(`${few.toFixed(3)} ms for 40 people, ${many.toFixed(3)} ms for 20,000`);
	assert.ok(many < 3 * few, `${few} and ${many} ms`);
});
