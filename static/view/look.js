// Language, theme and clock: what the browser asks for, unless something else is chosen here.

import { toast } from './announce.js';
import { choose, chosen } from './chosen.js';
import { openDialog } from './dialogs.js';
import { button, make } from './dom.js';
import { LANGUAGES, spokenLanguage, t } from '../values/words.js';

/** @param {boolean} loads whether the page may load anew without losing what it holds */
export function showLook(loads) {
	const now = chosen();
	const language = select('language', now.language, [['', t('asBrowser')], ...Object.entries(LANGUAGES)]);
	for (const option of language.options) if (option.value !== '') option.lang = option.value;
	const theme = select('theme', now.theme, [
		['', t('themeSystem')],
		['light', t('themeLight')],
		['dark', t('themeDark')],
	]);
	const hours = select('hours', now.hours, [
		['', t('clockAuto', { time: example() })],
		['12', t('clock12', { time: example('h12') })],
		['24', t('clock24', { time: example('h23') })],
	]);
	const field = (/** @type {string} */ label, /** @type {HTMLElement} */ choice) =>
		make('label', { class: 'field' }, label, choice);
	const form = make(
		'form',
		{ class: 'fields' },
		field(t('language'), language),
		field(t('theme'), theme),
		field(t('clock'), hours),
		make(
			'div',
			{ class: 'actions' },
			make('button', {}, t('save')),
			button(t('cancel'), () => dialog.close(), 'secondary'),
		),
	);
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		const next = {
			language: language.value || undefined,
			theme: /** @type {'light' | 'dark' | undefined} */ (theme.value || undefined),
			hours: /** @type {12 | 24 | undefined} */ (Number(hours.value) || undefined),
		};
		dialog.close();
		showTheme(theme.value);
		if (!choose(next)) {
			toast(t('notKept'));
			return;
		}
		const isSame = now.language === next.language && now.hours === next.hours;
		// All that is on the screen would have to be said again.
		if (!isSame && loads) location.reload();
		else toast(t('saved'));
	});
	const dialog = openDialog(t('look'), form);
}

/** @param {string} theme '': as the system has it */
function showTheme(theme) {
	const { dataset } = document.documentElement;
	if (theme === '') delete dataset.theme;
	else dataset.theme = theme;
	for (const meta of document.querySelectorAll('meta[data-theme]')) {
		const own = meta.getAttribute('data-theme') ?? '';
		meta.setAttribute('media', theme === '' ? `(prefers-color-scheme: ${own})` : theme === own ? 'all' : 'not all');
	}
}

/** An afternoon on a clock. @param {'h12' | 'h23'} [hourCycle] */
function example(hourCycle) {
	const form = new Intl.DateTimeFormat(spokenLanguage(), { hour: 'numeric', minute: '2-digit', hourCycle });
	return form.format(new Date(2026, 0, 1, 15, 30));
}

/** @param {string} name @param {string | number | undefined} now @param {[value: string, text: string][]} options */
function select(name, now, options) {
	const one = make('select', { name }, ...options.map(([value, text]) => make('option', { value }, text)));
	one.value = String(now ?? '');
	return one;
}
