/**
 * Makes the vectors that tie the page's cryptography to independent implementations: from fixed inputs,
 * everything the page derives and seals. `npm run vectors` writes them to vectors.json; the page's tests
 * compare against that file, and tests/vectors.rs checks it with other crates.
 */

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { encodeBase64url, hex, sha256, utf8 } from '../../static/values/bytes.js';
import { ABOUT, additionalData, seal } from '../../static/crypto/envelope.js';
import { derive, hashToken, openIdentity, openKeys, ownerIdentity } from '../../static/crypto/secrets.js';
import { formatLink } from '../../static/values/link.js';
import { fingerprint } from '../../static/crypto/words.js';

export const FILE = fileURLToPath(new URL('vectors.json', import.meta.url));

/** Bytes that count up from a start: nobody's secret. */
const counting = (start, length = 32) => Uint8Array.from({ length }, (_, at) => (start + at) & 0xff);

export async function makeVectors() {
	const room = hex(counting(0xa0));
	const owner = counting(0);
	const keys = await openKeys(room, 'owner', owner);
	const identities = { owner: await ownerIdentity(owner), member: counting(0x40) };
	return {
		room,
		derivation: {
			owner: hex(owner),
			member: hex(keys.member),
			reader: hex(keys.reader),
			content_key: hex(await derive(keys.reader, 'buddy/v1/content')),
			owner_token: keys.ownerToken,
			post_token: keys.postToken,
			read_token: keys.readToken,
			owner_token_hash: await hashToken(keys.ownerToken),
			post_token_hash: await hashToken(keys.postToken),
			read_token_hash: await hashToken(keys.readToken),
		},
		identities: {
			owner: await identityVector(identities.owner),
			member: await identityVector(identities.member),
		},
		links: {
			owner: formatLink(room, 'owner', owner),
			member: formatLink(room, 'member', keys.member),
			reader: formatLink(room, 'reader', keys.reader),
			device: formatLink(room, 'member', keys.member, identities.member),
		},
		envelopes: await envelopes(room, keys, await openIdentity(identities.member), await openIdentity(identities.owner)),
	};
}

async function identityVector(secret) {
	const identity = await openIdentity(secret);
	return {
		secret: hex(secret),
		author_secret: identity.authorSecret,
		author: identity.author,
		sign_seed: hex(await derive(secret, 'buddy/v1/sign')),
		public_key: hex(identity.publicKey),
		fingerprint: await fingerprint(identity.signer),
	};
}

async function envelopes(room, keys, member, owner) {
	const client_id = '00112233-4455-4677-8899-aabbccddeeff';
	const place = { room, client_id, author: member.author };
	const prev = { seq: 41, sha256: encodeBase64url(await sha256(utf8('v1.a.b'))) };
	const said = { name: 'Zoë', at_ms: 1_700_000_000_000 };
	const cases = [
		['a message', member, { ...place, kind: 'message', target: null }, { ...said, text: 'hello 👋', prev }],
		['an edit', member, { ...place, kind: 'edit', target: 7 }, { ...said, text: 'hello', target_id: client_id, prev }],
		[
			'a deletion by the owner',
			owner,
			{ ...place, author: owner.author, kind: 'delete', target: 7 },
			{ ...said, target_id: client_id },
		],
		[
			'a reaction',
			member,
			{ ...place, kind: 'react', target: 7 },
			{ ...said, emoji: '🎉', on: true, target_id: client_id },
		],
		['a signal', member, { room, kind: 'signal/typing', client_id: null, author: member.author, target: null }, said],
		[
			'the longest message',
			member,
			{ ...place, kind: 'message', target: null },
			{ text: 'x'.repeat(11_935 - '{"text":""}'.length) },
		],
		[
			'a content that fills its padding',
			member,
			{ ...place, kind: 'message', target: null },
			{ text: 'x'.repeat(256 - 96 - 1 - '{"text":""}'.length) },
		],
		[
			'a content one byte longer',
			member,
			{ ...place, kind: 'message', target: null },
			{ text: 'x'.repeat(256 - 96 - '{"text":""}'.length) },
		],
	];
	const made = [];
	for (const [at, [name, identity, where, content]] of cases.entries()) {
		made.push(await envelope(name, keys, identity, additionalData(where), content, counting(0xb0 + at, 12)));
	}
	made.push(
		await envelope('about', keys, owner, ABOUT, { name: 'Summer trip', at_ms: said.at_ms }, counting(0xd0, 12)),
	);
	return made;
}

async function envelope(name, keys, identity, bound, content, nonce) {
	return {
		name,
		additional_data: bound,
		nonce: hex(nonce),
		public_key: hex(identity.publicKey),
		content: JSON.stringify(content),
		body: await seal(keys.content, identity, bound, content, nonce),
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	await writeFile(FILE, `${JSON.stringify(await makeVectors(), null, '\t')}\n`);
}
