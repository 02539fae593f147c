// All emoji, to be looked through or searched by name; loaded when somebody wants one.

import { openDialog } from '../view/dialogs.js';
import { make } from '../view/dom.js';
import { findEmoji } from '../values/shortcodes.js';
import { t } from '../values/words.js';

/** So many are drawn at once; more come while one scrolls. */
const STEP = 240;

/** @import { Key } from '../values/words.js' */

/**
 * @param {object} wanted
 * @param {string} wanted.title what it is for
 * @param {Key} wanted.label what pressing one does, with the emoji in it
 * @param {(emoji: string) => void} wanted.chosen called after the dialog has closed
 * @returns {HTMLDialogElement}
 */
export function showPicker({ title, label, chosen }) {
	const search = make('input', {
		type: 'search',
		'aria-label': t('searchEmoji'),
		placeholder: t('searchEmojiHint'),
		autocomplete: 'off',
		enterkeyhint: 'done',
	});
	const grid = make('div', { class: 'emoji', role: 'group', 'aria-label': t('emoji') });
	const none = make('p', { role: 'status' });
	let found = findEmoji('');
	const more = () => {
		const from = grid.childElementCount;
		grid.append(
			...found.slice(from, from + STEP).map(({ emoji, words }) => {
				const name = words[0]?.replaceAll('_', ' ') ?? '';
				return make(
					'button',
					{
						type: 'button',
						'data-choice': emoji,
						'aria-label': `${t(label, { emoji })}, ${name}`,
						title: name,
						tabindex: '-1',
					},
					emoji,
				);
			}),
		);
	};
	const draw = () => {
		found = findEmoji(search.value);
		grid.replaceChildren();
		more();
		const [first] = grid.children;
		if (first instanceof HTMLElement) first.tabIndex = 0;
		none.textContent = found.length === 0 ? t('noEmoji') : '';
	};
	const choose = (/** @type {string} */ emoji) => {
		dialog.close();
		chosen(emoji);
	};
	search.addEventListener('input', draw);
	search.addEventListener('keydown', (event) => {
		const [first] = found;
		if (event.isComposing) return;
		if (event.key === 'Enter' && first) choose(first.emoji);
		else if (event.key === 'ArrowDown') /** @type {HTMLElement | null} */ (grid.firstElementChild)?.focus();
		else return;
		event.preventDefault();
	});
	grid.addEventListener('click', ({ target }) => {
		const press =
			target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest('[data-choice]')) : null;
		if (press) choose(press.dataset.choice ?? '');
	});
	grid.addEventListener('keydown', (event) => {
		const step = stepOf(event.key, grid);
		if (step === 0) return;
		event.preventDefault();
		const at = Array.from(grid.children).indexOf(/** @type {Element} */ (document.activeElement));
		if (at + step >= grid.childElementCount) more();
		const next = /** @type {HTMLElement | undefined} */ (grid.children[at + step]);
		if (next) reach(next);
		else if (step < 0) search.focus();
	});
	/** @param {HTMLElement} next the one that the Tab key reaches from now on */
	const reach = (next) => {
		for (const other of grid.querySelectorAll('[tabindex="0"]')) /** @type {HTMLElement} */ (other).tabIndex = -1;
		next.tabIndex = 0;
		next.focus();
	};
	const dialog = openDialog(title, search, none, grid);
	dialog.classList.add('picker');
	dialog.addEventListener('scroll', () => {
		if (dialog.scrollHeight - dialog.scrollTop - dialog.clientHeight < 600) more();
	});
	draw();
	search.focus();
	return dialog;
}

/** @param {string} key @param {HTMLElement} grid @returns {number} how many further that key leads; 0: nowhere */
function stepOf(key, grid) {
	const rtl = grid.matches(':dir(rtl)') ? -1 : 1;
	if (key === 'ArrowRight') return rtl;
	if (key === 'ArrowLeft') return -rtl;
	if (key !== 'ArrowDown' && key !== 'ArrowUp') return 0;
	const columns = getComputedStyle(grid).gridTemplateColumns.split(' ').length;
	return key === 'ArrowDown' ? columns : -columns;
}
