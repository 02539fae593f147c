// Says things once: to screen readers, or to everybody for a few seconds.

const SHOWN_MS = 3500;
/** Long enough to be noticed. What stays longer would outlive the message that it tells of. */
const SAID_MS = 5000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let forgetting;

/**
 * Tells screen readers when they have finished what they are saying.
 *
 * @param {string} text
 */
export function announce(text) {
	const announcer = /** @type {HTMLElement} */ (document.getElementById('announcer'));
	// The same text twice would not be noticed as a change.
	announcer.textContent = announcer.textContent === text ? `${text}\u00a0` : text;
	clearTimeout(forgetting);
	forgetting = setTimeout(() => announcer.replaceChildren(), SAID_MS);
}

/**
 * Shows a short line above the composer and announces it.
 *
 * @param {string} text
 */
export function toast(text) {
	const toasts = /** @type {HTMLElement} */ (document.getElementById('toasts'));
	toasts.textContent = text;
	// Hidden and shown again, it lies above a dialog that has opened since.
	toasts.hidePopover();
	toasts.showPopover();
	announce(text);
	clearTimeout(hiding);
	hiding = setTimeout(() => toasts.hidePopover(), SHOWN_MS);
}
