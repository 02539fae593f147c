// What the page says: all of it in both languages, and nothing anywhere else.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

import { parse } from 'espree';

import { words as de } from '../../static/languages/de.start.js';
import { words as moreDe } from '../../static/languages/de.room.js';
import { words as waysDe } from '../../static/languages/de.screens.js';
import { words as verifyDe } from '../../static/languages/de.verify.js';
import { words as en } from '../../static/languages/en.start.js';
import { words as moreEn } from '../../static/languages/en.room.js';
import { words as ways } from '../../static/languages/en.screens.js';
import { words as verifyEn } from '../../static/languages/en.verify.js';
import { dayName, duration, timeOfDay } from '../../static/values/when.js';
import { learn, listOf, localeOf, sizeText, speak, t } from '../../static/values/words.js';

/**
 * @import { Entry, Key } from '../../static/values/words.js'
 *
 * @typedef {Record<string, any> & { type: string }} Node of a module, as ESTree has it
 */

const ROOT = new URL('../../static/', import.meta.url);

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, ROOT), 'utf8');

const MODULES = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
	.filter((path) => path.endsWith('.js') && !path.startsWith('languages/'))
	.map((path) => ({
		path,
		tree: /** @type {Node} */ (parse(read(path), { ecmaVersion: 'latest', sourceType: 'module', loc: true })),
	}));

const SHELL = read('index.html');
const PAIRS = /** @type {[string, Record<string, Entry>, Record<string, Entry>][]} */ ([
	['on the start page', en, de],
	['on the way into a room', ways, waysDe],
	['in a room', moreEn, moreDe],
	['where a copy is checked', verifyEn, verifyDe],
]);

/** @param {Entry} entry */
const formsOf = (entry) => (typeof entry === 'string' ? { other: entry } : entry);
/** @param {string} text */
const placesOf = (text) => Array.from(text.matchAll(/\{(\w+)\}/g), ([, name]) => name).sort();

test('both languages say the same things, with the same values in them', () => {
	for (const [where, english, german] of PAIRS) {
		assert.deepEqual(Object.keys(german), Object.keys(english), where);
		for (const [key, entry] of Object.entries(english)) {
			const other = german[key] ?? '';
			assert.deepEqual(Object.keys(formsOf(other)), Object.keys(formsOf(entry)), key);
			const [first] = Object.values(formsOf(entry));
			for (const text of [...Object.values(formsOf(entry)), ...Object.values(formsOf(other))]) {
				assert.notEqual(text.trim(), '', key);
				assert.deepEqual(placesOf(text), placesOf(first ?? ''), `${key}: ${text}`);
			}
		}
	}
	const all = PAIRS.flatMap(([, english]) => Object.keys(english));
	assert.deepEqual(
		all.filter((key, at) => all.indexOf(key) !== at),
		[],
		'said in two places',
	);
});

/** Calls `visit` with every node of a tree and those it stands in, the nearest first. @param {Node} node @param {(node: Node, within: Node[]) => void} visit @param {Node[]} [within] */
function walk(node, visit, within = []) {
	visit(node, within);
	for (const [name, value] of Object.entries(node)) {
		if (name === 'loc') continue;
		for (const child of Array.isArray(value) ? value : [value]) {
			if (child && typeof child === 'object' && typeof child.type === 'string') walk(child, visit, [node, ...within]);
		}
	}
}

/** Every piece of text in a module that is no comment. @param {Node} tree */
function literalsOf(tree) {
	/** @type {{ text: string, line: number, within: Node[], isTemplate: boolean }[]} */
	const found = [];
	walk(tree, (node, within) => {
		const line = node['loc'].start.line;
		if (node.type === 'Literal' && typeof node['value'] === 'string')
			found.push({ text: node['value'], line, within, isTemplate: false });
		if (node.type === 'TemplateElement') found.push({ text: node['value'].cooked, line, within, isTemplate: true });
	});
	return found;
}

test('every text is used, and every text that is used is there', () => {
	const all = { ...en, ...ways, ...moreEn, ...verifyEn };
	const used = new Set(MODULES.flatMap(({ tree }) => literalsOf(tree).map(({ text }) => text)));
	const inShell = Array.from(SHELL.matchAll(/ data-(?:text|label|placeholder)="([^"]*)"/g), ([, key = '']) => key);
	for (const key of inShell) assert.ok(key in all, `index.html asks for ${key}`);
	const unused = Object.keys(all).filter((key) => !used.has(key) && !inShell.includes(key));
	assert.deepEqual(unused, []);
});

