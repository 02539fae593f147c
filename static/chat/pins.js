// What the owner pinned: a quiet bar under the head that leads there, and the owner's way to change it.

import { toast } from '../view/announce.js';
import { make } from '../view/dom.js';
import { failure } from '../view/failures.js';
import { loadStyle } from '../view/styles.js';
import { pinnedIn, pinsWith } from '../room/pins.js';
import { gist, quoteOf } from '../values/text.js';
import { t } from '../values/words.js';
import { shownName } from './describe.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 * @import { Timeline } from './timeline.js'
 */

/** What fits into one line on most screens; the rest is cut off by the style. */
const QUOTED = 120;

export class PinBar {
	#room;
	#timeline;
	/** Counts from the newest one back. */
	#at = 0;
	#label = make('span', { class: 'pins-label' });
	#text = make('span', { class: 'pins-text', dir: 'auto' });
	#press = make('button', { type: 'button', class: 'pins-press' }, this.#label, ' ', this.#text);
	#root = make('nav', { class: 'pins', 'aria-label': t('pinnedMessages'), hidden: true }, this.#press);

	/** @param {RoomFacade} room @param {Timeline} timeline @param {HTMLElement} above */
	constructor(room, timeline, above) {
		this.#room = room;
		this.#timeline = timeline;
		this.#press.addEventListener('click', () => this.#go());
		void loadStyle('/style/pins.css').then(() => {
			above.after(this.#root);
			this.draw();
		});
	}

	draw() {
		const pinned = this.#pinned();
		const hidden = pinned.length === 0;
		if (this.#root.hidden !== hidden) this.#root.hidden = hidden;
		const shown = pinned[this.#at];
		if (!shown) return;
		const { message } = shown;
		const label = pinned.length === 1 ? t('pinned') : t('pinnedOf', { at: this.#at + 1, count: pinned.length });
		const text = message ? `${shownName(message.name)}: ${quoteOf(gist(message), QUOTED)}` : t('showPinned');
		if (this.#label.textContent !== label) this.#label.textContent = label;
		if (this.#text.textContent !== text) this.#text.textContent = text;
	}

	/** Newest first. */
	#pinned() {
		const pinned = pinnedIn(this.#room).reverse();
		if (this.#at >= pinned.length) this.#at = 0;
		return pinned;
	}

	/** Goes to the one that is shown, and shows the next one. */
	async #go() {
		const shown = this.#pinned()[this.#at];
		if (!shown) return;
		this.#at += 1;
		await this.#timeline.jumpTo(shown.seq);
		this.draw();
	}
}

/**
 * @param {RoomFacade} room the owner's
 * @param {{ seq: number, clientId: string }} message
 */
export async function turnPin(room, message) {
	const on = !room.info.pins.some(({ seq }) => seq === message.seq);
	const pins = pinsWith(room, message, on);
	if (!pins) {
		toast(t('pinsFull'));
		return;
	}
	try {
		await room.change({ pins });
		toast(t(on ? 'pinnedNow' : 'unpinnedNow'));
	} catch (error) {
		toast(t('notSaved', { why: failure(error) }));
	}
}
