// Pictures before they are sent: redrawn, so that nothing of what a camera writes into them remains, and made small for
// the message itself. Loaded when there is a file to send.

import { t } from '../values/words.js';

/**
 * @typedef {import('../room/files.js').Chosen} Chosen
 *
 * `redrawn`: null where it is no picture, or one that this browser cannot draw. `preview`: what to show meanwhile.
 *
 * @typedef {{ whole: Chosen, redrawn: Chosen | null, isPicture: boolean, preview: Blob | null }} Prepared
 */

/** More pixels than this on a side are drawn smaller: a phone's browser has no larger canvas. */
const MOST_SIDE = 4096;
/** What a small picture may take of its message. */
const THUMB_BYTES = 5_000;
const THUMB_SIDES = [320, 240, 160, 96];
const THUMB_QUALITIES = [0.7, 0.5, 0.3];

/** Drawings keep their sharp edges, and what is seen through stays so; photographs stay small. */
const REDRAWN_AS = /** @type {Record<string, string>} */ ({
	'image/png': 'image/png',
	'image/gif': 'image/png',
	'image/webp': 'image/webp',
	'image/avif': 'image/webp',
});

/** @param {File} file @returns {Promise<Prepared>} */
export async function prepare(file) {
	const type = /^[a-z]+\/[\w.+-]+$/.test(file.type) ? file.type : 'application/octet-stream';
	/** @type {Chosen} */
	const whole = { blob: file, name: file.name, type };
	const isPicture = type.startsWith('image/') && type !== 'image/svg+xml';
	const bitmap = isPicture ? await decoded(file) : null;
	if (!bitmap) return { whole, redrawn: null, isPicture, preview: null };
	try {
		const small = await thumbnail(bitmap);
		const thumb = small ? { thumb: new Uint8Array(await small.arrayBuffer()) } : {};
		const sides = { width: bitmap.width, height: bitmap.height };
		const redrawn = await redraw(bitmap, type);
		return {
			whole: { ...whole, ...sides, ...thumb },
			redrawn: redrawn && { ...redrawn, ...thumb, name: named(file.name, redrawn.type) },
			isPicture,
			preview: small,
		};
	} finally {
		bitmap.close();
	}
}

/**
 * The picture as it is to be seen, however the camera was held; null: this browser cannot draw it.
 *
 * @param {File} file
 * @returns {Promise<ImageBitmap | null>}
 */
async function decoded(file) {
	const bitmap = await createImageBitmap(file).catch(() => null);
	if (bitmap) return bitmap;
	// An element is more lenient about what stands beside the picture.
	const image = new Image();
	image.src = URL.createObjectURL(file);
	try {
		await image.decode();
		return await createImageBitmap(image);
	} catch {
		return null;
	} finally {
		URL.revokeObjectURL(image.src);
	}
}

/** @param {ImageBitmap} bitmap @param {string} type @returns {Promise<Omit<Chosen, 'name'> | null>} */
async function redraw(bitmap, type) {
	const wanted = REDRAWN_AS[type] ?? 'image/jpeg';
	const canvas = drawn(bitmap, MOST_SIDE, wanted === 'image/jpeg');
	if (!canvas) return null;
	const { width, height } = canvas;
	const blob = await encoded(canvas, wanted, 0.9);
	return blob && { blob, type: blob.type, width, height };
}

/** @param {ImageBitmap} bitmap @returns {Promise<Blob | null>} */
async function thumbnail(bitmap) {
	for (const side of THUMB_SIDES) {
		const canvas = drawn(bitmap, side, true);
		if (!canvas) return null;
		for (const quality of THUMB_QUALITIES) {
			// Safari writes no WebP, and gives a PNG instead.
			for (const type of ['image/webp', 'image/jpeg']) {
				const blob = await encoded(canvas, type, quality);
				if (blob && blob.type === type && blob.size <= THUMB_BYTES) return blob;
			}
		}
	}
	return null;
}

/** @param {ImageBitmap} bitmap @param {number} most @param {boolean} opaque @returns {HTMLCanvasElement | null} */
function drawn(bitmap, most, opaque) {
	const share = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
	const canvas = document.createElement('canvas');
	canvas.width = Math.max(1, Math.round(bitmap.width * share));
	canvas.height = Math.max(1, Math.round(bitmap.height * share));
	const context = canvas.getContext('2d');
	if (!context) return null;
	context.imageSmoothingQuality = 'high';
	if (opaque) {
		context.fillStyle = '#fff';
		context.fillRect(0, 0, canvas.width, canvas.height);
	}
	context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	return canvas;
}

/** @param {HTMLCanvasElement} canvas @param {string} type @param {number} quality @returns {Promise<Blob | null>} */
function encoded(canvas, type, quality) {
	return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}

/** @param {string} name @param {string} type @returns {string} with the ending of what it became */
function named(name, type) {
	const ending = type === 'image/jpeg' ? 'jpg' : type.slice('image/'.length);
	return `${name.replace(/\.[A-Za-z0-9]{2,5}$/, '') || t('picture')}.${ending}`;
}
