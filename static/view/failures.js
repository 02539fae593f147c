// Why something failed, for people: by the stable code of the server's answer, or of there being none.

import { t } from '../values/words.js';

/** @import { Key } from '../values/words.js' */

const FAILURES = /** @type {Record<string, Key>} */ ({
	aborted: 'failNetwork',
	client_id_reused: 'failChanged',
	full: 'failFull',
	link_exists: 'failChanged',
	links_changed: 'failChanged',
	network: 'failNetwork',
	not_allowed: 'failNotAllowed',
	people_changed: 'failChanged',
	rate_limited: 'failRateLimited',
	renewed: 'failChanged',
	room_full: 'failFull',
	room_gone: 'failGone',
	room_locked: 'failLocked',
	room_not_found: 'failGone',
	stale_epoch: 'failChanged',
	state_changed: 'failChanged',
	storage_full: 'failStorageFull',
	timeout: 'failTimeout',
	unavailable: 'failUnavailable',
});

/** @param {unknown} error @returns {string} no sentence of its own */
export function failure(error) {
	const { code, message } = /** @type {{ code?: string, message?: string }} */ (error ?? {});
	const known = FAILURES[code ?? ''];
	return known ? t(known) : t('failOther', { code: code ?? message ?? '' });
}
