// The button that records: held, it records as long as it is; pressed shortly, or by keyboard, it goes on by itself. All
// else is loaded when it is pressed first (recording.js).

/**
 * A finger or a mouse on the button.
 *
 * @typedef {object} Press
 * @property {number} pointer its id
 * @property {number} x where it came down, in pixels
 * @property {number} y
 * @property {boolean} up whether it has gone
 */

/** Whether this browser can record at all; pages that were not loaded safely cannot. */
export function canRecord() {
	return 'MediaRecorder' in globalThis && navigator.mediaDevices !== undefined;
}

/**
 * @param {HTMLButtonElement} button
 * @param {(press: Press | null) => void} begin null: nothing is held
 */
export function watchMicrophone(button, begin) {
	button.addEventListener('pointerdown', (event) => {
		if (event.button !== 0 || !event.isPrimary) return;
		// Pressing the button must not close a phone's keyboard, nor may the page move beneath the finger.
		event.preventDefault();
		const { pointerId: pointer, clientX: x, clientY: y } = event;
		/** @type {Press} */
		const press = { pointer, x, y, up: false };
		const gone = (/** @type {PointerEvent} */ { pointerId }) => {
			if (pointerId !== pointer) return;
			press.up = true;
			for (const end of /** @type {const} */ (['pointerup', 'pointercancel'])) button.removeEventListener(end, gone);
		};
		for (const end of /** @type {const} */ (['pointerup', 'pointercancel'])) button.addEventListener(end, gone);
		button.setPointerCapture(pointer);
		begin(press);
	});
	// What a pointer did was told above; keys, and programs that read the page aloud, come without one.
	button.addEventListener('click', (event) => event.detail === 0 && begin(null));
	// Holding is no wish for a menu.
	button.addEventListener('contextmenu', (event) => event.preventDefault());
}
