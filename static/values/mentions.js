/**
 * Names amid what is said: `@Ana`. A mention is nothing but its text, so it says no more than its writer typed, and
 * whoever bears the name takes it as said to them. Pure.
 */

import { foldText } from './finding.js';

/** As long as a name may be, and what a form of it may be longer, in UTF-16 units. */
export const LONGEST = 80;
/** So many fit above a phone's keyboard. */
const MOST = 6;

export const LETTER = /[\p{L}\p{N}_]/u;

/**
 * Where names are mentioned, the longest name that fits at each place.
 *
 * @param {string} text
 * @param {readonly string[]} names
 * @returns {{ from: number, to: number, name: string }[]} `[from, to)` in UTF-16 units, with the `@`; ascending
 */
export function mentionsIn(text, names) {
	if (!text.includes('@') || names.length === 0) return [];
	const known = names.filter((name) => name !== '').map((name) => ({ name, folded: foldText(name) }));
	known.sort((one, other) => other.folded.length - one.folded.length);
	const found = [];
	for (let from = text.indexOf('@'); from >= 0; from = text.indexOf('@', from + 1)) {
		// What stands before it makes it a mail address.
		if (from > 0 && LETTER.test(text[from - 1] ?? '')) continue;
		const rest = text.slice(from + 1, from + 1 + LONGEST);
		for (const { name, folded } of known) {
			const length = lengthOf(rest, folded);
			if (length === 0) continue;
			found.push({ from, to: from + 1 + length, name });
			break;
		}
	}
	return found;
}

/** How much of a text a folded name takes at its beginning, as a whole word; 0 where it does not stand there. @param {string} text @param {string} folded */
function lengthOf(text, folded) {
	let like = '';
	let length = 0;
	for (const character of text) {
		if (like.length >= folded.length && !(like === folded && foldText(character) === '')) break;
		like += foldText(character);
		length += character.length;
	}
	const [next = ''] = text.slice(length);
	return like === folded && !LETTER.test(next) ? length : 0;
}

/**
 * Who may be meant: names that begin so, then those of which another word does.
 *
 * @template {{ name: string }} Person
 * @param {readonly Person[]} people
 * @param {string} query
 * @returns {Person[]}
 */
export function suggested(people, query) {
	const wanted = foldText(query);
	const ranked = people.flatMap((person) => {
		const name = foldText(person.name);
		if (name === '') return [];
		if (name.startsWith(wanted)) return [{ person, rank: 0 }];
		return name.includes(` ${wanted}`) ? [{ person, rank: 1 }] : [];
	});
	ranked.sort((one, other) => one.rank - other.rank);
	return ranked.slice(0, MOST).map(({ person }) => person);
}
