// The vectors that tie the page's cryptography to an independent implementation: everything in
// tests/vectors/protocol.json, which the native client writes, is derived, opened and checked here.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { openBox, sealBox } from '../../static/crypto/box.js';
import { isAdmitted, isFarewell } from '../../static/crypto/card.js';
import { additionalData, open, seal } from '../../static/crypto/envelope.js';
import { openBoxSeed, openIdentity, openSeed, roomOf, verify } from '../../static/crypto/identity.js';
import {
	derive,
	freshSecret,
	hashToken,
	linkSecret,
	memberSecret,
	openMember,
	ownerIdentity,
	ownerToken,
} from '../../static/crypto/keys.js';
import { openGift, openInvite, openLink, openNote, sealGift, sealNote } from '../../static/crypto/links.js';
import { isBoxKey, isSigner } from '../../static/crypto/point.js';
import {
	checkKeys,
	checkNext,
	hashPeople,
	hashPublic,
	openGrant,
	openPast,
	openPrivate,
	parseRotationBody,
	rotationBody,
	sealGrant,
	sealPast,
	verifyPublic,
} from '../../static/crypto/rotation.js';
import { Lines, lineOf } from '../../static/room/lines.js';
import { hashBody } from '../../static/room/bodies.js';
import { noteKey } from '../../static/crypto/keys.js';
import { decodeBase64url, encodeBase64url, hex, utf8 } from '../../static/values/bytes.js';
import { formatLink, parseLink } from '../../static/values/link.js';
import { there } from './there.js';

/**
 * @import { Content } from '../../static/crypto/content.js'
 * @import { PublicPart } from '../../static/crypto/rotation.js'
 */

/** @type {typeof import('../vectors/protocol.json')} */
const vectors = JSON.parse(readFileSync(new URL('../vectors/protocol.json', import.meta.url), 'utf8'));
const { room, epochs, identities, rotations } = vectors;

const bytes = (/** @type {string} */ text) => new Uint8Array(Buffer.from(text, 'hex'));
const owner = bytes(vectors.owner.secret);

/** Of a link that is whole. @param {string} text */
function linkOf(text) {
	const link = parseLink(text);
	assert.ok(link.state === 'ok', text);
	return link;
}

test('the owner, people and epochs derive as the vectors say', async () => {
	assert.equal(await ownerToken(owner), vectors.owner.token);
	assert.equal(await hashToken(vectors.owner.token), vectors.owner.token_hash);
	assert.equal(hex(await derive(owner, 'buddy/v2/note')), vectors.owner.note_key);
	assert.equal(hex(await ownerIdentity(owner)), identities.owner.secret);
	for (const expected of Object.values(identities)) {
		const identity = await openIdentity(bytes(expected.secret));
		assert.equal(identity.signer, expected.signer);
		assert.equal(identity.author, expected.author);
		assert.equal(identity.authorSecret, expected.author_secret);
		assert.equal(encodeBase64url(identity.boxKey), expected.box);
	}
	assert.equal(await roomOf(there(decodeBase64url(identities.owner.signer))), room);
	let member;
	for (const expected of epochs) {
		const { epoch } = expected;
		const fresh = await freshSecret(owner, epoch, there(decodeBase64url(expected.salt)));
		assert.equal(hex(fresh), expected.fresh);
		member = await memberSecret(room, epoch, fresh, member);
		assert.equal(hex(member), expected.member);
		const keys = await openMember(epoch, member);
		assert.equal(hex(keys.reader), expected.reader);
		assert.equal(keys.readToken, expected.read_token);
		assert.equal(keys.postToken, expected.post_token);
		assert.equal(await hashToken(keys.readToken), expected.read_token_hash);
		assert.equal(encodeBase64url(keys.admit.publicKey), expected.admit);
		assert.equal(hex(await derive(keys.reader, 'buddy/v2/content')), expected.content_key);
		assert.equal(hex(await derive(keys.reader, 'buddy/v2/past')), expected.past_key);
		assert.equal(hex(await derive(keys.member, 'buddy/v2/invite')), expected.invite_key);
	}
});

