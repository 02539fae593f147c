// What can be done with one message: a small toolbar on the one that is hovered, focused or
// tapped, and the dialogs behind it. One toolbar serves the whole list.

import { toast } from '../view/announce.js';
import { confirmed, openDialog, openLater } from '../view/dialogs.js';
import { button, fromTemplate, iconButton, make } from '../view/dom.js';
import { failure } from '../view/failures.js';
import { watchFingers } from './gestures.js';
import { shownName } from './describe.js';
import { whyNotWriting } from './notices.js';
import { exactTime } from '../values/when.js';
import { t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {Extract<Entry, { type: 'message' }>} Message
 */

/** The reactions at the message itself; all others are a search away. */
const QUICK = ['👍', '❤️', '😂', '🎉', '😮', '😢'];

export class Tools {
	#room;
	#timeline;
	#composer;
	#bar;
	#parts;
	/** Who taps has no use for a toolbar; it is there to be found by those who hear the page. */
	#touched = false;
	/** @type {Message | null} */
	#message = null;
	/** @type {HTMLElement | null} */
	#node = null;

	/**
	 * @param {Room} room
	 * @param {HTMLElement} list
	 * @param {import('./timeline.js').Timeline} timeline
	 * @param {import('./composer.js').Composer} composer
	 */
	constructor(room, list, timeline, composer) {
		this.#room = room;
		this.#timeline = timeline;
		this.#composer = composer;
		const { root, parts } = fromTemplate('t-tools');
		this.#bar = root;
		this.#parts = parts;
		parts.react.addEventListener('click', () => this.#offerReactions());
		parts.reply.addEventListener('click', () => this.#message && composer.reply(this.#message));
		parts.more.addEventListener('click', () => this.#showSheet());
		list.addEventListener('pointerdown', ({ pointerType }) => (this.#touched = pointerType === 'touch'));
		// Not `pointerover`: scrolling below a resting mouse should not move the toolbar about.
		list.addEventListener('pointermove', (event) => {
			if (event.pointerType !== 'mouse') return;
			this.#touched = false;
			this.#moveTo(event.target);
		});
		list.addEventListener(
			'pointerleave',
			() => !this.#bar.contains(document.activeElement) && this.#moveTo(document.activeElement),
		);
		list.addEventListener('focusin', (event) => this.#moveTo(event.target));
		list.addEventListener('click', (event) => this.#clicked(event));
		list.addEventListener('keydown', (event) => this.#pressed(event));
		watchFingers(list, {
			held: (node) => {
				navigator.vibrate?.(10);
				this.#moveTo(node);
				this.#showSheet();
			},
			drawn: (node) => {
				this.#moveTo(node);
				if (this.#message) composer.reply(this.#message);
			},
			canDraw: (node) => this.#isUsable(node) && whyNotWriting(room) === '',
		});
	}

	/** @param {EventTarget | null} target @returns {boolean} whether something can be done with it */
	#isUsable(target) {
		const found = this.#timeline.at(target);
		return found?.entry.type === 'message' && found.entry.seq !== null;
	}

	/** @param {EventTarget | null} target */
	#moveTo(target) {
		if (target instanceof Node && this.#bar.contains(target)) return;
		const found = this.#timeline.at(target);
		// Who asks what an alarm means must not have the toolbar come before the alarm above.
		const asks = target instanceof Element && target.closest('.alarm') !== null;
		if (!found || asks || !this.#isUsable(target)) {
			this.#closeQuick();
			this.#bar.remove();
			this.#message = this.#node = null;
			return;
		}
		const message = /** @type {Message} */ (found.entry);
		if (message.key !== this.#message?.key) this.#closeQuick();
		this.#message = message;
		this.#node = found.node;
		this.#bar.toggleAttribute('data-touched', this.#touched);
		const mute = whyNotWriting(this.#room) !== '';
		for (const writing of [this.#parts.react, this.#parts.reply]) writing.hidden = mute;
		if (!found.node.contains(this.#bar)) found.node.querySelector('.bubble')?.after(this.#bar);
	}

	/** @param {MouseEvent} event */
	#clicked(event) {
		const { target } = event;
		const found = this.#timeline.at(target);
		if (!found || !(target instanceof Element)) return;
		const { entry } = found;
		if (target.closest('[data-part="retry"]')) this.#room.retry(entry.clientId);
		else if (target.closest('[data-part="discard"]')) this.#room.discard(entry.clientId);
		else if (target.closest('[data-part="unfold"]')) fold(found.node);
		else if (target.closest('[data-part="copyCode"]')) copyCode(target);
		else if (target.closest('.spoiler')) target.closest('.spoiler')?.removeAttribute('aria-label');
		else if (target.closest('.quote') && entry.type === 'message' && entry.replyTo)
			this.#timeline.jumpTo(entry.replyTo.seq);
		else if (entry.type === 'message' && target.closest('[data-emoji]')) {
			const pressed = /** @type {HTMLElement} */ (target.closest('[data-emoji]'));
			this.#react(entry, pressed.dataset.emoji ?? '', pressed.getAttribute('aria-pressed') !== 'true');
		} else if (!target.closest('a, button, input, summary') && !getSelection()?.toString())
			this.#timeline.focus(found.node);
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		const found = this.#timeline.at(event.target);
		if (!found) return;
		const onEntry = event.target === found.node;
		if (event.key === 'Escape') {
			if (!onEntry && this.#closeQuick()) event.stopPropagation();
			else if (onEntry) this.#composer.focus();
			else this.#timeline.focus(found.node);
		} else if (onEntry && event.key in STEPS) {
			const next = STEPS[event.key](found.node);
			if (next) this.#timeline.focus(next);
		} else if (onEntry && event.key === 'Enter') {
			const [first] = this.#buttons();
			first?.focus();
		} else if (
			this.#bar.contains(document.activeElement) &&
			(event.key === 'ArrowLeft' || event.key === 'ArrowRight')
		) {
			this.#step(event.key === 'ArrowRight' ? 1 : -1);
		} else return;
		event.preventDefault();
	}

	/** @param {number} by moves along the toolbar */
	#step(by) {
		const buttons = this.#buttons();
		const index = buttons.findIndex((one) => one === document.activeElement);
		if (index >= 0) buttons[(index + by + buttons.length) % buttons.length].focus();
	}

	/** Those of the toolbar that are shown now. */
	#buttons() {
		const buttons = /** @type {NodeListOf<HTMLElement>} */ (this.#bar.querySelectorAll('button'));
		return Array.from(buttons).filter((one) => one.checkVisibility());
	}

	/**
	 * @param {Message} message
	 * @param {string} emoji
	 * @param {boolean} on
	 */
	#react(message, emoji, on) {
		if (message.seq === null) return;
		const why = whyNotWriting(this.#room);
		if (why !== '') {
			toast(why);
			return;
		}
		this.#room.react(message.seq, emoji, on).catch((error) => toast(failure(error)));
	}

	/** Puts the few reactions that most people want in the place of the toolbar. */
	#offerReactions() {
		const message = this.#message;
		if (!message) return;
		this.#closeQuick();
		const choices = this.#quick(message, (act) => {
			this.#closeQuick();
			act();
		});
		this.#bar.append(...choices);
		this.#bar.dataset.quick = '';
		choices[0]?.focus();
	}

	/** @returns {boolean} whether they were there */
	#closeQuick() {
		const open = 'quick' in this.#bar.dataset;
		const focused = this.#bar.contains(document.activeElement);
		delete this.#bar.dataset.quick;
		for (const choice of this.#bar.querySelectorAll('.choice')) choice.remove();
		if (open && focused) this.#parts.react.focus();
		return open;
	}

	/**
	 * @param {Message} message
	 * @param {(act: () => void) => void} then what follows a press, before what it does
	 * @returns {HTMLElement[]}
	 */
	#quick(message, then) {
		const node = this.#node;
		const choices = QUICK.map((emoji) => {
			const own = isOwnReaction(message, emoji);
			const choice = button(emoji, () => then(() => this.#react(message, emoji, !own)), 'icon choice');
			choice.setAttribute('aria-label', t('reactWith', { emoji }));
			choice.setAttribute('aria-pressed', String(own));
			return choice;
		});
		const more = () => then(() => this.#showPicker(message, node));
		return [...choices, iconButton('plus', t('moreEmoji'), more, 'choice')];
	}

	/** @param {Message} message @param {HTMLElement | null} node */
	async #showPicker(message, node) {
		await openLater(import('./picker.js'), ({ showPicker }) => {
			const chosen = (/** @type {string} */ emoji) => this.#react(message, emoji, !isOwnReaction(message, emoji));
			this.#returnTo(showPicker({ title: t('react'), label: 'reactWith', chosen }), node);
		});
	}

	/** All that can be done with a message, on one sheet. */
	#showSheet() {
		const message = this.#message;
		if (!message) return;
		const node = this.#node;
		const { seq, signer } = message;
		if (seq === null) return;
		const mute = whyNotWriting(this.#room) !== '';
		const then = (/** @type {() => unknown} */ act) => {
			dialog.close();
			act();
		};
		/** @type {(label: string, act: () => unknown, style?: string) => HTMLElement} */
		const item = (label, act, style = '') => button(label, () => then(act), style);
		const items = [];
		if (!mute) items.push(item(t('reply'), () => this.#composer.reply(message)));
		items.push(item(t('copyText'), () => copy(message.text)));
		if (message.own && !mute) items.push(item(t('edit'), () => this.#composer.edit(message)));
		if (!message.own && signer)
			items.push(
				item(t('whoIs', { name: shownName(message.name) }), () =>
					openLater(import('./people.js'), ({ showPerson }) => showPerson(this.#room, { signer, name: message.name })),
				),
			);
		if (this.#room.isOwner) {
			const pinned = this.#room.info.pins.some((pin) => pin.seq === seq);
			items.push(
				item(t(pinned ? 'unpin' : 'pin'), () =>
					openLater(import('./pins.js'), ({ turnPin }) => turnPin(this.#room, { ...message, seq })),
				),
			);
		}
		if ((message.own && this.#room.canWrite) || this.#room.isOwner)
			items.push(item(t('delete'), () => this.#remove(seq, message.own), 'danger'));
		const sent = message.sentAtMs === null ? '' : t('sentAt', { time: exactTime(message.sentAtMs) });
		const reactions = mute
			? []
			: [make('div', { class: 'quick', role: 'group', 'aria-label': t('react') }, ...this.#quick(message, then))];
		const dialog = openDialog(
			t('message'),
			...reactions,
			make('div', { class: 'menu' }, ...items),
			make('p', { class: 'fine' }, sent),
		);
		this.#returnTo(dialog, node);
	}

	/**
	 * @param {number} seq
	 * @param {boolean} own
	 */
	async #remove(seq, own) {
		const text = own ? t('deleteOwn') : t('deleteOthers');
		if (await confirmed(t('deleteMessage'), text, t('delete'))) {
			this.#room.remove(seq).catch((error) => toast(failure(error)));
		}
	}

	/**
	 * Brings the keyboard back to the message, unless what was chosen took it elsewhere.
	 *
	 * @param {HTMLDialogElement} dialog
	 * @param {HTMLElement | null} node
	 */
	#returnTo(dialog, node) {
		dialog.addEventListener('close', () => {
			if (document.activeElement === document.body && node?.isConnected) this.#timeline.focus(node);
		});
	}
}

/** @param {Message} message @param {string} emoji */
function isOwnReaction(message, emoji) {
	return message.reactions.some((one) => one.emoji === emoji && one.own);
}

/** @param {HTMLElement} node an entry that is too long to be shown whole at once: unfolds it, or folds it again */
function fold(node) {
	const unfolded = 'folded' in node.dataset;
	node.toggleAttribute('data-folded', !unfolded);
	node.toggleAttribute('data-unfolded', unfolded);
	const press = /** @type {HTMLElement} */ (node.querySelector('[data-part="unfold"]'));
	press.textContent = unfolded ? t('showLess') : t('showAll');
	// Who read its end would find themselves in what comes after it.
	if (!unfolded) node.scrollIntoView({ block: 'nearest' });
}

/** @param {Element} press the button below it */
function copyCode(press) {
	copy(press.closest('.code')?.querySelector('code')?.textContent ?? '');
}

/** @param {string} text */
function copy(text) {
	navigator.clipboard.writeText(text).then(
		() => toast(t('copied')),
		() => toast(t('noCopying')),
	);
}

/** @type {Record<string, (node: HTMLElement) => HTMLElement | null>} */
const STEPS = {
	ArrowUp: (node) => sibling(node, 'previousElementSibling'),
	ArrowDown: (node) => sibling(node, 'nextElementSibling'),
	Home: (node) => node.parentElement?.querySelector('.entry') ?? null,
	End: (node) =>
		/** @type {HTMLElement | undefined} */ (
			[...(node.parentElement?.querySelectorAll(':scope > .entry') ?? [])].pop()
		) ?? null,
};

/**
 * @param {HTMLElement} node
 * @param {'previousElementSibling' | 'nextElementSibling'} direction
 * @returns {HTMLElement | null} the next entry that way, past separators
 */
function sibling(node, direction) {
	let next = node[direction];
	while (next && !next.classList.contains('entry')) next = next[direction];
	return /** @type {HTMLElement | null} */ (next);
}
