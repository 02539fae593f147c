// Screens that say one thing and offer a way on: links that lead nowhere, rooms that are gone,
// browsers that cannot, and the question before joining.

import { button, fromTemplate, icon, make } from './dom.js';
import { duration } from '../values/when.js';

/** @typedef {import('../room/facade.js').RoomFacade} Room */

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
	return make('a', { class: 'button secondary', href: '/' }, 'Go to the start page');
}

/**
 * @param {HTMLElement} screen
 * @param {(() => void) | null} openKnown opens the room with what this browser remembers, if it does
 */
export function showIncomplete(screen, openKnown) {
	const rest = openKnown ? [button('Open it with the link I used before', openKnown)] : [];
	showMessage(
		screen,
		'This link is incomplete',
		'The part after # is missing or was cut off. It holds the key to the room, and the server never sees it. Ask whoever sent the link to send it whole.',
		...rest,
		toStart(),
	);
}

/** @param {HTMLElement} screen */
export function showNewer(screen) {
	showMessage(
		screen,
		'This link was made by a newer Buddy',
		'Load the page again to get the newest version. If this stays, the server you are on has not been updated yet.',
		button('Load again', () => location.reload()),
		toStart(),
	);
}

/** @param {HTMLElement} screen */
export function showNotHere(screen) {
	showMessage(
		screen,
		'There is no room here',
		'The link may be wrong or was taken back, or the room was deleted or has expired. The server tells nobody which. Ask whoever sent you the link for a new one.',
		toStart(),
	);
}

const GONE = {
	deleted: ['This room was deleted', 'Its owner deleted it for everyone. Its messages are gone, in this browser too.'],
	expired: [
		'This room has expired',
		'Nobody wrote here for as long as the room was kept. Its messages are gone, in this browser too.',
	],
	unknown: [
		'This room is gone',
		'It was here when this browser last looked. It has been deleted or has expired since.',
	],
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
	showMessage(screen, title, text, button('Remove it from my rooms', forget), toStart());
}

const ENDED = {
	used_up: [
		'This link was used up',
		'It let in as many people as it was made for. Ask whoever sent it to you for another one.',
	],
	expired: ['This link has expired', 'It was made for a limited time. Ask whoever sent it to you for another one.'],
};

/** @param {HTMLElement} screen @param {Room} room whose link let nobody in */
export function showLinkEnded(screen, room) {
	const [title, text] = ENDED[room.linkEnded ?? 'expired'];
	showMessage(screen, title, text, toStart());
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
	const where = title ? `“${title}”` : 'this room';
	const who = owner || 'The owner';
	const [head, text] =
		how === 'removed'
			? [
					'You were removed',
					`${who} removed you from ${where}. What is written there from now on is not for you, and this page shows nothing of it any more. If that is a mistake, ask them for a new link.`,
				]
			: [
					'You need a new link',
					`${who} changed the keys of ${where}, and this browser was not given the new ones. Ask them, or somebody who is there, for a link.`,
				];
	showMessage(screen, head, text, button('Remove it from my rooms', forget), toStart());
	if (unsent.length > 0) screen.querySelector('.lede')?.after(unsentWords(unsent));
}

/** Own words that nobody else has read. @param {string[]} texts */
function unsentWords(texts) {
	const list = make('ul', { role: 'list' }, ...texts.map((text) => make('li', { dir: 'auto' }, text)));
	const copyAll = () => import('./share.js').then(({ copy }) => copy(texts.join('\n\n'), list));
	return make(
		'section',
		{ class: 'unsent', 'aria-label': 'What you had not sent' },
		make('h2', {}, 'What you had not sent'),
		list,
		button('Copy it', copyAll, 'secondary'),
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
	const verb = room.canWrite ? 'Join' : 'Read';
	parts.title.textContent = room.canWrite ? 'You are invited to a room' : 'You may read along in a room';
	parts.join.textContent = verb;
	/** @type {[string, string][]} */
	const said = [
		['invite', 'This link may work only so often, so it is not opened before you say so.'],
		['shield', 'Messages are encrypted in your browser. The server cannot read them.'],
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
	const [title, text] = navigator.onLine
		? [
				'The server can’t be reached',
				'Your link is fine, but the server does not answer right now. This page keeps trying.',
			]
		: ['You are offline', 'Your link is fine. The room opens as soon as you are connected again.'];
	showMessage(screen, title, text, button('Try again', again), toStart());
}

/**
 * The server gave keys for this link that are not its own.
 *
 * @param {HTMLElement} screen
 * @param {() => unknown} again
 */
export function showMistrusted(screen, again) {
	showMessage(
		screen,
		'The server’s answer does not fit this link',
		'What it gave as the keys of the room is of another link, of an earlier time, or was changed, and nothing of it was used. Your link may have been taken back, or the server is not honest. Ask whoever sent you the link, by another way.',
		button('Try again', again),
		toStart(),
	);
}

/** @param {HTMLElement} screen */
export function showNotLoaded(screen) {
	showMessage(
		screen,
		'The page could not be loaded whole',
		'A part of it is missing. Check the connection and load it again.',
		button('Load again', () => location.reload()),
	);
}

/** @param {HTMLElement} screen */
export function showInsecure(screen) {
	showMessage(
		screen,
		'This page is not on HTTPS',
		'Buddy encrypts in your browser, and browsers allow that only on a secure address. Open the same link with https:// at its beginning.',
	);
}

/** @param {HTMLElement} screen */
export function showTooOld(screen) {
	showMessage(
		screen,
		'This browser is too old',
		'Buddy signs every message, which this browser cannot do (Ed25519 is missing). Today’s Chrome, Edge, Firefox and Safari can.',
	);
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
	const name = room.displayName || 'this room';
	const verb = room.canWrite ? 'Join' : 'Read';
	parts.title.textContent = `${verb} ${name}`;
	parts.join.textContent = verb;
	parts.facts.append(...facts(room).map(([symbol, text]) => make('li', {}, icon(symbol), make('span', {}, text))));
	onceJoined(parts.join, join);
	document.title = `${verb} ${name} · Buddy`;
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
			? ['invite', 'You own this room: you can lock it, change it and delete it.']
			: room.canWrite
				? ['invite', 'Whoever has this link can read, write, and invite others.']
				: ['invite', 'With this link you can read everything, but not write.'],
		...(room.carriesIdentity
			? [
					/** @type {[string, string]} */ ([
						'invite',
						'This link makes you the same person as on the device it was made on. Is it not yours? Then ask for another.',
					]),
				]
			: []),
		['shield', 'Messages are encrypted in your browser. The server cannot read them.'],
		messageTtlS
			? ['clock', `Messages disappear ${duration(messageTtlS)} after they were sent.`]
			: ['clock', 'Messages stay as long as the room.'],
		['clock', `The room expires in ${duration(left)} if nobody writes.`],
		...(locked ? [/** @type {[string, string]} */ (['lock', 'It is locked: for now only its owner writes.'])] : []),
	];
}
