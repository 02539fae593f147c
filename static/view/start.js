// The start page: a new room, a pasted link, the rooms this browser knows.

import { toast } from './announce.js';
import { asked, confirmed, openDialog } from './dialogs.js';
import { button, drawAvatar, fromTemplate, make } from './dom.js';
import { checkNews, createRoom, forgetRoom, listRooms, nameOfRoom, renameRoom, roomAddress } from '../room/rooms.js';
import { parseLink } from '../values/link.js';
import { timeOrDay } from '../values/when.js';
import { tintFor } from './tints.js';
import { updates } from './worker.js';

/**
 * @typedef {import('../room/rooms.js').Admitted} Admitted
 * @typedef {import('../values/link.js').RoomLink} RoomLink
 * @typedef {import('../storage/store.js').Store} Store
 * @typedef {import('../storage/store.js').RoomRecord} RoomRecord
 */

const CANNOT_OPEN = {
	incomplete: 'This link is incomplete: the part after # is missing or cut off. Ask for the whole link.',
	newer: 'This link was made by a newer Buddy. Load this page again, then try once more.',
	unknown_room: 'This is not a link to a room. It should look like …/r/…#m.…',
	none: 'There is no link to a room in that. It should look like …/r/…#m.…',
};

/**
 * @param {HTMLElement} screen
 * @param {Store} store
 * @param {RoomRecord[]} rooms what this browser knows
 * @param {object} go
 * @param {(admitted: Admitted) => void} go.enter shows a room that was just made
 * @param {(address: string) => void} go.follow goes to a room's address
 * @param {(link: RoomLink) => void} go.open opens a link
 * @returns {() => void} leaves the page
 */
export function showStart(screen, store, rooms, { enter, follow, open }) {
	const { root, parts } = fromTemplate('t-start');
	document.title = 'Buddy';
	parts.storage.hidden = store.persistent;
	prepareCreate(parts, store, enter);
	prepareOpen(parts, open);
	const redraw = async () => drawRooms(parts, store, await listRooms(store), { follow, redraw });
	drawRooms(parts, store, rooms, { follow, redraw });
	screen.replaceChildren(root);
	const offerUpdate = () => {
		parts.update.hidden = !updates.waiting;
		parts.number.textContent = updates.number;
	};
	parts.reload.addEventListener('click', () => updates.use());
	parts.compare.addEventListener('click', () => updates.compare());
	updates.addEventListener('change', offerUpdate);
	offerUpdate();
	return () => updates.removeEventListener('change', offerUpdate);
}

/**
 * @param {import('../view/templates.js').Parts<'t-start'>} parts
 * @param {Store} store
 * @param {(admitted: Admitted) => void} enter
 */
function prepareCreate(parts, store, enter) {
	const form = parts.create;
	const submit = parts.submit;
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		const fields = new FormData(form);
		submit.disabled = true;
		parts.error.hidden = true;
		try {
			const name = String(fields.get('name')).trim();
			enter(
				await createRoom(store, {
					...(name !== '' && { name }),
					...(fields.get('expiry') !== '' && { expiresInS: Number(fields.get('expiry')) }),
					...(fields.get('lifetime') !== '' && { messageTtlS: Number(fields.get('lifetime')) }),
				}),
			);
		} catch (error) {
			parts.error.hidden = false;
			parts.error.textContent = whyNotCreated(
				/** @type {{ code?: string, retryAfterMs?: number | null, message: string }} */ (error),
			);
		} finally {
			submit.disabled = false;
		}
	});
}

/** @param {{ code?: string, retryAfterMs?: number | null, message: string }} error */
function whyNotCreated({ code, retryAfterMs, message }) {
	if (!navigator.onLine) return 'You are offline. A new room needs a connection.';
	switch (code) {
		case 'network':
		case 'timeout':
		case 'unavailable':
			return 'The server can’t be reached right now. Please try again.';
		case 'rate_limited':
			return `Too many new rooms from this address. Try again in ${Math.ceil((retryAfterMs ?? 60_000) / 60_000)} min.`;
		default:
			return message;
	}
}

