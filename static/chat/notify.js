// What one wants to be told of a room, in this browser. The browser is asked for its leave only by a press here.

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
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

/**
 * @param {RoomFacade} room
 * @param {() => unknown} changed
 */
export function showNotify(room, changed) {
	const radios = CHOICES.map(([value, text]) => {
		const radio = make('input', { type: 'radio', name: 'notify', value, checked: room.notify === value });
		return make('label', { class: 'tick' }, radio, make('span', {}, t(text)));
	});
	const muted = make('input', { type: 'checkbox', name: 'muted', checked: room.muted });
	const problem = make('p', { class: 'form-error', role: 'alert', hidden: true });
	const form = make(
		'form',
		{},
		make('fieldset', {}, make('legend', {}, t('showNoticeFor')), ...radios),
		make('label', { class: 'tick' }, muted, make('span', {}, t('muteRoom'))),
		problem,
		make(
			'div',
			{ class: 'actions' },
			make('button', {}, t('save')),
			button(t('cancel'), () => dialog.close(), 'secondary'),
		),
	);
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		const fields = new FormData(form);
		const notify = /** @type {Notify} */ (fields.get('notify') ?? 'nothing');
		const why = notify === 'nothing' ? '' : await whyNot();
		problem.hidden = why === '';
		problem.textContent = why;
		if (why !== '') return;
		await room.setNotify(notify, fields.has('muted'));
		dialog.close();
		toast(t('saved'));
		changed();
	});
	const dialog = openDialog(t('notices'), make('p', {}, t('noticesText')), form);
}

/** Asks for leave. @returns {Promise<string>} why no notice can be shown; '' where one can */
async function whyNot() {
	if (!canNotify()) return t('noNotices');
	const permission =
		Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
	if (permission === 'granted') return '';
	return permission === 'denied' ? t('noticesDenied') : t('noticesNoLeave');
}
