// The folders of static/ are its layers, and each knows only those below it: that rooms can be used and tested
// without a document rests on that.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';

const ROOT = fileURLToPath(new URL('../../static', import.meta.url));

/** What each layer may import besides itself, types included. Modules of no folder put the page together. */
const BELOW = /** @type {Record<string, string[]>} */ ({
	languages: [],
	vendor: [],
	values: ['languages'],
	crypto: ['values'],
	wire: ['values'],
	storage: ['values'],
	room: ['wire', 'storage', 'crypto', 'values'],
	view: ['vendor', 'room', 'wire', 'storage', 'crypto', 'values'],
	chat: ['view', 'room', 'wire', 'storage', 'crypto', 'values'],
	// A page of its own, in one file.
	verify: ['chat', 'view', 'room', 'crypto', 'values', 'languages'],
});

/** Every module by its path in static/. */
const MODULES = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(?:js|d\.ts)$/.test(path));

/** The modules that one names: imports of all three forms, and the types in its comments. @param {string} path */
function importsOf(path) {
	const source = readFileSync(join(ROOT, path), 'utf8');
	const named = source.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g);
	return Array.from(named, ([, specifier = '']) => {
		assert.match(specifier, /^\.\.?\//, `${path} imports ${specifier}, which is no relative path`);
		return relative(ROOT, join(ROOT, dirname(path), specifier));
	});
}

/** @param {string} path */
function layerOf(path) {
	return path.includes('/') ? dirname(path) : null;
}

test('every module stands in a layer, and those that stand in none put the page together', () => {
	const layers = new Set(MODULES.map(layerOf));
	assert.deepEqual(layers, new Set([...Object.keys(BELOW), null]));
	assert.deepEqual(MODULES.filter((path) => layerOf(path) === null).sort(), [
		'app.js',
		'first.js',
		'pages.js',
		'push.js',
		'sw.js',
	]);
});

test('a layer knows only itself and those below it', () => {
	let seen = 0;
	for (const path of MODULES) {
		const layer = layerOf(path);
		for (const imported of importsOf(path)) {
			seen += 1;
			const exists = [imported, imported.replace(/\.js$/, '.d.ts')].some((one) => existsSync(join(ROOT, one)));
			assert.ok(exists, `${path} imports ${imported}, which does not exist`);
			if (layer === null) continue;
			const known = [layer, ...(BELOW[layer] ?? [])];
			assert.ok(known.includes(layerOf(imported) ?? ''), `${path} must not know ${imported}`);
		}
	}
	assert.ok(seen > 100, `only ${seen} imports were found`);
});

test('the shell loads at once what the first modules need, and nothing else', () => {
	const loaded = shellLoads();
	assert.deepEqual(loaded.sort(), Array.from(needed('app.js')).sort());
});

test('each address loads at once what it needs besides: a room’s up to joining, the start page all', () => {
	const shell = new Set(shellLoads());
	assert.deepEqual(listed('app.js', 'ROOM'), besides(shell, 'chat/phases.js'));
	assert.deepEqual(listed('app.js', 'START'), besides(shell, 'view/start.js'));
});

test('an open room loads at once what it begins with besides its way in', () => {
	const before = new Set([...shellLoads(), ...listed('app.js', 'ROOM')]);
	const first = ['chat/chat.js', 'chat/noticing.js', 'view/worker.js', 'wire/tabs.js'];
	const later = ['comparing', 'history', 'posting', 'signals'].map((name) => `room/${name}.js`);
	assert.deepEqual(listed('chat/ahead.js', 'OPEN'), besides(before, ...first, ...later));
});

/** @param {string} path @param {string} name @returns {string[]} the modules that are in a list of one */
function listed(path, name) {
	const [, list = ''] =
		new RegExp(`const ${name} = \\[(.*?)\\]`, 's').exec(readFileSync(join(ROOT, path), 'utf8')) ?? [];
	return Array.from(list.matchAll(/'([^']+)'/g), ([, one = '']) => one).sort();
}

/** @param {Set<string>} there @param {string[]} firsts @returns {string[]} what these need, and they, that is not there */
function besides(there, ...firsts) {
	const wanted = new Set(firsts.flatMap((first) => [first, ...needed(first)]));
	return Array.from(wanted, (path) => path)
		.filter((path) => !there.has(path))
		.sort();
}

/** @returns {string[]} what the shell has the browser load ahead */
function shellLoads() {
	const shell = readFileSync(join(ROOT, 'index.html'), 'utf8');
	return Array.from(shell.matchAll(/"modulepreload" href="\/([^"]+)"/g), ([, path = '']) => path);
}

/** @param {string} path @param {Set<string>} [found] @returns {Set<string>} all that it imports, and what those import */
function needed(path, found = new Set()) {
	const code = readFileSync(join(ROOT, path), 'utf8').replaceAll(/\/\*.*?\*\/|^\s*\/\/.*?$/gms, '');
	// Only the first module asks for others at once by `import()`; elsewhere they wait until they are wanted.
	const form = path === 'app.js' ? /(?:from |import\()'([^']+)'/g : /from '([^']+)'/g;
	for (const [, specifier = ''] of code.matchAll(form)) {
		const imported = relative(ROOT, join(ROOT, dirname(path), specifier));
		if (!found.has(imported)) needed(imported, found.add(imported));
	}
	return found;
}
