// Finding in what was said: what counts as found, where it stands, and that it holds nothing up.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Finder, firstSince } from '../../static/room/finder.js';
import { dayOf, foldText, holdsAll, rangesOf, startOfDay, wordsOf } from '../../static/values/finding.js';
import { shortcutOf } from '../../static/view/shortcuts.js';

/** @import { Entry } from '../../static/room/log.js' */

/** @param {number} seq @param {string} text @param {object} [more] */
const message = (seq, text, more = {}) =>
	/** @type {Entry} */ (
		/** @type {unknown} */ ({
			type: 'message',
			key: `k${seq}`,
			seq,
			text,
			files: [],
			sentAtMs: seq * 1000,
			own: false,
			...more,
		})
	);

test('case, accents and forms of letters make no difference', () => {
	for (const [text, query] of [
		['Grüße aus München', 'munchen'],
		['Grüße aus München', 'GRÜSSE'],
		['ΟΔΟΣ Ερμού', 'οδος ερμου'],
		['ｆｕｌｌ width', 'full'],
		['naïve café', 'cafe naive'],
		['Ångström', 'ångström'],
	]) {
		assert.ok(holdsAll(foldText(text ?? ''), wordsOf(query ?? '')), `${query} is in ${text}`);
	}
	assert.ok(!holdsAll(foldText('only the first word'), wordsOf('first second')));
});

test('a query is words, all of which are wanted, and phrases in quotes', () => {
	assert.deepEqual(wordsOf('  The  "big Tent" the '), ['the', 'big tent']);
	assert.deepEqual(wordsOf('say "half a phrase'), ['say', 'half', 'a', 'phrase']);
	assert.deepEqual(wordsOf('  " " '), []);
	assert.equal(wordsOf('a b c d e f g h i j k l m').length, 10);
});

test('what is found is marked where it stands in the text as it is', () => {
	const marked = (/** @type {string} */ text, /** @type {string} */ query) =>
		rangesOf(text, wordsOf(query)).map(([from, to]) => text.slice(from, to));
	assert.deepEqual(marked('Straße und STRASSE', 'strasse'), ['Straße', 'STRASSE']);
	assert.deepEqual(marked('cafe\u0301s, Cafés', 'cafe'), ['cafe', 'Café']);
	assert.deepEqual(marked('🎉 tent 🎉 tents', 'tent'), ['tent', 'tent']);
	assert.deepEqual(marked('banana', 'ana nan'), ['anan'], 'what overlaps is one');
	assert.deepEqual(marked('nothing', 'else'), []);
});

test('hits come newest first, and only of messages that the log holds', async () => {
	const entries = [
		message(1, 'the tent'),
		message(2, 'no'),
		message(3, 'The Tent again'),
		/** @type {Entry} */ ({ ...message(4, 'a tent'), type: 'removed' }),
		message(5, 'tent', { seq: null }),
	];
	const hits = await new Finder().find(entries, wordsOf('tent'), { wanted: () => true });
	assert.deepEqual(hits, [
		{ seq: 3, key: 'k3' },
		{ seq: 1, key: 'k1' },
	]);
	assert.deepEqual(await new Finder().find(entries, [], { wanted: () => true }), []);
	assert.equal(firstSince(entries, 1500)?.seq, 2);
	assert.equal(firstSince(entries, 9000), undefined);
});

test('among a hundred thousand messages the first hits are there at once, and nothing is held up', async (context) => {
	const words = ['tent', 'weather', 'Grüße', 'train', 'Tuesday', 'chapter', 'nine', 'bring', 'coffee', 'später'];
	const said = (/** @type {number} */ seq) =>
		Array.from({ length: 12 }, (_, at) => words[(seq * 7 + at * at) % words.length]).join(' ');
	const entries = Array.from({ length: 100_000 }, (_, at) => message(at + 1, said(at)));
	entries[10] = message(11, 'a needle at the very beginning');
	/** @type {number[]} */
	const slices = [];
	let began = performance.now();
	const finder = new Finder(async () => {
		slices.push(performance.now() - began);
		await new Promise((resolve) => setImmediate(resolve));
		began = performance.now();
	});
	const start = performance.now();
	let first = Infinity;
	const found = () => (first = Math.min(first, performance.now() - start));
	const common = await finder.find(entries, wordsOf('coffee'), { wanted: () => true, found });
	assert.ok((common?.length ?? 0) > 10_000, `${common?.length} hits`);
	const again = performance.now();
	const needle = await finder.find(entries, wordsOf('needle beginning'), { wanted: () => true });
	const second = performance.now() - again;
	assert.deepEqual(needle, [{ seq: 11, key: 'k11' }]);
	const longest = slices.toSorted((one, other) => one - other)[Math.floor(slices.length * 0.9)] ?? 0;
	context.diagnostic(
		`first hits ${first.toFixed(0)} ms, all again ${second.toFixed(0)} ms, slices ${longest.toFixed(1)} ms`,
	);
	assert.ok(first < 1_000, `${first} ms until something was found`);
	assert.ok(second < 1_000, `${second} ms to look through all of it`);
	assert.ok(longest < 50, `a slice took ${longest} ms`);
});

test('who has typed on gives up what was looked for before', async ({ mock }) => {
	const entries = Array.from({ length: 500 }, (_, at) => message(at + 1, `message ${at}`));
	// However fast the machine is, a slice is over whenever the clock is looked at.
	let ms = 0;
	mock.method(performance, 'now', () => (ms += 10));
	let asked = 0;
	const hits = await new Finder().find(entries, ['nothing of it'], { wanted: () => (asked += 1) < 2 });
	assert.equal(hits, null);
	assert.equal(asked, 2);
});

test('a day begins at midnight of the local calendar', () => {
	const begins = startOfDay('2026-03-29') ?? 0;
	assert.equal(new Date(begins).getHours(), 0);
	assert.equal(dayOf(begins), '2026-03-29');
	assert.equal(dayOf(begins - 1), '2026-03-28');
	assert.equal(startOfDay(''), null);
});

test('shortcuts are the ones that a keyboard of that kind has, and none while a name is composed', () => {
	const key = (/** @type {string} */ key, more = {}) => ({
		key,
		ctrlKey: false,
		metaKey: false,
		altKey: false,
		shiftKey: false,
		isComposing: false,
		...more,
	});
	const desk = { writing: true, apple: false };
	assert.equal(shortcutOf(key('k', { ctrlKey: true }), desk), 'jump');
	assert.equal(shortcutOf(key('K', { ctrlKey: true }), desk), 'jump', 'with Caps Lock');
	assert.equal(shortcutOf(key('k', { metaKey: true }), { ...desk, apple: true }), 'jump');
	assert.equal(shortcutOf(key('k', { ctrlKey: true }), { ...desk, apple: true }), null, 'there it deletes to the end');
	assert.equal(shortcutOf(key('f', { ctrlKey: true }), desk), 'find');
	assert.equal(shortcutOf(key('f', { ctrlKey: true, shiftKey: true }), desk), null);
	assert.equal(shortcutOf(key('?', { shiftKey: true }), desk), null, 'it is written');
	assert.equal(shortcutOf(key('?', { shiftKey: true }), { ...desk, writing: false }), 'keys');
	assert.equal(shortcutOf(key('k', { ctrlKey: true, isComposing: true }), desk), null);
	assert.equal(shortcutOf(key('k', { ctrlKey: true, altKey: true }), desk), null, 'AltGr');
});
