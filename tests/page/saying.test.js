import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';

import { sizeOf, split, TEXT_BYTES } from '../../static/room/saying.js';

test('a text that fits stays whole', () => {
	assert.deepEqual(split('hello\n\nthere'), ['hello\n\nthere']);
	assert.deepEqual(split('x'.repeat(TEXT_BYTES - 2)).length, 1);
	assert.deepEqual(split('x'.repeat(TEXT_BYTES - 1)).length, 2);
	assert.equal(sizeOf('"ü"'), 8);
});

test('a long text is cut between paragraphs, and blocks of code stay code', () => {
	const paragraph = `${'Words and words. '.repeat(20)}\n\n`;
	const parts = split(paragraph.repeat(60));
	assert.ok(parts.length > 1);
	for (const part of parts) assert.ok(part.endsWith('words.') && part.startsWith('Words'), part.slice(-20));
	const code = split(`Look:\n\`\`\`rust\n${'let x = 1;\n'.repeat(3000)}\`\`\`\nand that`);
	for (const part of code) assert.equal((part.match(/^```/gm) ?? []).length % 2, 0, part.slice(0, 40));
	assert.ok(code.slice(1, -1).every((part) => part.startsWith('```rust\nlet x')));
});

test('whatever is said, each part fits and no letter is lost', () => {
	const bare = (/** @type {string} */ text) => text.replace(/[`\s]/g, '');
	fc.assert(
		fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (text) => {
			const parts = split(text, 900);
			for (const part of parts) assert.ok(sizeOf(part) <= 900 && part.trim() !== '');
			if (!text.includes('```')) assert.equal(bare(parts.join('')), bare(text));
		}),
	);
	assert.equal(split('👋'.repeat(6_000)).join(''), '👋'.repeat(6_000));
});
