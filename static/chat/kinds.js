// What is done with a file by what its message says of it, and how it is called: all of that is only a claim.

import { cleanText } from '../values/text.js';
import { t } from '../values/words.js';

/** @import { SentFile } from '../crypto/content.js' */

/** What is shown or played within the page, and as what. Never what could hold a script: SVG, HTML, PDF. */
const PICTURES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif']);
const PLAYED = new Set([
	'audio/aac',
	'audio/flac',
	'audio/mp4',
	'audio/mpeg',
	'audio/ogg',
	'audio/wav',
	'audio/webm',
	'video/mp4',
	'video/ogg',
	'video/webm',
]);

/** The first bytes of what a small picture may be. */
const SIGNATURES = /** @type {[string, number[], number][]} */ ([
	['image/jpeg', [0xff, 0xd8, 0xff], 0],
	['image/png', [0x89, 0x50, 0x4e, 0x47], 0],
	['image/webp', [0x57, 0x45, 0x42, 0x50], 8],
]);

/** @param {SentFile} file @returns {'picture' | 'voice' | 'played' | 'saved'} what pressing it does */
export function kindOf({ type, waveform }) {
	if (PICTURES.has(type)) return 'picture';
	if (!PLAYED.has(type)) return 'saved';
	return waveform !== undefined && type.startsWith('audio/') ? 'voice' : 'played';
}

/** A name as it is shown, and saved under: no folders, nothing invisible. @param {SentFile} file */
export function nameOf({ name }) {
	const plain = cleanText(name)
		.replace(/[\\/:*?"<>|\s]+/g, ' ')
		.trim()
		.slice(-120);
	return plain.replace(/^\.+/, '') || t('file');
}

/** @param {Uint8Array} bytes @returns {string | undefined} what a small picture is, by its first bytes */
export function pictureType(bytes) {
	return SIGNATURES.find(([, magic, at]) => magic.every((byte, index) => bytes[at + index] === byte))?.[0];
}
