// Names that are mentioned in messages, marked where they stand.

import { make } from '../view/dom.js';
import { mentionsIn } from '../values/mentions.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 *
 * @typedef {{ all: readonly string[], own: string }} Names A new object whenever they have changed.
 */

export class Naming {
	#room;
	/** @type {Names} */
	#names = { all: [], own: '' };

	/** @param {RoomFacade} room */
	constructor(room) {
		this.#room = room;
	}

	/** Whom the people here could mean. @returns {Names} */
	get names() {
		return this.#names;
	}

	/** @returns {boolean} whether somebody has come, or is called otherwise */
	refresh() {
		const { people, yourName } = this.#room;
		const all = Array.from(new Set(people.map(({ name }) => name).filter((name) => name !== '')));
		const same = yourName === this.#names.own && all.join('\n') === this.#names.all.join('\n');
		if (!same) this.#names = { all, own: yourName };
		return !same;
	}
}

/**
 * Marks the names in a text that was drawn.
 *
 * @param {HTMLElement} element
 * @param {Names} names
 */
export function markMentions(element, { all, own }) {
	const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
	/** @type {Text[]} */
	const texts = [];
	for (let node = walker.nextNode(); node; node = walker.nextNode()) {
		// What stands in code or in an address names nobody.
		if (!node.parentElement?.closest('code, a')) texts.push(/** @type {Text} */ (node));
	}
	for (const text of texts) {
		const found = mentionsIn(text.data, all);
		for (const { from, to, name } of found.reverse()) {
			const rest = text.splitText(from);
			rest.splitText(to - from);
			const mark = make('span', { class: 'mention', 'data-you': name === own });
			rest.replaceWith(mark);
			mark.append(rest);
		}
	}
}
