// What was chosen in this browser and holds for all rooms. Language, theme and clock are read by first.js before anything
// is drawn, the rest by whoever needs it.

/**
 * @typedef {object} Choices
 * @property {string} [language]
 * @property {'light' | 'dark'} [theme]
 * @property {12 | 24} [hours]
 * @property {number} [speed] Of voice messages.
 */

/** As first.js has it. */
const KEPT = 'buddy/choices';

/** @returns {Choices} */
export function chosen() {
	try {
		return JSON.parse(localStorage.getItem(KEPT) ?? '') ?? {};
	} catch {
		return {};
	}
}

/**
 * Keeps choices beside the others.
 *
 * @param {{ [Name in keyof Choices]?: Choices[Name] | undefined }} choices undefined: what was chosen is forgotten
 * @returns {boolean} whether this browser could keep them
 */
export function choose(choices) {
	try {
		localStorage.setItem(KEPT, JSON.stringify({ ...chosen(), ...choices }));
		return true;
	} catch {
		return false;
	}
}
