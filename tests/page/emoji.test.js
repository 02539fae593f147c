import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { ALL, emojiNamed, findEmoji, suggestedEmoji } from '../../static/values/shortcodes.js';
import { openShortcode, wholeShortcode } from '../../static/values/typing.js';
import { isEmoji } from '../../static/values/text.js';
import { tableOfEmoji } from './emoji.js';

test('the table of emoji is made from the package’s data, and every one may stand as a reaction', () => {
	const held = readFileSync(new URL('../../static/values/emoji.js', import.meta.url), 'utf8');
	assert.equal(held, tableOfEmoji(), 'run `npm run emoji` in tests/page');
	assert.ok(ALL.length > 1_800);
	assert.deepEqual(
		ALL.filter(({ emoji }) => !isEmoji(emoji)),
		[],
	);
	assert.ok(ALL.every(({ name }) => /^[a-z0-9_+-]+$/.test(name)));
});

test('an emoji is found by its name, its beginning, and words that go with it', () => {
	const first = (/** @type {string} */ query) => findEmoji(query, 1)[0]?.emoji;
	assert.equal(first('tada'), '🎉');
	assert.equal(first(':tada:'), '🎉');
	assert.ok(findEmoji('PARTY', 5).some(({ emoji }) => emoji === '🎉'));
	assert.equal(first('turtle'), '🐢');
	assert.equal(first('+1'), '👍');
	assert.ok(findEmoji('cat joy').every(({ words }) => words.join(' ').includes('cat')));
	assert.deepEqual(findEmoji('no such thing'), []);
	assert.equal(findEmoji('').length, ALL.length);
	assert.equal(findEmoji('a', 7).length, 7);
	assert.equal(emojiNamed('tada'), '🎉');
	assert.equal(emojiNamed('heart'), '❤️');
	assert.equal(emojiNamed('nothing'), undefined);
});

test('an emoji is completed while its name is typed between colons, and what is none is left alone', () => {
	assert.deepEqual(openShortcode('well :ta', 8), { from: 5, query: 'ta' });
	assert.deepEqual(openShortcode('well :tada done', 8), { from: 5, query: 'ta' }, 'up to the caret');
	assert.deepEqual(wholeShortcode('well :tada:', 11), { from: 5, query: 'tada' });
	assert.deepEqual(wholeShortcode(':+1:', 4), { from: 0, query: '+1' });
	for (const text of [
		':D',
		':p',
		'at 10:30',
		'http://ex',
		'std::vector',
		'note:this',
		': ta',
		`:${'a'.repeat(41)}`,
		'',
	]) {
		assert.equal(openShortcode(text, text.length), null, text);
	}
	for (const text of ['::tada:', 'a:b:', 'at 10:30:', ':ta da:', ':tada']) {
		assert.equal(wholeShortcode(text, text.length), null, text);
	}
	const names = (/** @type {string} */ query) => suggestedEmoji(query, 6).map(({ name }) => name);
	assert.equal(names('tad')[0], 'tada');
	assert.ok(names('Par').length > 0);
	assert.ok(names('a').length === 6);
	assert.deepEqual(names('xyzzy'), []);
	// Faces of two letters are sent as they are: no word begins so.
	for (const face of ['DD', 'xD', '-D', '-P']) assert.deepEqual(names(face), [], face);
	const hostile = ':ab'.repeat(30_000);
	assert.equal(openShortcode(hostile, hostile.length), null);
});