/**
 * @param {import('../view/templates.js').Parts<'t-start'>} parts
 * @param {(link: RoomLink) => void} open
 */
function prepareOpen(parts, open) {
	const form = parts.open;
	const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('link'));
	const say = (/** @type {string} */ text) => {
		parts.linkError.hidden = text === '';
		parts.linkError.textContent = text;
		field.toggleAttribute('aria-invalid', text !== '');
	};
	field.addEventListener('input', () => say(''));
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		const link = parseLink(field.value);
		if (link.state !== 'ok') say(CANNOT_OPEN[link.state]);
		else if (link.origin !== '' && link.origin !== location.origin)
			say(`This room is on another server: ${new URL(link.origin).host}. Open the link itself.`);
		else open(link);
	});
}

/**
 * @param {import('../view/templates.js').Parts<'t-start'>} parts
 * @param {Store} store
 * @param {RoomRecord[]} rooms
 * @param {{ follow: (address: string) => void, redraw: () => unknown }} go
 */
async function drawRooms(parts, store, rooms, { follow, redraw }) {
	parts.rooms.hidden = rooms.length === 0;
	/** @type {Map<string, HTMLElement>} */
	const items = new Map();
	for (const record of rooms) items.set(record.room, roomItem(record, store, { follow, redraw }));
	parts.list.replaceChildren(...items.values());
	// Who has left this page, or drawn the list anew, asks no more here.
	const [first] = items.values();
	const wanted = () => parts.list.isConnected && first?.parentElement === parts.list;
	for await (const room of checkNews(store, undefined, { wanted })) {
		const item = items.get(room);
		if (item) item.dataset.news = '';
	}
}

/**
 * @param {RoomRecord} record
 * @param {Store} store
 * @param {{ follow: (address: string) => void, redraw: () => unknown }} go
 */
function roomItem(record, store, { follow, redraw }) {
	const { root, parts } = fromTemplate('t-room-item');
	const name = nameOfRoom(record);
	const link = parts.link;
	roomAddress(record).then((address) => (link.href = address));
	link.addEventListener('click', (event) => {
		if (event.ctrlKey || event.metaKey || event.shiftKey || !link.href) return;
		event.preventDefault();
		follow(link.href);
	});
	parts.name.textContent = name;
	parts.when.textContent = whenOf(record);
	drawAvatar(parts.avatar, name, tintFor(record.room));
	parts.more.setAttribute('aria-label', `More about ${name}`);
	parts.more.addEventListener('click', () => showRoomMenu(record, store, redraw));
	return root;
}

/** @param {RoomRecord} record */
function whenOf(record) {
	if (record.closed) return record.closed === 'deleted' ? 'Deleted' : 'Expired';
	const role = { owner: 'Yours', member: 'Member', reader: 'Read-only' }[record.role];
	return `${role} · opened ${timeOrDay(record.openedAtMs)}`;
}

/**
 * @param {RoomRecord} record
 * @param {Store} store
 * @param {() => unknown} redraw
 */
function showRoomMenu(record, store, redraw) {
	const name = nameOfRoom(record);
	const rename = async () => {
		dialog.close();
		const label = await asked('Name it for yourself', {
			label: 'Only this browser knows this name',
			value: record.label,
			maxLength: 80,
			yes: 'Save',
		});
		if (label !== null) await renameRoom(store, record.room, label);
		redraw();
	};
	const forget = async () => {
		dialog.close();
		const text =
			record.role === 'owner'
				? 'Its keys, messages and drafts are wiped from this browser. You own it: without the owner link nobody will any more.'
				: 'Its keys, messages and drafts are wiped from this browser. You need the link to come back.';
		if (!(await confirmed(`Forget “${name}”?`, text, 'Forget'))) return;
		await forgetRoom(store, record.room);
		toast('Forgotten');
		redraw();
	};
	const dialog = openDialog(
		name,
		make(
			'div',
			{ class: 'menu' },
			button('Name it for yourself', rename),
			button('Forget this room', forget, 'danger'),
		),
	);
}
