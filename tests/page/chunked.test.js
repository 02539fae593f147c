/** Files as they are sealed: against another implementation, and against whoever changes them. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { PART_BYTES, SealedFile, filledUp, newSalt, partsOf } from '../../static/crypto/chunked.js';
import { concat, hex, randomBytes } from '../../static/values/bytes.js';

/** @import { Bytes } from '../../static/values/bytes.js' */

/** @type {{ room: string, file: string, key: string, length: number, salt: string, commitment: string, sealed_length: number, sealed_sha256: string, sealed?: string }[]} */
const CASES = JSON.parse(readFileSync(new URL('../vectors/files.json', import.meta.url), 'utf8'));

/** @param {number} length @returns {Bytes} as files.py makes them */
function plain(length) {
	return Uint8Array.from({ length }, (_, index) => (index * 7 + Math.floor(index / 251)) & 255);
}

/** @param {string} text @returns {Bytes} */
function bytes(text) {
	return new Uint8Array(Buffer.from(text, 'hex'));
}

/** @param {number} length @returns {number[]} how much each part holds */
function lengths(length) {
	const parts = Math.floor(length / PART_BYTES) + 1;
	return Array.from({ length: parts }, (_, at) => Math.min(PART_BYTES, length - at * PART_BYTES));
}

/** @param {SealedFile} file @param {Bytes} content @returns {Promise<Bytes[]>} */
async function sealAll(file, content) {
	const parts = [];
	for (const [number, length] of lengths(content.length).entries()) {
		const from = number * PART_BYTES;
		parts.push(await file.sealPart(number, content.slice(from, from + length)));
	}
	return parts;
}

test('sealing gives what another implementation gives, byte for byte, and it opens', async () => {
	assert.ok(CASES.length >= 10);
	for (const { room, file: id, key, length, salt, commitment, ...sealed } of CASES) {
		const names = { room, id, key: bytes(key) };
		const file = await SealedFile.make(names, bytes(salt));
		const parts = await sealAll(file, plain(length));
		const whole = concat(...parts);
		assert.equal(hex(whole.subarray(24, 56)), commitment);
		assert.equal(whole.length, sealed.sealed_length);
		assert.equal(createHash('sha256').update(whole).digest('hex'), sealed.sealed_sha256, `${length} bytes`);
		if (sealed.sealed !== undefined) assert.equal(hex(whole), sealed.sealed);
		const reader = await SealedFile.open(names, /** @type {Bytes} */ (parts[0]));
		const opened = [];
		for (const [number, size] of lengths(length).entries()) {
			opened.push(await reader.openPart(number, /** @type {Bytes} */ (parts[number]), size));
		}
		assert.deepEqual(concat(...opened), plain(length));
	}
});

test('what was changed, cut, swapped or taken from elsewhere does not open', async () => {
	const names = { room: 'aa'.repeat(32), id: 'bb'.repeat(16), key: randomBytes(32) };
	const content = plain(PART_BYTES + 40_000);
	const parts = await sealAll(await SealedFile.make(names, newSalt()), content);
	const [first, second] = /** @type {[Bytes, Bytes]} */ (parts);
	const file = await SealedFile.open(names, first);
	const damaged = { code: 'damaged' };
	for (const at of [56, 16_471, first.length - 1]) {
		const changed = first.slice();
		changed[at] = (changed[at] ?? 0) ^ 1;
		await assert.rejects(file.openPart(0, changed, PART_BYTES), damaged, `byte ${at}`);
	}
	for (const other of [
		{ ...names, room: 'ab'.repeat(32) },
		{ ...names, id: 'bc'.repeat(16) },
		{ ...names, key: randomBytes(32) },
	]) {
		await assert.rejects(SealedFile.open(other, first), damaged);
	}
	const committed = first.slice();
	committed[40] = (committed[40] ?? 0) ^ 1;
	await assert.rejects(SealedFile.open(names, committed), damaged);
	await assert.rejects(SealedFile.open(names, first.subarray(0, 55)), damaged);
	await assert.rejects(file.openPart(1, second.subarray(0, 16_400), 40_000), damaged);
	await assert.rejects(file.openPart(1, concat(second, Uint8Array.of(0)), 40_000), damaged);
	// A chunk that was whole at its place is none at another.
	const swapped = concat(second.subarray(16_400, 32_800), second.subarray(0, 16_400), second.subarray(32_800));
	await assert.rejects(file.openPart(1, swapped, 40_000), damaged);
	await assert.rejects(file.openPart(2, second, 40_000), damaged);
	assert.deepEqual(await file.openPart(1, second, 40_000), content.slice(PART_BYTES));
});

test('sizes are filled up to classes, by at most an eighth', () => {
	for (const [size, filled] of [
		[0, 4096],
		[1, 4096],
		[4096, 4096],
		[4097, 4352],
		[1_000_000, 1_015_808],
		[26_214_399, 26_214_400],
		[26_214_400, 26_214_400],
	]) {
		assert.equal(filledUp(/** @type {number} */ (size)), filled);
	}
	let classes = 0;
	for (let size = 4097, last = 0; size < 1_000_000; size += 997) {
		const filled = filledUp(size);
		assert.ok(filled >= size && filled <= size * 1.125, String(size));
		assert.equal(filledUp(filled), filled);
		if (filled !== last) classes += 1;
		last = filled;
	}
	assert.ok(classes < 200, `${classes} classes`);
	assert.equal(partsOf(1), 1);
	assert.equal(partsOf(262_143), 2);
	assert.equal(partsOf(26_214_400), 101);
});