/** Functions whose strings people read. */
const SHOWING = new Set(['announce', 'asked', 'button', 'confirmed', 'iconButton', 'openDialog', 'toast']);
/** Attributes that people read or hear. */
const HEARD = new Set(['alt', 'aria-label', 'placeholder', 'title']);
/** What looks like words and is none: names of keys, of things of the platform, and of the page itself. */
const NO_WORDS =
	/^(?:Arrow(?:Up|Down|Left|Right)|Enter|Escape|Tab|Home|End|Shift|Ctrl|Esc|Content-Type|POST|GET|PUT|PATCH|DELETE|HEAD|Ed25519|X25519|HKDF|SHA-\d+|AES-GCM|(?:Abort|Timeout|Api)Error|Notification|Bearer |English|Deutsch|Buddy)$/;

/** @param {Node | undefined} call @returns {string} what is called */
function nameOf(call) {
	const callee = call?.['callee'];
	return callee?.name ?? callee?.property?.name ?? '';
}

/** Whether people would read a piece of a module. @param {ReturnType<typeof literalsOf>[number]} literal */
function isShown({ text, within, isTemplate }) {
	if (!/\p{L}{2,}/u.test(text) || NO_WORDS.test(text)) return false;
	const [parent] = within;
	const call = within.find(({ type }) => type === 'CallExpression' || type === 'NewExpression');
	const made = within.find(({ type }) => type === 'NewExpression');
	// What goes wrong for programmers is said in English, as is what stands on the console.
	if (within.some(({ type }) => type === 'ThrowStatement') || /Error$/.test(nameOf(made))) return false;
	if (call?.['callee']?.object?.name === 'console') return false;
	const attribute = parent?.type === 'Property' && parent['value']?.value === text ? parent['key'] : null;
	if (HEARD.has(attribute?.value ?? attribute?.name)) return true;
	if (attribute && (attribute.value ?? attribute.name) === 'class') return false;
	const set = parent?.type === 'AssignmentExpression' ? parent['left']?.property?.name : '';
	if (set === 'textContent' || set === 'placeholder' || (set === 'title' && !isTemplate)) return true;
	const isArgument = parent === call && !isTemplate;
	if (isArgument && SHOWING.has(nameOf(call))) {
		const at = call?.['arguments'].findIndex((/** @type {Node} */ one) => one['value'] === text);
		// Then come class names; of a button with an icon, the icon comes first.
		if (nameOf(call) === 'iconButton' ? at === 1 : nameOf(call) === 'button' ? at === 0 : true) return true;
	}
	if (isArgument && nameOf(call) === 'make')
		return call?.['arguments'].findIndex((/** @type {Node} */ one) => one['value'] === text) > 1;
	if (isArgument && nameOf(call) === 'setAttribute')
		return HEARD.has(call?.['arguments'][0]?.value) && parent?.['arguments'][1]?.value === text;
	// A sentence, or words that begin one.
	return (
		/^\p{Lu}\p{Ll}+(?:$|[ ,.:…])/u.test(text) ||
		/\p{L}{2,}[ ,]+\p{L}+[ ,]+\p{L}{2,}.*[.…?!]$/u.test(text) ||
		/\p{L}…/u.test(text)
	);
}

test('modules hold no text that people read', () => {
	const exempt = new Set(['values/emoji.js', 'values/twins.js', 'values/text.js', 'crypto/words.js']);
	const found = MODULES.filter(({ path }) => !exempt.has(path)).flatMap(({ path, tree }) =>
		literalsOf(tree)
			.filter(isShown)
			.map(({ text, line }) => `${path}:${line}: ${text}`),
	);
	assert.deepEqual(found, []);
});

test('nothing is said before the words are there', () => {
	const found = MODULES.flatMap(({ path, tree }) => {
		/** @type {string[]} */
		const early = [];
		walk(tree, (node, within) => {
			const isCall = node.type === 'CallExpression' && ['t', 'told', 'pieces'].includes(nameOf(node));
			const isLater = within.some(({ type }) => /Function|PropertyDefinition/.test(type));
			if (isCall && !isLater) early.push(`${path}:${node['loc'].start.line}`);
		});
		return early;
	});
	assert.deepEqual(found, []);
});

