import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { concat, decodeBase64url, encodeBase64url, randomBytes, utf8 } from '../../static/values/bytes.js';
import { ABOUT, additionalData, MAX_ABOUT_BYTES, MAX_CONTENT_BYTES, open, seal } from '../../static/crypto/envelope.js';
import { newSecret, openIdentity, openKeys } from '../../static/crypto/secrets.js';

const ROOM = '0f'.repeat(32);
const { content: key } = await openKeys(ROOM, 'reader', newSecret());
const ada = await openIdentity(newSecret());
const eve = await openIdentity(newSecret());
const PLACE = { room: ROOM, kind: 'message', client_id: crypto.randomUUID(), author: ada.author, target: null };
const BOUND = additionalData(PLACE);

/** Seals a plaintext as it is, as only someone with the key but other code would. */
async function sealRaw(plain, bound = BOUND) {
	const iv = randomBytes(12);
	const cipher = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: utf8(bound) }, key, plain);
	return `v1.${encodeBase64url(iv)}.${encodeBase64url(new Uint8Array(cipher))}`;
}

async function unsealRaw(body, bound = BOUND) {
	const [, nonce, cipher] = body.split('.');
	const parameters = { name: 'AES-GCM', iv: decodeBase64url(nonce), additionalData: utf8(bound) };
	return new Uint8Array(await crypto.subtle.decrypt(parameters, key, decodeBase64url(cipher)));
}

function padded(...parts) {
	const bytes = concat(...parts, Uint8Array.of(0x80));
	return concat(bytes, new Uint8Array((256 - (bytes.length % 256)) % 256));
}

async function signed(identity, content, bound = BOUND) {
	const bytes = typeof content === 'string' ? utf8(content) : content;
	const signature = await identity.sign(concat(utf8('buddy/v1/signature\0'), utf8(bound), new Uint8Array(1), bytes));
	return [identity.publicKey, signature, bytes];
}

test('an absent field of the additional data is empty', () => {
	assert.equal(BOUND, `v1|${ROOM}|message|${PLACE.client_id}|${ada.author}|`);
	const signal = { room: ROOM, kind: 'signal/here', client_id: null, author: null, target: null };
	assert.equal(additionalData(signal), `v1|${ROOM}|signal/here|||`);
	assert.equal(
		additionalData({ ...PLACE, kind: 'edit', target: 12 })
			.split('|')
			.at(-1),
		'12',
	);
});

test('what is sealed opens with its writer and content', async () => {
	const content = {
		name: 'Ada',
		at_ms: 5,
		text: 'hi',
		prev: { seq: 1, sha256: 'x' },
		target_id: 'y',
		emoji: '👍',
		on: false,
	};
	assert.deepEqual(await open(key, BOUND, await seal(key, ada, BOUND, content)), {
		ok: true,
		content,
		signer: ada.signer,
	});
});

test('any text comes back, and its length shows only in steps', async () => {
	await fc.assert(
		fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 300 }), async (text) => {
			const body = await seal(key, ada, BOUND, { text });
			assert.match(body, /^v1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
			assert.equal((await unsealRaw(body)).length % 256, 0);
			assert.equal((await open(key, BOUND, body)).content.text, text);
		}),
		{ numRuns: 50 },
	);
});

test('two envelopes of one content have nothing in common', async () => {
	const bodies = await Promise.all([1, 2].map(() => seal(key, ada, BOUND, { text: 'same' })));
	assert.notEqual(bodies[0].split('.')[1], bodies[1].split('.')[1]);
	assert.notEqual(bodies[0].split('.')[2], bodies[1].split('.')[2]);
});

test('the longest content fits the body limit of the server, and one byte more is refused', async () => {
	const longest = { text: 'x'.repeat(MAX_CONTENT_BYTES - '{"text":""}'.length) };
	const body = await seal(key, ada, BOUND, longest);
	assert.ok(body.length <= 16_384, `${body.length}`);
	assert.equal((await open(key, BOUND, body)).ok, true);
	await assert.rejects(seal(key, ada, BOUND, { text: `${longest.text}x` }), { code: 'too_long' });
	const about = await seal(key, ada, ABOUT, { name: 'x'.repeat(MAX_ABOUT_BYTES - '{"name":""}'.length) });
	assert.ok(about.length <= 4_096, `${about.length}`);
	await assert.rejects(seal(key, ada, ABOUT, { name: 'x'.repeat(MAX_ABOUT_BYTES) }), { code: 'too_long' });
});

