// The page's first module: finds out what the address asks for and shows it.
//
// An address that carries an owner's or an identity's secret is taken out of the address bar
// before anything else happens, so that neither history nor a shared screen keeps it.

import { showChat } from './chat.js';
import { Room } from './room.js';
import { admit, forgetRoom, listRooms, roomAddress, suggestedName } from './rooms.js';
import {
	showGone,
	showIncomplete,
	showInsecure,
	showNewer,
	showNotHere,
	showPreview,
	showTooOld,
	showUnreachable,
} from './screens.js';
import { parseLink, support } from './secrets.js';
import { showStart } from './start.js';
import { openStore } from './store.js';
import { offerUpdates, registerWorker } from './worker.js';

/**
 * @typedef {import('./rooms.js').Admitted} Admitted
 * @typedef {import('./secrets.js').ParsedLink} ParsedLink
 */

const asked = takeLink();
const screen = /** @type {HTMLElement} */ (document.getElementById('screen'));
const supported = await support();
if (supported === 'insecure') showInsecure(screen);
else if (supported === 'old') showTooOld(screen);
else await start();

/** Reads the address and, if it says too much, shortens it at once. */
function takeLink() {
	const link = parseLink(location.href);
	if (link.state === 'ok' && (link.role === 'owner' || link.identity))
		history.replaceState(null, '', location.pathname);
	return link;
}

async function start() {
	const store = await openStore();
	/** Ends what the screen before has started. */
	let leave = () => {};
	/** Counts screens, so that an answer that comes late does not show over a later one. */
	let shown = 0;

	/** @param {ParsedLink} link */
	const show = async (link) => {
		leave();
		leave = () => {};
		const turn = (shown += 1);
		switch (link.state) {
			case 'ok':
				try {
					const admitted = await admit(store, link);
					if (turn !== shown) return;
					history.replaceState(null, '', admitted.address);
					await showRoom(admitted);
				} catch (error) {
					if (/** @type {{ code?: string }} */ (error).code !== 'wrong_key') throw error;
					showNotHere(screen);
				}
				return;
			case 'incomplete':
				showIncomplete(screen, await known(link.room));
				return;
			case 'newer':
				showNewer(screen);
				return;
			case 'unknown_room':
				showNotHere(screen);
				return;
			default:
				showStart(screen, store, { enter, follow });
				offerUpdates(screen);
		}
	};

	/**
	 * A way into a room that this browser already has the key of.
	 *
	 * @param {string} room
	 * @returns {Promise<(() => void) | null>}
	 */
	const known = async (room) => {
		const record = (await listRooms(store)).find((one) => one.room === room);
		if (!record) return null;
		const address = await roomAddress(record);
		return () => follow(address);
	};

	/** @param {string} address */
	const follow = (address) => {
		history.pushState(null, '', new URL(address, location.origin));
		show(takeLink());
	};

	/** @param {Admitted} admitted */
	const enter = (admitted) => {
		shown += 1;
		history.pushState(null, '', admitted.address);
		showRoom(admitted);
	};

	/** @param {Admitted} admitted */
	const showRoom = async ({ record }) => {
		const turn = shown;
		const room = new Room(record, { store });
		let closeChat = () => {};
		/** @type {string | null} */
		let drawn = null;
		const forget = async () => {
			leave();
			leave = () => {};
			await forgetRoom(store, record.room);
			history.pushState(null, '', '/');
			show({ state: 'none' });
		};
		const draw = async () => {
			if (turn !== shown || drawn === room.phase) return;
			drawn = room.phase;
			closeChat();
			closeChat = () => {};
			for (const dialog of document.querySelectorAll('dialog')) dialog.close();
			switch (room.phase) {
				case 'preview':
					showPreview(screen, room, () => room.join(''));
					break;
				case 'open': {
					store.askPersistence();
					const suggestion = await suggestedName(store);
					if (turn === shown)
						closeChat = showChat(screen, room, { persistent: store.persistent, suggestion, forget });
					break;
				}
				case 'gone':
					showGone(screen, room, forget);
					break;
				case 'not_here':
					showNotHere(screen);
					break;
				case 'unreachable':
					showUnreachable(screen, () => {
						drawn = null;
						room.open().then(draw);
					});
					break;
				default:
			}
		};
		const toldVisible = () => room.setVisible(!document.hidden);
		const hidden = (/** @type {PageTransitionEvent} */ event) => event.persisted || room.close();
		room.addEventListener('phase', draw);
		document.addEventListener('visibilitychange', toldVisible);
		addEventListener('pagehide', hidden);
		leave = () => {
			closeChat();
			room.removeEventListener('phase', draw);
			document.removeEventListener('visibilitychange', toldVisible);
			removeEventListener('pagehide', hidden);
			room.close();
		};
		toldVisible();
		await room.open();
		await draw();
	};

	// Links within the page need no load: the store may hold nothing but what this page remembers.
	addEventListener('click', (event) => {
		const link = event.target instanceof Element ? event.target.closest('a[href="/"]') : null;
		if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
		event.preventDefault();
		follow('/');
	});
	addEventListener('popstate', () => show(takeLink()));
	registerWorker();
	await show(asked);
}
