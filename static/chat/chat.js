// An open room: brings the parts of the screen together and keeps them true to the room.

import { Composer, isTouchKeyboard } from './composer.js';
import { toast } from '../view/announce.js';
import { openLater } from '../view/dialogs.js';
import { fromTemplate, make, told } from '../view/dom.js';
import { watchFiles } from './files.js';
import { showInvite, welcome } from './invite.js';
import { nameInText } from './describe.js';
import { connectionState, connectionText, drawNotices, noticesOf, whyNotWriting } from './notices.js';
import { Timeline } from './timeline.js';
import { Tools } from './tools.js';
import { readShortcut } from '../view/shortcuts.js';
import { updates } from '../view/worker.js';
import { t } from '../values/words.js';

/** @typedef {import('../room/facade.js').RoomFacade} Room */

/** What stands above the first message, or in place of all. */
const BEGINNING = /** @type {const} */ ({
	beginning: 'beginning',
	loading: 'loadingHistory',
	nobody: 'nobodyWrote',
	welcome: 'nobodyWrote',
});

/** Waiting times in the notices count down this often. */
const COUNTDOWN_MS = 1000;
/** The owner is reminded of the owner link once there is something to lose. */
const REMIND_AFTER = 3;

/**
 * Shows an open room.
 *
 * @param {HTMLElement} screen
 * @param {Room} room
 * @param {object} options
 * @param {boolean} options.persistent whether this browser keeps anything
 * @param {string} options.suggestion the name used last
 * @param {() => unknown} options.forget wipes the room from this browser and leaves it
 * @returns {() => void} stops what was started here; the room itself stays open
 */
