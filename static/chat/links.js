// The owner's links: who could get in by which, making one, taking one back.

/**
 * @import { Link, NewLink, RoomFacade } from '../room/facade.js'
 */

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { button, fromTemplate, make } from '../view/dom.js';
import { codeButton, copy, linkRow } from '../view/share.js';
import { dateAndTime, duration, timeOrDay } from '../values/when.js';
import { linkName, showTakeBack } from './renewal.js';

/** @type {[value: string, text: string][]} */
const EXPIRIES = [
	['', 'Never'],
	['3600', 'In 1 hour'],
	['86400', 'In 1 day'],
	['604800', 'In 1 week'],
	['2592000', 'In 30 days'],
];

/** @type {[value: string, text: string][]} */
const OPENINGS = [
	['', 'As many as have it'],
	['1', 'One person'],
	['5', '5 people'],
	['25', '25 people'],
	['100', '100 people'],
];

/**
 * Opens the panel and keeps it true while it is open.
 *
 * @param {RoomFacade} room
 */
export function showLinks(room) {
	const list = make('ul', { class: 'links', 'aria-busy': 'true' });
	const note = make('p', { class: 'quiet', role: 'status' }, 'Loading…');
	const dialog = openDialog(
		'Links to this room',
		make('p', {}, 'Whoever has one of these gets in. A link that you take back lets nobody in any more.'),
		make(
			'div',
			{ class: 'actions' },
			button('New link', () => showNewLink(room, draw)),
		),
		note,
		list,
	);
	const draw = async () => {
		try {
			const links = await room.links();
			list.replaceChildren(...links.map((link) => linkItem(room, link, draw)));
			note.textContent = links.length === 0 ? 'There is no link: nobody new gets in.' : '';
		} catch (error) {
			note.textContent = `The links could not be loaded: ${/** @type {Error} */ (error).message}`;
		}
		note.hidden = note.textContent === '';
		list.removeAttribute('aria-busy');
	};
	room.addEventListener('links', draw);
	dialog.addEventListener('close', () => room.removeEventListener('links', draw));
	draw();
}

/**
 * @param {RoomFacade} room
 * @param {Link} link
 * @param {() => unknown} redraw
 */
function linkItem(room, link, redraw) {
	const { root, parts } = fromTemplate('t-link');
	const name = linkName(link);
	parts.name.textContent = name;
	parts.role.textContent = link.role === 'member' ? 'take part' : 'read only';
	parts.state.textContent = stateOf(link);
	if (link.ended) root.dataset.ended = '';
	const { url } = link;
	parts.copy.hidden = url === null || link.ended !== null;
	parts.copy.setAttribute('aria-label', `Copy ${name}`);
	parts.copy.addEventListener('click', () => url && copy(url, parts.url));
	if (!parts.copy.hidden && url) parts.copy.after(codeButton(url, name, `Show QR code of ${name}`));
	parts.url.textContent = url ?? '';
	parts.back.setAttribute('aria-label', `Take back ${name}`);
	parts.back.addEventListener('click', () => showTakeBack(room, link, redraw));
	return root;
}

/** @param {Link} link */
function stateOf({ url, opened, openings, openedAtMs, expiresAtMs, ended, isRoomLink, name }) {
	if (url === null) return 'Not made by you: the next change of the keys drops it.';
	const times =
		openings === null
			? opened === 0
				? 'Not opened yet'
				: `Opened ${opened === 1 ? 'once' : `about ${opened} times`}`
			: `Opened ${opened} of ${openings} ${openings === 1 ? 'time' : 'times'}`;
	const facts = [
		isRoomLink && name !== '' && 'The room’s link, which members pass on',
		isRoomLink && name === '' && 'Members pass it on',
		times,
		openedAtMs !== null && `last ${timeOrDay(openedAtMs).replace(/^(?:Today|Yesterday)$/, (day) => day.toLowerCase())}`,
		ended === 'used_up' && 'used up',
		ended === 'expired' && 'expired',
		ended === null && expiresAtMs !== null && `until ${dateAndTime(expiresAtMs)}`,
	];
	return facts.filter(Boolean).join(' · ');
}

/**
 * @param {RoomFacade} room
 * @param {() => unknown} made
 */
function showNewLink(room, made) {
	const { root: form, parts } = fromTemplate('t-new-link');
	fill(parts.expires, EXPIRIES);
	fill(parts.openings, OPENINGS);
	const dialog = openDialog('New link', form);
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		parts.error.hidden = true;
		parts.submit.disabled = true;
		/** @type {NewLink} */
		const wanted = {
			name: parts.name.value.trim(),
			role: parts.reader.checked ? 'reader' : 'member',
			openings: parts.openings.value === '' ? null : Number(parts.openings.value),
			expiresInS: parts.expires.value === '' ? null : Number(parts.expires.value),
		};
		try {
			const link = await room.makeLink(wanted);
			dialog.close();
			made();
			showMade(room, link);
		} catch (error) {
			parts.error.hidden = false;
			parts.error.textContent = `Not made: ${/** @type {Error} */ (error).message}`;
		} finally {
			parts.submit.disabled = false;
		}
	});
	parts.name.focus();
}

/**
 * @param {RoomFacade} room
 * @param {Link} link
 */
function showMade(room, link) {
	if (link.url === null) {
		toast('The link was made');
		return;
	}
	const may =
		link.role === 'member'
			? 'Whoever opens it can read and write here'
			: 'Whoever opens it can read here, and not write';
	const many =
		link.openings === null ? '' : link.openings === 1 ? ', one person only' : `, ${link.openings} people at most`;
	const left =
		link.expiresAtMs === null ? '' : `, for ${duration(Math.ceil((link.expiresAtMs - Date.now()) / 60_000) * 60)}`;
	openDialog(
		'The link is ready',
		linkRow({
			title: linkName(link),
			text: `${may}${many}${left}.`,
			link: link.url,
			name: room.displayName || 'A private room',
			style: '',
		}),
	);
}

/** @param {HTMLSelectElement} select @param {[value: string, text: string][]} options */
function fill(select, options) {
	select.append(...options.map(([value, text]) => make('option', { value }, text)));
}
