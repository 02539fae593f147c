// What one wants to be told of a room, in this browser. The browser is asked for its leave only by a press here.

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { failure } from '../view/failures.js';
import { canPush } from '../wire/push.js';
import { canNotify } from './noticing.js';
import { t } from '../values/words.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 * @import { Notify } from '../storage/store.js'
 * @import { Key } from '../values/words.js'
 */

/** @type {[value: Notify, text: Key][]} */
const CHOICES = [
	['nothing', 'notifyNothing'],
	['mentions', 'notifyMentions'],
	['all', 'notifyAll'],
];

/** Why nothing will be pushed, where that has words of its own. @type {Record<string, Key>} */
const NOT_PUSHED = {
	push_denied: 'pushDenied',
	push_failed: 'pushNoService',
	push_service_unknown: 'pushUnknownService',
};

/**
 * @param {RoomFacade} room
 * @param {object} then
 * @param {boolean} then.persistent whether this browser keeps anything
 * @param {() => unknown} then.changed
 */
export function showNotify(room, { persistent, changed }) {
	const radios = CHOICES.map(([value, text]) => {
		const radio = make('input', { type: 'radio', name: 'notify', value, checked: room.notify === value });
		return make('label', { class: 'tick' }, radio, make('span', {}, t(text)));
	});
	const muted = make('input', { type: 'checkbox', name: 'muted', checked: room.muted });
	const problem = make('p', { class: 'form-error', role: 'alert', hidden: true });
	const pushing = pushSwitch(room);
	const submit = make('button', {}, t('save'));
	const form = make(
		'form',
		{},
		make('fieldset', {}, make('legend', {}, t('showNoticeFor')), ...radios),
		pushing.element,
		make('label', { class: 'tick' }, muted, make('span', {}, t('muteRoom'))),
		problem,
		make(
			'div',
			{ class: 'actions' },
			submit,
			button(t('cancel'), () => dialog.close(), 'secondary'),
		),
	);
	const chosen = () => /** @type {Notify} */ (new FormData(form).get('notify') ?? 'nothing');
	form.addEventListener('change', () => pushing.show(chosen()));
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		const notify = chosen();
		submit.disabled = true;
		submit.textContent = t('saving');
		problem.hidden = true;
		const why = (notify === 'nothing' ? '' : await whyNot()) || (await save(notify));
		submit.disabled = false;
		submit.textContent = t('save');
		problem.hidden = why === '';
		problem.textContent = why;
		if (why !== '') return;
		dialog.close();
		toast(t('saved'));
	});
	/** @param {Notify} notify @returns {Promise<string>} what was not saved; '' where all was */
	const save = async (notify) => {
		await room.setNotify(notify, muted.checked);
		changed();
		const push = notify === 'all' && pushing.wanted;
		if (push === room.push) return '';
		try {
			await room.setPush(push);
			return '';
		} catch (error) {
			const known = NOT_PUSHED[/** @type {{ code?: string }} */ (error).code ?? ''];
			return t('notPushed', { why: known ? t(known) : failure(error) });
		}
	};
	const dialog = openDialog(t('notices'), make('p', {}, t('noticesText')), form);
	if (persistent) void pushing.ask().then(() => pushing.show(chosen()));
}

/**
 * Whether one is told where no tab is open, too. It shows where the server can have that done, beside what it adds to.
 *
 * @param {RoomFacade} room
 */
function pushSwitch(room) {
	const able = canPush();
	const box = make('input', {
		type: 'checkbox',
		name: 'push',
		checked: room.push && able,
		disabled: !able,
		'aria-describedby': 'push-hint',
	});
	const hint = make('p', { class: 'hint', id: 'push-hint' }, t(able ? 'pushText' : 'pushUnable'));
	const element = make(
		'div',
		{ class: 'pushing', hidden: true },
		make('label', { class: 'tick' }, box, make('span', {}, t('pushSwitch'))),
		hint,
	);
	let offered = false;
	return {
		element,
		/** It stays as it was where it is not offered now. */
		get wanted() {
			return offered ? box.checked : room.push;
		},
		async ask() {
			// A server that does not answer is not one that pushes.
			offered = await room.offersPush().catch(() => room.push);
		},
		/** @param {Notify} notify */
		show(notify) {
			element.hidden = !offered || notify !== 'all';
		},
	};
}

/** Asks for leave. @returns {Promise<string>} why no notice can be shown; '' where one can */
async function whyNot() {
	if (!canNotify()) return t('noNotices');
	const permission =
		Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
	if (permission === 'granted') return '';
	return permission === 'denied' ? t('noticesDenied') : t('noticesNoLeave');
}
