// Shows a room from before joining to its end: whichever phase it is in, its screen.

import { showChat } from './chat.js';
import { Room } from './room.js';
import { suggestedName } from './rooms.js';
import { showGone, showNotHere, showPreview, showUnreachable } from './screens.js';

/**
 * @typedef {import('./store.js').RoomRecord} RoomRecord
 * @typedef {import('./store.js').Store} Store
 */

/**
 * Opens a room and shows it until told to stop.
 *
 * @param {HTMLElement} screen
 * @param {RoomRecord} record
 * @param {object} options
 * @param {Store} options.store
 * @param {() => unknown} options.forget wipes the room from this browser and leaves it
 * @returns {() => void} leaves the room
 */
export function showRoom(screen, record, { store, forget }) {
	const room = new Room(record, { store, visible: !document.hidden });
	const left = new AbortController();
	const { signal } = left;
	let leaveChat = () => {};
	/** @type {string | null} */
	let drawn = null;

	const draw = async () => {
		if (signal.aborted || drawn === room.phase) return;
		drawn = room.phase;
		leaveChat();
		leaveChat = () => {};
		for (const dialog of document.querySelectorAll('dialog')) dialog.close();
		switch (room.phase) {
			case 'preview':
				showPreview(screen, room, () => room.join(''));
				break;
			case 'open': {
				store.askPersistence();
				const suggestion = await suggestedName(store);
				if (signal.aborted || room.phase !== 'open') return;
				leaveChat = showChat(screen, room, { persistent: store.persistent, suggestion, forget });
				break;
			}
			case 'gone':
				showGone(screen, room, forget);
				break;
			case 'not_here':
				showNotHere(screen);
				break;
			case 'unreachable':
				showUnreachable(screen, retry);
				break;
			default:
			// While it opens, what was shown before stays: the screen must not flicker.
		}
	};
	const retry = async () => {
		drawn = null;
		await room.open();
		await draw();
	};

	room.addEventListener('phase', draw, { signal });
	document.addEventListener('visibilitychange', () => room.setVisible(!document.hidden), { signal });
	// A page that is only set aside comes back as it was; one that is left says goodbye.
	addEventListener('pagehide', (event) => event.persisted || room.close(), { signal });
	addEventListener('online', () => room.phase === 'unreachable' && retry(), { signal });
	room.open().then(draw);

	return () => {
		left.abort();
		leaveChat();
		room.close();
	};
}
