// Native dialogs: opening, closing, asking. What stands in them is for others to say.

import { toast } from './announce.js';
import { t } from '../values/words.js';
import { button, fromTemplate, make } from './dom.js';
import { loadWords } from './speaking.js';

/** How many dialogs have been opened. */
let count = 0;

/**
 * Opens a dialog. It leaves the document when it closes, and focus returns to where it was.
 *
 * @param {string} title
 * @param {...(Node | string)} content
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, ...content) {
	const { root, parts } = fromTemplate('t-dialog');
	const dialog = /** @type {HTMLDialogElement} */ (root);
	// One dialog may ask over another; each is called by its own title.
	count += 1;
	parts.title.id = `dialog-title-${count}`;
	dialog.setAttribute('aria-labelledby', parts.title.id);
	parts.title.textContent = title;
	parts.body.append(...content);
	document.body.append(dialog);
	dialog.addEventListener('close', () => dialog.remove());
	// A press that begins and ends beside the card closes it; one that selects text and slips does not.
	let outside = false;
	dialog.addEventListener('pointerdown', (event) => (outside = event.target === dialog));
	dialog.addEventListener('click', (event) => {
		if (outside && event.target === dialog && dialog.dispatchEvent(new Event('cancel', { cancelable: true })))
			dialog.close();
	});
	dialog.showModal();
	return dialog;
}

/**
 * Asks before a dialog is left in which something was filled in and not saved.
 *
 * @param {HTMLDialogElement} dialog
 * @param {() => boolean} isChanged
 */
export function guard(dialog, isChanged) {
	const ask = async (/** @type {Event} */ event) => {
		if (!isChanged()) return;
		event.preventDefault();
		if (await confirmed(t('leaveUnsaved'), t('unsaved'), t('discardChanges'))) dialog.close();
	};
	dialog.addEventListener('cancel', (event) => event.target === dialog && ask(event));
	dialog.querySelector('.dialog-head')?.addEventListener('submit', ask);
}

/**
 * Asks before something that cannot be taken back.
 *
 * @param {string} title
 * @param {string} text what will happen
 * @param {string} yes what the button that does it says
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, yes) {
	return new Promise((resolve) => {
		const no = button(t('cancel'), () => dialog.close(), 'secondary');
		const go = button(yes, () => dialog.close('yes'), 'danger');
		const dialog = openDialog(title, make('p', {}, text), make('div', { class: 'actions' }, go, no));
		dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'));
		no.focus();
	});
}

/**
 * Asks for one line of text.
 *
 * @param {string} title
 * @param {{ label: string, value: string, maxLength: number, yes: string }} options
 * @returns {Promise<string | null>} null if the person thought better of it
 */
export function asked(title, { label, value, maxLength, yes }) {
	return new Promise((resolve) => {
		const input = make('input', { maxlength: String(maxLength), autocomplete: 'off', dir: 'auto' });
		input.value = value;
		const form = make(
			'form',
			{ method: 'dialog' },
			make('label', { class: 'field' }, label, input),
			make('button', { value: 'yes' }, yes),
		);
		const dialog = openDialog(title, form);
		dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes' ? input.value.trim() : null));
		input.select();
	});
}

/**
 * Opens a dialog whose module is only loaded when somebody wants it.
 *
 * @template Module
 * @param {Promise<Module>} loading
 * @param {(module: Module) => unknown} open
 */
export async function openLater(loading, open) {
	const [loaded] = await Promise.all([loading, loadWords('start', 'screens', 'room')]).catch(() => [null]);
	if (loaded) open(loaded);
	else toast(t('partNotLoaded'));
}
