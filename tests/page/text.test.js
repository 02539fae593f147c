import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';

import { encodeBase64url, randomBytes } from '../../static/values/bytes.js';
import { cleanName, cleanText, foldName, isFewEmoji, isReservedName, quoteOf } from '../../static/values/text.js';
import { shortened, tokenise } from '../../static/values/marks.js';
import { tableOfTwins } from './confusables.js';
import { fingerprint, shortTag } from '../../static/crypto/words.js';

/**
 * @import { Part } from '../../static/values/marks.js'
 *
 * @typedef {string | Short[]} Short
 */

/** Parts in short: links as [text, href], code as [kind, text], quotes and lists as [kind, what they hold], text as itself. */
const short = (/** @type {string} */ text) => tokenise(text).map(shorten);

/** @param {Part} part @returns {Short} */
function shorten(part) {
	switch (part.type) {
		case 'text':
			return part.text;
		case 'link':
			return [part.text, part.href];
		case 'quote':
			return [part.type, part.parts.map(shorten)];
		case 'list':
			return [
				part.ordered ? 'ol' : 'ul',
				part.items.map(({ number, parts }) => [...(number === null ? [] : [`${number}`]), ...parts.map(shorten)]),
			];
		default:
			return [part.type, part.text];
	}
}

/** All that is shown, a line for each of a list. @param {Part[]} parts @returns {string} */
function shownText(parts) {
	const shown = parts.map((part) => {
		if (part.type === 'quote') return shownText(part.parts);
		return part.type === 'list' ? part.items.map((item) => shownText(item.parts)).join('') : part.text;
	});
	return shown.join('');
}

/** @param {Part[]} parts @returns {Part[]} those within others, too */
function allOf(parts) {
	return parts.flatMap((part) => {
		if (part.type === 'quote') return [part, ...allOf(part.parts)];
		return part.type === 'list' ? [part, ...part.items.flatMap((item) => allOf(item.parts))] : [part];
	});
}

