// Writes static/values/twins.js: which characters look like a letter or digit of ASCII. The data are Unicode's, of
// technical standard 39 (confusables.txt), as the package `unhomoglyph` carries them. `npm run twins`.

import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const TABLE = new URL('../../static/values/twins.js', import.meta.url);
const DATA = new URL('./node_modules/unhomoglyph/data.json', import.meta.url);

/** Within ASCII, too: what stands for all that look alike. Names are compared without case, so i looks like l. */
const WITHIN = { 0: 'o', 1: 'l', '|': 'l', i: 'l' };

/** As names are compared, case and compatibility forms left out. @param {string} text */
const fold = (text) => text.normalize('NFKC').toLowerCase();

/** @returns {string} what twins.js must hold */
export function tableOfTwins() {
	const prototypes = /** @type {Record<string, string>} */ (JSON.parse(readFileSync(DATA, 'utf8')));
	/** @param {string} character @returns {string | null} the text of ASCII that it looks like */
	const looksLike = (character) => {
		const found = fold(prototypes[character] ?? '');
		if (!/^[a-z0-9|]{1,2}$/.test(found)) return null;
		return Array.from(found, (one) => Reflect.get(WITHIN, one) ?? one).join('');
	};
	/** @type {Map<string, string[]>} */
	const twins = new Map(Object.entries(WITHIN).map(([from, to]) => [to, [from]]));
	for (const [from, to] of Object.entries(WITHIN)) {
		const held = twins.get(to) ?? [];
		if (!held.includes(from)) held.push(from);
	}
	const folded = new Set(Object.keys(prototypes).map(fold));
	for (const character of Array.from(folded).sort()) {
		// What folding turns into ASCII needs no table, and marks are no letters.
		if (Array.from(character).length !== 1 || /^[\p{ASCII}\p{M}]$/u.test(character)) continue;
		// Somebody who writes a name with a capital letter means that one.
		const target = looksLike(character) ?? looksLike(character.toUpperCase());
		if (target === null) continue;
		twins.set(target, [...(twins.get(target) ?? []), character]);
	}
	const lines = Array.from(twins).sort(([one], [other]) => (one < other ? -1 : 1));
	return `/**
 * What looks like a letter of ASCII, made by tests/page/confusables.js from Unicode's data (technical standard 39).
 * The names of the fields are what it looks like. Pure.
 *
 * @type {Record<string, string>}
 */
export const TWINS = {
${lines.map(([target, from]) => `  ${target}: '${from.map(escaped).join('')}',\n`).join('')}};
`;
}

/** Letters as they are would tell readers of the source nothing. @param {string} character */
function escaped(character) {
	const code = character.codePointAt(0) ?? 0;
	return code < 0x7f ? character : `\\u{${code.toString(16)}}`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TABLE, tableOfTwins());
