// What the address asks for, on the screen.

import { takeLink } from './view/address.js';
import { confirmed } from './view/dialogs.js';
import { admit, forgetRoom, listRooms, roomAddress, takeIdentity, watchForgotten } from './room/rooms.js';
import { showIncomplete, showNewer, showNotHere, showNotLoaded } from './view/screens.js';

/**
 * @typedef {import('./room/rooms.js').Admitted} Admitted
 * @typedef {import('./values/link.js').ParsedLink} ParsedLink
 * @typedef {import('./storage/store.js').Store} Store
 * @typedef {import('./chat/beside.js').Beside} Beside
 * @typedef {import('./room/facade.js').RoomFacade} RoomFacade
 */

/** From here on two columns fit. */
const WIDE = matchMedia('(min-width: 1000px)');

/** Whoever made such a link can speak as whoever takes its identity. */
const SAME_PERSON = /** @type {const} */ ([
	'Is this your own link?',
	'It makes you the same person here as on another device. Go on only if you made it yourself, on a device of your own. What you wrote here so far stays under the person you were.',
	'It is mine',
]);

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
				const record = (await listRooms(this.#store)).find((one) => one.room === link.room);
				const address = record && (await roomAddress(record));
				if (turn === this.#turn) showIncomplete(this.#screen, address ? () => this.follow(address) : null);
				return;
			}
			case 'newer':
				return showNewer(this.#screen);
			case 'unknown_room':
				return showNotHere(this.#screen);
			default: {
				const [rooms, start] = await Promise.all([listRooms(this.#store), loadStart()]);
				if (turn !== this.#turn) return;
				if (!start) return showNotLoaded(this.#screen);
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
			const takes = otherIdentity !== undefined && (await confirmed(...SAME_PERSON));
			if (turn !== this.#turn) return;
			await this.#showRoom(takes ? await takeIdentity(this.#store, record, otherIdentity) : record, turn);
		} catch (error) {
			if (/** @type {{ code?: string }} */ (error).code !== 'wrong_key') throw error;
			showNotHere(this.#screen);
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
		} else showNotLoaded(this.#screen);
	}

	/** @param {RoomFacade} room that is open now */
	async #showBeside(room) {
		this.#entered = room;
		if (!WIDE.matches || !this.#store.persistent) return;
		const turn = this.#turn;
		const loaded = await import('./chat/beside.js').catch(() => null);
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
	return import('./view/start.js').catch(() => null);
}

/** Most of the page is for open rooms; the start page shows without it. */
function loadPhases() {
	return import('./chat/phases.js').catch(() => null);
}
