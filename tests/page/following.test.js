// Following renewals: what is no rotation never gets in, whoever offers it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { openIdentity } from '../../static/crypto/identity.js';
import { Keyring } from '../../static/room/keyring.js';
import { there } from './there.js';

/** @import { KeysRow } from '../../static/wire/api.js' */

/** @type {typeof import('../vectors/protocol.json')} */
const vectors = JSON.parse(readFileSync(new URL('../vectors/protocol.json', import.meta.url), 'utf8'));
const { room, epochs, identities, rotations } = vectors;
const bytes = (/** @type {string} */ text) => new Uint8Array(Buffer.from(text, 'hex'));

/** Rotations as a server tells them to somebody. @param {string} author @returns {KeysRow[]} */
const rows = (author) =>
	rotations.map(({ public: part, signature, private: sealed, grants }, epoch) => ({
		epoch,
		seq: epoch * 10,
		public: part,
		signature,
		private: sealed,
		grant: grants?.find((grant) => grant.author === author)?.sealed ?? null,
	}));

/** Alice, who knows epoch 0, and what the server tells her. */
async function alice() {
	const identity = await openIdentity(bytes(identities.alice.secret));
	const keyring = new Keyring(room, null, identity);
	const [first, ...later] = rows(identity.author);
	const { epoch, seq, public: part, signature, private: sealed } = first;
	const known = { room, epoch, seq, public: part, signature, private: sealed };
	await keyring.add({ ...known, role: 'member', secret: bytes(epochs[0].member) });
	return { keyring, later, identity };
}

test('grants are followed over a gap of several renewals, and kept people are known', async () => {
	const { keyring, later } = await alice();
	keyring.ownerAuthor = identities.owner.author;
	const outcome = await keyring.follow(later);
	const last = there(keyring.current).part.epoch;
	if (outcome.state === 'current') assert.equal(last, rotations.length - 1);
	else assert.equal(outcome.epoch, last + 1);
	assert.ok(last >= 1);
	assert.equal(Buffer.from(there(keyring.keys.member)).toString('hex'), epochs[last].member);
});

test('a rotation that is forged, of another room, skipped, old or given with the wrong keys is not followed', async () => {
	const { later } = await alice();
	const [next, afterNext] = later;
	const grantOfAnother = rows(identities.bob.author)[1].grant;
	/** @type {Record<string, [KeysRow, string | null]>} */
	const cases = {
		'a changed text': [{ ...next, public: next.public.replace('"removed":[]', '"removed":[ ]') }, 'forged'],
		"another's signature": [{ ...next, signature: afterNext.signature }, 'forged'],
		'under another number': [{ ...afterNext, epoch: 1 }, 'not_next'],
		'one left out': [afterNext, null],
		"another's grant": [{ ...next, grant: grantOfAnother }, 'wrong_keys'],
		'no text at all': [{ ...next, public: '{}' }, 'malformed'],
	};
	for (const [name, [row, code]] of Object.entries(cases)) {
		const { keyring } = await alice();
		if (code === null) assert.equal((await keyring.follow([row])).state, 'no_grant', name);
		else await assert.rejects(keyring.follow([row]), { code }, name);
		assert.equal(there(keyring.current).part.epoch, 0, name);
	}
	const { identity } = await alice();
	const elsewhere = new Keyring('ab'.repeat(32), null, identity);
	await assert.rejects(elsewhere.follow([next]), { code: 'other_room' });
});

test('without a grant one is told so, and an epoch that is known is not exchanged for another', async () => {
	const { keyring, later } = await alice();
	const [next] = later;
	assert.deepEqual(await keyring.follow([{ ...next, grant: null, private: null }]), {
		state: 'no_grant',
		epoch: 1,
		removed: false,
		given: false,
	});
	await keyring.follow([next]);
	assert.equal(there(keyring.current).part.epoch, 1);
	// The same again changes nothing; another of the same epoch is for a person to decide.
	await keyring.follow([next]);
	const other = new Keyring(room, null, await openIdentity(bytes(identities.alice.secret)));
	const [first] = rows(identities.alice.author);
	await other.add({ room, ...first, public: first.public, role: null, secret: null, private: null });
	assert.equal(other.current, null);
});

test("what is no longer the owner's to share is not looked back at", async () => {
	const { keyring, later } = await alice();
	await keyring.follow(later.slice(0, 1));
	const newcomer = new Keyring(room, null, await openIdentity(bytes(identities.bob.secret)));
	const { public: part, signature } = later[0];
	await newcomer.enter({ public: part, signature }, { role: 'reader', epoch: 1, secret: bytes(epochs[1].reader) });
	await newcomer.follow(rows(identities.bob.author).slice(0, 1));
	assert.equal(await newcomer.lookBack(), JSON.parse(part).past !== null);
	if (JSON.parse(part).past !== null) {
		assert.equal(Buffer.from(there(newcomer.get(0)?.keys).reader).toString('hex'), epochs[0].reader);
	}
	await assert.rejects(
		newcomer.enter({ public: part, signature }, { role: 'member', epoch: 1, secret: bytes(epochs[0].member) }),
		{ code: 'wrong_keys' },
	);
});