test("boxes are those of RFC 9180's vector and of the other implementation, both ways", async () => {
	const { rfc9180, grant } = vectors.boxes;
	const recipient = await openBoxSeed(bytes(rfc9180.recipient_private));
	const bound = bytes(rfc9180.additional_data);
	const sealed = await sealBox(recipient.publicKey, bytes(rfc9180.info), bytes(rfc9180.plaintext), {
		ephemeral: await openBoxSeed(bytes(rfc9180.ephemeral_private)),
		bound,
	});
	assert.equal(hex(sealed), rfc9180.encapsulated + rfc9180.ciphertext);
	assert.equal(hex(await openBox(recipient, bytes(rfc9180.info), sealed, { bound })), rfc9180.plaintext);
	const holder = await openBoxSeed(bytes(grant.recipient_private));
	const made = await sealBox(holder.publicKey, utf8(grant.info), bytes(grant.plaintext), {
		ephemeral: await openBoxSeed(bytes(grant.ephemeral_private)),
	});
	assert.equal(encodeBase64url(made), grant.sealed);
	assert.equal(hex(await openBox(holder, utf8(grant.info), made)), grant.plaintext);
	await assert.rejects(openBox(holder, utf8(`${grant.info}0`), made), { code: 'unopenable' });
});

test('envelopes are the same bytes here and there', async () => {
	for (const vector of vectors.envelopes) {
		const epoch = Number(vector.additional_data.split('|')[2]);
		const { content } = await openMember(epoch, bytes(epochs[epoch].member));
		const { kind, author, target } = vector;
		const place = { room, epoch, kind, client_id: vector.client_id, author, target };
		assert.equal(additionalData(place), vector.additional_data);
		const [secret] = Object.values(identities).filter(({ signer }) => signer === vector.signer);
		const identity = await openIdentity(bytes(secret.secret));
		/** @type {Record<string, unknown> & { box?: string, admit?: string }} */
		const said = JSON.parse(vector.content);
		assert.equal(await seal(content, identity, place, said, { nonce: bytes(vector.nonce) }), vector.body, vector.name);
		const opened = await open(content, place, vector.body);
		assert.ok(opened.ok, vector.name);
		assert.equal(opened.signer, vector.signer);
		for (const [name, value] of Object.entries(opened.content)) assert.deepEqual(value, said[name]);
		if (kind === 'card') assert.ok(await isAdmitted(epochs[epoch].admit, room, epoch, vector.signer, said));
		assert.deepEqual(await open(content, { ...place, room: 'ab'.repeat(32) }, vector.body), {
			ok: false,
			fault: 'undecryptable',
		});
	}
});

test('links give the same, here and there', async () => {
	for (const role of /** @type {const} */ (['member', 'reader'])) {
		const vector = vectors.links[/** @type {const} */ (`${role}_link`)];
		const seed = there(decodeBase64url(vector.seed));
		const secret = await linkSecret(owner, seed);
		assert.equal(hex(secret), vector.secret);
		const link = await openLink(secret);
		assert.equal(link.id, vector.id);
		assert.equal(link.token, vector.token);
		/** @type {{ epoch: number, member?: string, reader?: string }} */
		const gift = JSON.parse(vector.gift);
		const given = there(await openGift(link, room, gift.epoch, vector.sealed));
		assert.equal(encodeBase64url(given.secret), gift[role]);
		assert.equal(await openGift(link, room, gift.epoch + 1, vector.sealed), null);
		assert.equal(await sealGift(link, room, given, bytes(vector.sealed_nonce)), vector.sealed);
		const key = await noteKey(owner);
		const note = there(await openNote(key, room, link.id, vector.note));
		assert.equal(encodeBase64url(note.seed), vector.seed);
		assert.equal(await sealNote(key, room, link.id, note, bytes(vector.note_nonce)), vector.note);
		assert.equal(await openNote(key, room, '0'.repeat(32), vector.note), null);
		const parsed = linkOf(vectors.links[role]);
		assert.equal(hex(parsed.secret), vector.secret);
		assert.equal(formatLink(room, role, parsed.secret), vectors.links[role]);
	}
	const device = linkOf(vectors.links.device);
	assert.equal(formatLink(room, 'member', device.secret, device.identity), vectors.links.device);
	assert.equal(hex(linkOf(vectors.links.owner).secret), vectors.owner.secret);
});

