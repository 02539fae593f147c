import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { ALL, emojiNamed, findEmoji } from '../../static/values/shortcodes.js';
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
