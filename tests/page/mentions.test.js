// Names that are mentioned, and of what a person is told: once, by one of their tabs, and only of what they wanted.

import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import test from 'node:test';

import { isForYou, worthTelling } from '../../static/room/noticing.js';
import { mentionsIn, suggested } from '../../static/values/mentions.js';
import { openMention } from '../../static/values/typing.js';

/**
 * @import { Entry, MessageEntry } from '../../static/room/log.js'
 */

/** @param {number} seq @param {string} text @param {object} [more] */
const message = (seq, text, more = {}) =>
	/** @type {MessageEntry} */ (
		/** @type {unknown} */ ({ type: 'message', seq, text, files: [], own: false, replyTo: null, ...more })
	);

const mentioned = (/** @type {string} */ text, /** @type {string[]} */ names) =>
	mentionsIn(text, names).map(({ from, to, name }) => `${text.slice(from, to)} is ${name}`);

test('a mention is a name that somebody bears, as a whole word behind an @', () => {
	const names = ['Ana', 'Ana María', 'Ben', 'Şule', 'ليلى'];
	assert.deepEqual(mentioned('@Ana, and @ben: look', names), ['@Ana is Ana', '@ben is Ben']);
	assert.deepEqual(mentioned('@ana maria too', names), ['@ana maria is Ana María'], 'the longest that fits');
	assert.deepEqual(mentioned('@Anas @Ana_2 ana@Ana.example @ Ana @Nobody', names), []);
	assert.deepEqual(mentioned('(@Ben) @BEN!', names), ['@Ben is Ben', '@BEN is Ben']);
	assert.deepEqual(mentioned('@sule @ليلى', names), ['@sule is Şule', '@ليلى is ليلى']);
	assert.deepEqual(mentioned('@S\u0327ule.', names), ['@S\u0327ule is Şule'], 'with its mark apart');
	assert.deepEqual(mentioned('@', ['']), []);
	assert.deepEqual(mentioned('@'.repeat(20_000), names), [], 'and hostile text costs little');
});

test('a name is completed while it is typed, by its beginning or by that of its next word', () => {
	assert.deepEqual(openMention('Hello @An', 9), { from: 6, query: 'An' });
	assert.deepEqual(openMention('@Ana Ma', 7), { from: 0, query: 'Ana Ma' });
	assert.deepEqual(openMention('@', 1), { from: 0, query: '' });
	assert.equal(openMention('mail@exam', 9), null);
	assert.equal(openMention('@ Ana', 5), null);
	assert.equal(openMention('@Ana\nnext', 9), null);
	assert.equal(openMention('no name', 7), null);
	const people = ['Zoë Anders', 'Ana', 'Ben', '', 'Anatol'].map((name) => ({ name }));
	const named = (/** @type {string} */ query) => suggested(people, query).map(({ name }) => name);
	assert.deepEqual(named('an'), ['Ana', 'Anatol', 'Zoë Anders']);
	assert.deepEqual(named('zoe'), ['Zoë Anders']);
	assert.deepEqual(named('x'), []);
	assert.equal(named('').length, 4);
});

test('one is told of all, of what is meant for one, or of nothing', () => {
	/** @type {Map<number, Entry>} */
	const log = new Map(
		[message(1, 'mine', { own: true }), message(2, 'theirs')].map((entry) => [entry.seq ?? 0, entry]),
	);
	const entryOf = (/** @type {number} */ seq) => log.get(seq);
	const who = { yourName: 'Ana', entryOf };
	const entries = [
		message(3, 'plain'),
		message(4, 'for @Ana'),
		message(5, 'answer', { replyTo: { seq: 1, clientId: '' } }),
		message(6, 'answer to another', { replyTo: { seq: 2, clientId: '' } }),
		message(7, 'own, for @Ana', { own: true }),
		/** @type {Entry} */ (/** @type {unknown} */ ({ ...message(8, ''), type: 'removed' })),
		message(9, '@Ana once more'),
	];
	const told = (/** @type {any} */ notify, after = 0) =>
		worthTelling(entries, { ...who, notify, after }).map(({ seq }) => seq);
	assert.deepEqual(told('all'), [3, 4, 5, 6, 9]);
	assert.deepEqual(told('mentions'), [4, 5, 9]);
	assert.deepEqual(told('nothing'), []);
	assert.deepEqual(told('all', 5), [6, 9], 'what was read or told is over');
	assert.ok(!isForYou(message(10, 'nobody is @ here'), { yourName: '', entryOf }));
});
