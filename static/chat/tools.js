// What can be done with one message: a small toolbar on the one that is hovered, focused or
// tapped, and the dialogs behind it. One toolbar serves the whole list.

import { toast } from '../view/announce.js';
import { confirmed, openDialog, openLater } from '../view/dialogs.js';
import { button, fromTemplate, make } from '../view/dom.js';
import { shownName } from './message.js';
import { whyNotWriting } from './notices.js';
import { exactTime } from '../values/when.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {Extract<Entry, { type: 'message' }>} Message
 */

const QUICK = ['👍', '❤️', '😂', '🎉', '😮', '😢'];
const MORE = [
	'🙏',
	'👀',
	'🔥',
	'✅',
	'❌',
	'➕',
	'💯',
	'👏',
	'🤔',
	'😅',
	'😍',
	'😎',
	'🥳',
	'😴',
	'😡',
	'🤯',
	'🫶',
	'🚀',
	'☕',
	'🌈',
	'💡',
	'🐢',
	'🍀',
	'❓',
];

export class Tools {
	#room;
	#timeline;
	#composer;
	#bar;
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
		parts.react.addEventListener('click', () => this.#chooseReaction());
		parts.reply.addEventListener('click', () => this.#message && composer.reply(this.#message));
		parts.more.addEventListener('click', () => this.#showMenu());
		// Not `pointerover`: scrolling below a resting mouse should not move the toolbar about.
		list.addEventListener('pointermove', (event) => event.pointerType === 'mouse' && this.#moveTo(event.target));
		list.addEventListener(
			'pointerleave',
			() => !this.#bar.contains(document.activeElement) && this.#moveTo(document.activeElement),
		);
		list.addEventListener('focusin', (event) => this.#moveTo(event.target));
		list.addEventListener('click', (event) => this.#clicked(event));
		list.addEventListener('keydown', (event) => this.#pressed(event));
	}

	/** @param {EventTarget | null} target */
	#moveTo(target) {
		if (target instanceof Node && this.#bar.contains(target)) return;
		const found = this.#timeline.at(target);
		// Who asks what an alarm means must not have the toolbar come before the alarm above.
		const asks = target instanceof Element && target.closest('.alarm') !== null;
		const usable = found?.entry.type === 'message' && found.entry.seq !== null && !asks;
		if (!usable) {
			this.#bar.remove();
			this.#message = this.#node = null;
			return;
		}
		this.#message = /** @type {Message} */ (found.entry);
		this.#node = found.node;
		const [react, reply] = this.#bar.children;
		const mute = whyNotWriting(this.#room) !== '';
		for (const writing of [react, reply]) /** @type {HTMLElement} */ (writing).hidden = mute;
		if (!found.node.contains(this.#bar)) found.node.querySelector('.bubble')?.append(this.#bar);
	}

	/** @param {MouseEvent} event */
	#clicked(event) {
		const { target } = event;
		const found = this.#timeline.at(target);
		if (!found || !(target instanceof Element)) return;
		const { entry } = found;
		if (target.closest('[data-part="retry"]')) this.#room.retry(entry.clientId);
		else if (target.closest('[data-part="discard"]')) this.#room.discard(entry.clientId);
		else if (target.closest('[data-part="unfold"]')) unfold(found.node);
		else if (target.closest('.quote') && entry.type === 'message' && entry.replyTo)
			this.#timeline.jumpTo(entry.replyTo.seq);
		else if (entry.type === 'message' && target.closest('[data-emoji]')) {
			const pressed = /** @type {HTMLElement} */ (target.closest('[data-emoji]'));
			this.#react(entry, pressed.dataset.emoji ?? '', pressed.getAttribute('aria-pressed') !== 'true');
		} else if (!target.closest('a, button, summary') && !getSelection()?.toString()) this.#timeline.focus(found.node);
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		const found = this.#timeline.at(event.target);
		if (!found) return;
		const onEntry = event.target === found.node;
		if (event.key === 'Escape') {
			if (onEntry) this.#composer.focus();
			else this.#timeline.focus(found.node);
		} else if (onEntry && event.key in STEPS) {
			const next = STEPS[event.key](found.node);
			if (next) this.#timeline.focus(next);
		} else if (onEntry && event.key === 'Enter') {
			const [first] = found.node.querySelectorAll('.tools button:not([hidden])');
			if (first instanceof HTMLElement) first.focus();
		} else if (!onEntry && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
			this.#step(event.key === 'ArrowRight' ? 1 : -1);
		} else return;
		event.preventDefault();
	}

	/** @param {number} by moves along the toolbar */
	#step(by) {
		const buttons = /** @type {HTMLElement[]} */ ([...this.#bar.querySelectorAll('button:not([hidden])')]);
		const index = buttons.findIndex((one) => one === document.activeElement);
		if (index >= 0) buttons[(index + by + buttons.length) % buttons.length].focus();
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
		this.#room.react(message.seq, emoji, on).catch((error) => toast(error.message));
	}

	#chooseReaction() {
		const message = this.#message;
		if (!message) return;
		const node = this.#node;
		const chosen = (/** @type {string} */ emoji) => {
			dialog.close();
			this.#react(message, emoji, !message.reactions.some((one) => one.emoji === emoji && one.own));
		};
		const choices = [...QUICK, ...MORE].map((emoji) => {
			const choice = button(emoji, () => chosen(emoji));
			choice.setAttribute('aria-label', `React with ${emoji}`);
			return choice;
		});
		const dialog = openDialog('React', make('div', { class: 'emoji' }, ...choices));
		this.#returnTo(dialog, node);
	}

	#showMenu() {
		const message = this.#message;
		if (!message) return;
		const node = this.#node;
		const { seq, signer } = message;
		if (seq === null) return;
		/** @type {(label: string, act: () => unknown, style?: string) => HTMLElement} */
		const item = (label, act, style = '') =>
			button(
				label,
				() => {
					dialog.close();
					act();
				},
				style,
			);
		const items = [
			item('Copy text', () =>
				navigator.clipboard.writeText(message.text).then(
					() => toast('Copied'),
					() => toast('The browser did not allow copying'),
				),
			),
		];
		if (message.own && whyNotWriting(this.#room) === '') items.push(item('Edit', () => this.#composer.edit(message)));
		if (!message.own && signer)
			items.push(
				item(`Who is ${shownName(message.name)}?`, () =>
					openLater(import('./people.js'), ({ showPerson }) => showPerson(this.#room, { signer, name: message.name })),
				),
			);
		if ((message.own && this.#room.canWrite) || this.#room.isOwner)
			items.push(item('Delete', () => this.#remove(seq, message.own), 'danger'));
		const sent = message.sentAtMs === null ? '' : `Sent ${exactTime(message.sentAtMs)}`;
		const dialog = openDialog('Message', make('div', { class: 'menu' }, ...items), make('p', { class: 'fine' }, sent));
		this.#returnTo(dialog, node);
	}

	/**
	 * @param {number} seq
	 * @param {boolean} own
	 */
	async #remove(seq, own) {
		const text = own
			? 'It is erased for everyone, on the server too. Who has read it has read it.'
			: 'You own the room: it is erased for everyone, and shows as removed by the owner.';
		if (await confirmed('Delete this message?', text, 'Delete')) {
			this.#room.remove(seq).catch((error) => toast(error.message));
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

/** @param {HTMLElement} node an entry that is too long to be shown whole at once */
function unfold(node) {
	delete node.dataset.folded;
	node.dataset.unfolded = '';
	const press = /** @type {HTMLElement} */ (node.querySelector('[data-part="unfold"]'));
	press.hidden = true;
	node.focus({ preventScroll: true });
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
