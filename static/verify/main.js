// The page that checks signed copies of rooms, from a disk and without a network. It is put into one file
// (src/page/bundle.rs), so whatever it needs is imported here, both languages too.

import { checkCopy } from '../room/checking.js';
import { CopyError } from '../room/copy.js';
import { support } from '../crypto/identity.js';
import { make } from '../view/dom.js';
import { words as deRoom } from '../languages/de.room.js';
import { words as deScreens } from '../languages/de.screens.js';
import { words as deStart } from '../languages/de.start.js';
import { words as deVerify } from '../languages/de.verify.js';
import { words as enRoom } from '../languages/en.room.js';
import { words as enScreens } from '../languages/en.screens.js';
import { words as enStart } from '../languages/en.start.js';
import { words as enVerify } from '../languages/en.verify.js';
import { LANGUAGES, learn, localeOf, number, speak, spokenLanguage, t } from '../values/words.js';
import { drawChecked } from './verdict.js';

/**
 * @import { Key, Language } from '../values/words.js'
 */

const WORDS = { en: [enStart, enScreens, enRoom, enVerify], de: [deStart, deScreens, deRoom, deVerify] };

/** What is said where a file cannot be looked at. @type {Record<import('../room/copy.js').CopyFault, Key>} */
const FAULTS = {
	no_copy: 'copyNone',
	newer: 'copyNewer',
	cut_off: 'copyCutOff',
	malformed: 'copyMalformed',
	order: 'copyOrder',
	no_room: 'copyNoRoom',
};

const main = /** @type {HTMLElement} */ (document.querySelector('main'));
/** What stands below the choice of a file, drawn anew in another language. @type {() => HTMLElement[]} */
let shown = () => [];
/** The file that was chosen last, by its number: one that takes long is not shown after a later one. */
let chosen = 0;

/** @param {string} language */
function say(language) {
	const spoken = /** @type {Language} */ (language);
	speak({ language: spoken, locale: localeOf(spoken, navigator.languages) });
	for (const words of WORDS[spoken]) learn(words);
	document.documentElement.lang = spoken;
	document.title = t('verifyTitle');
}

function draw() {
	const others = /** @type {Language[]} */ (Object.keys(LANGUAGES)).filter((one) => one !== spokenLanguage());
	main.replaceChildren(
		make('h1', {}, t('verifyTitle')),
		make('p', { class: 'lede' }, t('verifyText')),
		drawChoice(),
		...shown(),
		make('p', { class: 'languages' }, ...others.map(drawLanguage)),
	);
}

/** @param {Language} language */
function drawLanguage(language) {
	const press = make('button', { type: 'button', class: 'secondary', lang: language }, LANGUAGES[language]);
	press.addEventListener('click', () => {
		say(language);
		draw();
	});
	return press;
}

function drawChoice() {
	const input = make('input', { type: 'file', class: 'unseen', accept: '.json,application/json' });
	input.addEventListener('change', () => void look(input.files?.[0]));
	const isFirst = shown().length === 0;
	return make(
		'label',
		{ class: isFirst ? 'choice' : 'choice again' },
		t(isFirst ? 'chooseCopy' : 'chooseAnother'),
		input,
	);
}

/** @param {File | undefined} file */
async function look(file) {
	if (!file) return;
	const own = (chosen += 1);
	const bar = make('progress', { max: '1', value: '0', 'aria-label': t('checkingCopy') });
	const waiting = make('p', { role: 'status' }, t('checkingCopy'));
	show(() => [make('section', { class: 'checking' }, waiting, bar)]);
	/** @type {() => HTMLElement[]} */
	let outcome;
	try {
		const supported = await support();
		const checked = supported === 'ok' ? await checkCopy(file, (share) => (bar.value = share)) : null;
		outcome = () => (checked ? drawChecked(checked, file.name) : [drawFailed(t('tooOldToCheck'))]);
	} catch (cause) {
		const said =
			cause instanceof CopyError ? { key: FAULTS[cause.code], line: cause.line } : { key: 'copyUnread', line: 0 };
		outcome = () => [drawFailed(t(/** @type {Key} */ (said.key), { line: number(said.line) }))];
	}
	if (own !== chosen) return;
	show(outcome);
	main.querySelector('h2')?.focus();
}

/** @param {() => HTMLElement[]} next */
function show(next) {
	shown = next;
	draw();
}

/** @param {string} why */
function drawFailed(why) {
	const title = make('h2', { tabindex: '-1' }, t('verdictNone'));
	return make('section', { class: 'verdict', 'data-tone': 'danger' }, title, make('p', {}, why));
}

for (const type of ['dragenter', 'dragover']) {
	document.addEventListener(type, (event) => {
		event.preventDefault();
		document.body.dataset.drop = '';
	});
}
document.addEventListener('dragleave', (event) => {
	if (event.relatedTarget === null) delete document.body.dataset.drop;
});
document.addEventListener('drop', (event) => {
	event.preventDefault();
	delete document.body.dataset.drop;
	void look(event.dataTransfer?.files[0]);
});

say(navigator.languages.map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in LANGUAGES) ?? 'en');
draw();
