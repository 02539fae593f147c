import assert from 'node:assert/strict';
import { test } from 'node:test';

import './english.js';
import { connectionText, noticesOf, whyNotWriting } from '../../static/chat/notices.js';
import { dayKey, dayName, duration } from '../../static/values/when.js';

const NOW = Date.UTC(2026, 4, 17, 12);

/**
 * @import { RoomFacade, RoomInfo } from '../../static/room/facade.js'
 *
 * As much of a room as notices look at.
 *
 * @typedef {Pick<RoomFacade, 'connection' | 'alarms' | 'sending' | 'entries' | 'isOwner' | 'canWrite'>
 *   & { info: Pick<RoomInfo, 'locked'> }} Shown
 * @typedef {Parameters<typeof noticesOf>[1]} Context
 */

/** @param {Partial<Shown>} changes */
function roomWith(changes = {}) {
	/** @type {Shown} */
	const shown = {
		connection: { state: 'live', code: null, retryAtMs: null },
		alarms: [],
		sending: { waitingUntilMs: null, code: null, count: 0, unkept: false },
		info: { locked: false },
		entries: [],
		isOwner: false,
		canWrite: true,
		...changes,
	};
	return /** @type {RoomFacade} */ (shown);
}

/** @param {Partial<Context>} changes @returns {Context} */
const contextWith = (changes = {}) => ({
	persistent: true,
	remindOwner: false,
	showRecovery() {},
	keptOwnerLink() {},
	updates: { waiting: false, number: '', use() {}, compare() {} },
	...changes,
});

/** Notices as read by a person. @param {RoomFacade} room @param {Partial<Context>} context */
const said = (room, context = {}) =>
	noticesOf(room, contextWith(context), NOW).map(({ text, wait }) => (wait ? `${text} ${wait}` : text));

/** Runs with the browser's own opinion on whether there is a network. @param {boolean} onLine @param {() => void} run */
function withNetwork(onLine, run) {
	const known = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
	Object.defineProperty(globalThis, 'navigator', { value: { onLine }, configurable: true });
	try {
		return run();
	} finally {
		if (known) Object.defineProperty(globalThis, 'navigator', known);
		else Reflect.deleteProperty(globalThis, 'navigator');
	}
}

test('a room in order says nothing but that it is live', () => {
	withNetwork(true, () => {
		assert.deepEqual(said(roomWith()), []);
		assert.equal(connectionText(roomWith()), 'Live');
		assert.equal(whyNotWriting(roomWith()), '');
	});
});

test('being offline and not reaching the server are told apart', () => {
	/** @type {Partial<Shown>} */
	const offline = { connection: { state: 'offline', code: 'network', retryAtMs: NOW + 4200 } };
	withNetwork(false, () => {
		assert.match(said(roomWith(offline))[0], /You are offline/);
		assert.match(said(roomWith())[0], /You are offline/, 'even before a request has failed');
		assert.equal(connectionText(roomWith()), 'Offline');
	});
	withNetwork(true, () => {
		assert.match(said(roomWith(offline))[0], /server can’t be reached.*again in 5 s/);
		assert.equal(connectionText(roomWith(offline)), 'Not connected');
	});
});

test('each limit has its own words', () => {
	withNetwork(true, () => {
		const limited = roomWith({
			sending: { waitingUntilMs: NOW + 2500, code: 'rate_limited', count: 2, unkept: false },
		});
		assert.match(said(limited)[0], /too fast.*by itself in 3 s/);
		const full = roomWith({ sending: { waitingUntilMs: null, code: 'room_full', count: 1, unkept: false } });
		assert.match(said(full)[0], /room is full/);
		assert.match(said(roomWith(), { persistent: false })[0], /keeps nothing/);
	});
});

test('a locked room stops members and not its owner', () => {
	withNetwork(true, () => {
		const member = roomWith({ info: { locked: true } });
		assert.match(whyNotWriting(member), /owner has locked/);
		const owner = roomWith({ info: { locked: true }, isOwner: true });
		assert.equal(whyNotWriting(owner), '');
		assert.deepEqual(
			noticesOf(owner, contextWith(), NOW)[0].actions?.map(([label]) => label),
			['Unlock'],
		);
		assert.match(whyNotWriting(roomWith({ canWrite: false })), /cannot write/);
	});
});

test('durations are rounded to one unit that people use', () => {
	/** @type {[number, string][]} */
	const spoken = [
		[0, '1 second'],
		[59, '59 seconds'],
		[60, '1 minute'],
		[3600, '1 hour'],
		[5400, '90 minutes'],
		[7200, '2 hours'],
		[86400, '1 day'],
		[100000, '28 hours'],
		[172800, '2 days'],
		[2592000, '30 days'],
		[31536000, '365 days'],
	];
	for (const [seconds, words] of spoken) assert.equal(duration(seconds), words);
});

test('days have names near today and dates before', () => {
	const now = new Date(2026, 4, 17, 12).getTime();
	assert.equal(dayName(new Date(2026, 4, 17, 0, 1).getTime(), now), 'Today');
	assert.equal(dayName(new Date(2026, 4, 16, 23, 59).getTime(), now), 'Yesterday');
	assert.match(dayName(new Date(2024, 4, 17).getTime(), now), /2024/);
	assert.notEqual(dayKey(new Date(2026, 4, 17).getTime()), dayKey(new Date(2026, 4, 16, 23, 59).getTime()));
});