export function showChat(screen, room, { persistent, suggestion, forget }) {
	const { root, parts } = fromTemplate('t-chat');
	screen.replaceChildren(root);
	const timeline = new Timeline(room, parts, () => void drawBeginning());
	const composer = new Composer(room, parts, {
		suggestion,
		sent: () => timeline.toEnd(),
		editing: ({ seq }) => seq !== null && timeline.reveal(seq),
	});
	new Tools(room, parts.list, timeline, composer);

	/** How many messages the application's badge tells of. */
	let counted = 0;
	const drawHead = () => {
		const name = room.displayName || t('unnamedRoom');
		const unseen = document.hidden && !room.muted ? timeline.unseen : 0;
		if (unseen !== counted) drawBadge(unseen);
		counted = unseen;
		parts.title.textContent = name;
		document.title = `${unseen > 0 ? `(${unseen}) ` : ''}${name} · Buddy`;
		// Who was here when the connection went is not known to be here still.
		const connected = connectionState(room) !== 'offline';
		const here = connected ? room.people.filter((person) => person.here && !person.own).length : 0;
		parts.people.textContent = here === 0 ? t('people') : t('othersHere', { count: here });
	};
	const drawConnection = () => {
		const text = connectionText(room);
		root.dataset.connection = connectionState(room);
		// Until it is known how the room stands, nothing stands beside the words that say so: it would move with them.
		if (['live', 'offline', 'closed'].includes(root.dataset.connection)) root.dataset.settled = '';
		if (parts.connection.textContent !== text) parts.connection.textContent = text;
		drawBanners();
	};
	const drawBanners = () => {
		const remindOwner = room.isOwner && !room.ownerLinkKept && room.entries.length >= REMIND_AFTER;
		const context = {
			persistent,
			remindOwner,
			updates,
			showRecovery: () => openLater(import('./manage.js'), ({ showRecovery }) => showRecovery(room)),
			keptOwnerLink: () => room.setOwnerLinkKept().then(drawBanners),
		};
		drawNotices(parts.banners, noticesOf(room, context));
	};
	const drawDock = () => {
		const why = whyNotWriting(room);
		parts.note.hidden = why === '';
		parts.note.textContent = why;
		if (why !== '') composer.silence();
		parts.composer.hidden = why !== '';
	};
	const drawTyping = () => {
		const people = room.people.filter((person) => person.typing && !person.own);
		const names = document.createDocumentFragment();
		names.append(...people.flatMap((person, index) => [index > 0 ? ', ' : '', make('bdi', {}, nameInText(person))]));
		if (people.length === 0) parts.typing.replaceChildren();
		else if (people.length < 4)
			parts.typing.replaceChildren(told(people.length === 1 ? 'isWriting' : 'areWriting', { names }));
		else parts.typing.replaceChildren(t('severalWriting'));
	};
	const drawBeginning = async () => {
		const spoken = isSpoken(room.entries);
		// The timeline draws at the next frame, and has this drawn with it.
		if (spoken !== isSpoken(timeline.drawn)) return;
		// Who has just come knows no better than that nothing is here; that is said when it is so.
		const wanted = spoken ? 'beginning' : !room.loaded ? 'loading' : room.isOwner ? 'welcome' : 'nobody';
		if (parts.beginning.dataset.shown === wanted) return;
		parts.beginning.dataset.shown = wanted;
		const greeting = wanted === 'welcome' ? await welcome(room) : null;
		if (parts.beginning.dataset.shown !== wanted) return;
		parts.scroller.toggleAttribute('data-empty', greeting !== null);
		const text = t(BEGINNING[wanted]);
		parts.beginning.replaceChildren(greeting ?? make('p', { class: 'quiet-start' }, text));
	};

	/** @type {Promise<import('./pins.js').PinBar | null> | null} */
	let pinBar = null;
	const drawPins = () => {
		if (room.info.pins.length > 0)
			pinBar ??= import('./pins.js').then(
				({ PinBar }) => new PinBar(room, timeline, parts.bar),
				() => (pinBar = null),
			);
		void pinBar?.then((bar) => bar?.draw());
	};

	/** @type {import('./search.js').Search | null} */
	let search = null;
	const find = () =>
		openLater(import('./search.js'), ({ Search }) => {
			if (search || !root.isConnected) return search?.focus();
			search = new Search(room, timeline, parts.list, () => {
				search = null;
				if (root.isConnected) parts.find.focus();
			});
			return search.open(parts.bar);
		});
	const pressed = (/** @type {KeyboardEvent} */ event) => {
		// Pressed again, it is the browser's own.
		if (readShortcut(event) !== 'find' || search?.holdsFocus || document.querySelector('dialog[open]')) return;
		event.preventDefault();
		void find();
	};

	const left = new AbortController();
	// Until leave was given once, for any room, there is nothing to be told.
	const notice = () =>
		globalThis.Notification?.permission === 'granted' &&
		import('./noticing.js').then(
			({ watchRoom }) => watching || left.signal.aborted || (watchRoom(room, left.signal), (watching = true)),
			() => {},
		);
	let watching = false;
	void notice();
	void room.keepPush({ anew: true });
	const complete = (/** @type {InputEvent} */ { data }) => {
		if (data !== '@' && data !== ':') return;
		parts.text.removeEventListener('input', complete);
		import('./completing.js').then(
			({ Completing }) => new Completing(room, parts),
			() => parts.text.addEventListener('input', complete),
		);
	};
	parts.text.addEventListener('input', complete);

	const isUnkept = () => room.sending.count > 0 && (!persistent || room.sending.unkept);

	/** @type {[target: EventTarget, name: string, listener: (event: any) => void][]} */
	const listeners = [
		[room, 'entries', (event) => timeline.update(event.detail)],
		[room, 'entries', () => (drawHead(), drawBanners(), drawPins())],
		[
			room,
			'info',
			() => (drawBeginning(), drawHead(), drawDock(), drawBanners(), drawPins(), room.yourName && composer.showName()),
		],
		[room, 'people', () => (drawHead(), drawTyping())],
		[room, 'connection', () => (drawConnection(), drawBeginning(), drawHead())],
		[room, 'alarms', drawBanners],
		// A file that slips from a hand must not take the page away.
		[window, 'dragover', (event) => event.preventDefault()],
		[window, 'drop', (event) => takeDropped(event)],
		[room, 'sending', drawBanners],
		[updates, 'change', drawBanners],
		[window, 'online', drawConnection],
		[window, 'offline', drawConnection],
		[window, 'keydown', pressed],
		[document, 'visibilitychange', () => (timeline.seen(), drawHead())],
		// The browser asks before it leaves behind what is kept nowhere else.
		[window, 'beforeunload', (event) => isUnkept() && event.preventDefault()],
	];
	for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
	const countdown = setInterval(drawBanners, COUNTDOWN_MS);

	const stopFiles = watchFiles(room, parts.list, (target) => timeline.at(target));
	/** @param {DragEvent} event */
	const takeDropped = (event) => {
		event.preventDefault();
		const files = Array.from(event.dataTransfer?.files ?? []);
		if (files.length === 0) return;
		if (parts.composer.hidden) toast(t('cannotSendNow'));
		else composer.attach(files);
	};

	parts.find.addEventListener('click', () => (search ? search.close() : find()));
	parts.invite.addEventListener('click', () => showInvite(room));
	parts.people.addEventListener('click', () => openLater(import('./people.js'), ({ showPeople }) => showPeople(room)));
	parts.manage.addEventListener('click', () =>
		openLater(import('./manage.js'), ({ showManage }) =>
			showManage(room, { persistent, forget, named: () => composer.showName(), noticed: notice }),
		),
	);

	drawHead();
	drawConnection();
	drawDock();
	drawTyping();
	drawPins();
	drawBeginning().then(() => timeline.open());
	composer.open().then(() => {
		// On a phone the keyboard would cover the conversation before it was read.
		if (room.canWrite && !isTouchKeyboard()) composer.focus();
	});

	return () => {
		clearInterval(countdown);
		left.abort();
		search?.close();
		composer.close();
		timeline.close();
		stopFiles();
		for (const [target, name, listener] of listeners) target.removeEventListener(name, listener);
	};
}

/** @param {readonly import('../room/facade.js').ShownEntry[]} entries */
function isSpoken(entries) {
	return entries.some(({ type }) => type === 'message');
}

/** Shows on the application's icon how much is new, where it is installed. @param {number} count */
function drawBadge(count) {
	// Whoever has no icon to show it on says so, and misses nothing.
	navigator.setAppBadge?.(count).catch(() => {});
}
