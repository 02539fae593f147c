// Keeps what a room shows as a file of one's own.

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { save as saveFile } from '../view/saving.js';
import { asHtml, asText, fileName } from '../room/exporting.js';
import { loadedShare } from '../room/finder.js';
import { dayOf } from '../values/finding.js';
import { dateOf, timeOfDay } from '../values/when.js';
import { t } from '../values/words.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 */

/** @param {RoomFacade} room */
export function showExport(room) {
	const progress = make('progress', { max: '1', 'aria-label': t('loadingRoom') });
	const state = make('p', { class: 'quiet', role: 'status' });
	let stopped = false;
	const save = async (/** @type {'txt' | 'html'} */ ending) => {
		for (const press of [text, html]) press.disabled = true;
		progress.hidden = false;
		state.textContent = t('loadingBefore');
		const whole = await loadAll(
			room,
			() => stopped,
			(share) => (progress.value = share),
		);
		for (const press of [text, html]) press.disabled = false;
		progress.hidden = true;
		state.textContent = '';
		if (stopped) return;
		const title = room.displayName || t('unnamedRoom');
		const kept = { title, entries: room.entries, atMs: Date.now(), whole, day: dateOf, time: timeOfDay };
		const [content, type] = ending === 'txt' ? [asText(kept), 'text/plain'] : [asHtml(kept), 'text/html'];
		saveFile(new Blob([content], { type: `${type};charset=utf-8` }), fileName(title, dayOf(kept.atMs), ending));
		toast(whole ? t('saved') : t('savedSome'));
	};
	const text = button(t('asText'), () => save('txt'), 'secondary');
	const html = button(t('asPage'), () => save('html'), 'secondary');
	progress.hidden = true;
	const dialog = openDialog(
		t('keepCopy'),
		make('p', {}, t('keepText')),
		make('p', { class: 'caution' }, t('keepWarning')),
		make('div', { class: 'actions' }, text, html),
		state,
		progress,
	);
	dialog.addEventListener('close', () => (stopped = true));
}

/**
 * @param {RoomFacade} room
 * @param {() => boolean} stopped
 * @param {(share: number) => void} told how much is there, from 0 to 1
 * @returns {Promise<boolean>} whether nothing older is missing
 */
async function loadAll(room, stopped, told) {
	try {
		while (room.hasOlder && !stopped()) {
			told(loadedShare(room));
			if ((await room.loadOlder()) === 0) break;
		}
	} catch {
		return false;
	}
	return !room.hasOlder;
}
