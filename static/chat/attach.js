// What one wants to send along, shown above the field until it is sent. Loaded with the first file (picking.js), and
// what redraws pictures with it (preparing.js).

import { toast } from '../view/announce.js';
import { icon, iconButton, make } from '../view/dom.js';
import { MOST_BYTES } from '../room/files.js';
import { sizeText, t } from '../values/words.js';

/**
 * @typedef {import('../room/files.js').Chosen} Chosen
 * @typedef {import('./preparing.js').Prepared} Prepared
 *
 * @typedef {{ file: File, ready: Promise<Prepared>, original: boolean, row: HTMLElement }} Held
 */

/** At a time. */
const MOST = 10;

export class Attachments {
	#parts;
	#changed;
	/** @type {Held[]} */
	#held = [];

	/** @param {import('../view/templates.js').Parts<'t-chat'>} parts of the chat @param {() => void} changed follows a change */
	constructor(parts, changed) {
		this.#parts = parts;
		this.#changed = changed;
	}

	get count() {
		return this.#held.length;
	}

	/** @param {File[]} files */
	add(files) {
		for (const file of files) {
			if (file.size > MOST_BYTES) toast(t('largerThan', { name: file.name, size: sizeText(MOST_BYTES) }));
			else if (this.#held.length >= MOST) toast(t('filesAtATime', { count: MOST }));
			else this.#hold(file);
		}
		this.#draw();
		if (files.length > 0) this.#parts.text.focus();
	}

	/** @param {File} file */
	#hold(file) {
		const ready = import('./preparing.js').then(({ prepare }) => prepare(file));
		const name = make('bdi', {}, file.name);
		const remove = iconButton('close', t('doNotSend', { name: file.name }), () => {
			this.#held = this.#held.filter((other) => other !== held);
			this.#draw();
			this.#parts.text.focus();
		});
		const about = make('span', { class: 'file-text' }, name, make('small', {}, sizeText(file.size)));
		const row = make('li', { class: 'held' }, icon('file'), about, remove);
		/** @type {Held} */
		const held = { file, ready, original: false, row };
		this.#held.push(held);
		ready.then(
			(prepared) => this.#prepared(held, about, prepared),
			() => {},
		);
	}

	/** @param {Held} held @param {HTMLElement} about @param {Prepared} prepared */
	#prepared(held, about, { redrawn, isPicture, preview }) {
		if (preview) {
			const image = make('img', { alt: '' });
			image.src = URL.createObjectURL(preview);
			image.addEventListener('load', () => URL.revokeObjectURL(image.src));
			held.row.firstElementChild?.replaceWith(image);
		}
		if (!isPicture) return;
		if (!redrawn) {
			about.append(make('small', { class: 'warm' }, t('mayTell')));
			return;
		}
		const tick = make('input', { type: 'checkbox' });
		const warning = make('small', { class: 'warm', hidden: true, role: 'status' }, t('mayTell'));
		tick.addEventListener('change', () => {
			held.original = tick.checked;
			warning.hidden = !tick.checked;
		});
		about.append(make('label', { class: 'tick' }, tick, make('span', {}, t('sendOriginal'))), warning);
	}

	/** Takes all of it away to be sent, in order. @returns {{ held: Held, chosen: Promise<Chosen> }[]} */
	take() {
		const taken = this.#held;
		this.#held = [];
		this.#draw();
		return taken.map((held) => ({ held, chosen: chosenOf(held) }));
	}

	/** Brings back what could not be sent. @param {{ held: Held }[]} unsent */
	restore(unsent) {
		this.#held = [...unsent.map(({ held }) => held), ...this.#held];
		this.#draw();
	}

	#draw() {
		const { tray, text } = this.#parts;
		tray.hidden = this.#held.length === 0;
		tray.replaceChildren(...this.#held.map(({ row }) => row));
		text.placeholder = this.#held.length === 0 ? t('message') : t('sayAbout');
		this.#changed();
	}
}

/** @param {Held} held @returns {Promise<Chosen>} */
async function chosenOf({ file, ready, original }) {
	// Without the module that redraws, a picture would go out with all that it tells.
	const { redrawn, whole } = await ready.catch(() => {
		throw new Error(t('partNotLoaded'));
	});
	return original || !redrawn ? { ...whole, name: whole.name || file.name } : redrawn;
}
