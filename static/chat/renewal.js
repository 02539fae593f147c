// Shutting out: one dialog for taking back a link and one for removing a person, which are the same change of keys.
// It says in one sentence what will happen and who may still get in, and lets the owner decide the rest.

/**
 * @import { Guest, Link, Person, RoomFacade } from '../room/facade.js'
 */

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { failure } from '../view/failures.js';
import { fromTemplate, make } from '../view/dom.js';
import { linkRow } from '../view/share.js';
import { nameInText, shownName } from './describe.js';
import { listOf, t } from '../values/words.js';

/** What a link is called where its owner gave it no name. @param {Pick<Link, 'name' | 'isRoomLink' | 'role'>} link */
export function linkName({ name, isRoomLink, role }) {
	return name || t(isRoomLink ? 'roomsLink' : role === 'member' ? 'linkToTakePart' : 'linkReadOnly');
}

/**
 * @param {RoomFacade} room
 * @param {Link} link
 * @param {() => unknown} done
 */
export function showTakeBack(room, link, done) {
	return showRenewal(room, { link, person: null, done });
}

/**
 * @param {RoomFacade} room
 * @param {Person} person
 * @param {() => unknown} [done]
 */
export function showRemove(room, person, done = () => {}) {
	return showRenewal(room, { link: null, person, done });
}

/**
 * @param {RoomFacade} room
 * @param {{ link: Link | null, person: Person | null, done: () => unknown }} what Exactly one of both.
 */
async function showRenewal(room, { link, person, done }) {
	let guests;
	let links;
	try {
		[guests, links] = await Promise.all([room.guests(), room.links()]);
	} catch (error) {
		toast(t('needsServer', { why: failure(error) }));
		return;
	}
	const others = links.filter(({ id, url, ended }) => id !== link?.id && url !== null && ended === null);
	const stayers = guests.filter(({ signer }) => signer !== person?.signer);
	const { root: form, parts } = fromTemplate('t-renewal');

	// Taking back one link leaves the others; removing somebody takes back all but those kept by name.
	const linkTicks = others.map((other) => tick(linkName(other), hintOfLink(other, person), person === null));
	const personTicks = stayers.map((guest) => tick(nameInText(guest), hintOfGuest(guest, link), guest.trusted));
	parts.links.append(...linkTicks.map(({ row }) => row));
	parts.people.append(...personTicks.map(({ row }) => row));
	parts.linksBox.hidden = others.length === 0;
	parts.peopleBox.hidden = stayers.length === 0;
	// Whom this device met only lately, somebody should look at.
	parts.peopleBox.open = stayers.some(({ trusted }) => !trusted);
	parts.linksBox.open = person !== null && others.length > 0 && others.length <= 3;

	const draw = () => {
		const kept = others.filter((_, index) => linkTicks[index]?.box.checked);
		const staying = personTicks.filter(({ box }) => box.checked).length;
		parts.what.textContent = whatHappens({ link, person });
		parts.who.textContent = whoMayGetIn(kept, { link, person });
		parts.who.dataset.tone = person !== null && kept.length > 0 ? 'warm' : '';
		parts.linksTitle.textContent = t('linksStay', { kept: kept.length, all: others.length });
		parts.peopleTitle.textContent = t('peopleStay', { kept: staying, all: stayers.length });
	};
	form.addEventListener('change', draw);
	draw();

	parts.submit.textContent = person ? t('removeNamed', { name: person.name || t('thisPerson') }) : t('takeBack');
	parts.cancel.addEventListener('click', () => dialog.close());
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		parts.error.hidden = true;
		parts.submit.disabled = parts.cancel.disabled = true;
		parts.progress.hidden = false;
		try {
			const renewed = await room.renew({
				remove: person ? [person.signer] : [],
				stay: stayers.filter((_, index) => personTicks[index]?.box.checked).map(({ signer }) => signer),
				links: others.filter((_, index) => linkTicks[index]?.box.checked).map(({ id }) => id),
				sharePast: parts.past.checked,
			});
			dialog.close();
			done();
			showDone(room, { link, person }, renewed);
		} catch (error) {
			parts.error.hidden = false;
			parts.error.textContent = t('nothingChanged', { why: failure(error) });
		} finally {
			parts.progress.hidden = true;
			parts.submit.disabled = parts.cancel.disabled = false;
		}
	});
	const title = person
		? t('removeAsk', { name: shownName(person.name) })
		: t('takeBackAsk', { name: link ? linkName(link) : '' });
	const dialog = openDialog(title, form);
}

/** @param {{ link: Link | null, person: Person | null }} what */
function whatHappens({ link, person }) {
	if (person) {
		return t('removing', { name: shownName(person.name) });
	}
	if (link?.role === 'reader') {
		return t('takingBackReader');
	}
	return t(link?.isRoomLink ? 'takingBackRooms' : 'takingBack');
}

/** @param {Link[]} kept @param {{ link: Link | null, person: Person | null }} what */
function whoMayGetIn(kept, { link, person }) {
	const names = listOf(kept.map((one) => t('named', { name: linkName(one) })));
	if (person) {
		return kept.length === 0 ? t('allTakenBack') : t('mayComeBack', { name: shownName(person.name), links: names });
	}
	const others = kept.length === 0 ? t('nobodyElse') : t('stillGetsIn', { links: names });
	return link?.isRoomLink ? `${others} ${t('sendNewOne')}` : others;
}

/** @param {Link} link @param {Person | null} person */
function hintOfLink(link, person) {
	const may = link.role === 'member' ? t('takePart') : t('readOnly');
	const came = person?.via && person.via === link.name ? ` · ${t('cameBy', { name: shownName(person.name) })}` : '';
	return may + came;
}

/** @param {Guest} guest @param {Link | null} link */
function hintOfGuest({ via, trusted, here }, link) {
	const hints = [
		here && t('hereNow'),
		via && (link && via === link.name ? t('cameByThis') : t('cameByNamed', { name: via })),
		!trusted && t('newToBrowser'),
	];
	return hints.filter(Boolean).join(' · ');
}

/** @param {string} text @param {string} hint @param {boolean} checked */
function tick(text, hint, checked) {
	const box = make('input', { type: 'checkbox' });
	box.checked = checked;
	const words = make('span', {}, make('bdi', {}, text), hint === '' ? '' : make('span', { class: 'hint' }, ` ${hint}`));
	return { box, row: make('li', {}, make('label', { class: 'tick' }, box, words)) };
}

/**
 * @param {RoomFacade} room
 * @param {{ link: Link | null, person: Person | null }} what
 * @param {import('../room/facade.js').Renewed} renewed
 */
function showDone(room, { link, person }, { leftOut, roomLink }) {
	const title = person ? t('wasRemoved', { name: shownName(person.name) }) : t('linkTakenBack');
	const missed =
		leftOut.length === 0 ? [] : [make('p', { class: 'caution' }, t('missedKeys', { names: listOf(leftOut) }))];
	if (!person && !link?.isRoomLink) {
		if (missed.length > 0) openDialog(title, ...missed);
		else toast(title);
		return;
	}
	openDialog(
		title,
		...missed,
		linkRow({
			title: t('newRoomLink'),
			text: t('newRoomLinkText'),
			link: roomLink,
			name: room.displayName || t('aPrivateRoom'),
			style: '',
		}),
	);
}
