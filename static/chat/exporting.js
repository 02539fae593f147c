// Keeps what a room shows as a file of one's own.

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { failure } from '../view/failures.js';
import { save as saveFile } from '../view/saving.js';
import { asHtml, asText, fileName } from '../room/exporting.js';
import { loadedShare } from '../room/finder.js';
import { dayOf } from '../values/finding.js';
import { dateOf, timeOfDay } from '../values/when.js';
import { t } from '../values/words.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 *
 * @typedef {{ title: string, whole: boolean, signal: AbortSignal, atMs: number }} Loaded `whole`: nothing older is missing.
 */

/** The page that checks signed copies, as this server gives it out. */
const CHECKER = '/verify.html';

/** @param {RoomFacade} room */
export function showExport(room) {
	const progress = make('progress', { max: '1', 'aria-label': t('loadingRoom') });
	const state = make('p', { class: 'quiet', role: 'status' });
	let stopping = new AbortController();

	/** Loads all there is, and does something with it. @param {(kept: Loaded) => Promise<string>} finish It says what came of it. */
	const begin = async (finish) => {
		const { signal } = (stopping = new AbortController());
		work(true);
		say(t('loadingBefore'));
		try {
			const whole = await loadAll(room, signal, (share) => (progress.value = share));
			const title = room.displayName || t('unnamedRoom');
			if (!signal.aborted) toast(await finish({ title, whole, signal, atMs: Date.now() }));
			say('');
		} catch (cause) {
			say(signal.aborted ? '' : t('copyFailed', { why: failure(cause) }));
		}
		if (stopping.signal === signal) work(false);
	};
	const save = (/** @type {'txt' | 'html'} */ ending) =>
		begin(async ({ title, whole, atMs }) => {
			const kept = { title, entries: room.entries, atMs, whole, day: dateOf, time: timeOfDay };
			const [content, type] = ending === 'txt' ? [asText(kept), 'text/plain'] : [asHtml(kept), 'text/html'];
			saveFile(new Blob([content], { type: `${type};charset=utf-8` }), fileName(title, dayOf(atMs), ending));
			return whole ? t('saved') : t('savedSome');
		});
	const saveSigned = () =>
		begin(async ({ title, whole, signal, atMs }) => {
			say(t('copying'));
			progress.value = 0;
			const told = (/** @type {number} */ share) => (progress.value = share);
			const { copy, missing } = await room.signedCopy({ files: files.checked, signal, progress: told });
			saveFile(copy, fileName(title, dayOf(atMs), 'json'));
			if (missing > 0) return t('savedWithout', { count: missing });
			return whole ? t('saved') : t('savedSome');
		});
	const say = (/** @type {string} */ text) => (state.textContent = text);
	const work = (/** @type {boolean} */ works) => {
		for (const press of [text, html, signed, files]) press.disabled = works;
		progress.hidden = cancel.hidden = !works;
	};

	const text = button(t('asText'), () => save('txt'), 'secondary');
	const html = button(t('asPage'), () => save('html'), 'secondary');
	const signed = button(t('asSigned'), saveSigned, 'secondary');
	const files = make('input', { type: 'checkbox', checked: true });
	const cancel = button(t('cancel'), () => stopping.abort(), 'secondary');
	const checker = make('a', { href: CHECKER, download: 'verify.html' }, t('saveChecker'));
	const dialog = openDialog(
		t('keepCopy'),
		make('p', {}, t('keepText')),
		make('p', { class: 'caution' }, t('keepWarning')),
		make(
			'section',
			{},
			make('h3', {}, t('keepPlain')),
			make('p', {}, t('keepPlainText')),
			make('div', { class: 'actions' }, text, html),
		),
		make(
			'section',
			{},
			make('h3', {}, t('keepSigned')),
			make('p', {}, t('keepSignedText')),
			make('label', { class: 'tick' }, files, t('withFiles')),
			make('div', { class: 'actions' }, signed),
			make('p', {}, checker),
		),
		state,
		progress,
		make('div', { class: 'actions' }, cancel),
	);
	work(false);
	dialog.addEventListener('close', () => stopping.abort());
}

/**
 * @param {RoomFacade} room
 * @param {AbortSignal} signal
 * @param {(share: number) => void} told how much is there, from 0 to 1
 * @returns {Promise<boolean>} whether nothing older is missing
 */
async function loadAll(room, signal, told) {
	try {
		while (room.hasOlder && !signal.aborted) {
			told(loadedShare(room));
			if ((await room.loadOlder()) === 0) break;
		}
	} catch {
		return false;
	}
	return !room.hasOlder;
}
