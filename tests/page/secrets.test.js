import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';

import { decodeBase64url, encodeBase64url, randomBytes } from '../../static/values/bytes.js';
import { newSecret, openIdentity, openKeys, sameRoom, support } from '../../static/crypto/secrets.js';
import { formatLink, parseLink } from '../../static/values/link.js';
import { FILE, makeVectors } from './vectors.js';

const ROOM = '0f'.repeat(32);
const SECRET = encodeBase64url(new Uint8Array(32).fill(7));

test('derivations, identities, links and envelopes are as the vectors have them', async () => {
	assert.deepEqual(await makeVectors(), JSON.parse(await readFile(FILE, 'utf8')));
});

test('base64url comes back, and has one spelling', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
			const text = encodeBase64url(bytes);
			assert.equal(text, Buffer.from(bytes).toString('base64url'));
			assert.deepEqual(decodeBase64url(text), Uint8Array.from(bytes));
		}),
	);
	fc.assert(
		fc.property(fc.string({ maxLength: 60 }), (text) => {
			const bytes = decodeBase64url(text);
			if (bytes) assert.equal(encodeBase64url(bytes), text);
		}),
	);
	for (const text of ['A', 'AA==', 'AB', 'AAB', 'A A', 'AA\n', '+/AA', 'ÄÄ', 'AAAAA'])
		assert.equal(decodeBase64url(text), null, text);
});

test('each role opens what its secret gives, and no more', async () => {
	const secret = newSecret();
	const owner = await openKeys(ROOM, 'owner', secret);
	const member = await openKeys(ROOM, 'member', owner.member);
	const reader = await openKeys(ROOM, 'reader', owner.reader);
	assert.deepEqual([member.readToken, member.postToken], [owner.readToken, owner.postToken]);
	assert.deepEqual([member.owner, member.ownerToken], [null, null]);
	assert.deepEqual([reader.member, reader.postToken, reader.ownerToken], [null, null, null]);
	assert.equal(reader.readToken, owner.readToken);
	assert.equal(
		await sameRoom({ room: ROOM, role: 'owner', secret }, { room: ROOM, role: 'reader', secret: owner.reader }),
		true,
	);
	assert.equal(await sameRoom({ room: ROOM, role: 'owner', secret }, { room: ROOM, role: 'reader', secret }), false);
});

test('an identity is the same wherever its secret is opened', async () => {
	const secret = newSecret();
	const [one, other] = [await openIdentity(secret), await openIdentity(secret)];
	assert.deepEqual([one.author, one.signer], [other.author, other.signer]);
	assert.match(one.author, /^[0-9a-f]{32}$/);
	assert.match(one.authorSecret, /^[A-Za-z0-9_-]{43}$/);
	const message = randomBytes(100);
	assert.deepEqual(await one.sign(message), await other.sign(message));
});

test('links are read as they were written', () => {
	const secret = new Uint8Array(32).fill(7);
	for (const role of ['owner', 'member', 'reader']) {
		const path = formatLink(ROOM, role, secret);
		assert.deepEqual(parseLink(`https://buddy.example${path}`), {
			state: 'ok',
			origin: 'https://buddy.example',
			room: ROOM,
			role,
			secret,
			identity: null,
		});
		assert.equal(parseLink(path).state, 'ok');
		assert.equal(parseLink(`Come in: http://127.0.0.1:3000${path} see you`).state, 'ok');
	}
	const identity = new Uint8Array(32).fill(9);
	assert.deepEqual(parseLink(formatLink(ROOM, 'member', secret, identity)).identity, identity);
});

const LINKS = [
	['', 'none'],
	['https://buddy.example/', 'none'],
	['hello', 'none'],
	['https://buddy.example/r/abc#m.x', 'unknown_room'],
	[`/r/${ROOM.toUpperCase()}#m.${SECRET}`, 'unknown_room'],
	[`/r/${ROOM}0#m.${SECRET}`, 'unknown_room'],
	[`/r/${ROOM}`, 'incomplete'],
	[`/r/${ROOM}#`, 'incomplete'],
	[`/r/${ROOM}#m`, 'incomplete'],
	[`/r/${ROOM}#m.`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET.slice(0, 42)}`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET}A`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET.slice(0, 42)}d`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET}=`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET}.`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET}.${SECRET.slice(1)}`, 'incomplete'],
	[`/r/${ROOM}#m.${SECRET}.${SECRET}.${SECRET}`, 'incomplete'],
	[`/r/${ROOM}#r.${SECRET}.${SECRET}`, 'incomplete'],
	[`/r/${ROOM}#o.${SECRET}.${SECRET}`, 'incomplete'],
	[`/r/${ROOM}#${SECRET}`, 'incomplete'],
	[`/r/${ROOM}#x.${SECRET}`, 'newer'],
	[`/r/${ROOM}#M.${SECRET}`, 'newer'],
	[`/r/${ROOM}#m2.${SECRET}`, 'newer'],
	[`/r/${ROOM}#constructor.${SECRET}`, 'incomplete'],
	[`/r/${ROOM}?utm_source=x#m.${SECRET}`, 'ok'],
	[`/r/${ROOM}/#m.${SECRET}`, 'unknown_room'],
	[`/r/${ROOM}#m.${SECRET}`, 'ok'],
	[`/r/${ROOM}#r.${SECRET}`, 'ok'],
];

test('what is no whole link of this version says which', () => {
	for (const [text, state] of LINKS) assert.equal(parseLink(text).state, state, text);
});

test('no text makes the reading of links throw', () => {
	const part = fc.oneof(fc.string(), fc.constantFrom('/r/', ROOM, '#', 'm.', '.', SECRET, 'https://', ' '));
	fc.assert(fc.property(fc.array(part), (parts) => void parseLink(parts.join('')).state));
});

test('a browser without what rooms need is told apart from one without a secure context', async () => {
	assert.equal(await support(), 'ok');
	globalThis.isSecureContext = false;
	assert.equal(await support(), 'insecure');
	delete globalThis.isSecureContext;
});