test('the shell holds no text but what must be there before any script, and that in both languages', () => {
	for (const page of [SHELL, read('404.html'), read('verify/page.html')]) {
		const body = page
			.slice(page.indexOf('<body>'))
			.replaceAll(/<([a-z0-9]+) [^<>]*lang="(?:en|de)"[^<>]*>(?:(?!<\/\1>).)*<\/\1>/gs, '');
		const texts = Array.from(body.matchAll(/>([^<>]+)</g), ([, text = '']) => text.trim()).filter((text) =>
			/\p{L}/u.test(text),
		);
		assert.deepEqual(
			texts.filter((text) => text !== 'Buddy' && text !== '{script}'),
			[],
		);
		assert.deepEqual(Array.from(body.matchAll(/ (?:aria-label|placeholder|title|alt)="/g)), []);
		const both = Array.from(
			page.slice(page.indexOf('<body>')).matchAll(/ lang="(en|de)"/g),
			([, language]) => language,
		);
		assert.equal(both.length > 0 && both.filter((one) => one === 'en').length * 2, both.length);
	}
});

/** Runs what stands first in the page. @param {string | null} kept @param {string[]} languages @returns {DOMStringMap & { lang: string, ahead: string[], themes: string[] }} */
function begin(kept, languages) {
	/** @type {string[]} */
	const ahead = [];
	const metas = ['light', 'dark'].map((theme) => {
		const attributes = new Map([
			['data-theme', theme],
			['media', `(prefers-color-scheme: ${theme})`],
		]);
		return {
			getAttribute: (/** @type {string} */ name) => attributes.get(name),
			setAttribute: (/** @type {string} */ name, /** @type {string} */ value) => attributes.set(name, value),
		};
	});
	const documentElement = { lang: '', dataset: /** @type {Record<string, string>} */ ({}) };
	const document = {
		documentElement,
		currentScript: { hasAttribute: () => true },
		querySelectorAll: () => metas,
		createElement: () => ({}),
		head: { append: (/** @type {{ href: string }} */ { href }) => ahead.push(href) },
	};
	const localStorage = {
		getItem() {
			if (kept === 'refused') throw new Error('this browser keeps nothing');
			return kept;
		},
	};
	vm.runInNewContext(read('first.js'), {
		document,
		localStorage,
		navigator: { languages },
		location: { pathname: '/' },
		JSON,
		String,
	});
	const themes = metas.map((meta) => String(meta.getAttribute('media')));
	return /** @type {any} */ ({ ...documentElement.dataset, lang: documentElement.lang, ahead, themes });
}

test('the language is what was chosen, else what the browser asks for first of those there are, else English', () => {
	assert.equal(begin(null, ['de-AT', 'en']).lang, 'de');
	assert.equal(begin(null, ['fr', 'EN-GB', 'de']).lang, 'en');
	assert.equal(begin(null, ['fr']).lang, 'en');
	assert.equal(begin('refused', ['de']).lang, 'de');
	assert.equal(begin('{"language":"en"}', ['de']).lang, 'en');
	for (const nonsense of ['', 'null', '3', '{', '{"language":7,"theme":"x","hours":"24"}']) {
		const { lang, theme, hours } = begin(nonsense, ['de']);
		assert.deepEqual([lang, theme, hours], ['de', undefined, undefined], nonsense);
	}
	assert.deepEqual(begin('{"language":"de"}', []).ahead, ['/languages/de.start.js']);
});

test('the theme and the clock are there before anything is drawn', () => {
	const { theme, hours, themes } = begin('{"theme":"dark","hours":24}', ['en']);
	assert.deepEqual([theme, hours, themes], ['dark', '24', ['not all', 'all']]);
	assert.deepEqual(begin(null, ['en']).themes, ['(prefers-color-scheme: light)', '(prefers-color-scheme: dark)']);
	assert.equal(localeOf('en', ['de', 'en-GB', 'en-US']), 'en-GB');
	assert.equal(localeOf('de', ['en-US']), 'de');
});

test('numbers, times and lists are said as each language says them', () => {
	const at = new Date(2026, 4, 17, 15, 30).getTime();
	/** @param {Parameters<typeof speak>[0]} chosen @param {[typeof ways, typeof moreEn]} words */
	const said = (chosen, [first, more]) => {
		speak(chosen);
		learn(first);
		learn(more);
		return [
			t('newMessages', { count: 1 }),
			t('newMessages', { count: 1200 }),
			t('afterTime', { time: duration(2 * 86400) }),
			listOf(['Ana', 'Ben', 'Cleo']),
			sizeText(1_234_000),
			dayName(at - 86_400_000, at),
			timeOfDay(at).replaceAll(/\s/g, ' '),
		];
	};
	assert.deepEqual(said({ language: 'de' }, [/** @type {any} */ (waysDe), /** @type {any} */ (moreDe)]), [
		'1 neue Nachricht',
		'1.200 neue Nachrichten',
		'Nach 2 Tagen',
		'Ana, Ben und Cleo',
		'1,2 MB',
		'Gestern',
		'15:30',
	]);
	assert.deepEqual(said({ language: 'en', locale: 'en-US', hours: 24 }, [ways, moreEn]), [
		'1 new message',
		'1,200 new messages',
		'After 2 days',
		'Ana, Ben, and Cleo',
		'1.2 MB',
		'Yesterday',
		'15:30',
	]);
	assert.match(
		said({ language: 'de', hours: 12 }, [/** @type {any} */ (waysDe), /** @type {any} */ (moreDe)])[6] ?? '',
		/^3:30/,
	);
	// A word that is missing is a fault that shows, not a gap.
	assert.throws(() => t(/** @type {Key} */ ('toString')), /no words for toString/);
});
