// What there is to know before one goes on to a newer page; loaded when somebody asks.

import { spoken } from '../wire/deployment.js';
import { openDialog } from './dialogs.js';
import { button, make } from './dom.js';
import { t } from '../values/words.js';

/**
 * Shows the page in use and the one that is ready, so that they can be compared with what was released.
 *
 * @param {import('../wire/deployment.js').Offer} offer
 * @param {() => void} use goes on to the newer one
 */
export function showVersions({ used, offered }, use) {
	const later = button(t('notNow'), () => dialog.close(), 'secondary');
	const dialog = openDialog(
		t('newerTitle'),
		make('p', {}, t('versionsText')),
		make(
			'dl',
			{ class: 'versions' },
			make('dt', {}, t('inUseHere')),
			make('dd', {}, make('code', { title: used }, spoken(used))),
			make('dt', {}, t('theNewerOne')),
			make('dd', {}, make('code', { title: offered }, spoken(offered))),
		),
		make('p', {}, t('versionsList')),
		make('p', { class: 'fine' }, t('versionsTrust')),
		make('div', { class: 'actions' }, later, button(t('useItNow'), use)),
	);
	later.focus();
}
