// On a wide screen the rooms of this browser stand beside the open one. Who knows one room only has no list.

import { Nearby } from '../room/nearby.js';
import { roomAddress } from '../room/rooms.js';
import { foldText, holdsAll, wordsOf } from '../values/finding.js';
import { timeOrDay } from '../values/when.js';
import { drawAvatar, icon, make } from '../view/dom.js';
import { loadStyle } from '../view/styles.js';
import { tintFor } from '../view/tints.js';
import { shownName } from './describe.js';
import { canNotify, watchRoom } from './noticing.js';
import { t } from '../values/words.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 * @import { Near } from '../room/nearby.js'
 * @import { Store } from '../storage/store.js'
 *
 * @typedef {{ node: HTMLElement, drawn: string }} Item
 */

/** So many rooms make a list that is searched. */
const MANY = 6;

export class Beside {
	#follow;
	#nearby;
	#field = make('input', {
		type: 'search',
		'aria-label': t('findRoomByName'),
		placeholder: t('findRoom'),
		autocomplete: 'off',
		spellcheck: 'false',
		dir: 'auto',
	});
	#list = make('ul', { class: 'beside-rooms' });
	#none = make('p', { class: 'quiet', role: 'status' });
	#root;
	/** @type {Map<string, Item>} */
	#items = new Map();

	/**
	 * @param {HTMLElement} screen beside which it stands
	 * @param {Store} store
	 * @param {(address: string) => unknown} follow goes to an address of this page
	 */
	constructor(screen, store, follow) {
		this.#follow = follow;
		const start = make('a', { class: 'button secondary', href: '/' }, t('newRoom'));
		const head = make('div', { class: 'beside-head' }, make('h2', {}, t('yourRooms')), start);
		this.#root = make(
			'nav',
			{ class: 'beside', 'aria-label': t('yourRooms') },
			head,
			this.#field,
			this.#none,
			this.#list,
		);
		this.#nearby = new Nearby(store, {
			wakes: window,
			shows: () => !document.hidden && this.#root.isConnected,
			followed: (room, left) => canNotify() && watchRoom(room, left),
		});
		this.#nearby.addEventListener('change', () => this.#draw(screen));
		this.#field.addEventListener('input', () => this.#draw(screen));
		void loadStyle('/style/beside.css');
	}

	/** Another room is on the screen. @param {RoomFacade} room */
	show(room) {
		void this.#nearby.show(room);
	}

	close() {
		this.#nearby.close();
		this.#root.remove();
		delete document.body.dataset.beside;
	}

	/** @param {HTMLElement} screen */
	#draw(screen) {
		const { rooms } = this.#nearby;
		if (rooms.length < 2) {
			this.#root.remove();
			delete document.body.dataset.beside;
			return;
		}
		if (!this.#root.isConnected) {
			screen.before(this.#root);
			document.body.dataset.beside = '';
		}
		this.#field.hidden = rooms.length < MANY && this.#field.value === '';
		const words = wordsOf(this.#field.value);
		const found = rooms.filter(({ name }) => holdsAll(foldText(name), words));
		this.#none.textContent = found.length === 0 ? t('noRoomCalled') : '';
		this.#none.hidden = found.length > 0;
		const wanted = found.map((near) => this.#item(near));
		const kept = new Set(found.map(({ record }) => record.room));
		for (const [room, { node }] of this.#items) {
			if (kept.has(room)) continue;
			node.remove();
			this.#items.delete(room);
		}
		let next = this.#list.firstElementChild;
		for (const node of wanted) {
			if (node === next) next = next.nextElementSibling;
			else this.#list.insertBefore(node, next);
		}
	}

	/** The element of a room: the one there is, with what has changed. @param {Near} near @returns {HTMLElement} */
	#item(near) {
		const { record, name, words, unread, muted, open } = near;
		const drawn = JSON.stringify([name, words, unread, muted, open, record.closed, timeOf(near)]);
		const held = this.#items.get(record.room);
		if (held?.drawn === drawn) return held.node;
		const node = held?.node ?? this.#make(near);
		this.#items.set(record.room, { node, drawn });
		node.toggleAttribute('data-news', unread);
		node.toggleAttribute('data-muted', muted);
		const part = (/** @type {string} */ name) =>
			/** @type {HTMLElement} */ (node.querySelector(`[data-part="${name}"]`));
		if (open) part('link').setAttribute('aria-current', 'page');
		else part('link').removeAttribute('aria-current');
		drawAvatar(part('avatar'), name, tintFor(record.room));
		part('name').textContent = name;
		part('when').textContent = timeOf(near);
		part('news').textContent = unread ? t('newMessagesDot') : '';
		const says = words && (words.own ? t('you') : shownName(words.who));
		part('words').replaceChildren(...(words ? [make('bdi', {}, `${says}: `), make('bdi', {}, words.text)] : ['']));
		if (record.closed) part('words').textContent = record.closed === 'deleted' ? t('deleted') : t('expired');
		const press = part('mute');
		press.replaceChildren(icon(muted ? 'mute' : 'bell'));
		press.setAttribute('aria-pressed', String(muted));
		press.setAttribute('aria-label', t('muteNamed', { name }));
		press.title = muted ? t('muted') : t('mute');
		return node;
	}

	/** @param {Near} near */
	#make({ record }) {
		const link = make('a', { 'data-part': 'link' });
		roomAddress(record).then((address) => (link.href = address));
		link.addEventListener('click', (event) => {
			if (event.ctrlKey || event.metaKey || event.shiftKey || !link.href) return;
			event.preventDefault();
			if (link.getAttribute('aria-current') !== 'page') void this.#follow(link.href);
		});
		const text = make(
			'span',
			{ class: 'beside-text' },
			make(
				'span',
				{ class: 'beside-name' },
				make('bdi', { 'data-part': 'name' }),
				make('span', { class: 'beside-when', 'data-part': 'when' }),
			),
			make('span', { class: 'beside-words', 'data-part': 'words' }),
		);
		link.append(
			make('span', { class: 'avatar', 'aria-hidden': 'true', 'data-part': 'avatar' }),
			text,
			make('span', { class: 'dot' }, make('span', { class: 'unseen', 'data-part': 'news' })),
		);
		const mute = make('button', { type: 'button', class: 'icon', 'data-part': 'mute' });
		mute.addEventListener('click', () => {
			const near = this.#nearby.rooms.find((one) => one.record.room === record.room);
			if (near) void this.#nearby.mute(record.room, !near.muted);
		});
		return make('li', { class: 'beside-room' }, link, mute);
	}
}

/** @param {Near} near */
function timeOf({ words }) {
	return words?.atMs ? timeOrDay(words.atMs) : '';
}
