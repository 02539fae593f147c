import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { TINTS, tintFor, Tints, tintsOf } from '../../static/view/tints.js';

test('no two of a few people share a tint, and everybody keeps theirs', () => {
	fc.assert(
		fc.property(fc.uniqueArray(fc.string(), { maxLength: 40 }), (signers) => {
			const tints = new Tints();
			const given = signers.map((signer) => tints.of(signer));
			const first = given.slice(0, TINTS);
			assert.equal(new Set(first).size, first.length);
			assert.deepEqual(
				signers.map((signer) => tints.of(signer)),
				given,
			);
			const counts = given.reduce((sum, tint) => sum.with(tint, (sum[tint] ?? 0) + 1), Array(TINTS).fill(0));
			assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, 'all are used alike');
		}),
	);
	assert.equal(new Tints().of('somebody'), tintFor('somebody'), 'who is alone keeps their own');
});

test('a room’s tints are the same wherever it is shown', () => {
	const [room, other] = [{}, {}];
	assert.equal(tintsOf(room), tintsOf(room));
	assert.notEqual(tintsOf(room), tintsOf(other));
});
