// The owner's links: who could get in by which, making one, taking one back.

/**
 * @import { Link, NewLink, RoomFacade } from '../room/facade.js'
 * @import { Key } from '../values/words.js'
 */

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { failure } from '../view/failures.js';
import { button, fromTemplate, make } from '../view/dom.js';
import { codeButton, copy, linkRow } from '../view/share.js';
import { dateAndTime, duration, timeOrDayAmid } from '../values/when.js';
import { linkName, showTakeBack } from './renewal.js';
import { t } from '../values/words.js';

/** @type {[value: string, text: Key][]} */
const EXPIRIES = [
	['', 'neverEnds'],
	['3600', 'inHour'],
	['86400', 'inDay'],
	['604800', 'inWeek'],
	['2592000', 'inMonth'],
];

/** How many may come by a link; null: as many as have it. */
const OPENINGS = [null, 1, 5, 25, 100];

/**
 * Opens the panel and keeps it true while it is open.
 *
 * @param {RoomFacade} room
 */
export function showLinks(room) {
	const list = make('ul', { class: 'links', 'aria-busy': 'true' });
	const note = make('p', { class: 'quiet', role: 'status' }, t('loading'));
	const dialog = openDialog(
		t('linksToRoom'),
		make('p', {}, t('linksToRoomText')),
		make(
			'div',
			{ class: 'actions' },
			button(t('newLink'), () => showNewLink(room, draw)),
		),
		note,
		list,
	);
	const draw = async () => {
		try {
			const links = await room.links();
			list.replaceChildren(...links.map((link) => linkItem(room, link, draw)));
			note.textContent = links.length === 0 ? t('noLinks') : '';
		} catch (error) {
			note.textContent = t('linksNotLoaded', { why: failure(error) });
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
	parts.role.textContent = link.role === 'member' ? t('takePart') : t('readOnly');
	parts.state.textContent = stateOf(link);
	if (link.ended) root.dataset.ended = '';
	const { url } = link;
	parts.copy.hidden = url === null || link.ended !== null;
	parts.copy.setAttribute('aria-label', t('copyNamed', { name }));
	parts.copy.addEventListener('click', () => url && copy(url, parts.url));
	if (!parts.copy.hidden && url) parts.copy.after(codeButton(url, name, t('showCodeOf', { name })));
	parts.url.textContent = url ?? '';
	parts.back.setAttribute('aria-label', t('takeBackNamed', { name }));
	parts.back.addEventListener('click', () => showTakeBack(room, link, redraw));
	return root;
}

/** @param {Link} link */
function stateOf({ url, opened, openings, openedAtMs, expiresAtMs, ended, isRoomLink, name }) {
	if (url === null) return t('notMadeByYou');
	const times =
		openings === null
			? opened === 0
				? t('notOpened')
				: opened === 1
					? t('openedOnce')
					: t('openedAbout', { count: opened })
			: t('openedOf', { opened, count: openings });
	const facts = [
		isRoomLink && name !== '' && t('roomsLinkPassed'),
		isRoomLink && name === '' && t('membersPass'),
		times,
		openedAtMs !== null && t('lastOpened', { when: timeOrDayAmid(openedAtMs) }),
		ended === 'used_up' && t('usedUp'),
		ended === 'expired' && t('expiredLink'),
		ended === null && expiresAtMs !== null && t('until', { when: dateAndTime(expiresAtMs) }),
	];
	return facts.filter(Boolean).join(' · ');
}

/**
 * @param {RoomFacade} room
 * @param {() => unknown} made
 */
function showNewLink(room, made) {
	const { root: form, parts } = fromTemplate('t-new-link');
	fill(
		parts.expires,
		EXPIRIES.map(([value, text]) => [value, t(text)]),
	);
	fill(
		parts.openings,
		OPENINGS.map((most) => [String(most ?? ''), howMany(most)]),
	);
	const dialog = openDialog(t('newLink'), form);
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
			parts.error.textContent = t('notMade', { why: failure(error) });
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
		toast(t('linkMade'));
		return;
	}
	const many =
		link.openings === null ? '' : link.openings === 1 ? t('linkOneOnly') : t('linkAtMost', { count: link.openings });
	const seconds = link.expiresAtMs === null ? 0 : Math.ceil((link.expiresAtMs - Date.now()) / 60_000) * 60;
	const left = link.expiresAtMs === null ? '' : t('linkFor', { time: duration(seconds) });
	openDialog(
		t('linkReady'),
		linkRow({
			title: linkName(link),
			text: t(link.role === 'member' ? 'linkMember' : 'linkReader', { many, left }),
			link: link.url,
			name: room.displayName || t('aPrivateRoom'),
			style: '',
		}),
	);
}

/** @param {number | null} most */
function howMany(most) {
	return most === null ? t('asManyAsHave') : most === 1 ? t('onePerson') : t('manyPeople', { count: most });
}

/** @param {HTMLSelectElement} select @param {[value: string, text: string][]} options */
function fill(select, options) {
	select.append(...options.map(([value, text]) => make('option', { value }, text)));
}
