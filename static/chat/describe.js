// What entries that are no message say in a line, and how people are called amid other words. No DOM.

import { isReservedName } from '../values/text.js';
import { duration } from '../values/when.js';
import { listOf, t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 * @typedef {Exclude<Entry, { type: 'message' | 'lost' | 'failed_change' }>} Line
 */

const REMOVED = /** @type {const} */ ({
	author: 'removedByAuthor',
	owner: 'removedByOwner',
	server: 'removedByServer',
});

const UNREADABLE = /** @type {const} */ ({
	malformed: 'malformed',
	undecryptable: 'undecryptable',
	forged: 'forged',
});

const UNAUTHORISED = /** @type {const} */ ({
	edit: 'notTheirsEdit',
	delete: 'notTheirsDelete',
	react: 'notTheirsReact',
});

/** @param {string} name as the log gives it @returns {string} */
export function shownName(name) {
	if (isReservedName(name)) return t('someoneCalled', { name });
	return name || t('someone');
}

/**
 * A name amid other words, where no mark can stand beside it.
 *
 * @param {{ name: string, taken: boolean }} person `taken`: another key used this name first
 * @returns {string}
 */
export function nameInText({ name, taken }) {
	return taken ? t('inBrackets', { name: shownName(name) }) : shownName(name);
}

/** @param {Line} entry @returns {string} */
export function lineOf(entry) {
	switch (entry.type) {
		case 'removed':
			return entry.own && entry.by === 'author' ? t('youDeleted') : t(REMOVED[entry.by]);
		case 'unreadable':
			return t(UNREADABLE[entry.reason]);
		case 'unauthorised':
			return t(UNAUTHORISED[entry.kind]);
		case 'change':
			return entry.doer === 'owner' ? describeStatement(entry.changes) : describeServer(entry.changes);
		case 'rotate':
			return describeRotation(entry);
		case 'card':
			return describeCard(entry);
		case 'unshared':
			return t('unshared');
		case 'alarm':
			return t('doesNotHold');
		default:
			return t('needsNewer');
	}
}

/** @param {Extract<Entry, { type: 'rotate' }>} entry */
function describeRotation({ removed, sharedPast }) {
	const said = [
		removed.length > 0 ? t('ownerRemoved', { names: listOf(removed.map(shownName)) }) : t('ownerChangedKeys'),
		removed.length > 0 ? t('oldLinks') : t('takenBackLinks'),
		sharedPast ? '' : t('noPast'),
	];
	return `${said.filter(Boolean).join('. ')}.`;
}

/** @param {Extract<Entry, { type: 'card' }>} entry */
function describeCard({ before, own, byOwner, name, nameTaken: taken }) {
	const called = nameInText({ name, taken });
	if (before) return own ? t('youNowCalled', { name: called }) : t('nowCalled', { before, name: called });
	// Whoever owns the room was there from the beginning.
	if (own) return t('youCalled', { name: shownName(name) });
	return t(byOwner ? 'ownsRoom' : 'joined', { name: called });
}

/**
 * @param {Extract<Entry, { type: 'change' }>['changes']} changes
 * @returns {string}
 */
function describeStatement({ locked, title, messageTtlS, expiresInS, pinned }) {
	const said = [];
	if (locked === true) said.push(t('ownerLocked'));
	if (locked === false) said.push(t('ownerUnlocked'));
	if (title) said.push(t('ownerCalled', { name: title }));
	else if (title === '') said.push(t('ownerUnnamed'));
	if (messageTtlS) said.push(t('ownerDisappear', { time: duration(messageTtlS) }));
	else if (messageTtlS !== undefined) said.push(t('ownerStay'));
	if (expiresInS !== undefined) said.push(t('ownerExpires', { time: duration(expiresInS) }));
	if (pinned !== undefined) said.push(t(pinned ? 'ownerPinned' : 'ownerUnpinned'));
	return said.length > 0 ? `${said.join('. ')}.` : t('ownerChanged');
}

/** @param {Extract<Entry, { type: 'change' }>['changes']} changes @returns {string} */
function describeServer({ locked, title, messageTtlS, expiresInS }) {
	const said = [];
	if (locked !== undefined) said.push(locked ? t('serverLocked') : t('serverUnlocked'));
	if (title !== undefined) said.push(t('serverName'));
	if (messageTtlS !== undefined) said.push(t('serverLifetime'));
	if (expiresInS !== undefined) said.push(t('serverExpiry'));
	return said.join(' ');
}
