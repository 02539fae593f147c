// What the address asks for, on the screen.

import { t } from './values/words.js';
import { takeLink } from './view/address.js';
import { loadWords } from './view/speaking.js';
import { admit, forgetRoom, listRooms, roomAddress, takeIdentity, watchForgotten } from './room/rooms.js';

/**
 * @typedef {import('./room/rooms.js').Admitted} Admitted
 * @typedef {import('./values/link.js').ParsedLink} ParsedLink
 * @typedef {import('./storage/store.js').Store} Store
 * @typedef {import('./chat/beside.js').Beside} Beside
 * @typedef {import('./room/facade.js').RoomFacade} RoomFacade
 */

/** From here on two columns fit. */
const WIDE = matchMedia('(min-width: 1000px)');

export class Pages {
	#screen;
	#store;
	/** The room on the screen. @type {Admitted['record'] | null} */
	#shown = null;
	/** The same, once one is in. @type {RoomFacade | null} */
	#entered = null;
	/** Ends what the screen before has started. */
	#leave = () => {};
	/** The rooms beside the one on the screen, where the screen is wide. @type {Beside | null} */
	#beside = null;
	/** Counts what was shown, so that an answer that comes late does not show over a later one. */
	#turn = 0;

	/** @param {HTMLElement} screen @param {Store} store */
	constructor(screen, store) {
		this.#screen = screen;
		this.#store = store;
		watchForgotten(store, (room) => {
			if (room !== this.#shown?.room) return;
			// Nothing of it is to be stored on the way out.
			this.#shown.joined = false;
			void this.follow('/');
		});
		WIDE.addEventListener('change', () => {
			if (!WIDE.matches) this.#leaveBeside();
			else if (this.#entered) void this.#showBeside(this.#entered);
		});
	}

	/**
	 * Goes to an address of this page.
	 *
	 * @param {string} address
	 */
	follow(address) {
		history.pushState(null, '', new URL(address, location.origin));
		return this.show(takeLink());
	}

	/** @param {ParsedLink} link */
	async show(link) {
		const turn = this.#next();
		switch (link.state) {
			case 'ok':
				return this.#admit(link, turn);
			case 'incomplete': {
				const screens = await loadScreens();
				const record = (await listRooms(this.#store)).find((one) => one.room === link.room);
				const address = record && (await roomAddress(record));
				if (turn === this.#turn) screens?.showIncomplete(this.#screen, address ? () => this.follow(address) : null);
				return;
			}
			case 'newer':
				return (await loadScreens())?.showNewer(this.#screen);
			case 'unknown_room':
				return (await loadScreens())?.showNotHere(this.#screen);
			default: {
				const [rooms, start] = await Promise.all([listRooms(this.#store), loadStart()]);
				if (turn !== this.#turn) return;
				if (!start) return (await loadScreens())?.showNotLoaded(this.#screen);
				this.#leaveBeside();
				this.#leave = start.showStart(this.#screen, this.#store, rooms, {
					enter: (admitted) => this.#enter(admitted),
					follow: (address) => this.follow(address),
					open: (link) => this.#open(link),
				});
			}
		}
	}

	/**
	 * Opens a link that was handed over; only what may stay in the address bar ever gets there.
	 *
	 * @param {Extract<ParsedLink, { state: 'ok' }>} link
	 */
	#open(link) {
		history.pushState(null, '', `/r/${link.room}`);
		return this.show(link);
	}

	/** Leaves what is shown. @returns {number} the turn of what comes next */
	#next() {
		this.#leave();
		this.#leave = () => {};
		this.#shown = null;
		this.#entered = null;
		this.#turn += 1;
		return this.#turn;
	}

	/**
	 * @param {Extract<ParsedLink, { state: 'ok' }>} link
	 * @param {number} turn
	 */
	async #admit(link, turn) {
		loadPhases();
		try {
			const { record, address, otherIdentity } = await admit(this.#store, link);
			if (turn !== this.#turn) return;
			history.replaceState(null, '', address);
			// Whoever made such a link can speak as whoever takes its identity.
			const takes = otherIdentity !== undefined && (await isOwnLink());
			if (turn !== this.#turn) return;
			await this.#showRoom(takes ? await takeIdentity(this.#store, record, otherIdentity) : record, turn);
		} catch (error) {
			if (/** @type {{ code?: string }} */ (error).code !== 'wrong_key') throw error;
			(await loadScreens())?.showNotHere(this.#screen);
		}
	}

	/** @param {Admitted} admitted a room that was just made */
	#enter({ record, address }) {
		history.pushState(null, '', address);
		return this.#showRoom(record, this.#next());
	}

	/**
	 * @param {Admitted['record']} record
	 * @param {number} turn
	 */
	async #showRoom(record, turn) {
		this.#shown = record;
		const forget = async () => {
			record.joined = false;
			this.#next();
			await forgetRoom(this.#store, record.room);
			return this.follow('/');
		};
		const phases = await loadPhases();
		if (turn !== this.#turn) return;
		if (phases) {
			this.#leave = phases.showRoom(this.#screen, record, {
				store: this.#store,
				forget,
				entered: (room) => turn === this.#turn && this.#showBeside(room),
			});
		} else (await loadScreens())?.showNotLoaded(this.#screen);
	}

	/** @param {RoomFacade} room that is open now */
	async #showBeside(room) {
		this.#entered = room;
		if (!WIDE.matches || !this.#store.persistent) return;
		const turn = this.#turn;
		const [loaded] = await Promise.all([import('./chat/beside.js'), loadWords('start', 'room')]).catch(() => [null]);
		if (!loaded || turn !== this.#turn || !WIDE.matches) return;
		this.#beside ??= new loaded.Beside(this.#screen, this.#store, (address) => this.follow(address));
		this.#beside.show(room);
	}

	#leaveBeside() {
		this.#beside?.close();
		this.#beside = null;
	}
}

/** A room shows without it. */
function loadStart() {
	return spoken(import('./view/start.js'), 'start');
}

/** Most of the page is for open rooms; the start page shows without it. */
function loadPhases() {
	return spoken(import('./chat/phases.js'), 'screens');
}

/** Screens that say one thing; where even they do not come, what the page began with stays. */
function loadScreens() {
	return spoken(import('./view/screens.js'), 'screens');
}

/**
 * @template Module
 * @param {Promise<Module>} module
 * @param {import('./view/speaking.js').Part} part of the words
 * @returns {Promise<Module | null>} once its words are there, too
 */
async function spoken(module, part) {
	const [loaded] = await Promise.all([module, loadWords(part)]).catch(() => [null]);
	return loaded;
}

/** @returns {Promise<boolean>} whether somebody says that the link that carries an identity is theirs */
async function isOwnLink() {
	const [{ confirmed }] = await Promise.all([import('./view/dialogs.js'), loadWords('start')]);
	return confirmed(t('yourOwnLink'), t('yourOwnLinkText'), t('itIsMine'));
}

/** Without a worker the page works all the same. */
export function keepFiles() {
	import('./view/worker.js').then(
		({ registerWorker }) => registerWorker(),
		() => {},
	);
}

/** For browsers that cannot. @param {HTMLElement} screen @param {'insecure' | 'old'} why */
export async function showUnsupported(screen, why) {
	const screens = await loadScreens();
	if (why === 'insecure') screens?.showInsecure(screen);
	else screens?.showTooOld(screen);
}
