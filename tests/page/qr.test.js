// Links as QR codes: what is drawn is read by another program's decoder.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import decoder from 'jsqr';

import { formatLink } from '../../static/values/link.js';
import { codeOf } from '../../static/view/qr.js';

/** What the decoder takes a camera's picture for. */
const PIXELS = 4;

/** A path of squares as a picture. @param {{ size: number, path: string }} code */
function pictureOf({ size, path }) {
	const side = size * PIXELS;
	const data = new Uint8ClampedArray(side * side * 4).fill(255);
	const runs = Array.from(path.matchAll(/M(\d+) (\d+)h(\d+)v1h-(\d+)z/g), (found) => found.slice(1).map(Number));
	assert.equal(runs.map(([x, y, width, back]) => `M${x} ${y}h${width}v1h-${back}z`).join(''), path);
	for (const [x = 0, y = 0, width = 0, back] of runs) {
		assert.equal(width, back);
		assert.ok(x >= 4 && y >= 4 && x + width <= size - 4 && y < size - 4, 'the edge stays light');
		for (let row = y * PIXELS; row < (y + 1) * PIXELS; row += 1) {
			for (let column = x * PIXELS; column < (x + width) * PIXELS; column += 1) {
				data.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3);
			}
		}
	}
	return { data, side };
}

test('every kind of link is read from its code as it is', () => {
	const room = 'c3'.repeat(32);
	const secret = new Uint8Array(32).fill(0xa7);
	const links = [
		formatLink(room, 'owner', secret),
		formatLink(room, 'member', secret),
		formatLink(room, 'reader', secret),
		formatLink(room, 'member', secret, new Uint8Array(32).fill(0x1e)),
	];
	for (const path of links) {
		const link = `https://buddy.example.org${path}`;
		const code = codeOf(link);
		// On the narrowest screens a module is still four pixels wide.
		assert.ok(code.size <= 72, `${code.size} modules`);
		const { data, side } = pictureOf(code);
		const read = /** @type {any} */ (decoder).default ?? decoder;
		assert.equal(read(data, side, side)?.data, link);
	}
});

test('the library is the published one, and says its licence', () => {
	const source = readFileSync(new URL('../../static/vendor/lean-qr.js', import.meta.url), 'utf8');
	const at = source.indexOf('\n') + 1;
	const published = '0ce41cd6f92cc23cf057a1df7e1b3876767d678665dd65af4e1d22b4fad967dc';
	assert.equal(createHash('sha256').update(source.slice(at)).digest('hex'), published);
	assert.match(source.slice(0, at), /^\/\*! lean-qr 2\.7\.4, .*MIT License.*Copyright .*WITHOUT WARRANTY.* \*\/\n$/);
});
