// Goes from anywhere to one of this browser's rooms, by a few letters of its name.

import { markChoice } from './choices.js';
import { openDialog } from './dialogs.js';
import { make, makeAvatar } from './dom.js';
import { loadStyle } from './styles.js';
import { tintFor } from './tints.js';
import { listRooms, nameOfRoom, roomAddress } from '../room/rooms.js';
import { foldText, holdsAll, wordsOf } from '../values/finding.js';
import { timeOrDayAmid } from '../values/when.js';
import { t } from '../values/words.js';

/**
 * @import { RoomRecord, Store } from '../storage/store.js'
 */

/** More are found by another letter. */
const MOST = 50;

/**
 * @param {Store} store
 * @param {(address: string) => unknown} follow goes to an address of this page
 */
export async function showJump(store, follow) {
	const [known] = await Promise.all([listRooms(store), loadStyle('/style/finding.css')]);
	// The one that one is in comes last: nobody wants to go there.
	const isHere = (/** @type {RoomRecord} */ { room }) => location.pathname === `/r/${room}`;
	const rooms = [...known.filter((record) => !isHere(record)), ...known.filter(isHere)];
	const list = make('ul', { role: 'listbox', id: 'jump-rooms', 'aria-label': t('rooms'), class: 'jump-rooms' });
	const field = make('input', {
		type: 'search',
		role: 'combobox',
		'aria-expanded': 'true',
		'aria-controls': 'jump-rooms',
		'aria-autocomplete': 'list',
		'aria-label': t('nameOfRoom'),
		placeholder: t('nameOfRoom'),
		autocomplete: 'off',
		spellcheck: 'false',
		dir: 'auto',
	});
	const none = make('p', { class: 'fine', role: 'status' });
	/** @type {RoomRecord[]} */
	let found = [];
	let chosen = 0;

	const mark = () => markChoice(list, field, chosen);
	const draw = () => {
		const words = wordsOf(field.value);
		const named = rooms.filter((record) => holdsAll(foldText(nameOfRoom(record)), words));
		found = named.slice(0, MOST);
		chosen = 0;
		list.replaceChildren(...found.map((record, at) => option(record, at)));
		list.hidden = found.length === 0;
		none.textContent = rooms.length === 0 ? t('noRoomYet') : found.length === 0 ? t('noRoomCalled') : '';
		none.hidden = none.textContent === '';
		mark();
	};
	const go = async (/** @type {number} */ at) => {
		const record = found[at];
		if (!record) return;
		dialog.close();
		await follow(await roomAddress(record));
	};
	list.addEventListener('click', (event) => {
		const pressed = event.target instanceof Element ? event.target.closest('li') : null;
		if (pressed) void go(Array.from(list.children).indexOf(pressed));
	});
	field.addEventListener('input', draw);
	field.addEventListener('keydown', (event) => {
		if (event.isComposing) return;
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (step !== undefined && found.length > 0) chosen = (chosen + step + found.length) % found.length;
		else if (event.key === 'Enter') void go(chosen);
		else return;
		event.preventDefault();
		mark();
	});
	draw();
	const dialog = openDialog(t('goToRoom'), make('div', { class: 'jump-to' }, field, list, none));
	field.focus();
}

/** @param {RoomRecord} record @param {number} at */
function option(record, at) {
	const name = nameOfRoom(record);
	const unread = record.lastSeq > record.readSeq && record.closed === null;
	return make(
		'li',
		{ role: 'option', id: `jump-room-${at}`, 'data-news': unread },
		makeAvatar(name, tintFor(record.room)),
		make('bdi', {}, name),
		make(
			'span',
			{ class: 'quiet' },
			unread ? t('newMessagesDot') : t('openedWhen', { when: timeOrDayAmid(record.openedAtMs) }),
		),
	);
}
