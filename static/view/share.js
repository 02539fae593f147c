// Hands a link on: to the clipboard, or to the device's own share sheet.

import { t } from '../values/words.js';
import { toast } from './announce.js';
import { openLater } from './dialogs.js';
import { button, fromTemplate } from './dom.js';

/**
 * Copies text and says so. Where the clipboard is refused, the text is selected instead.
 *
 * @param {string} text
 * @param {HTMLElement} shown the element that shows the text
 */
export async function copy(text, shown) {
	try {
		await navigator.clipboard.writeText(text);
		toast(t('copied'));
	} catch {
		getSelection()?.selectAllChildren(shown);
		toast(t('selectedCopy'));
	}
}

/**
 * Shows a link with its buttons.
 *
 * @param {{ link: HTMLElement, copy: HTMLElement, share: HTMLElement }} parts with `link`, `copy` and `share`
 * @param {string} link
 * @param {string} title what the share sheet calls it
 */
export function showLink(parts, link, title) {
	parts.link.textContent = link;
	parts.copy.addEventListener('click', () => copy(link, parts.link));
	parts.share.hidden = !navigator.share;
	parts.share.addEventListener('click', () => {
		// Closing the share sheet rejects; there is nothing to say about that.
		navigator.share({ title, url: link }).catch(() => {});
	});
}

/**
 * A button that shows a link as a QR code.
 *
 * @param {string} link
 * @param {string} title
 * @param {string} [label] for those who hear the page, where several stand in a list
 */
export function codeButton(link, title, label) {
	const said = { title, text: t('scanOther') };
	const press = button(
		label ? t('qrCode') : t('showCode'),
		() => openLater(import('./qr.js'), ({ showCode }) => showCode(link, said)),
		'secondary',
	);
	if (label) press.setAttribute('aria-label', label);
	return press;
}

/**
 * A link with its title, one line that explains it, and its buttons.
 *
 * @param {{ title: string, text: string, link: string, name: string, copyText?: string, style?: string, code?: boolean }} options `code`:
 *   whether it may be shown as a QR code at once
 * @returns {HTMLElement}
 */
export function linkRow({ title, text, link, name, copyText = t('copyLink'), style = 'secondary', code = true }) {
	const { root, parts } = fromTemplate('t-link-row');
	parts.title.textContent = title;
	parts.text.textContent = text;
	parts.link.setAttribute('aria-label', title);
	parts.copyText.textContent = copyText;
	parts.copy.className = style;
	showLink(parts, link, name);
	if (code) parts.share.after(codeButton(link, title));
	return root;
}
