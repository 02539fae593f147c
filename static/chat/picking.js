// How files come to be sent along: chosen, pasted, or taken with a camera. What becomes of them is loaded then.

/**
 * @param {import('../view/templates.js').Parts<'t-chat'>} parts of the chat
 * @param {(files: File[]) => unknown} add
 */
export function watchPicked(parts, add) {
	parts.attach.addEventListener('click', () => parts.picker.click());
	parts.camera.addEventListener('click', () => parts.shutter.click());
	// Only a phone's browser opens a camera; elsewhere this would be the same button twice.
	parts.camera.hidden = !matchMedia('(pointer: coarse)').matches;
	for (const input of [parts.picker, parts.shutter]) {
		input.addEventListener('change', () => {
			add(Array.from(input.files ?? []));
			// The same file chosen again is to count again.
			input.value = '';
		});
	}
	parts.composer.addEventListener('paste', (event) => {
		const files = Array.from(event.clipboardData?.files ?? []);
		// A table comes as words and as a picture of them; the words are what is meant.
		if (files.length === 0 || event.clipboardData?.types.includes('text/plain')) return;
		event.preventDefault();
		add(files);
	});
}
