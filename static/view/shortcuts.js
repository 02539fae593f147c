// Keys that work on every screen. What they open is loaded when somebody wants it.

/** @typedef {'jump' | 'keys' | 'find'} Shortcut */

/**
 * Which of them a key is.
 *
 * @param {Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'isComposing'>} event
 * @param {{ writing: boolean, apple: boolean }} where `writing`: in a field for text; `apple`: whose keyboard it is
 * @returns {Shortcut | null}
 */
export function shortcutOf({ key, ctrlKey, metaKey, altKey, shiftKey, isComposing }, { writing, apple }) {
	if (isComposing || altKey) return null;
	// There, Control edits text.
	const held = apple ? metaKey && !ctrlKey : ctrlKey && !metaKey;
	if (held && !shiftKey && key.toLowerCase() === 'k') return 'jump';
	if (held && !shiftKey && key.toLowerCase() === 'f') return 'find';
	return key === '?' && !ctrlKey && !metaKey && !writing ? 'keys' : null;
}

/** @param {KeyboardEvent} event @returns {Shortcut | null} */
export function readShortcut(event) {
	const { target } = event;
	const writing =
		target instanceof Element && target.matches('input:not([type=radio], [type=checkbox]), textarea, select');
	return shortcutOf(event, { writing, apple: isApple() });
}

export function isApple() {
	return /^(?:Mac|iP)/.test(navigator.platform);
}

/**
 * @param {object} go
 * @param {import('../storage/store.js').Store} go.store
 * @param {(address: string) => unknown} go.follow goes to an address of this page
 */
export function watchKeys({ store, follow }) {
	addEventListener('keydown', (event) => {
		const wanted = readShortcut(event);
		if (wanted === null || wanted === 'find' || document.querySelector('dialog[open]')) return;
		event.preventDefault();
		void import('./dialogs.js').then(({ openLater }) =>
			wanted === 'keys'
				? openLater(import('./keys.js'), ({ showKeys }) => showKeys())
				: openLater(import('./jumping.js'), ({ showJump }) => showJump(store, follow)),
		);
	});
}
