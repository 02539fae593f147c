// Shutting out: one dialog for taking back a link and one for removing a person, which are the same change of keys.
// It says in one sentence what will happen and who may still get in, and lets the owner decide the rest.

/**
 * @import { Guest, Link, Person, RoomFacade } from '../room/facade.js'
 */

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { fromTemplate, make } from '../view/dom.js';
import { linkRow } from '../view/share.js';
import { nameInText, shownName } from './message.js';

/** What a link is called where its owner gave it no name. @param {Pick<Link, 'name' | 'isRoomLink' | 'role'>} link */
export function linkName({ name, isRoomLink, role }) {
	return name || (isRoomLink ? 'The room’s link' : role === 'member' ? 'A link to take part' : 'A read-only link');
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
		toast(`That needs the server: ${/** @type {Error} */ (error).message}`);
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
		parts.linksTitle.textContent = `Links that stay: ${kept.length} of ${others.length}`;
		parts.peopleTitle.textContent = `People who stay: ${staying} of ${stayers.length}`;
	};
	form.addEventListener('change', draw);
	draw();

	parts.submit.textContent = person ? `Remove ${person.name || 'this person'}` : 'Take back';
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
			parts.error.textContent = `Nothing was changed: ${/** @type {Error} */ (error).message}`;
		} finally {
			parts.progress.hidden = true;
			parts.submit.disabled = parts.cancel.disabled = false;
		}
	});
	const title = person ? `Remove ${shownName(person.name)}?` : `Take back “${link ? linkName(link) : ''}”?`;
	const dialog = openDialog(title, form);
}

/** @param {{ link: Link | null, person: Person | null }} what */
function whatHappens({ link, person }) {
	if (person) {
		return `${shownName(person.name)} can read nothing that is written from now on, and their open page goes blank. What they have read, they have read.`;
	}
	const anew = link?.isRoomLink ? ' The room gets a new link.' : '';
	if (link?.role === 'reader') {
		return 'Nobody gets in by this link any more, and whoever reads by it can read nothing that is written from now on.';
	}
	return `Nobody gets in by this link any more. Everybody who is ticked below stays, and notices nothing.${anew}`;
}

/** @param {Link[]} kept @param {{ link: Link | null, person: Person | null }} what */
function whoMayGetIn(kept, { link, person }) {
	const names = listOf(kept.map((one) => `“${linkName(one)}”`));
	if (person) {
		return kept.length === 0
			? 'All links are taken back, so whoever still has one gets in by it no more. The room gets a new link.'
			: `${shownName(person.name)} may come back by ${names}, if they have it.`;
	}
	const others = kept.length === 0 ? 'Nobody else gets in by an older link.' : `Whoever has ${names} still gets in.`;
	return link?.isRoomLink ? `${others} Send the new one to whom you like.` : others;
}

/** @param {Link} link @param {Person | null} person */
function hintOfLink(link, person) {
	const may = link.role === 'member' ? 'take part' : 'read only';
	const came = person?.via && person.via === link.name ? ` · ${shownName(person.name)} says they came by it` : '';
	return may + came;
}

/** @param {Guest} guest @param {Link | null} link */
function hintOfGuest({ via, trusted, here }, link) {
	const hints = [
		here && 'here now',
		via && (link && via === link.name ? 'says they came by this link' : `says they came by “${via}”`),
		!trusted && 'new to this browser',
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
	const title = person ? `${shownName(person.name)} was removed` : 'The link was taken back';
	const missed =
		leftOut.length === 0
			? []
			: [
					make(
						'p',
						{ class: 'caution' },
						`${listOf(leftOut)} could not be given the new keys: send them the new link.`,
					),
				];
	if (!person && !link?.isRoomLink) {
		if (missed.length > 0) openDialog(title, ...missed);
		else toast(title);
		return;
	}
	openDialog(
		title,
		...missed,
		linkRow({
			title: 'The room’s new link',
			text: 'The old one lets nobody in any more. Whoever is here already needs none.',
			link: roomLink,
			name: room.displayName || 'A private room',
			style: '',
		}),
	);
}

const lists = new Intl.ListFormat('en', { type: 'conjunction' });

/** @param {string[]} texts */
function listOf(texts) {
	return lists.format(texts);
}
