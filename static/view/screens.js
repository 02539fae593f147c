// Screens that say one thing and offer a way on: links that lead nowhere, rooms that are gone,
// browsers that cannot, and the question before joining.

import { duration } from '../values/when.js';
import { t } from '../values/words.js';
import { button, fromTemplate, icon, make } from './dom.js';

/**
 * @import { Key } from '../values/words.js'
 *
 * @typedef {import('../room/facade.js').RoomFacade} Room
 */

/**
 * Shows a screen with a title, a text and ways on. Focus goes to the title, so that screen
 * readers read what has changed.
 *
 * @param {HTMLElement} screen
 * @param {string} title
 * @param {string} text
 * @param {...HTMLElement} actions
 */
function showMessage(screen, title, text, ...actions) {
	const { root, parts } = fromTemplate('t-message-screen');
	parts.title.textContent = title;
	parts.text.textContent = text;
	parts.actions.append(...actions);
	document.title = `${title} · Buddy`;
	screen.replaceChildren(root);
	parts.title.focus();
}

function toStart() {
	return make('a', { class: 'button secondary', href: '/' }, t('toStart'));
}

/**
 * @param {HTMLElement} screen
 * @param {(() => void) | null} openKnown opens the room with what this browser remembers, if it does
 */
export function showIncomplete(screen, openKnown) {
	const rest = openKnown ? [button(t('openKnown'), openKnown)] : [];
	showMessage(screen, t('incomplete'), t('incompleteText'), ...rest, toStart());
}

/** @param {HTMLElement} screen */
export function showNewer(screen) {
	showMessage(
		screen,
		t('newer'),
		t('newerText'),
		button(t('loadAgain'), () => location.reload()),
		toStart(),
	);
}

/** @param {HTMLElement} screen */
export function showNotHere(screen) {
	showMessage(screen, t('notHere'), t('notHereText'), toStart());
}

/** @type {Record<'deleted' | 'expired' | 'unknown', [title: Key, text: Key]>} */
const GONE = {
	deleted: ['goneDeleted', 'goneDeletedText'],
	expired: ['goneExpired', 'goneExpiredText'],
	unknown: ['gone', 'goneText'],
};

/**
 * For a browser that knew the room.
 *
 * @param {HTMLElement} screen
 * @param {Room} room
 * @param {() => void} forget
 */
export function showGone(screen, room, forget) {
	const [title, text] = GONE[room.goneReason ?? 'unknown'];
	showMessage(screen, t(title), t(text), button(t('removeFromRooms'), forget), toStart());
}

/** @type {Record<'used_up' | 'expired', [title: Key, text: Key]>} */
const ENDED = {
	used_up: ['linkUsedUp', 'linkUsedUpText'],
	expired: ['linkExpired', 'linkExpiredText'],
};

/** @param {HTMLElement} screen @param {Room} room whose link let nobody in */
export function showLinkEnded(screen, room) {
	const [title, text] = ENDED[room.linkEnded ?? 'expired'];
	showMessage(screen, t(title), t(text), toStart());
}

/**
 * For whom the owner left out of the new keys. Nothing of the room stays on the screen.
 *
 * @param {HTMLElement} screen
 * @param {Room} room
 * @param {() => void} forget
 */
export function showRemoved(screen, room, forget) {
	const { how, title, owner, unsent } = room.removal ?? { how: 'left_out', title: '', owner: '', unsent: [] };
	const where = title ? t('named', { name: title }) : t('thisRoom');
	const who = owner || t('theOwner');
	const [head, text] =
		how === 'removed'
			? [t('removed'), t('removedText', { who, where })]
			: [t('leftOut'), t('leftOutText', { who, where })];
	showMessage(screen, head, text, button(t('removeFromRooms'), forget), toStart());
	if (unsent.length > 0) screen.querySelector('.lede')?.after(unsentWords(unsent));
}

/** Own words that nobody else has read. @param {string[]} texts */
function unsentWords(texts) {
	const list = make('ul', { role: 'list' }, ...texts.map((text) => make('li', { dir: 'auto' }, text)));
	const copyAll = () => import('./share.js').then(({ copy }) => copy(texts.join('\n\n'), list));
	return make(
		'section',
		{ class: 'unsent', 'aria-label': t('unsent') },
		make('h2', {}, t('unsent')),
		list,
		button(t('copyIt'), copyAll, 'secondary'),
	);
}

