import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Presence } from '../../static/room/presence.js';

/** @import { SignalKind } from '../../static/room/presence.js' */

/** @type {SignalKind[]} */
let sent;
/** @type {number} */
let changes;
/** @type {Presence} */
let presence;

beforeEach(() => {
	mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 });
	sent = [];
	changes = 0;
	presence = new Presence(
		(kind) => sent.push(kind),
		() => (changes += 1),
	);
});

afterEach(() => {
	presence.stop();
	mock.timers.reset();
});

/** A signal, sent so many milliseconds ago by its writer's clock. @param {string} kind */
const hear = (kind, age = 0, signer = 'ben') => {
	const now = Date.now();
	const signal = { kind, author: 'id', body: '', sent_at_ms: now, expires_at_ms: now + 30_000 };
	presence.receive(signal, { name: 'Ben', at_ms: now - age }, signer);
};
const here = () => Array.from(presence.present.keys());
const typing = () => Array.from(presence.present.values(), ({ typingUntil }) => typingUntil > Date.now());

test('one is here while the page is looked at, and says when leaving', () => {
	presence.setVisible(true);
	presence.setVisible(true);
	mock.timers.tick(60_000);
	assert.deepEqual(sent, ['here', 'here', 'here', 'here']);
	presence.setVisible(false);
	mock.timers.tick(60_000);
	assert.equal(sent.length, 4);
	presence.setVisible(true);
	presence.stop();
	presence.stop();
	assert.deepEqual(sent.slice(4), ['here', 'gone']);
});

test('who was never visible does not say that it leaves', () => {
	presence.stop();
	assert.deepEqual(sent, []);
});

test('typing is told at most every three seconds, and taken back', () => {
	for (let count = 0; count < 30; count += 1) {
		presence.typing();
		mock.timers.tick(100);
	}
	presence.typing();
	assert.deepEqual(sent, ['typing', 'typing']);
	presence.typingStopped();
	presence.typingStopped();
	assert.deepEqual(sent, ['typing', 'typing', 'here']);
});

test('others are here for half a minute, and type for a few seconds', () => {
	hear('typing');
	assert.deepEqual([here(), typing()], [['ben'], [true]]);
	mock.timers.tick(6_100);
	assert.deepEqual([here(), typing()], [['ben'], [false]]);
	assert.equal(changes, 2);
	mock.timers.tick(24_000);
	assert.deepEqual(here(), []);
	assert.equal(changes, 3);
});

test('who leaves or has said something is not waited for', () => {
	hear('typing');
	presence.said('ben', Date.now());
	assert.deepEqual(typing(), [false]);
	hear('here', 0, 'cleo');
	hear('gone');
	assert.deepEqual(here(), ['cleo']);
});

test('an old signal may be a replay and is ignored', () => {
	hear('here', 60_001);
	hear('gone', 60_001);
	assert.deepEqual(here(), []);
	hear('typing', 20_000);
	assert.deepEqual([here(), typing()], [['ben'], [false]]);
	hear('here', -5_000, 'cleo');
	assert.deepEqual(here(), ['ben', 'cleo']);
});

test('a kind of signal that is not known says nothing', () => {
	hear('dancing');
	assert.deepEqual(here(), []);
});

test('what was being written before a message came does not show after it', () => {
	presence.said('ben', Date.now());
	hear('typing', 500);
	assert.deepEqual(typing(), [false]);
	mock.timers.tick(1000);
	hear('typing');
	assert.deepEqual(typing(), [true]);
});

test('after a lost connection one says at once that one is here', () => {
	presence.returned();
	assert.deepEqual(sent, [], 'nobody looks at the page');
	presence.setVisible(true);
	presence.returned();
	assert.deepEqual(sent, ['here', 'here']);
});
