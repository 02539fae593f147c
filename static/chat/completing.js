// Completes what is being typed: the name of somebody who is to be mentioned, or an emoji's between colons. A list above
// the composer, by keyboard and by touch.

import { announce } from '../view/announce.js';
import { markChoice } from '../view/choices.js';
import { make, makeAvatar } from '../view/dom.js';
import { loadStyle } from '../view/styles.js';
import { tintsOf } from '../view/tints.js';
import { suggested } from '../values/mentions.js';
import { openMention, openShortcode, wholeShortcode } from '../values/typing.js';
import { t } from '../values/words.js';

/**
 * @import { Person, RoomFacade } from '../room/facade.js'
 *
 * `text`: what takes the place of what was typed; `shown`: what stands in the list.
 *
 * @typedef {{ text: string, shown: Node[] }} Choice
 */

/** So many fit above a phone's keyboard. */
const MOST_EMOJI = 6;

export class Completing {
	#room;
	#text;
	#list = make('ul', { class: 'completing', role: 'listbox', id: 'completing' });
	/** Not small, so it comes when it is first needed. @type {typeof import('../values/shortcodes.js') | null} */
	#shortcodes = null;
	/** @type {Choice[]} */
	#choices = [];
	/** Where what was typed begins. */
	#from = 0;
	#chosen = 0;
	/** Where that begins for which somebody closed the list. */
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
		text.addEventListener('input', (event) => this.#typed(/** @type {InputEvent} */ (event).data));
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

	/** @param {string | null} [data] what was just typed */
	#typed(data) {
		const { value, selectionStart: caret, selectionEnd } = this.#text;
		const isCaret = caret === selectionEnd;
		const name = isCaret ? openMention(value, caret) : null;
		const emoji = isCaret && !name ? openShortcode(value, caret) : null;
		const whole = isCaret && data === ':' ? wholeShortcode(value, caret) : null;
		if ((emoji ?? whole) && !this.#shortcodes) {
			void this.#loadShortcodes(data);
			return;
		}
		const called = whole && this.#shortcodes?.emojiNamed(whole.query);
		if (whole && called) {
			this.#insert(whole.from, called);
			return;
		}
		const open = name ?? emoji;
		if (!open || open.from === this.#dismissed) {
			if (!open) this.#dismissed = -1;
			this.#close();
			return;
		}
		this.#from = open.from;
		this.#draw(name ? this.#people(name.query) : this.#emoji(open.query), name ? 'people' : 'emoji');
	}

	/** @param {string | null} [data] */
	async #loadShortcodes(data) {
		const { value, selectionStart } = this.#text;
		try {
			this.#shortcodes = await import('../values/shortcodes.js');
		} catch {
			// Nothing is completed, and the next letter asks again.
			return;
		}
		const isAsItWas = value === this.#text.value && selectionStart === this.#text.selectionStart;
		if (document.activeElement === this.#text) this.#typed(isAsItWas ? data : null);
	}

	/** @param {string} query @returns {Choice[]} */
	#people(query) {
		const tints = tintsOf(this.#room);
		const others = this.#room.people.filter(({ own }) => !own);
		return suggested(others, query).map((person) => ({
			text: `@${person.name} `,
			shown: drawnPerson(person, tints.of(person.signer)),
		}));
	}

	/** @param {string} query @returns {Choice[]} */
	#emoji(query) {
		const found = this.#shortcodes?.suggestedEmoji(query, MOST_EMOJI) ?? [];
		return found.map(({ emoji, name }) => ({
			text: `${emoji} `,
			shown: [make('span', { class: 'completing-emoji' }, emoji), make('bdi', {}, `:${name}:`)],
		}));
	}

	/** @param {Choice[]} choices @param {'people' | 'emoji'} kind */
	#draw(choices, kind) {
		if (choices.length === 0) {
			this.#close();
			return;
		}
		const opens = this.#list.hidden;
		this.#choices = choices;
		this.#chosen = 0;
		this.#list.setAttribute('aria-label', t(kind === 'people' ? 'peopleToName' : 'emoji'));
		this.#list.replaceChildren(
			...choices.map(({ shown }, at) => make('li', { role: 'option', id: `completing-${at}` }, ...shown)),
		);
		this.#list.hidden = false;
		this.#text.setAttribute('aria-controls', 'completing');
		this.#mark();
		if (opens) announce(t(kind === 'people' ? 'namesFit' : 'emojiFit', { count: choices.length }));
	}

	#mark() {
		markChoice(this.#list, this.#text, this.#chosen);
	}

	#close() {
		if (this.#list.hidden) return;
		this.#list.hidden = true;
		this.#choices = [];
		this.#list.replaceChildren();
		this.#text.removeAttribute('aria-activedescendant');
		this.#text.removeAttribute('aria-controls');
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		if (this.#list.hidden || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
		const { length } = this.#choices;
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
				this.#dismissed = this.#from;
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
		const choice = this.#choices[at];
		if (choice) this.#insert(this.#from, choice.text);
	}

	/** @param {number} from @param {string} text in place of all from there to the caret */
	#insert(from, text) {
		this.#close();
		this.#text.setRangeText(text, from, this.#text.selectionStart, 'end');
		// The draft is kept, and others learn that somebody writes.
		this.#text.dispatchEvent(new Event('input', { bubbles: true }));
		this.#text.focus();
	}
}

/** @param {Person} person @param {number} tint */
function drawnPerson({ name, taken, owner }, tint) {
	const notes = [owner && t('owner'), taken && t('nameUsed')].filter(Boolean);
	return [makeAvatar(name, tint), make('bdi', {}, name), make('span', { class: 'quiet' }, notes.join(' · '))];
}