/** @type {[string, Short[]][]} */
const TABLE = [
	['', []],
	['plain', ['plain']],
	['two\nlines', ['two\nlines']],
	[
		'see https://example.org/a?b=c#d now',
		['see ', ['https://example.org/a?b=c#d', 'https://example.org/a?b=c#d'], ' now'],
	],
	['HTTP://EXAMPLE.org', [['HTTP://EXAMPLE.org', 'http://example.org/']]],
	['(https://example.org/a_(b)).', ['(', ['https://example.org/a_(b)', 'https://example.org/a_(b)'], ').']],
	['https://example.org, and', [['https://example.org', 'https://example.org/'], ', and']],
	['"https://example.org"', ['"', ['https://example.org', 'https://example.org/'], '"']],
	['<https://example.org>', ['<', ['https://example.org', 'https://example.org/'], '>']],
	['www.example.org/a, and', [['www.example.org/a', 'https://www.example.org/a'], ', and']],
	['www.example or ftp://www.example.org', ['www.example or ftp://www.example.org']],
	['write to ana.b+c@example.org.', ['write to ', ['ana.b+c@example.org', 'mailto:ana.b+c@example.org'], '.']],
	['a@b, ana@example, @ana, a@b@c.org', ['a@b, ana@example, @ana, a@b@c.org']],
	['javascript:alert(1)', ['javascript:alert(1)']],
	['data:text/html,x file:///etc ftp://x', ['data:text/html,x file:///etc ftp://x']],
	['https://good.example@evil.example/', ['https://good.example@evil.example/']],
	['https://user:pass@evil.example/', ['https://user:pass@evil.example/']],
	['https://', ['https://']],
	['xhttps://example.org', ['xhttps://example.org']],
	['https://exa\u202emple.org', [['https://example.org', 'https://example.org/']]],
	['https://exa\u200bmple.org', [['https://exa', 'https://exa/'], '\u200bmple.org']],
	[
		'https://xn--e1afmkfd.example/ https://пример.example/',
		[
			['https://xn--e1afmkfd.example/', 'https://xn--e1afmkfd.example/'],
			' ',
			['https://пример.example/', 'https://xn--e1afmkfd.example/'],
		],
	],
	['use `code` here', ['use ', ['code', 'code'], ' here']],
	['`https://example.org`', [['code', 'https://example.org']]],
	['a ` b', ['a ` b']],
	['**so** and *so*, or ||so||', [['strong', 'so'], ' and ', ['em', 'so'], ', or ', ['spoiler', 'so']]],
	['2*3*4, 2 * 3 * 4, ** no **, a**b**c, a || b || c', ['2*3*4, 2 * 3 * 4, ** no **, a**b**c, a || b || c']],
	['*one\ntwo*', ['*one\ntwo*']],
	['**<b>x</b>**', [['strong', '<b>x</b>']]],
	['`*a*` *b*', [['code', '*a*'], ' ', ['em', 'b']]],
	['https://a.example/*x* *y*', [['https://a.example/*x', 'https://a.example/*x'], '* ', ['em', 'y']]],
	['``', ['``']],
	['`a\nb`', ['`a\nb`']],
	['```\nlet x = `1`\n```', [['codeblock', 'let x = `1`']]],
	[
		'before\n```js\nhttps://example.org\n\n  two\n```\nafter',
		['before\n', ['codeblock', 'https://example.org\n\n  two'], 'after'],
	],
	['```\nnever closed', ['```\nnever closed']],
	['```\n```', [['codeblock', '']]],
	['<img src=x onerror=alert(1)>', ['<img src=x onerror=alert(1)>']],
	['a\u202eb\u0007c\r\nd', ['ab\ufffdc\nd']],
	['> said *so*\n> twice\nNo.', [['quote', ['said ', ['em', 'so'], '\ntwice']], 'No.']],
	['before\n> a\n\nafter', ['before\n', ['quote', ['a']], '\nafter']],
	['>not, a > b, and > c', ['>not, a > b, and > c']],
	['> > twice\n> once', [['quote', [['quote', ['twice']], 'once']]]],
	['> > > > > deep', [['quote', [['quote', [['quote', [['quote', ['> deep']]]]]]]]]],
	['> ```\n> *x*\n> ```', [['quote', [['codeblock', '*x*']]]]],
	['```\n> - x\n```', [['codeblock', '> - x']]],
	[
		'To buy:\n- `milk`\n- https://a.example/\nThat is all',
		['To buy:\n', ['ul', [[['code', 'milk']], [['https://a.example/', 'https://a.example/']]]], 'That is all'],
	],
	['* one\n* two', [['ul', [['one'], ['two']]]]],
	[
		'1. one\n3) three',
		[
			[
				'ol',
				[
					['1', 'one'],
					['3', 'three'],
				],
			],
		],
	],
	[
		'- a\n1. b',
		[
			['ul', [['a']]],
			['ol', [['1', 'b']]],
		],
	],
	[
		'- a\n  1. b\n  2. c\n- d',
		[
			[
				'ul',
				[
					[
						'a',
						[
							'ol',
							[
								['1', 'b'],
								['2', 'c'],
							],
						],
					],
					['d'],
				],
			],
		],
	],
	[
		'- a\n  - b\n    - c\n      - d\n        - e',
		[['ul', [['a', ['ul', [['b', ['ul', [['c', ['ul', [['d'], ['e']]]]]]]]]]]]],
	],
	['> - a\n> - b', [['quote', [['ul', [['a'], ['b']]]]]]],
	['-no, 5 - 3, -- x, 1.5, 1.no, --- and 1234567890. x', ['-no, 5 - 3, -- x, 1.5, 1.no, --- and 1234567890. x']],
	['1234567890. x\n- ', ['1234567890. x\n- ']],
	['*a* b\n*c*', [['em', 'a'], ' b\n', ['em', 'c']]],
];

test('text is cut into links, code and the rest', () => {
	for (const [text, parts] of TABLE) assert.deepEqual(short(text), parts, JSON.stringify(text));
});

