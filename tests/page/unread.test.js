/** What is new to whom: the messages of others after what was read, and where they begin. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countUnread, firstUnread } from '../../static/room/unread.js';

/** @param {number | null} seq @param {{ own?: boolean, type?: string }} [more] */
const entry = (seq, { own = false, type = 'message' } = {}) => ({ seq, own, type });

const ENTRIES = [
	entry(3),
	entry(4, { own: true }),
	entry(5, { type: 'card' }),
	entry(6),
	entry(8),
	entry(9, { own: true }),
	entry(null, { own: true }),
];

test('what is new begins with the first message of somebody else that was not read', () => {
	assert.deepEqual(
		[0, 2, 3, 4, 5, 6, 7, 8, 9, 100].map((read) => firstUnread(ENTRIES, read)?.seq ?? null),
		[3, 3, 6, 6, 6, 8, 8, null, null, null],
	);
	assert.deepEqual(
		[0, 2, 3, 5, 6, 8, 100].map((read) => countUnread(ENTRIES, read)),
		[3, 3, 2, 2, 1, 0, 0],
	);
	assert.equal(firstUnread([], 0), undefined);
	assert.equal(countUnread([entry(null, { own: true })], 0), 0);
});
