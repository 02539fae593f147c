// Files in messages: a small picture, or a name and a size, and how far they are on their way. Fetching, playing and
// viewing them is loaded when somebody asks for it (opening.js). Whatever a message says of a file is only a claim.

import { icon, make } from '../view/dom.js';
import { drawVoice } from './voice.js';
import { decodeBase64url } from '../values/bytes.js';
import { kindOf, nameOf, pictureType } from './kinds.js';
import { openLater } from '../view/dialogs.js';
import { sizeText, t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {Extract<import('../room/facade.js').ShownEntry, { type: 'message' }>} Message
 * @typedef {import('../crypto/content.js').SentFile} SentFile
 */

/** What pressing it does. */
const VERBS = /** @type {const} */ ({ picture: 'showFile', played: 'playFile', saved: 'saveFile' });

/** A small picture is drawn into a box of this side, in pixels. */
const SIDE = 320;
const LEAST_SIDE = 48;

/** How much of what is on its way has arrived, by id. @type {Map<string, { done: number, of: number }>} */
const uploads = new Map();
/** What plays stays the same element however often its message is drawn. @type {Map<string, HTMLElement>} */
const players = new Map();

/** The files of a message, in place of its text where it has none. @param {Message} entry */
export function drawFiles(entry) {
	const box = make('div', { class: 'files' });
	for (const file of entry.files) {
		const item = make('div', { class: 'file', 'data-file': file.id });
		const player = players.get(file.id);
		if (player) item.append(player);
		else item.append(drawFile(file));
		if (entry.own && entry.state === 'sending') item.append(drawUpload(file));
		item.append(make('p', { class: 'file-note', role: 'status', hidden: true }));
		box.append(item);
	}
	return box;
}

/** @param {SentFile} file */
function drawFile(file) {
	const kind = kindOf(file);
	if (kind === 'voice') return drawVoice(file);
	const picture = kind === 'picture' && file.thumb ? drawThumb(file) : null;
	if (picture) {
		const label = t('pictureNamed', { name: nameOf(file) });
		return make('button', { type: 'button', class: 'picture', 'data-open': true, 'aria-label': label }, picture);
	}
	const label = VERBS[kind];
	return make(
		'button',
		{ type: 'button', class: 'chip-file', 'data-open': true, 'aria-label': t(label, { name: nameOf(file) }) },
		icon(kind === 'saved' ? 'save' : 'play'),
		make('span', { class: 'file-text' }, make('bdi', {}, nameOf(file)), make('small', {}, sizeText(file.size))),
	);
}

/** @param {SentFile} file @returns {HTMLImageElement | null} null: its bytes are no picture */
function drawThumb({ thumb, width = SIDE, height = SIDE }) {
	const bytes = decodeBase64url(thumb ?? '');
	const type = bytes && pictureType(bytes);
	if (!bytes || !type) return null;
	const share = Math.min(1, SIDE / Math.max(width, height));
	const side = (/** @type {number} */ length) => String(Math.max(LEAST_SIDE, Math.round(length * share)));
	const image = make('img', { alt: '', width: side(width), height: side(height), decoding: 'async' });
	const address = URL.createObjectURL(new Blob([bytes], { type }));
	for (const done of ['load', 'error']) image.addEventListener(done, () => URL.revokeObjectURL(address));
	image.src = address;
	return image;
}

/** @param {SentFile} file */
function drawUpload({ id }) {
	const bar = make('progress', { 'aria-label': t('sentSoFar'), max: '1' });
	showUpload(bar, id);
	const cancel = make('button', { type: 'button', class: 'plain', 'data-cancel': true }, t('cancel'));
	return make('p', { class: 'file-upload' }, bar, cancel);
}

/** @param {HTMLProgressElement} bar @param {string} id */
function showUpload(bar, id) {
	const upload = uploads.get(id);
	bar.value = upload ? upload.done / upload.of : 0;
}

/**
 * Does what is asked of files in a list of messages, and shows how far they are on their way.
 *
 * @param {Room} room
 * @param {HTMLElement} list
 * @param {(target: EventTarget | null) => { entry: import('../room/facade.js').ShownEntry } | null} at the entry of an element
 * @returns {() => void} stops
 */
export function watchFiles(room, list, at) {
	const stopped = new AbortController();
	const { signal } = stopped;
	const keep = (/** @type {HTMLElement} */ player) => {
		const id = /** @type {HTMLElement | null} */ (player.closest('.file'))?.dataset.file;
		if (id) players.set(id, player);
	};
	/** @param {EventTarget | null} target */
	const fileAt = (target) => {
		const item = /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest('.file') : null);
		const entry = at(target)?.entry;
		if (!item || entry?.type !== 'message') return null;
		const file = entry.files.find(({ id }) => id === item.dataset.file);
		return file ? { room, file, item, signal, keep, entry } : null;
	};
	list.addEventListener(
		'click',
		(event) => {
			const pressable = '[data-open], [data-cancel], [data-play], [data-speed]';
			const target = event.target instanceof Element ? event.target.closest(pressable) : null;
			const found = fileAt(target);
			if (!target || !found) return;
			const { entry, ...asked } = found;
			if (target.hasAttribute('data-cancel')) void room.discard(entry.clientId);
			else if (target.hasAttribute('data-open'))
				void openLater(import('./opening.js'), ({ openFile }) => openFile(asked));
			else if (target.hasAttribute('data-play'))
				void openLater(import('./playing.js'), ({ togglePlaying }) => togglePlaying(asked));
			else void openLater(import('./playing.js'), ({ nextSpeed }) => nextSpeed(list));
		},
		{ signal },
	);
	list.addEventListener(
		'input',
		({ target }) => {
			const found = fileAt(target);
			if (found) void openLater(import('./playing.js'), ({ seekPlaying }) => seekPlaying(found));
		},
		{ signal },
	);
	room.addEventListener(
		'files',
		(event) => {
			const { id, done, of } = /** @type {CustomEvent<import('../room/files.js').Progress>} */ (event).detail;
			uploads.set(id, { done, of });
			const bar = list.querySelector(`[data-file="${CSS.escape(id)}"] .file-upload progress`);
			if (bar) showUpload(/** @type {HTMLProgressElement} */ (bar), id);
		},
		{ signal },
	);
	return () => {
		stopped.abort();
		uploads.clear();
		for (const player of players.values()) {
			const source = /** @type {HTMLMediaElement} */ (player).src;
			if (source) URL.revokeObjectURL(source);
		}
		players.clear();
	};
}
