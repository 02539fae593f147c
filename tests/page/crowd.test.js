// A renewal among five hundred people: what it costs the owner's page, and a member's.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { admitPerson } from '../../static/crypto/card.js';
import { openIdentity } from '../../static/crypto/identity.js';
import { ownerIdentity } from '../../static/crypto/keys.js';
import { found } from '../../static/room/founding.js';
import { Keyring } from '../../static/room/keyring.js';
import { Owning } from '../../static/room/owning.js';
import { Standing } from '../../static/room/standing.js';
import { randomBytes } from '../../static/values/bytes.js';
import { Api } from '../../static/wire/api.js';

/**
 * @import { Identity } from '../../static/crypto/identity.js'
 * @import { Signing } from '../../static/crypto/keys.js'
 * @import { LinkRow, Renewal } from '../../static/wire/api.js'
 */

const PEOPLE = 500;

/** A server that keeps links, and the renewal that it was sent. */
class Keeper extends Api {
	/** @type {LinkRow[]} */
	kept = [];
	/** @type {Renewal | null} */
	sent = null;

	/** @type {Api['links']} */
	async links() {
		return { links: this.kept };
	}

	/** @type {Api['makeLink']} */
	async makeLink(_room, _access, { id, note, epoch }) {
		const times = { created_at_ms: 1, opened_at_ms: null, expires_at_ms: null };
		this.kept.push({ id, note, epoch, opened: 0, openings: null, ...times });
		return { id, created_at_ms: 1 };
	}

	/** @type {Api['renew']} */
	async renew(_room, _access, request) {
		this.sent = request;
		return { epoch: 1, seq: 1000, sent_at_ms: 1 };
	}
}

test('five hundred people are given new keys within 3 s, and each follows within 300 ms', async (context) => {
	const owner = randomBytes(32);
	const { room, rotation, state } = await found(owner, { name: 'A crowd', expiresInS: null, messageTtlS: null });
	const identity = await openIdentity(await ownerIdentity(owner));
	const keyring = new Keyring(room, owner, identity);
	await keyring.add(rotation);
	assert.ok(keyring.owner !== null && keyring.current);
	const admitting = /** @type {Signing} */ (keyring.keys.admit);
	const standing = new Standing(room, keyring.owner);
	standing.addEpoch({ epoch: 0, seq: 0, admit: keyring.current.part.admit, kept: [] });
	/** @type {Identity[]} */
	const people = [];
	for (let at = 0; at < PEOPLE; at += 1) {
		const person = await openIdentity(randomBytes(32));
		const card = { name: `Person ${at}`, ...(await admitPerson(admitting, room, 0, person)) };
		assert.equal(await standing.addCard({ seq: at + 1, author: person.author }, 0, person.signer, card), true);
		people.push(person);
	}
	// One whose key is of small order is left out, and stops nothing.
	const weak = await openIdentity(randomBytes(32));
	const box = 'A'.repeat(43);
	const { admit } = await admitPerson(admitting, room, 0, { ...weak, boxKey: new Uint8Array(32) });
	assert.equal(
		await standing.addCard({ seq: 999, author: weak.author }, 0, weak.signer, { name: 'Weak', box, admit }),
		true,
	);

	const api = new Keeper();
	const owning = new Owning(room, owner, identity, keyring, api);
	const stay = [...people, weak].map(({ signer }) => signer);
	const began = performance.now();
	const { leftOut } = await owning.renew({ remove: [], stay, links: [], sharePast: true }, standing, {
		look: async () => ({ state, head: null, roomLink: null, cardsSeen: 999 }),
		begun: (row) => keyring.add(row),
	});
	const ownersMs = performance.now() - began;
	assert.deepEqual(leftOut, ['Weak']);
	const { sent } = api;
	assert.ok(sent);
	assert.equal(sent.grants.length, PEOPLE);
	assert.ok(JSON.stringify(sent).length < 524_288, 'it fits a request');

	const last = people.at(-1);
	assert.ok(last);
	const member = new Keyring(room, null, last);
	await member.add({ ...rotation, private: rotation.private });
	const { grants } = sent;
	const grant = grants.find(({ author }) => author === last.author)?.sealed;
	assert.ok(grant !== undefined);
	member.ownerAuthor = identity.author;
	const follows = performance.now();
	const followed = await member.follow([
		{ epoch: 1, seq: 1000, public: sent.public, signature: sent.signature, private: sent.private, grant },
	]);
	const membersMs = performance.now() - follows;
	assert.deepEqual(followed, { state: 'current' });
	assert.equal(member.current?.part.epoch, 1);
	assert.equal(member.keptIn(1)?.length, PEOPLE);
	context.diagnostic(`the owner's page took ${ownersMs.toFixed(0)} ms, a member's ${membersMs.toFixed(0)} ms`);
	assert.ok(ownersMs < 3_000 && membersMs < 300, `${ownersMs} and ${membersMs} ms`);
	// Whom the renewal left out finds no grant.
	const out = new Keyring(room, null, weak);
	await out.add(rotation);
	const none = { epoch: 1, seq: 1000, public: sent.public, signature: sent.signature, private: null, grant: null };
	assert.deepEqual(await out.follow([none]), { state: 'no_grant', epoch: 1, removed: false, given: false });
});
