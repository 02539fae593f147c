// The day of what stands uppermost, shown while one scrolls. Who hears the page has the lines between the days.

import { make } from '../view/dom.js';
import { dayKey, dayName } from '../values/when.js';

/** It stays for so long after the last scrolling. */
const SHOWN_MS = 1200;

export class FloatingDay {
	#day = make('span', { class: 'floating-day' });
	#slot = make('div', { class: 'floating-slot', 'aria-hidden': 'true' }, this.#day);
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#hiding;
	/** Which day it shows. */
	#key = '';

	/** @param {Element} scroller what it lies over */
	constructor(scroller) {
		scroller.before(this.#slot);
	}

	/** @param {number | null} atMs of that day; null: none is to be shown */
	show(atMs) {
		clearTimeout(this.#hiding);
		if (atMs === null) {
			this.#hide();
			return;
		}
		const key = dayKey(atMs);
		if (key !== this.#key) {
			this.#key = key;
			this.#day.textContent = dayName(atMs);
		}
		this.#day.dataset.shown = '';
		this.#hiding = setTimeout(() => this.#hide(), SHOWN_MS);
	}

	#hide() {
		delete this.#day.dataset.shown;
		// What is today is yesterday tomorrow.
		this.#key = '';
	}
}
