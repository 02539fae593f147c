// Pins: which of them lead anywhere, and what the owner's next statement says of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isState } from '../../static/crypto/content.js';
import { pinnedIn, pinsWith } from '../../static/room/pins.js';

const BARE = { name: '', locked: false, message_ttl_s: null, expires_in_s: 60, ever_ttl: null, invite: null };

/** @param {number[]} pins @param {Record<number, any>} entries */
function roomWith(pins, entries, firstSeq = 1) {
	const info = { firstSeq, pins: pins.map((seq) => ({ seq, id: `id-${seq}` })) };
	return { info, entry: (/** @type {number} */ seq) => entries[seq] };
}

const message = (/** @type {number} */ seq) => ({ type: 'message', seq, clientId: `id-${seq}` });

test('what was erased, has expired or is another message is pinned no more, and what is not loaded is', () => {
	const entries = { 4: message(4), 5: { ...message(5), type: 'removed' }, 6: { ...message(6), clientId: 'other' } };
	const room = roomWith([2, 3, 4, 5, 6], entries, 3);
	assert.deepEqual(
		pinnedIn(room).map(({ seq, message: loaded }) => [seq, loaded?.clientId ?? null]),
		[
			[3, null],
			[4, 'id-4'],
		],
	);
	// The next statement leaves the others out, and puts what is pinned anew last.
	const seqs = (/** @type {{ seq: number }[] | null} */ pins) => pins?.map(({ seq }) => seq);
	assert.deepEqual(pinsWith(room, message(7), true), [
		{ seq: 3, id: 'id-3' },
		{ seq: 4, id: 'id-4' },
		{ seq: 7, id: 'id-7' },
	]);
	assert.deepEqual(seqs(pinsWith(room, message(3), true)), [4, 3]);
	assert.deepEqual(seqs(pinsWith(room, message(4), false)), [3]);
});

test('no more than five are pinned at once, nor believed', () => {
	const full = roomWith([1, 2, 3, 4, 5], {});
	assert.equal(pinsWith(full, message(6), true), null);
	assert.equal(pinsWith(full, message(5), true)?.length, 5);
	const pins = full.info.pins;
	assert.ok(isState(BARE) && isState({ ...BARE, pins: [] }) && isState({ ...BARE, pins }));
	for (const wrong of [null, {}, [...pins, { seq: 6, id: 'id-6' }], [{ seq: 0, id: 'x' }], [{ seq: 1 }], [null]])
		assert.ok(!isState({ ...BARE, pins: wrong }), JSON.stringify(wrong));
});
