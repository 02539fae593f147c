// What one wants to be told of a room, in this browser. The browser is asked for its leave only by a press here.

import { toast } from '../view/announce.js';
import { openDialog } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { canNotify } from './noticing.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 * @import { Notify } from '../storage/store.js'
 */

/** @type {[value: Notify, text: string][]} */
const CHOICES = [
	['nothing', 'Nothing'],
	['mentions', 'Mentions of you, and answers to you'],
	['all', 'All messages'],
];

/**
 * @param {RoomFacade} room
 * @param {() => unknown} changed
 */
export function showNotify(room, changed) {
	const radios = CHOICES.map(([value, text]) => {
		const radio = make('input', { type: 'radio', name: 'notify', value, checked: room.notify === value });
		return make('label', { class: 'tick' }, radio, make('span', {}, text));
	});
	const muted = make('input', { type: 'checkbox', name: 'muted', checked: room.muted });
	const problem = make('p', { class: 'form-error', role: 'alert', hidden: true });
	const form = make(
		'form',
		{},
		make('fieldset', {}, make('legend', {}, 'Show a notice for'), ...radios),
		make('label', { class: 'tick' }, muted, make('span', {}, 'Mute: no notice, no dot and no count')),
		problem,
		make(
			'div',
			{ class: 'actions' },
			make('button', {}, 'Save'),
			button('Cancel', () => dialog.close(), 'secondary'),
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
		toast('Saved');
		changed();
	});
	const dialog = openDialog(
		'Notices',
		make('p', {}, 'In this browser, while a tab of Buddy is open. A notice shows the room, who wrote, and what.'),
		form,
	);
}

/** Asks for leave. @returns {Promise<string>} why no notice can be shown; '' where one can */
async function whyNot() {
	if (!canNotify())
		return 'This browser shows no notices of pages. On an iPhone or iPad, add Buddy to the home screen first.';
	const permission =
		Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
	if (permission === 'granted') return '';
	return permission === 'denied'
		? 'This browser was told to let Buddy show no notices. That is changed in its settings for this site.'
		: 'The browser was not given leave to show notices.';
}
