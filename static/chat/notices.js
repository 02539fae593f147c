// Which notices stand above the conversation, and what the connection's state is called.

import { announce } from '../view/announce.js';
import { confirmed, openDialog } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { roomAlarm } from './alarms.js';
import { t } from '../values/words.js';

/** @typedef {import('../room/facade.js').RoomFacade} Room */

/**
 * A line that says what is out of the ordinary.
 *
 * @typedef {object} Notice
 * @property {string} text
 * @property {string} [wait] how long something takes still; changes without being announced again
 * @property {'plain' | 'warm' | 'danger'} tone
 * @property {[label: string, act: () => unknown][]} [actions]
 */

/**
 * The state to show. The browser knows that it is offline before any request has failed.
 *
 * @param {Room} room
 */
export function connectionState(room) {
	return navigator.onLine ? room.connection.state : 'offline';
}

/**
 * @param {Room} room
 * @returns {string} two words or so
 */
export function connectionText(room) {
	switch (connectionState(room)) {
		case 'live':
			return t('live');
		case 'catching_up':
			return t('catchingUp');
		case 'offline':
			return navigator.onLine ? t('notConnected') : t('offlineShort');
		case 'closed':
			return t('closed');
		default:
			return t('connecting');
	}
}

/**
 * @param {Room} room
 * @param {object} context
 * @param {boolean} context.persistent whether this browser keeps anything
 * @param {boolean} context.remindOwner
 * @param {() => void} context.showRecovery
 * @param {() => void} context.keptOwnerLink
 * @param {{ waiting: boolean, number: string, use: () => void, compare: () => unknown }} context.updates
 * @param {number} [now]
 * @returns {Notice[]} most urgent first
 */
export function noticesOf(room, { persistent, remindOwner, showRecovery, keptOwnerLink, updates }, now = Date.now()) {
	/** @type {Notice[]} */
	const notices = [];
	const { state, retryAtMs } = room.connection;
	const { sending, info } = room;
	for (const alarm of room.alarms) notices.push(noticeOf(room, alarm));
	if (!navigator.onLine) {
		notices.push({ text: t('offlineKept'), tone: 'warm' });
	} else if (state === 'offline') {
		const wait =
			retryAtMs && retryAtMs > now ? t('tryingIn', { seconds: Math.ceil((retryAtMs - now) / 1000) }) : t('trying');
		notices.push({ text: t('unreachableKept'), wait, tone: 'warm' });
	}
	if (sending.code === 'rate_limited' && sending.waitingUntilMs !== null) {
		const seconds = Math.max(1, Math.ceil((sending.waitingUntilMs - now) / 1000));
		notices.push({
			text: t('tooFast'),
			wait: t('inSeconds', { seconds }),
			tone: 'warm',
		});
	}
	if (sending.code === 'room_full' || room.entries.at(-1)?.error === 'room_full') {
		notices.push({
			text: t('roomFull'),
			tone: 'danger',
		});
	}
	if (info.locked && room.isOwner) {
		notices.push({
			text: t('youLocked'),
			tone: 'plain',
			actions: [[t('unlock'), () => room.change({ locked: false })]],
		});
	}
	if (persistent && sending.unkept) {
		notices.push({
			text: t('couldNotKeep'),
			tone: 'danger',
		});
	}
	if (!persistent) {
		notices.push({
			text: t('keepsNothingHere'),
			tone: 'warm',
		});
	}
	// It can wait until nothing else is to be said.
	if (remindOwner && notices.length === 0) {
		notices.push({
			text: t('ownedHere'),
			tone: 'plain',
			actions: [
				[t('showIt'), showRecovery],
				[t('done'), keptOwnerLink],
			],
		});
	}
	if (updates.waiting) {
		notices.push({
			text: t('newerReady'),
			wait: updates.number,
			tone: 'plain',
			actions: [
				[t('useItNow'), () => updates.use()],
				[t('compare'), () => updates.compare()],
			],
		});
	}
	return notices;
}

/**
 * @param {Room} room
 * @param {import('../room/facade.js').Alarm} alarm
 * @returns {Notice}
 */
function noticeOf(room, { id, code, by, detail }) {
	const who = code === 'fork' && by ? room.people.find(({ signer }) => signer === by)?.name : undefined;
	const { text, meaning, tone } = roomAlarm({ code, detail }, who || undefined);
	/** @type {[string, () => unknown][]} */
	const actions = [[t('whatMeans'), () => openDialog(text, make('p', {}, meaning))]];
	if (code === 'two_rotations') actions.push([t('followOther'), () => chooseOther(room, id)]);
	return { text, tone, actions };
}

/** @param {Room} room @param {string} id */
async function chooseOther(room, id) {
	const text = t('followOtherText');
	if (await confirmed(t('followOtherAsk'), text, t('followIt'))) await room.choose(id);
}

/**
 * Why one cannot write here, or '' if one can.
 *
 * @param {Room} room
 * @returns {string}
 */
export function whyNotWriting(room) {
	if (!room.canWrite) return t('readingAlong');
	if (room.info.locked && !room.isOwner) return t('lockedForYou');
	return '';
}

/**
 * Draws notices and announces what is new. What has not changed is left alone, so that a button
 * does not lose the focus.
 *
 * @param {HTMLElement} container
 * @param {Notice[]} notices
 */
export function drawNotices(container, notices) {
	while (container.children.length > notices.length) container.lastElementChild?.remove();
	notices.forEach(({ text, wait = '', tone, actions = [] }, index) => {
		const old = container.children[index];
		const identity = [text, ...actions.map(([label]) => label)].join('|');
		if (old instanceof HTMLElement && old.dataset.identity === identity) {
			const shown = old.querySelector('.wait');
			if (shown && shown.textContent !== wait) shown.textContent = wait;
			return;
		}
		const waiting = make('span', { class: 'wait', 'aria-hidden': 'true' }, wait);
		const line = make(
			'p',
			{ class: 'banner', 'data-tone': tone, 'data-identity': identity },
			make('span', {}, text, ' ', waiting),
		);
		for (const [label, act] of actions) line.append(button(label, act, 'plain'));
		if (old) old.replaceWith(line);
		else container.append(line);
		announce(text);
	});
}
