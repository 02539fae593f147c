// The links that let others in.

/** @import { RoomFacade } from '../room/facade.js' */

import { openDialog, openLater } from '../view/dialogs.js';
import { button, fromTemplate, make } from '../view/dom.js';
import { linkRow, showLink } from '../view/share.js';

/** @param {RoomFacade} room */
export async function showInvite(room) {
	const { invite } = await room.ownLinks();
	const dialog = openDialog('Invite', invite === null ? noLink(room) : roomLink(room, invite));
	if (!room.isOwner) return;
	const open = () => {
		dialog.close();
		openLater(import('./links.js'), ({ showLinks }) => showLinks(room));
	};
	const more = make(
		'section',
		{},
		make('p', {}, 'A link for one person, one that only reads, or one that ends:'),
		make('div', { class: 'actions' }, button('All links…', open, 'secondary')),
	);
	dialog.querySelector('.dialog-body')?.append(more);
}

/** @param {RoomFacade} room @param {string} link */
function roomLink(room, link) {
	const whose = room.isOwner ? 'You can take it back.' : 'Only the owner can take it back.';
	return linkRow({
		title: 'The room’s link',
		text: `Whoever opens it is in: they can read, write and invite others. ${whose}`,
		link,
		name: room.displayName || 'A private room',
		style: '',
	});
}

/** @param {RoomFacade} room */
function noLink(room) {
	const text = room.canWrite
		? 'There is no link to pass on right now. The owner can make one.'
		: 'A read-only link cannot invite others. Ask somebody who writes here, or the owner.';
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
	showLink(parts, invite, room.displayName || 'A private room');
	return root;
}
