// Shows a room from before joining to its end: whichever phase it is in, its screen.

import { toast } from '../view/announce.js';
import { Room } from '../room/room.js';
import { suggestedName } from '../room/rooms.js';
import { loadWords } from '../view/speaking.js';
import { loadRoomStyles } from '../view/styles.js';
import {
	showGone,
	showInvited,
	showLinkEnded,
	showMistrusted,
	showNotHere,
	showNotLoaded,
	showPreview,
	showRemoved,
	showUnreachable,
} from '../view/screens.js';
import { t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').RoomFacade} RoomFacade
 * @typedef {import('../storage/store.js').RoomRecord} RoomRecord
 * @typedef {import('../storage/store.js').Store} Store
 */

/** A server that does not answer is asked again after this, and then after twice as long each time … */
const FIRST_WAIT_MS = 3_000;
/** … up to this. */
const LONGEST_WAIT_MS = 30_000;

/**
 * Opens a room and shows it until told to stop.
 *
 * @param {HTMLElement} screen
 * @param {RoomRecord} record
 * @param {object} options
 * @param {Store} options.store
 * @param {() => unknown} options.forget wipes the room from this browser and leaves it
 * @param {(room: RoomFacade) => void} options.entered it is open
 * @returns {() => void} leaves the room
 */
export function showRoom(screen, record, { store, forget, entered }) {
	const opened = new Room(record, { store, wakes: window, visible: !document.hidden });
	const room = /** @type {RoomFacade} */ (/** @type {unknown} */ (opened));
	const left = new AbortController();
	const { signal } = left;
	let leaveChat = () => {};
	/** What is on the screen. @type {string | null} */
	let drawn = null;
	let wait = FIRST_WAIT_MS;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let waiting;

	const draw = async () => {
		const wanted = room.phase === 'unreachable' ? `unreachable, online: ${navigator.onLine}` : room.phase;
		// While it opens, what was shown before stays: the screen must not flicker.
		if (signal.aborted || room.phase === 'opening' || drawn === wanted) return;
		drawn = wanted;
		leaveChat();
		leaveChat = () => {};
		for (const dialog of document.querySelectorAll('dialog')) dialog.close();
		if (room.isOwner && location.hash === '' && (room.phase === 'preview' || room.phase === 'open')) {
			await showRoomLink(room, signal);
			if (signal.aborted || drawn !== wanted) return;
		}
		switch (room.phase) {
			case 'invited':
				showInvited(screen, room, join);
				loadAhead();
				break;
			case 'preview':
				showPreview(screen, room, join);
				loadAhead();
				break;
			case 'link_ended':
				showLinkEnded(screen, room);
				break;
			case 'removed':
				showRemoved(screen, room, forget);
				break;
			case 'open': {
				askPersistence(store);
				entered(room);
				// Without it the room works all the same.
				import('../view/worker.js').then(
					({ registerWorker }) => registerWorker(),
					() => {},
				);
				const [chat, suggestion] = await Promise.all([loadChat(), suggestedName(store)]);
				if (signal.aborted || room.phase !== 'open') return;
				if (chat) leaveChat = chat.showChat(screen, room, { persistent: store.persistent, suggestion, forget });
				else showNotLoaded(screen);
				break;
			}
			case 'gone':
				showGone(screen, room, forget);
				break;
			case 'not_here':
				showNotHere(screen);
				break;
			case 'mistrusted':
				showMistrusted(screen, open);
				break;
			case 'unreachable':
				showUnreachable(screen, async () => {
					await open();
					if (room.phase === 'unreachable') toast(t('stillNoAnswer'));
				});
		}
	};
	const join = () => {
		loadChat();
		room.join('');
	};
	const open = async () => {
		clearTimeout(waiting);
		await room.open();
		if (signal.aborted || room.phase !== 'unreachable') return;
		waiting = setTimeout(open, wait * (1 + Math.random() / 4));
		wait = Math.min(2 * wait, LONGEST_WAIT_MS);
	};
	const back = () => room.phase === 'unreachable' && !document.hidden && open();

	room.addEventListener('phase', draw, { signal });
	document.addEventListener('visibilitychange', () => (room.setVisible(!document.hidden), back()), { signal });
	// A page that is only set aside comes back as it was; one that is left says goodbye.
	addEventListener('pagehide', (event) => event.persisted || room.close(), { signal });
	addEventListener('online', back, { signal });
	addEventListener('offline', draw, { signal });
	if (record.joined) loadChat();
	open();

	return () => {
		left.abort();
		clearTimeout(waiting);
		leaveChat();
		room.close();
	};
}

/** Asks the browser not to clear its storage by itself, now that it holds the way back into a room. @param {Store} store */
function askPersistence(store) {
	// What the browser answers changes nothing here.
	if (store.persistent) navigator.storage?.persist?.().catch(() => false);
}

/** Whoever sees the way in has what comes after it loaded meanwhile. */
function loadAhead() {
	import('./ahead.js').catch(() => {});
}

/** What it takes to talk. */
async function loadChat() {
	loadAhead();
	const loading = Promise.all([import('./chat.js'), loadWords('start', 'room')]).catch(() => [null]);
	const [[chat], isStyled] = await Promise.all([loading, loadRoomStyles()]);
	return isStyled ? chat : null;
}

/**
 * An owner's other device knows which link may be passed on, and so may stand in the address, once it is in.
 *
 * @param {Pick<RoomFacade, 'ownLinks'>} room
 * @param {AbortSignal} signal
 */
async function showRoomLink(room, signal) {
	const { invite } = await room.ownLinks();
	if (invite && !signal.aborted) history.replaceState(null, '', invite);
}