test('no text is lost, doubled or turned into a link elsewhere', () => {
	const piece = fc.oneof(
		fc.string({ unit: 'binary' }),
		fc.constantFrom(
			'https://a.example/',
			'www.',
			'a@b.example',
			'@',
			'`',
			'```\n',
			'\n```',
			'\n',
			'x',
			'.',
			')',
			'\u202e',
			'javascript:',
			'*',
			'**',
			'||',
			'\n> ',
			'\n- ',
			'\n1. ',
		),
	);
	fc.assert(
		fc.property(fc.array(piece), (pieces) => {
			const text = pieces.join('');
			const parts = tokenise(text);
			for (const part of allOf(parts))
				if (part.type === 'link') assert.match(part.href, /^(https?:\/\/[^@/]+(\/.*)?|mailto:[!-~]+)$/);
			// Of code, only the marks around it are gone.
			const bare = (/** @type {string} */ whole) => whole.replace(/[`\n]|```[^\n`]*/g, '');
			const unmarked = (/** @type {string} */ whole) => whole.replace(/[*|>\s\d).-]/g, '');
			const shown = shownText(parts);
			if (!text.includes('`')) assert.equal(unmarked(shown), unmarked(cleanText(text)));
			if (parts.every(({ type }) => type === 'text' || type === 'link')) assert.equal(shown, cleanText(text));
			else assert.ok(bare(shown).length <= bare(cleanText(text)).length);
		}),
	);
});

test('text made to be slow is not', () => {
	for (const text of [
		'`',
		'```\n',
		'```a\n',
		'https://',
		'www.',
		'a.a.',
		'a@a.',
		'https://a.example/)',
		'((((',
		'a\u0301',
		'\n',
		'``` ',
		'`a',
		'**a ',
		'*a ',
		'||a ',
		'> ',
		'> x\n',
		'> - x\n',
		'- ',
		'- x\n',
		'1. ',
		'  ',
		'- x\n  - y\n',
		'- x\n1. y\n',
		'```\n> \n',
		'https://a/' + ')'.repeat(50),
		'👍',
		'👍 ',
	]
		.map((unit) => unit.repeat(Math.ceil(12_000 / unit.length)))
		.concat('https://a/' + ')'.repeat(12_000), '👍'.repeat(3_000) + 'x')) {
		const begun = performance.now();
		tokenise(text);
		isFewEmoji(text);
		assert.ok(performance.now() - begun < 400, `${text.slice(0, 20)}: ${performance.now() - begun} ms`);
	}
});

test('a few emoji are told from everything else', () => {
	for (const text of ['👍', '🎉🎉', '👩‍👩‍👧 ❤️ 🐢', '👍🏽']) assert.ok(isFewEmoji(text), text);
	for (const text of ['', 'a', '👍a', '🎉 and more', '1']) assert.ok(!isFewEmoji(text), text);
});

test('marks stacked by the hundred are cut, what scripts need stays', () => {
	assert.equal(cleanText(`e${'\u0301'.repeat(300)}x`), `e${'\u0301'.repeat(8)}x`);
	for (const text of ['ท่านผู้นี้', 'हिन्दी', 'Việt', 'עִבְרִית', '👨‍👩‍👧‍👦']) assert.equal(cleanText(text), text);
});

test('a name keeps what can be seen, and not too much of it', () => {
	const names = [
		['  Ada \n Lovelace ', 'Ada Lovelace'],
		['\u202eadA', 'adA'],
		['A\u200b\u2060\ufeffd\u00ada', 'Ada'],
		['\u3164\u2800\u115f', ''],
		['Zoe\u0308', 'Zoë'],
		['x'.repeat(1000), 'x'.repeat(40)],
		['👋'.repeat(50), '👋'.repeat(40)],
		['<b>Ada</b>', '<b>Ada</b>'],
		['\ud800', ''],
	];
	for (const [name, clean] of names) assert.equal(cleanName(name), clean, JSON.stringify(name));
});

test('names that read alike compare alike, and others do not', () => {
	const alike = [
		['Straße', 'STRASSE'],
		['STRAẞE', 'strasse'],
		['ﬁona', 'FIONA'],
		['Σοφός', 'ΣΟΦΌΣ'],
		['Zoë', 'Zoe\u0308'],
		['Ada  Lovelace', 'ada\u00a0lovelace'],
		['Ａｄａ', 'ada'],
		['ada\u200d', 'ada'],
	];
	for (const [one, other] of alike) assert.equal(foldName(one), foldName(other), `${one} ${other}`);
	assert.notEqual(foldName('Ada'), foldName('Adа'.replace('A', 'Б')));
	fc.assert(
		fc.property(fc.string({ unit: 'grapheme' }), (name) => assert.equal(foldName(foldName(name)), foldName(name))),
	);
	fc.assert(
		fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (name) =>
			assert.equal(foldName(cleanName(name)), foldName(name)),
		),
	);
});

test('names that look alike though they are of other alphabets compare alike', () => {
	const twins = [
		['Ada', 'Аdа'],
		['Paypal', 'Раураl'],
		['Ben', 'ВEN'],
		['Rosa', 'rоѕa'],
		['Mia', 'MlA'],
		['Bob', 'B0b'],
		['Armin', 'Arrnin'],
	];
	for (const [one, other] of twins) assert.equal(foldName(one), foldName(other), `${one} ${other}`);
	const apart = [
		['Zoë', 'Zoe'],
		['Иван', 'Ivan'],
		['Νίκος', 'Nikos'],
		['Ray', 'Yay'],
		['Петр', 'Пётр'],
	];
	for (const [one, other] of apart) assert.notEqual(foldName(one), foldName(other), `${one} ${other}`);
});

test('nobody is called what the page calls somebody else', () => {
	for (const name of ['You', 'you', 'Y0U', 'Yоu', ' YOU ', '“You”', 'the owner', 'Οwner', 'Server', 'some\u200done']) {
		assert.equal(isReservedName(name), true, name);
	}
	for (const name of ['Yousef', 'Ana', 'Owen', '', 'Serverina', '…']) assert.equal(isReservedName(name), false, name);
});

test('a link tells where it leads if that is not what stands there', () => {
	/** @type {[string, string | null][]} */
	const hosts = [
		['https://example.org/a', null],
		['HTTPS://Example.ORG', null],
		['http://example.org:8080/?q#f', null],
		['https://paypal.com⧸account.evil.io', 'paypal.xn--comaccount-tl9g.evil.io'],
		['https://pаypal.com/', 'xn--pypal-4ve.com'],
		['www.pаypal.com/', 'www.xn--pypal-4ve.com'],
		['WWW.Example.org', null],
		['https://münchen.example/', 'xn--mnchen-3ya.example'],
		['https://example.org\\.evil.io', 'example.org'],
		['https://0x7f.1/', '127.0.0.1'],
	];
	for (const [text, host] of hosts) {
		const [link] = tokenise(text);
		assert.ok(link?.type === 'link', text);
		assert.equal(link.host, host, text);
	}
});

test('the table of twins is made from Unicode’s data', () => {
	const held = readFileSync(new URL('../../static/values/twins.js', import.meta.url), 'utf8');
	assert.equal(held, tableOfTwins(), 'run `npm run twins` in tests/page');
});

test('a quote is one line of limited length', () => {
	assert.equal(quoteOf('  one\ntwo  '), 'one two');
	assert.equal(Array.from(quoteOf('👋'.repeat(500))).length, 120);
	assert.equal(quoteOf('x'.repeat(16_000)).at(-1), '…');
	assert.equal(quoteOf('abc', 3), 'abc');
	assert.equal(quoteOf('abcd', 3), 'ab…');
});

test('a fingerprint is eight words that depend on the key alone', async () => {
	const words = await fingerprint('A'.repeat(43));
	assert.equal(words.length, 8);
	assert.ok(words.every((word) => /^[a-z]{3,9}$/.test(word)));
	assert.deepEqual(await fingerprint('A'.repeat(43)), words);
	assert.notDeepEqual(await fingerprint(`${'A'.repeat(42)}E`), words);
	assert.equal(shortTag(words), `${words[0]} ${words[1]}`);
	const seen = new Set();
	for (let at = 0; at < 400; at += 1) {
		for (const word of await fingerprint(encodeBase64url(randomBytes(32)))) seen.add(word);
	}
	assert.equal(seen.size, 256);
});

test('a long address is shown without its middle, and its place and end stay', () => {
	const long = `https://docs.example.org/a/${'very-'.repeat(30)}long/path?id=1234567`;
	const shown = shortened(long);
	assert.ok(shown.length <= 64, shown);
	assert.ok(shown.startsWith('https://docs.example.org/a/'), shown);
	assert.ok(shown.endsWith('path?id=1234567'), shown);
	for (const text of ['https://example.org/a', `https://${'sub.'.repeat(30)}example.org/`, 'ana@example.org']) {
		assert.equal(shortened(text), text);
	}
	const emoji = `https://example.org/${'🐢'.repeat(80)}`;
	assert.ok(!/[\ud800-\udbff](?![\udc00-\udfff])/.test(shortened(emoji)), 'no letter is cut in two');
});