/**
 * Asks before a link that may be opened only so often is opened: what stands here was not asked of the server.
 *
 * @param {HTMLElement} screen
 * @param {Room} room
 * @param {() => void} join
 */
export function showInvited(screen, room, join) {
	const { root, parts } = fromTemplate('t-preview');
	const verb = room.canWrite ? t('join') : t('read');
	parts.title.textContent = room.canWrite ? t('invited') : t('invitedToRead');
	parts.join.textContent = verb;
	/** @type {[string, string][]} */
	const said = [
		['invite', t('factOften')],
		['shield', t('factEncrypted')],
	];
	parts.facts.append(...said.map(([symbol, text]) => make('li', {}, icon(symbol), make('span', {}, text))));
	onceJoined(parts.join, join);
	document.title = `${parts.title.textContent} · Buddy`;
	screen.replaceChildren(root);
	parts.title.focus();
}

/** @param {HTMLButtonElement} button @param {() => void} join */
function onceJoined(button, join) {
	button.addEventListener('click', () => {
		button.disabled = true;
		join();
	});
}

/**
 * @param {HTMLElement} screen
 * @param {() => void} again
 */
export function showUnreachable(screen, again) {
	const [title, text] = navigator.onLine ? [t('unreachable'), t('unreachableText')] : [t('offline'), t('offlineText')];
	showMessage(screen, title, text, button(t('tryAgain'), again), toStart());
}

/**
 * The server gave keys for this link that are not its own.
 *
 * @param {HTMLElement} screen
 * @param {() => unknown} again
 */
export function showMistrusted(screen, again) {
	showMessage(screen, t('mistrusted'), t('mistrustedText'), button(t('tryAgain'), again), toStart());
}

/** @param {HTMLElement} screen */
export function showNotLoaded(screen) {
	showMessage(
		screen,
		t('notWhole'),
		t('notWholeText'),
		button(t('loadAgain'), () => location.reload()),
	);
}

/** @param {HTMLElement} screen */
export function showInsecure(screen) {
	showMessage(screen, t('insecure'), t('insecureText'));
}

/** @param {HTMLElement} screen */
export function showTooOld(screen) {
	showMessage(screen, t('tooOld'), t('tooOldText'));
}

/**
 * Asks a newcomer. Until the button is pressed nobody learns that anyone looked.
 *
 * @param {HTMLElement} screen
 * @param {Room} room
 * @param {() => void} join
 */
export function showPreview(screen, room, join) {
	const { root, parts } = fromTemplate('t-preview');
	const name = room.displayName || t('aRoom');
	const verb = room.canWrite ? t('join') : t('read');
	const title = t(room.canWrite ? 'joinRoom' : 'readRoom', { name });
	parts.title.textContent = title;
	parts.join.textContent = verb;
	parts.facts.append(...facts(room).map(([symbol, text]) => make('li', {}, icon(symbol), make('span', {}, text))));
	onceJoined(parts.join, join);
	document.title = `${title} · Buddy`;
	screen.replaceChildren(root);
	parts.title.focus();
}

/**
 * How long things are kept and who may do what.
 *
 * @param {Room} room
 * @returns {[string, string][]} icon and sentence
 */
function facts(room) {
	const { messageTtlS, expiresAtMs, locked } = room.info;
	const left = (expiresAtMs - Date.now()) / 1000;
	return [
		room.isOwner
			? ['invite', t('factOwner')]
			: room.canWrite
				? ['invite', t('factMember')]
				: ['invite', t('factReader')],
		...(room.carriesIdentity ? [/** @type {[string, string]} */ (['invite', t('factIdentity')])] : []),
		['shield', t('factEncrypted')],
		messageTtlS ? ['clock', t('factDisappear', { time: duration(messageTtlS) })] : ['clock', t('factStay')],
		['clock', t('factExpires', { time: duration(left) })],
		...(locked ? [/** @type {[string, string]} */ (['lock', t('factLocked')])] : []),
	];
}
