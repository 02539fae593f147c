// Completes the name of somebody who is to be mentioned: a list above the composer, by keyboard and by touch.

import { announce } from '../view/announce.js';
import { make, makeAvatar } from '../view/dom.js';
import { loadStyle } from '../view/styles.js';
import { tintsOf } from '../view/tints.js';
import { openMention, suggested } from '../values/mentions.js';
import { t } from '../values/words.js';

/**
 * @import { Person, RoomFacade } from '../room/facade.js'
 */

export class Completing {
	#room;
	#text;
	#list = make('ul', { class: 'completing', role: 'listbox', id: 'completing', 'aria-label': t('peopleToName') });
	/** @type {Person[]} */
	#people = [];
	#chosen = 0;
	/** Where the name begins that somebody closed the list for. */
	#dismissed = -1;

	/**
	 * @param {RoomFacade} room
	 * @param {{ composer: HTMLElement, text: HTMLTextAreaElement }} parts
	 */
	constructor(room, { composer, text }) {
		this.#room = room;
		this.#text = text;
		void loadStyle('/style/finding.css');
		this.#list.hidden = true;
		composer.prepend(this.#list);
		text.setAttribute('aria-autocomplete', 'list');
		// Before the composer hears of it: Enter would send.
		composer.addEventListener('keydown', (event) => event.target === text && this.#pressed(event), { capture: true });
		text.addEventListener('input', () => this.#typed());
		text.addEventListener('click', () => this.#typed());
		text.addEventListener('blur', () => this.#close());
		// The field keeps the focus, and a phone its keyboard.
		this.#list.addEventListener('pointerdown', (event) => event.preventDefault());
		this.#list.addEventListener('click', (event) => {
			const pressed = event.target instanceof Element ? event.target.closest('li') : null;
			if (pressed) this.#take(Array.from(this.#list.children).indexOf(pressed));
		});
		this.#typed();
	}

	#typed() {
		const { value, selectionStart, selectionEnd } = this.#text;
		const open = selectionStart === selectionEnd ? openMention(value, selectionStart) : null;
		if (!open || open.from === this.#dismissed) {
			if (!open) this.#dismissed = -1;
			this.#close();
			return;
		}
		const others = this.#room.people.filter(({ own }) => !own);
		this.#draw(suggested(others, open.query));
	}

	/** @param {Person[]} people */
	#draw(people) {
		if (people.length === 0) {
			this.#close();
			return;
		}
		const opens = this.#list.hidden;
		this.#people = people;
		this.#chosen = 0;
		const tints = tintsOf(this.#room);
		this.#list.replaceChildren(...people.map((person, at) => option(person, at, tints.of(person.signer))));
		this.#list.hidden = false;
		this.#text.setAttribute('aria-controls', 'completing');
		this.#mark();
		if (opens) announce(t('namesFit', { count: people.length }));
	}

	#mark() {
		for (const [at, one] of Array.from(this.#list.children).entries()) {
			one.setAttribute('aria-selected', String(at === this.#chosen));
			if (at === this.#chosen) one.scrollIntoView({ block: 'nearest' });
		}
		this.#text.setAttribute('aria-activedescendant', `completing-${this.#chosen}`);
	}

	#close() {
		if (this.#list.hidden) return;
		this.#list.hidden = true;
		this.#people = [];
		this.#list.replaceChildren();
		this.#text.removeAttribute('aria-activedescendant');
		this.#text.removeAttribute('aria-controls');
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		if (this.#list.hidden || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
		const { length } = this.#people;
		switch (event.key) {
			case 'ArrowDown':
			case 'ArrowUp':
				this.#chosen = (this.#chosen + (event.key === 'ArrowDown' ? 1 : length - 1)) % length;
				this.#mark();
				break;
			case 'Enter':
			case 'Tab':
				if (event.shiftKey) return;
				this.#take(this.#chosen);
				break;
			case 'Escape':
				this.#dismissed = openMention(this.#text.value, this.#text.selectionStart)?.from ?? -1;
				this.#close();
				break;
			default:
				return;
		}
		event.preventDefault();
		event.stopPropagation();
	}

	/** @param {number} at */
	#take(at) {
		const person = this.#people[at];
		const open = openMention(this.#text.value, this.#text.selectionStart);
		if (!person || !open) return;
		this.#close();
		this.#text.setRangeText(`@${person.name} `, open.from, this.#text.selectionStart, 'end');
		// The draft is kept, and others learn that somebody writes.
		this.#text.dispatchEvent(new Event('input', { bubbles: true }));
		this.#text.focus();
	}
}

/** @param {Person} person @param {number} at @param {number} tint */
function option({ name, taken, owner }, at, tint) {
	const notes = [owner && t('owner'), taken && t('nameUsed')].filter(Boolean);
	return make(
		'li',
		{ role: 'option', id: `completing-${at}`, 'aria-selected': 'false' },
		makeAvatar(name, tint),
		make('bdi', {}, name),
		make('span', { class: 'quiet' }, notes.join(' · ')),
	);
}
