// Who is here, and how to make sure of it: the words of a person's key.

import { openDialog } from '../view/dialogs.js';
import { drawAvatar, make } from '../view/dom.js';
import { shownName } from './message.js';
import { fingerprint, shortTag } from '../crypto/words.js';

/** @typedef {import('../room/room.js').Room} Room */

/** Anyone can be as many people as they like; so many rows still open at once. */
const MOST = 200;

/**
 * Lists everyone who is here or has written, oneself first.
 *
 * @param {Room} room
 */
export function showPeople(room) {
	const list = make('div', { class: 'people' });
	const people = everyone(room);
	for (const person of people.slice(0, MOST)) list.append(personRow(room, person, false));
	if (people.length > MOST) list.append(make('p', { class: 'fine' }, `and ${people.length - MOST} more`));
	openDialog(
		'People',
		make(
			'p',
			{},
			'To be sure who somebody is, compare the eight words with them by another way, such as a call. Names can be chosen freely; the words cannot.',
		),
		list,
	);
}

/**
 * One person's words.
 *
 * @param {Room} room
 * @param {{ signer: string, name: string }} person
 */
export function showPerson(room, { signer, name }) {
	const known = everyone(room).find((one) => one.signer === signer) ?? {
		signer,
		name,
		own: false,
		owner: false,
		here: false,
		taken: false,
	};
	openDialog(
		shownName(name),
		make(
			'p',
			{},
			'Ask them, by another way, to read you their own words under “People”. If all eight are the same, it is them.',
		),
		make('div', { class: 'people' }, personRow(room, known, true)),
	);
}

/**
 * @typedef {{ signer: string, name: string, own: boolean, owner: boolean, here: boolean, taken: boolean }} Shown
 */

/**
 * @param {Room} room
 * @returns {Shown[]}
 */
function everyone(room) {
	/** @type {Map<string, Shown>} */
	const people = new Map();
	const { ownSigner, yourName, isOwner, canWrite } = room;
	if (ownSigner && canWrite) {
		people.set(ownSigner, { signer: ownSigner, name: yourName, own: true, owner: isOwner, here: true, taken: false });
	}
	for (const { signer, name, own, owner, here, taken } of room.people) {
		if (!own) people.set(signer, { signer, name, own, owner, here, taken });
	}
	for (const entry of room.entries) {
		if (entry.type !== 'message' || !entry.signer || people.has(entry.signer)) continue;
		people.set(entry.signer, {
			signer: entry.signer,
			name: entry.name,
			own: false,
			owner: entry.byOwner,
			here: false,
			taken: entry.nameTaken,
		});
	}
	return [...people.values()];
}

/**
 * @param {Room} room
 * @param {Shown} person
 * @param {boolean} open whether the words show at once
 */
function personRow(room, person, open) {
	const avatar = make('span', { class: 'avatar', 'aria-hidden': 'true' });
	const shown = person.own ? person.name || 'You' : shownName(person.name);
	drawAvatar(avatar, shown, person.signer);
	const notes = [
		person.own && 'you',
		person.owner && 'owner',
		person.here ? 'here' : 'not here now',
		person.taken && 'another device or person uses this name',
	].filter(Boolean);
	const words = make('p', { class: 'fingerprint' });
	const note = make('span', { class: 'note' }, notes.join(' · '));
	fingerprint(person.signer).then((list) => {
		words.textContent = list.join(' ');
		note.append(` · ${shortTag(list)}`);
	});
	return make(
		'details',
		{ open },
		make('summary', {}, avatar, make('span', { class: 'person' }, make('span', {}, make('bdi', {}, shown)), note)),
		words,
	);
}