test('rotations verify, follow each other and open; anything else is refused', async () => {
	/** @type {{ part: PublicPart, public: string } | null} */
	let before = null;
	for (const [epoch, vector] of rotations.entries()) {
		const part = await verifyPublic(room, vector);
		assert.equal(await hashPublic(vector.public), vector.hash);
		const keys = await openMember(epoch, bytes(epochs[epoch].member));
		await checkKeys(part, keys);
		const [, , , , client_id, author] = vector.private_additional_data.split('|');
		const request = { client_id: client_id || null, author: author || null };
		const opened = await openPrivate(keys.content, room, request, vector.private);
		assert.ok(opened.ok);
		/** @type {Content} */
		const { kept, state, links } = JSON.parse(vector.private_content);
		assert.deepEqual(
			{ kept: opened.content.kept, state: opened.content.state, links: opened.content.links },
			{ kept, state, links },
		);
		const invite = there(await openInvite(keys.invite, room, epoch, vector.invite));
		assert.equal(hex(invite), vectors.links.member_link.secret);
		if (before) {
			await checkNext(before, part);
			assert.equal(rotationBody(vector), vector.event_body);
			assert.deepEqual(parseRotationBody(there(vector.event_body)), {
				public: vector.public,
				signature: vector.signature,
				private: vector.private,
			});
			const granted = vector.grants.map((grant) => grant.author);
			assert.equal(part.people, await hashPeople(granted));
			for (const grant of vector.grants) {
				const [person] = Object.values(identities).filter((one) => one.author === grant.author);
				const identity = await openIdentity(bytes(person.secret));
				const member = await openGrant(room, epoch, identity, grant.sealed, bytes(epochs[epoch - 1].member));
				assert.equal(hex(member), epochs[epoch].member);
			}
			if (part.past !== null) {
				const reader = bytes(epochs[epoch - 1].reader);
				assert.equal(hex(there(await openPast(keys.past, room, epoch, part.past))), hex(reader));
				assert.equal(await sealPast(keys.past, room, epoch, reader, bytes(there(vector.past).nonce)), part.past);
			}
			await assert.rejects(checkNext({ ...before, public: `${before.public} ` }, part), { code: 'not_next' });
		}
		await assert.rejects(checkKeys(part, { ...keys, readToken: 'x' }), { code: 'wrong_keys' });
		before = { part, public: vector.public };
	}
	for (const refused of vectors.refused.rotations) {
		await assert.rejects(verifyPublic(room, refused), { name: 'Error' }, refused.name);
	}
	assert.equal(await hashPeople([]), vectors.refused.people_of_nobody);
});

test('what is not canonical, or of small order, is refused', async () => {
	for (const text of vectors.refused.base64url) assert.equal(decodeBase64url(text), null, JSON.stringify(text));
	for (const key of vectors.refused.box_keys) {
		assert.equal(isBoxKey(bytes(key)), false, key);
		await assert.rejects(sealBox(bytes(key), utf8('x'), utf8('x')), { code: 'bad_key' });
		assert.equal(
			await sealGrant(room, 1, { signer: identities.alice.signer, box: encodeBase64url(bytes(key)) }, owner),
			null,
		);
	}
	for (const key of vectors.refused.signers) {
		const raw = /^[0-9a-f]{64}$/.test(key) ? bytes(key) : there(decodeBase64url(key));
		assert.equal(isSigner(raw) && (await verify(encodeBase64url(raw), new Uint8Array(64), utf8(''))), false, key);
	}
	for (const identity of Object.values(identities)) {
		assert.ok(isSigner(there(decodeBase64url(identity.signer))));
		assert.ok(isBoxKey(there(decodeBase64url(identity.box))));
	}
	const { content } = await openMember(1, bytes(epochs[1].member));
	const place = { room, kind: 'message', client_id: null, author: null, target: null };
	for (const { name, body } of vectors.refused.envelopes) {
		assert.equal((await open(content, place, body)).ok, false, name);
	}
});

test('a signature under a key of small order verifies nothing', async () => {
	// R = A = the neutral point and S = 0 satisfy the equation for every message.
	const neutral = new Uint8Array(32);
	neutral[0] = 1;
	const signature = new Uint8Array(64);
	signature[0] = 1;
	assert.equal(await verify(encodeBase64url(neutral), signature, utf8('anything')), false);
	const { publicKey, sign } = await openSeed(bytes('07'.repeat(32)));
	assert.ok(await verify(encodeBase64url(publicKey), await sign(utf8('x')), utf8('x')));
});

test('farewells and windows are the same here and there', async () => {
	assert.ok(await isFarewell(identities.owner.signer, room, vectors.farewell));
	assert.equal(await isFarewell(identities.alice.signer, room, vectors.farewell), false);
	const lines = new Lines(room);
	for (const { event, line } of vectors.windows.lines) {
		const made = lineOf(event, await hashBody(event.body));
		assert.equal(made, line);
		lines.set(event.seq, made);
	}
	for (const { from, seq, digest } of vectors.windows.windows) {
		assert.ok(lines.covers({ from, seq }));
		assert.equal(await lines.digest({ from, seq }), digest);
	}
	assert.deepEqual(await lines.head(), vectors.windows.windows.at(-1));
});
