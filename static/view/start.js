// The start page: a new room, a pasted link, the rooms this browser knows.

import { toast } from './announce.js';
import { asked, confirmed, openDialog, openLater } from './dialogs.js';
import { button, drawAvatar, fromTemplate, make } from './dom.js';
import { checkNews, createRoom, forgetRoom, listRooms, nameOfRoom, renameRoom, roomAddress } from '../room/rooms.js';
import { parseLink } from '../values/link.js';
import { timeOrDayAmid } from '../values/when.js';
import { t } from '../values/words.js';
import { tintFor } from './tints.js';
import { updates } from './worker.js';

/**
 * @typedef {import('../room/rooms.js').Admitted} Admitted
 * @typedef {import('../values/link.js').RoomLink} RoomLink
 * @typedef {import('../storage/store.js').Store} Store
 * @typedef {import('../storage/store.js').RoomRecord} RoomRecord
 */

const CANNOT_OPEN = /** @type {const} */ ({
	incomplete: 'cannotOpenIncomplete',
	newer: 'cannotOpenNewer',
	unknown_room: 'cannotOpenUnknown',
	none: 'cannotOpenNone',
});

const ROLES = /** @type {const} */ ({ owner: 'roomYours', member: 'roomMember', reader: 'roomReader' });

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
	parts.look.addEventListener('click', () =>
		openLater(import('./look.js'), ({ showLook }) => showLook(store.persistent)),
	);
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
			parts.error.textContent = whyNotCreated(/** @type {{ code?: string, retryAfterMs?: number | null }} */ (error));
		} finally {
			submit.disabled = false;
		}
	});
}

/** @param {{ code?: string, retryAfterMs?: number | null }} error */
function whyNotCreated({ code, retryAfterMs }) {
	if (!navigator.onLine) return t('offlineNoRoom');
	switch (code) {
		case 'network':
		case 'timeout':
		case 'unavailable':
			return t('unreachableNoRoom');
		case 'rate_limited':
			return t('tooManyRooms', { minutes: Math.ceil((retryAfterMs ?? 60_000) / 60_000) });
		default:
			return t('notCreated', { code: code ?? '' });
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
		if (link.state !== 'ok') say(t(CANNOT_OPEN[link.state]));
		else if (link.origin !== '' && link.origin !== location.origin)
			say(t('otherServer', { host: new URL(link.origin).host }));
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
	parts.more.setAttribute('aria-label', t('moreAbout', { name }));
	parts.more.addEventListener('click', () => showRoomMenu(record, store, redraw));
	return root;
}

/** @param {RoomRecord} record */
function whenOf(record) {
	if (record.closed) return t(record.closed === 'deleted' ? 'deleted' : 'expired');
	return t(ROLES[record.role], { when: timeOrDayAmid(record.openedAtMs) });
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
		const label = await asked(t('nameForYourself'), {
			label: t('onlyThisBrowser'),
			value: record.label,
			maxLength: 80,
			yes: t('save'),
		});
		if (label !== null) await renameRoom(store, record.room, label);
		redraw();
	};
	const forget = async () => {
		dialog.close();
		const text = t(record.role === 'owner' ? 'forgetsOwned' : 'forgets');
		if (!(await confirmed(t('forgetNamed', { name }), text, t('forget')))) return;
		await forgetRoom(store, record.room);
		toast(t('forgotten'));
		redraw();
	};
	const dialog = openDialog(
		name,
		make('div', { class: 'menu' }, button(t('nameForYourself'), rename), button(t('forgetRoom'), forget, 'danger')),
	);
}
