// The start page: a new room, a pasted link, the rooms this browser knows.

import { toast } from './announce.js';
import { asked, confirmed, openDialog } from './dialogs.js';
import { button, drawAvatar, fromTemplate, make } from './dom.js';
import { checkNews, createRoom, forgetRoom, listRooms, renameRoom, roomAddress } from './rooms.js';
import { parseLink } from './secrets.js';
import { timeOrDay } from './when.js';
import { updates } from './worker.js';

/**
 * @typedef {import('./rooms.js').Admitted} Admitted
 * @typedef {import('./store.js').Store} Store
 * @typedef {import('./store.js').RoomRecord} RoomRecord
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
 * @param {object} go
 * @param {(admitted: Admitted) => void} go.enter shows a room that was just made
 * @param {(address: string) => void} go.follow goes to a room's address
 * @returns {() => void} leaves the page
 */
export function showStart(screen, store, { enter, follow }) {
	const { root, parts } = fromTemplate('t-start');
	document.title = 'Buddy';
	parts.storage.hidden = store.persistent;
	prepareCreate(parts, store, enter);
	prepareOpen(parts, follow);
	screen.replaceChildren(root);
	drawRooms(parts, store, follow);
	const offerUpdate = () => (parts.update.hidden = !updates.waiting);
	parts.reload.addEventListener('click', () => updates.use());
	updates.addEventListener('change', offerUpdate);
	offerUpdate();
	return () => updates.removeEventListener('change', offerUpdate);
}

/**
 * @param {Record<string, HTMLElement>} parts
 * @param {Store} store
 * @param {(admitted: Admitted) => void} enter
 */
function prepareCreate(parts, store, enter) {
	const form = /** @type {HTMLFormElement} */ (parts.create);
	const submit = /** @type {HTMLButtonElement} */ (parts.submit);
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
 * @param {Record<string, HTMLElement>} parts
 * @param {(address: string) => void} follow
 */
function prepareOpen(parts, follow) {
	const form = /** @type {HTMLFormElement} */ (parts.open);
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
		else if (link.origin !== location.origin)
			say(`This room is on another server. Open the link itself: it leads to ${new URL(link.origin).host}.`);
		else {
			const [address] = field.value.match(/\/r\/\S+/) ?? [''];
			field.value = '';
			follow(address);
		}
	});
}

/**
 * @param {Record<string, HTMLElement>} parts
 * @param {Store} store
 * @param {(address: string) => void} follow
 */
async function drawRooms(parts, store, follow) {
	const rooms = await listRooms(store);
	parts.rooms.hidden = rooms.length === 0;
	/** @type {Map<string, HTMLElement>} */
	const dots = new Map();
	const items = await Promise.all(
		rooms.map(async (record) => {
			const { root, parts: item } = fromTemplate('t-room-item');
			const name = nameOf(record);
			const link = /** @type {HTMLAnchorElement} */ (item.link);
			link.href = await roomAddress(record);
			link.addEventListener('click', (event) => {
				if (event.ctrlKey || event.metaKey || event.shiftKey) return;
				event.preventDefault();
				follow(link.href);
			});
			item.name.textContent = name;
			item.when.textContent = whenOf(record);
			drawAvatar(item.avatar, name, record.room);
			item.more.setAttribute('aria-label', `More about ${name}`);
			item.more.addEventListener('click', () => showRoomMenu(record, store, () => drawRooms(parts, store, follow)));
			dots.set(record.room, item.dot);
			return root;
		}),
	);
	parts.list.replaceChildren(...items);
	for (const room of await checkNews(store).catch(() => new Set())) {
		const dot = dots.get(room);
		if (dot) dot.hidden = false;
	}
}

/** @param {RoomRecord} record */
function nameOf(record) {
	return record.label || record.title || 'Room without a name';
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
	const name = nameOf(record);
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
