// What pressing a file does: a picture is shown in the viewer, sound and film play where they stand, all else is saved
// under its name. Types are this page's own word: nothing that came along decides what the browser makes of it.

import { make } from '../view/dom.js';
import { save } from '../view/saving.js';
import { kindOf, nameOf } from './kinds.js';
import { t } from '../values/words.js';

/**
 * @import { Key } from '../values/words.js'
 *
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {import('../crypto/content.js').SentFile} SentFile
 */

const FAILURES = /** @type {Record<string, Key>} */ ({
	damaged: 'fileDamaged',
	file_not_found: 'fileGone',
	room_not_found: 'fileRoomGone',
	network: 'fileOffline',
	timeout: 'fileTimeout',
	rate_limited: 'fileRateLimited',
	unavailable: 'fileUnavailable',
});

/** @param {unknown} cause @returns {string} */
export function whyNot(cause) {
	const { code = '' } = /** @type {{ code?: string }} */ (cause ?? {});
	return t(FAILURES[code] ?? 'fileNotFetched');
}

/**
 * @param {object} asked
 * @param {Room} asked.room
 * @param {SentFile} asked.file
 * @param {HTMLElement} asked.item where it stands
 * @param {AbortSignal} asked.signal
 * @param {(player: HTMLElement) => void} asked.keep
 */
export async function openFile({ room, file, item, signal, keep }) {
	if (kindOf(file) === 'picture') {
		const { showPicture } = await import('./viewer.js');
		showPicture(room, file.id);
		return;
	}
	const blob = await fetched(room, file, item, signal);
	if (!blob) return;
	if (kindOf(file) === 'saved') {
		saveBlob(blob, file);
		return;
	}
	const tag = file.type.startsWith('video/') ? 'video' : 'audio';
	const player = make(tag, { controls: true, playsinline: true, 'aria-label': nameOf(file) });
	player.src = URL.createObjectURL(new Blob([blob], { type: file.type }));
	player.addEventListener('error', () => note(item, t('cannotPlay'), () => saveBlob(blob, file)));
	const button = item.querySelector('[data-open]');
	const hadFocus = button === document.activeElement;
	button?.replaceWith(player);
	keep(player);
	if (hadFocus) player.focus();
	await player.play().catch(() => {});
}

/** @param {Room} room @param {SentFile} file @param {HTMLElement} item @param {AbortSignal} signal @returns {Promise<Blob | null>} */
export async function fetched(room, file, item, signal) {
	if (item.dataset.loading !== undefined) return null;
	item.dataset.loading = '';
	const bar = make('progress', { max: '1', 'aria-label': t('loadingFile', { name: nameOf(file) }) });
	bar.value = 0;
	note(item, '');
	item.append(bar);
	try {
		return await room.readFile(file, { signal, progress: (share) => (bar.value = share) });
	} catch (cause) {
		if (!signal.aborted) note(item, whyNot(cause));
		return null;
	} finally {
		bar.remove();
		delete item.dataset.loading;
	}
}

/** @param {HTMLElement} item @param {string} text @param {() => void} [saveIt] */
export function note(item, text, saveIt) {
	const line = /** @type {HTMLElement | null} */ (item.querySelector('.file-note'));
	if (!line) return;
	line.hidden = text === '';
	line.replaceChildren(text);
	if (!saveIt) return;
	const button = make('button', { type: 'button', class: 'plain' }, t('save'));
	button.addEventListener('click', saveIt);
	line.append(' ', button);
}

/** Hands a file to the browser to keep, as bytes of no type. @param {Blob} blob @param {SentFile} file */
export function saveBlob(blob, file) {
	save(new Blob([blob], { type: 'application/octet-stream' }), nameOf(file));
}
