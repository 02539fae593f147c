// The links that let others in.

import { openDialog } from '../view/dialogs.js';
import { fromTemplate, make } from '../view/dom.js';
import { linkRow, showLink } from '../view/share.js';

/** @typedef {import('../room/room.js').Room} Room */

/** @param {Room} room */
export async function showInvite(room) {
	const { member, reader } = await room.links();
	const name = room.displayName || 'A private room';
	const readOnly = linkRow({
		title: 'Read-only link',
		text: 'Who opens it reads everything and cannot write.',
		link: reader,
		name,
		copyText: 'Copy read-only link',
	});
	if (!room.canWrite) {
		openDialog('Invite', readOnly);
		return;
	}
	openDialog(
		'Invite',
		linkRow({
			title: 'Link to take part',
			text: 'Who opens it is in: they can read everything, write and invite others. It cannot be taken back, so send it only where you trust.',
			link: member ?? '',
			name,
			style: '',
		}),
		make('details', {}, make('summary', {}, 'Only let them read'), readOnly),
	);
}

/**
 * What stands above an empty log: the link to send.
 *
 * @param {Room} room
 * @returns {Promise<HTMLElement>}
 */
export async function welcome(room) {
	const { root, parts } = fromTemplate('t-welcome');
	const { member } = await room.links();
	showLink(parts, member ?? '', room.displayName || 'A private room');
	return root;
}
