// The words of the chosen language: each part with what needs it.

import { learn, localeOf, speak } from '../values/words.js';

/**
 * For the start page and dialogs, for the ways into a room, and for all that is loaded with an open room or when
 * somebody asks for it.
 *
 * @typedef {'start' | 'screens' | 'room'} Part
 */

/** @type {Map<Part, Promise<void>>} */
const loading = new Map();

/** Takes over what was found before anything was drawn (first.js). */
export function beginToSpeak() {
	const { lang, dataset } = document.documentElement;
	const hours = dataset.hours === '12' ? 12 : dataset.hours === '24' ? 24 : null;
	speak({ language: lang, locale: localeOf(lang, navigator.languages), hours });
}

/** @param {Part[]} parts */
export async function loadWords(...parts) {
	await Promise.all(parts.map(load));
}

/** @param {Part} part @returns {Promise<void>} */
function load(part) {
	const known = loading.get(part);
	if (known) return known;
	const words = import(`../languages/${document.documentElement.lang}.${part}.js`).then((loaded) =>
		learn(loaded.words),
	);
	loading.set(part, words);
	// Asked for again, they may come.
	words.catch(() => loading.delete(part));
	return words;
}
