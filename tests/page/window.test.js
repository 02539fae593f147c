import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { FIRST, MOST, STEP, Window } from '../../static/chat/window.js';

const entries = (/** @type {number} */ from, /** @type {number} */ to) =>
	Array.from({ length: to - from }, (_, index) => ({ key: `k${from + index}` }));
const keysOf = (/** @type {Window<{ key: string }>} */ { start, end, drawn }) =>
	drawn.slice(start, end).map(({ key }) => key);

test('a window begins at the end, or at what is unread amid what is around it', () => {
	const window = /** @type {Window<{ key: string }>} */ (new Window());
	window.place(entries(0, 1000), -1);
	assert.deepEqual([window.start, window.end], [1000 - FIRST, 1000]);
	window.place(entries(0, 1000), 500);
	assert.deepEqual([window.start, window.end], [500 - STEP, 500 + FIRST]);
	window.place(entries(0, 3), -1);
	assert.deepEqual([window.start, window.end], [0, 3]);
	window.place(entries(0, 3), 1);
	assert.deepEqual([window.start, window.end], [0, 3]);
});

test('what is seen stays in the window when older history comes above it', () => {
	const window = /** @type {Window<{ key: string }>} */ (new Window());
	window.drawn = entries(100, 200);
	window.place(window.drawn, 20);
	const before = keysOf(window);
	const more = entries(0, 200);
	window.follow(more, false);
	window.drawn = more;
	assert.deepEqual(keysOf(window), before);
});

test('whoever is at the end sees what is new, and whoever reads above keeps what they see', () => {
	for (const followed of [true, false]) {
		const window = /** @type {Window<{ key: string }>} */ (new Window());
		window.drawn = entries(0, MOST);
		window.start = 0;
		window.end = MOST;
		const more = entries(0, MOST + 10);
		window.follow(more, followed);
		window.drawn = more;
		assert.equal(keysOf(window).at(followed ? -1 : 0), followed ? `k${MOST + 9}` : 'k0');
	}
});

test('a message that is jumped to stands amid a few others, or amid what stands there already', () => {
	const window = /** @type {Window<{ key: string }>} */ (new Window());
	const all = entries(0, 10_000);
	window.drawn = all;
	window.place(all, -1);
	window.include(all, 5_000);
	assert.deepEqual([window.start, window.end], [5_000 - FIRST / 2, 5_000 + FIRST / 2]);
	window.include(all, 5_040);
	assert.deepEqual([window.start, window.end], [5_000 - FIRST / 2, 5_040 + FIRST / 2]);
});

test('whatever happens, a window lies within the entries and is never too wide', () => {
	const step = fc.oneof(
		fc.record({ do: fc.constant('append'), by: fc.nat(400) }),
		fc.record({ do: fc.constant('prepend'), by: fc.nat(400) }),
		fc.record({ do: fc.constant('drop'), by: fc.nat(200) }),
		fc.record({ do: fc.constantFrom('up', 'down', 'end', 'include'), by: fc.nat(1000) }),
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, followed) => {
			const window = /** @type {Window<{ key: string }>} */ (new Window());
			let [from, to] = [5000, 5050];
			window.drawn = entries(from, to);
			window.place(window.drawn, -1);
			for (const { do: what, by } of steps) {
				if (what === 'append') to += by;
				if (what === 'prepend') from = Math.max(0, from - by);
				if (what === 'drop') from = Math.min(to, from + by);
				const now = entries(from, to);
				if (['append', 'prepend', 'drop'].includes(what)) window.follow(now, followed);
				window.drawn = now;
				if (what === 'up') window.extendUp();
				if (what === 'down') window.extendDown(now.length);
				if (what === 'end') window.toEnd(now);
				if (what === 'include' && now.length > 0) {
					window.include(now, by % now.length);
					assert.ok(window.start <= by % now.length && by % now.length < window.end);
				}
				assert.ok(window.start >= 0 && window.start <= window.end && window.end <= now.length, JSON.stringify(window));
				assert.ok(window.end - window.start <= MOST);
			}
		}),
	);
});
