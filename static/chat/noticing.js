// Tells of messages while nobody looks at the room, as its person wants: one notice of the system for all tabs, and
// none while one of them is looked at.

import { shownName } from './describe.js';
import { gist, quoteOf } from '../values/text.js';
import { t } from '../values/words.js';
import { workerOf } from '../wire/push.js';

/**
 * @import { Changes, RoomFacade, ShownEntry } from '../room/facade.js'
 *
 * @typedef {Extract<ShownEntry, { type: 'message' }>} Message
 */

/** Tabs in which a room is looked at hold this, with the room's id behind it. */
const LOOKING = 'buddy/looking/';
/** What a notice says of a message. */
const MOST_CHARACTERS = 160;
/** What the room's worker told of a moment ago is the same message. */
const SAME_MS = 30_000;

/** Whether this browser can show notices at all. */
export function canNotify() {
	return 'Notification' in globalThis;
}

/**
 * Watches a room for as long as it is open.
 *
 * @param {RoomFacade} room
 * @param {AbortSignal} closed
 */
export function watchRoom(room, closed) {
	if (!canNotify() || !navigator.locks) return;
	const lock = LOOKING + room.room;
	/** Lets go of the lock. @type {(() => void) | null} */
	let looksNoMore = null;
	/** @type {Notification[]} */
	const shown = [];

	const look = () => {
		const looks = !closed.aborted && !document.hidden && document.hasFocus();
		if (!looks) {
			looksNoMore?.();
			looksNoMore = null;
			return;
		}
		for (const one of shown.splice(0)) one.close();
		void closeTold(room);
		if (looksNoMore) return;
		const until = new Promise((resolve) => (looksNoMore = () => resolve(undefined)));
		void navigator.locks.request(lock, { mode: 'shared' }, () => until);
	};
	const tell = async (/** @type {Set<string>} */ changed) => {
		if (Notification.permission !== 'granted' || room.notify === 'nothing') return;
		const news = room.entries.slice(-changed.size - 10).filter(({ key }) => changed.has(key));
		if (news.length === 0) return;
		const { held = [] } = await navigator.locks.query();
		if (held.some(({ name }) => name === lock)) return;
		const told = await room.claimNotices(news);
		const last = told.at(-1);
		if (!last) return;
		const notice = await show(room, last, told.length);
		if (notice) shown.push(notice);
	};

	for (const event of ['focus', 'blur']) addEventListener(event, look, { signal: closed });
	document.addEventListener('visibilitychange', look, { signal: closed });
	closed.addEventListener('abort', look);
	room.addEventListener(
		'entries',
		(event) => {
			const { kind, changed } = /** @type {CustomEvent<Changes>} */ (event).detail;
			if (kind === 'append') void tell(changed);
		},
		{ signal: closed },
	);
	look();
}

/**
 * @param {RoomFacade} room
 * @param {Message} message the last one
 * @param {number} count of how many it tells
 * @returns {Promise<Notification | null>} null where the system shows it by itself
 */
async function show(room, message, count) {
	const who = shownName(message.name);
	const body = count === 1 ? `${who}: ${quoteOf(gist(message), MOST_CHARACTERS)}` : t('newMessages', { count });
	const title = room.displayName || t('unnamedRoom');
	const tag = tagOf(room);
	// A later one of the same room takes the place of the one before, and is heard again.
	const data = { room: room.room, atMs: Date.now() };
	const options = { body, tag, renotify: true, icon: '/icon-512.png', data };
	const worker = room.push ? await workerOf(room.room) : undefined;
	if (worker) {
		// Browsers hold notices of a page and of its workers apart; of one worker, they replace each other.
		const [told] = await worker.getNotifications({ tag });
		options.renotify = told?.data?.by !== 'push' || Date.now() - told.data.atMs >= SAME_MS;
		await worker.showNotification(title, options).catch(() => {});
		return null;
	}
	try {
		const notice = new Notification(title, options);
		notice.addEventListener('click', () => {
			globalThis.focus();
			notice.close();
		});
		return notice;
	} catch {
		// Phones show notices of the worker only, which also hears the press.
		const registration = await navigator.serviceWorker?.getRegistration();
		await registration?.showNotification(title, options).catch(() => {});
		return null;
	}
}

/** What the room's worker shows goes when the room is looked at. @param {RoomFacade} room */
async function closeTold(room) {
	if (!room.push) return;
	const worker = await workerOf(room.room);
	for (const notice of (await worker?.getNotifications({ tag: tagOf(room) })) ?? []) notice.close();
}

/** @param {RoomFacade} room */
function tagOf({ room }) {
	return `buddy/${room}`;
}
