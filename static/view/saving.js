// Hands a file to the browser to keep.

import { make } from './dom.js';

/** The browser has taken hold of it by then. */
const TAKEN_MS = 60_000;

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
	const address = URL.createObjectURL(blob);
	make('a', { href: address, download: name }).click();
	setTimeout(() => URL.revokeObjectURL(address), TAKEN_MS);
}
