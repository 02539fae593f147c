/**
 * Finds emoji by their names and by words that go with them. Its data are not small, so it is loaded when somebody
 * looks for one. Pure.
 *
 * @typedef {{ emoji: string, name: string, words: string[] }} Named `name`: what stands between colons; `words`:
 *   all that it is found by.
 */

import { EMOJI } from './emoji.js';

/** @type {readonly Named[]} */
export const ALL = EMOJI.trim()
	.split('\n')
	.map((line) => {
		const [emoji = '', ...words] = line.split(' ');
		return { emoji, name: words[0] ?? '', words };
	});

/** @type {Map<string, string>} */
const BY_NAME = new Map();
for (const { emoji, words } of ALL) for (const word of words) if (!BY_NAME.has(word)) BY_NAME.set(word, emoji);
// A name counts before another emoji's word that is the same.
for (const { emoji, name } of ALL) BY_NAME.set(name, emoji);

/** @param {string} name without its colons @returns {string | undefined} the emoji that is called so */
export function emojiNamed(name) {
	return BY_NAME.get(name.toLowerCase());
}

/**
 * What may be meant while a name is typed: emoji of which a word, or a part of one, begins so.
 *
 * @param {string} query
 * @param {number} most
 * @returns {Named[]}
 */
export function suggestedEmoji(query, most) {
	const wanted = query.toLowerCase();
	const begins = (/** @type {string} */ word) =>
		word.startsWith(wanted) || word.split('_').some((part) => part.startsWith(wanted));
	return findEmoji(wanted)
		.filter(({ words }) => words.some(begins))
		.slice(0, most);
}

/**
 * What fits all words of a query, best first: what is called so, then what begins so, then what holds it.
 *
 * @param {string} query empty for all
 * @param {number} [most]
 * @returns {Named[]}
 */
export function findEmoji(query, most = Infinity) {
	const wanted = query
		.trim()
		.toLowerCase()
		.replace(/^:|:$/g, '')
		.split(/[\s_]+/)
		.filter(Boolean);
	if (wanted.length === 0) return ALL.slice(0, most);
	/** @type {[score: number, named: Named][]} */
	const found = [];
	for (const named of ALL) {
		let score = 0;
		for (const word of wanted) {
			const worst = scoreOf(named, word);
			score = worst === 0 ? -Infinity : score + worst;
		}
		if (score > 0) found.push([score, named]);
	}
	// Sorting keeps the order of equals, which is Unicode's.
	found.sort(([one], [other]) => other - one);
	return found.slice(0, most).map(([, named]) => named);
}

/** @param {Named} named @param {string} word @returns {number} 0: it does not fit */
function scoreOf({ name, words }, word) {
	if (name === word) return 6;
	if (words.includes(word)) return 5;
	if (name.startsWith(word)) return 4;
	const parts = words.flatMap((one) => one.split('_'));
	if (parts.includes(word)) return 3;
	if (parts.some((one) => one.startsWith(word))) return 2;
	return words.some((one) => one.includes(word)) ? 1 : 0;
}
