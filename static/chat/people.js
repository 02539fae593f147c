// Who takes part, and how to make sure of it: the words of a person's key. The owner removes people here.

/**
 * @import { Person, RoomFacade } from '../room/facade.js'
 */

import { openDialog, openLater } from '../view/dialogs.js';
import { button, make, makeAvatar } from '../view/dom.js';
import { tintsOf } from '../view/tints.js';
import { shownName } from './describe.js';
import { comparedMark } from './message.js';
import { fingerprint, shortTag } from '../crypto/words.js';
import { dateAndTime } from '../values/when.js';
import { t } from '../values/words.js';

/** Anyone can be as many people as they like; so many rows still open at once. */
const MOST = 200;

/**
 * Lists everyone who has a card here, and keeps the list true while it is open.
 *
 * @param {RoomFacade} room
 */
export function showPeople(room) {
	const list = make('div', { class: 'people' });
	/** Rows by signer, so that one that is open stays so. @type {Map<string, { person: Person, row: HTMLElement }>} */
	const rows = new Map();
	const draw = () => {
		const { people } = room;
		for (const person of people.slice(0, MOST)) {
			const held = rows.get(person.signer);
			if (held && JSON.stringify(held.person) === JSON.stringify(person)) continue;
			const row = personRow(room, person, held?.row.hasAttribute('open') ?? false);
			if (held) replace(held.row, row);
			else list.append(row);
			rows.set(person.signer, { person, row });
		}
		const known = new Set(people.map(({ signer }) => signer));
		for (const [signer, { row }] of rows) {
			if (known.has(signer)) continue;
			row.remove();
			rows.delete(signer);
		}
		more.textContent = people.length > MOST ? t('andMore', { count: people.length - MOST }) : '';
		more.hidden = people.length <= MOST;
	};
	const more = make('p', { class: 'fine' });
	draw();
	const dialog = openDialog(t('people'), make('p', {}, t('peopleText')), list, more);
	room.addEventListener('people', draw);
	dialog.addEventListener('close', () => room.removeEventListener('people', draw));
}

/**
 * One person's words.
 *
 * @param {RoomFacade} room
 * @param {{ signer: string, name: string }} person
 */
export function showPerson(room, { signer, name }) {
	const draw = () => {
		const known = room.people.find((one) => one.signer === signer);
		const compared = room.comparison({ signer, name });
		return personRow(room, { ...(known ?? stranger(signer, name)), compared }, true);
	};
	let row = draw();
	const people = make('div', { class: 'people' }, row);
	const dialog = openDialog(shownName(name), make('p', {}, t('personText')), people);
	const redraw = () => replace(row, (row = draw()));
	room.addEventListener('compared', redraw);
	dialog.addEventListener('close', () => room.removeEventListener('compared', redraw));
}

/** The keyboard stays where it was. @param {HTMLElement} old @param {HTMLElement} row */
function replace(old, row) {
	const { activeElement: active } = document;
	old.replaceWith(row);
	if (!old.contains(active)) return;
	const wanted = active?.localName === 'button' ? row.querySelector('button') : row.querySelector('summary');
	wanted?.focus();
}

/** Somebody who wrote and has left since. @param {string} signer @param {string} name @returns {Person} */
function stranger(signer, name) {
	const not = { author: null, taken: false, own: false, owner: false, here: false, typing: false };
	return { ...not, via: null, compared: null, signer, name };
}

/**
 * @param {RoomFacade} room
 * @param {Person} person
 * @param {boolean} open whether the words show at once
 */
function personRow(room, person, open) {
	const shown = person.own ? person.name || t('you') : shownName(person.name);
	const avatar = makeAvatar(shown, tintsOf(room).of(person.signer));
	const notes = [
		person.own && t('youLower'),
		person.owner && t('owner'),
		person.here || person.own ? t('here') : t('notHereNow'),
		person.taken && t('nameUsed'),
	].filter(Boolean);
	const title = make('span', {}, make('bdi', {}, shown));
	if (person.compared?.how === 'same') title.append(comparedMark());
	const words = make('p', { class: 'fingerprint' });
	const note = make('span', { class: 'note' }, notes.join(' · '));
	fingerprint(person.signer).then((list) => {
		words.textContent = list.join(' ');
		note.append(` · ${shortTag(list)}`);
	});
	const removable = room.isOwner && !person.own && room.people.some(({ signer }) => signer === person.signer);
	const via = removable && person.via ? [make('p', { class: 'fine' }, t('saysCameBy', { name: person.via }))] : [];
	const remove = () => openLater(import('./renewal.js'), ({ showRemove }) => showRemove(room, person));
	return make(
		'details',
		{ open },
		make('summary', {}, avatar, make('span', { class: 'person' }, title, note)),
		words,
		...(person.own ? [] : comparing(room, person)),
		...via,
		...(removable ? [make('div', { class: 'actions' }, button(t('removePerson'), remove, 'danger'))] : []),
	);
}

const COMPARED = /** @type {const} */ ({
	same: 'comparedSame',
	renamed: 'comparedRenamed',
	other_key: 'comparedOther',
});

/**
 * What one has compared with somebody, and the way to say so.
 *
 * @param {RoomFacade} room
 * @param {Person} person
 */
function comparing(room, person) {
	const { compared } = person;
	const said =
		compared && t(COMPARED[compared.how], { name: shownName(compared.name), when: dateAndTime(compared.atMs) });
	const mark = (/** @type {boolean} */ on) => () => room.setCompared(person, on);
	return [
		...(said ? [make('p', { class: 'fine', 'data-compared': compared?.how ?? '' }, said)] : []),
		make(
			'div',
			{ class: 'actions' },
			...(compared?.how === 'same' ? [] : [button(t('wordsCompared'), mark(true), 'secondary')]),
			...(compared && compared.how !== 'other_key' ? [button(t('takeMarkAway'), mark(false), 'secondary')] : []),
		),
	];
}
