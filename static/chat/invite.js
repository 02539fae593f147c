// The links that let others in.

/** @import { RoomFacade } from '../room/facade.js' */

import { openDialog, openLater } from '../view/dialogs.js';
import { button, fromTemplate, make } from '../view/dom.js';
import { linkRow, showLink } from '../view/share.js';
import { t } from '../values/words.js';

/** @param {RoomFacade} room */
export async function showInvite(room) {
	const { invite } = await room.ownLinks();
	const dialog = openDialog(t('invite'), invite === null ? noLink(room) : roomLink(room, invite));
	if (!room.isOwner) return;
	const open = () => {
		dialog.close();
		openLater(import('./links.js'), ({ showLinks }) => showLinks(room));
	};
	const more = make(
		'section',
		{},
		make('p', {}, t('otherLinks')),
		make('div', { class: 'actions' }, button(t('allLinks'), open, 'secondary')),
	);
	dialog.querySelector('.dialog-body')?.append(more);
}

/** @param {RoomFacade} room @param {string} link */
function roomLink(room, link) {
	return linkRow({
		title: t('roomsLink'),
		text: t(room.isOwner ? 'roomsLinkOwner' : 'roomsLinkMember'),
		link,
		name: room.displayName || t('aPrivateRoom'),
		style: '',
	});
}

/** @param {RoomFacade} room */
function noLink(room) {
	const text = room.canWrite ? t('noLink') : t('noLinkReader');
	return make('p', {}, text);
}

/**
 * What stands above an empty log for its owner: the link to send.
 *
 * @param {RoomFacade} room
 * @returns {Promise<HTMLElement | null>}
 */
export async function welcome(room) {
	const { invite } = await room.ownLinks();
	if (invite === null) return null;
	const { root, parts } = fromTemplate('t-welcome');
	showLink(parts, invite, room.displayName || t('aPrivateRoom'));
	return root;
}
