// The sheet of all keys.

import { openDialog } from './dialogs.js';
import { make } from './dom.js';
import { isApple } from './shortcuts.js';
import { loadStyle } from './styles.js';

/** Keys in brackets are held together; several are alternatives. @type {[where: string, keys: [what: string, ...keys: string[][]][]][]} */
const KEYS = [
	[
		'Everywhere',
		[
			['Go to one of your rooms', ['Ctrl', 'K']],
			['Show these keys', ['?']],
			['Close what is open', ['Esc']],
		],
	],
	[
		'While writing',
		[
			['Send', ['Enter']],
			['A new line', ['Shift', 'Enter']],
			['Name somebody', ['@']],
			['Change your last message, in an empty field', ['↑']],
			['Stop answering or changing', ['Esc']],
			['Back to the messages', ['Shift', 'Tab']],
		],
	],
	[
		'Among the messages',
		[
			['The message above or below', ['↑'], ['↓']],
			['The first or last that is shown', ['Home'], ['End']],
			['What can be done with it', ['Enter']],
			['From one action to the next', ['←'], ['→']],
			['Back to writing', ['Esc']],
		],
	],
	[
		'Finding',
		[
			['Find in this room', ['Ctrl', 'F']],
			['Find on the page, as in every browser', ['Ctrl', 'F'], ['Ctrl', 'F']],
			['The next older one', ['Enter']],
			['The next newer one', ['Shift', 'Enter']],
		],
	],
];

export async function showKeys() {
	await loadStyle('/style/finding.css');
	const sections = KEYS.map(([where, keys]) =>
		make(
			'section',
			{},
			make('h3', {}, where),
			make('dl', { class: 'keys' }, ...keys.map(([what, ...ways]) => row(what, ways))),
		),
	);
	openDialog('Keys', ...sections);
}

/** @param {string} what @param {string[][]} ways */
function row(what, ways) {
	const shown = ways.flatMap((keys, index) => [...(index > 0 ? [' '] : []), together(keys)]);
	return make('div', {}, make('dt', {}, what), make('dd', {}, ...shown));
}

/** @param {string[]} keys */
function together(keys) {
	const named = keys.map((key) => make('kbd', {}, key === 'Ctrl' && isApple() ? '⌘' : key));
	return make('span', {}, ...named.flatMap((key, index) => (index > 0 ? [' + ', key] : [key])));
}