test('an envelope moved anywhere else does not open', async () => {
	const body = await seal(key, ada, BOUND, { text: 'here only' });
	const moves = [
		{ room: '1f'.repeat(32) },
		{ kind: 'edit' },
		{ client_id: crypto.randomUUID() },
		{ author: eve.author },
		{ author: null },
		{ target: 1 },
	];
	for (const move of moves) {
		assert.deepEqual(await open(key, additionalData({ ...PLACE, ...move }), body), {
			ok: false,
			fault: 'undecryptable',
		});
	}
	assert.equal((await open(key, ABOUT, body)).fault, 'undecryptable');
	const { content: otherKey } = await openKeys(ROOM, 'reader', newSecret());
	assert.equal((await open(otherKey, BOUND, body)).fault, 'undecryptable');
});

test('a changed byte anywhere is noticed', async () => {
	const body = await seal(key, ada, BOUND, { text: 'as it was' });
	await fc.assert(
		fc.asyncProperty(fc.nat({ max: body.length - 4 }), fc.constantFrom(...'AZaz09-_.'), async (at, letter) => {
			const changed = body.slice(0, at + 3) + letter + body.slice(at + 4);
			if (changed !== body) assert.equal((await open(key, BOUND, changed)).ok, false);
		}),
	);
});

test("another's words under one's own key, and one's own under another's, are forged", async () => {
	const plain = await unsealRaw(await seal(key, ada, BOUND, { text: 'I owe you' }));
	const rewrapped = concat(eve.publicKey, plain.subarray(32));
	assert.equal((await open(key, BOUND, await sealRaw(rewrapped))).fault, 'forged');
	const [, signature, content] = await signed(eve, '{"text":"I owe you"}');
	assert.equal((await open(key, BOUND, await sealRaw(padded(ada.publicKey, signature, content)))).fault, 'forged');
	const elsewhere = additionalData({ ...PLACE, client_id: crypto.randomUUID() });
	assert.equal(
		(await open(key, BOUND, await sealRaw(padded(...(await signed(ada, '{"text":"x"}', elsewhere)))))).fault,
		'forged',
	);
	assert.equal(
		(await open(key, BOUND, await sealRaw(padded(new Uint8Array(32).fill(0xff), signature, content)))).fault,
		'forged',
	);
});

test('a later version says so; anything else is malformed', async () => {
	for (const body of ['v2.x', 'v2', 'v17.a.b.c.d']) assert.equal((await open(key, BOUND, body)).fault, 'newer', body);
	const sealed = await seal(key, ada, BOUND, { text: 'x' });
	const [, nonce, cipher] = sealed.split('.');
	const malformed = [
		'',
		'hello',
		'v0.a.b',
		'v1',
		'v1.',
		`v1.${nonce}`,
		`v1.${nonce}A.${cipher}`,
		`v1..${cipher}`,
		`${sealed}.`,
		`${sealed}=`,
		` ${sealed}`,
		`v1.${nonce}.${cipher}\n`,
		'v99999.x',
		'<b>hi</b>',
	];
	for (const body of malformed) assert.equal((await open(key, BOUND, body)).fault, 'malformed', body);
	assert.equal((await open(key, BOUND, `v1.${nonce}.`)).fault, 'undecryptable');
});

test('a wrong padding or content is malformed, though it is signed', async () => {
	const parts = await signed(ada, '{"text":"x"}');
	const whole = padded(...parts);
	for (const plain of [
		new Uint8Array(0),
		new Uint8Array(256),
		whole.subarray(0, 255),
		concat(whole, new Uint8Array(256)),
		concat(whole.subarray(0, -1), Uint8Array.of(1)),
		padded(ada.publicKey),
	]) {
		assert.equal((await open(key, BOUND, await sealRaw(plain))).fault, 'malformed', `${plain.length}`);
	}
	const contents = [
		'',
		'null',
		'[]',
		'"x"',
		'{',
		'{"text":1}',
		'{"name":{}}',
		'{"at_ms":"1"}',
		'{"at_ms":-1}',
		'{"at_ms":1.5}',
		'{"on":1}',
		'{"prev":[]}',
		'{"prev":null}',
		'{"prev":{"seq":1}}',
		Uint8Array.of(0x7b, 0xff, 0x7d),
	];
	for (const content of contents) {
		assert.equal(
			(await open(key, BOUND, await sealRaw(padded(...(await signed(ada, content)))))).fault,
			'malformed',
			String(content),
		);
	}
});

test('unknown members are ignored, and nothing reaches a prototype', async () => {
	const body = await sealRaw(padded(...(await signed(ada, '{"text":"x","later":{"a":1},"__proto__":{"on":true}}'))));
	const { content } = await open(key, BOUND, body);
	assert.deepEqual(content, { text: 'x' });
	assert.equal(content.on, undefined);
});

test('whatever a body is, opening it answers', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.oneof(
				fc.string(),
				fc.string().map((text) => `v1.${text}`),
			),
			async (body) => {
				assert.equal((await open(key, BOUND, body)).ok, false);
			},
		),
	);
	await fc.assert(
		fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (plain) => {
			assert.equal((await open(key, BOUND, await sealRaw(plain))).ok, false);
		}),
		{ numRuns: 50 },
	);
});
