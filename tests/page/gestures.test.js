import assert from 'node:assert/strict';
import test from 'node:test';

import { watchFingers } from '../../static/chat/gestures.js';

/** As much of an element as fingers touch. */
class FakeElement {
	dataset = {};
	/** @type {Map<string, string>} */
	properties = new Map();
	style = {
		setProperty: (/** @type {string} */ name, /** @type {string} */ value) => this.properties.set(name, value),
		removeProperty: (/** @type {string} */ name) => this.properties.delete(name),
	};

	constructor(/** @type {string[]} */ ...kinds) {
		this.kinds = kinds;
	}

	closest(/** @type {string} */ selectors) {
		return selectors.split(', ').some((one) => this.kinds.includes(one)) ? this : null;
	}
}
Object.assign(globalThis, { Element: FakeElement });

/** A list with fingers on it, and what came of them. */
function list() {
	/** @type {Record<string, ((event: object) => void)[]>} */
	const listeners = {};
	/** @type {unknown[]} */
	const told = [];
	const held = /** @type {HTMLElement} */ (
		/** @type {unknown} */ ({
			addEventListener: (/** @type {string} */ name, /** @type {(event: object) => void} */ listener) =>
				(listeners[name] ??= []).push(listener),
			matches: () => false,
			get ownerDocument() {
				return held;
			},
		})
	);
	watchFingers(held, {
		held: (node) => told.push(['held', node]),
		drawn: (node) => told.push(['drawn', node]),
		canDraw: () => true,
	});
	let stopped = 0;
	const event = { pointerType: 'touch', pointerId: 1, preventDefault() {}, stopPropagation: () => (stopped += 1) };
	const does = (/** @type {string} */ name, /** @type {object} */ more) =>
		listeners[name]?.forEach((listener) => listener({ ...event, ...more }));
	return { does, told, swallowed: () => stopped };
}

test('a finger that rests on a message opens its sheet, and its click is none', (t) => {
	t.mock.timers.enable({ apis: ['setTimeout'] });
	const { does, told, swallowed } = list();
	const target = new FakeElement('.message');
	does('pointerdown', { target, clientX: 10, clientY: 10 });
	t.mock.timers.tick(449);
	assert.deepEqual(told, []);
	t.mock.timers.tick(1);
	assert.deepEqual(told, [['held', target]]);
	// It comes up beneath the finger, which presses nothing of it by lifting.
	does('click', { target: new FakeElement('dialog') });
	assert.equal(swallowed(), 1);
	does('pointerdown', { target, clientX: 10, clientY: 10 });
	does('pointerup', { target, clientX: 10, clientY: 10 });
	t.mock.timers.tick(1000);
	does('click', { target });
	assert.equal(swallowed(), 1, 'a tap is a tap');
	assert.equal(told.length, 1);
});

test('a finger that moves scrolls, and a link keeps the browser’s own menu', (t) => {
	t.mock.timers.enable({ apis: ['setTimeout'] });
	const { does, told } = list();
	const target = new FakeElement('.message');
	does('pointerdown', { target, clientX: 10, clientY: 10 });
	does('pointermove', { target, clientX: 10, clientY: 40 });
	t.mock.timers.tick(1000);
	does('pointerdown', { target: new FakeElement('.message', 'a'), clientX: 10, clientY: 10 });
	t.mock.timers.tick(1000);
	does('pointerdown', { target, clientX: 10, clientY: 10, pointerType: 'mouse' });
	t.mock.timers.tick(1000);
	assert.deepEqual(told, []);
});

test('a message that is drawn aside far enough is answered', () => {
	const { does, told } = list();
	const target = new FakeElement('.message');
	does('pointerdown', { target, clientX: 10, clientY: 10 });
	does('pointermove', { target, clientX: 40, clientY: 12 });
	assert.equal(target.properties.get('--drawn'), '30px');
	does('pointerup', { target, clientX: 40, clientY: 12 });
	assert.deepEqual(told, [], 'not far enough');
	assert.equal(target.properties.size, 0, 'it is back in its place');
	does('pointerdown', { target, clientX: 10, clientY: 10 });
	does('pointermove', { target, clientX: 90, clientY: 12 });
	assert.deepEqual({ ...target.dataset }, { drawn: 'enough' });
	does('pointerup', { target, clientX: 90, clientY: 12 });
	assert.deepEqual(told, [['drawn', target]]);
	does('pointerdown', { target, clientX: 90, clientY: 10 });
	does('pointermove', { target, clientX: 10, clientY: 10 });
	does('pointerup', { target, clientX: 10, clientY: 10 });
	assert.equal(told.length, 1, 'the other way leads nowhere');
});
