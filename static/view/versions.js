// What there is to know before one goes on to a newer page; loaded when somebody asks.

import { spoken } from '../wire/deployment.js';
import { openDialog } from './dialogs.js';
import { button, make } from './dom.js';

/**
 * Shows the page in use and the one that is ready, so that they can be compared with what was released.
 *
 * @param {import('../wire/deployment.js').Offer} offer
 * @param {() => void} use goes on to the newer one
 */
export function showVersions({ used, offered }, use) {
	const later = button('Not now', () => dialog.close(), 'secondary');
	const dialog = openDialog(
		'A newer Buddy is ready',
		make('p', {}, 'Nothing changes until you say so. Each page has a number, made from every file of it:'),
		make(
			'dl',
			{ class: 'versions' },
			make('dt', {}, 'In use here'),
			make('dd', {}, make('code', { title: used }, spoken(used))),
			make('dt', {}, 'The newer one'),
			make('dd', {}, make('code', { title: offered }, spoken(offered))),
		),
		make(
			'p',
			{},
			'The list of Buddy’s releases says the number of each. If the newer one stands there, this server gives you what was released, and nothing else.',
		),
		make(
			'p',
			{ class: 'fine' },
			'That is as good as the page in use, which made the comparison. What it cannot know is in the README under “The page’s own code”.',
		),
		make('div', { class: 'actions' }, later, button('Use it now', use)),
	);
	later.focus();
}
