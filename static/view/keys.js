// The sheet of all keys.

import { openDialog } from './dialogs.js';
import { make } from './dom.js';
import { isApple } from './shortcuts.js';
import { loadStyle } from './styles.js';
import { t } from '../values/words.js';

/** @import { Key } from '../values/words.js' */

/** Keys in brackets are held together; several are alternatives. @type {[where: Key, keys: [what: Key, ...keys: string[][]][]][]} */
const KEYS = [
	[
		'everywhere',
		[
			['keyGoToRoom', ['Ctrl', 'K']],
			['keyShowKeys', ['?']],
			['keyClose', ['Esc']],
		],
	],
	[
		'whileWriting',
		[
			['send', ['Enter']],
			['keyNewLine', ['Shift', 'Enter']],
			['keyName', ['@']],
			['keyChangeLast', ['↑']],
			['keyStop', ['Esc']],
			['keyBackToMessages', ['Shift', 'Tab']],
		],
	],
	[
		'amongMessages',
		[
			['keyAboveBelow', ['↑'], ['↓']],
			['keyFirstLast', ['Home'], ['End']],
			['keyActions', ['Enter']],
			['keyNextAction', ['←'], ['→']],
			['keyBackToWriting', ['Esc']],
		],
	],
	[
		'finding',
		[
			['findInRoom', ['Ctrl', 'F']],
			['keyFindOnPage', ['Ctrl', 'F'], ['Ctrl', 'F']],
			['keyOlder', ['Enter']],
			['keyNewer', ['Shift', 'Enter']],
		],
	],
];

export async function showKeys() {
	await loadStyle('/style/finding.css');
	const sections = KEYS.map(([where, keys]) =>
		make(
			'section',
			{},
			make('h3', {}, t(where)),
			make('dl', { class: 'keys' }, ...keys.map(([what, ...ways]) => row(t(what), ways))),
		),
	);
	openDialog(t('keys'), ...sections);
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
