// Following renewals: what is no rotation never gets in, whoever offers it, and a connection that breaks leaves nothing
// undone.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { openIdentity } from '../../static/crypto/identity.js';
import { Keyring } from '../../static/room/keyring.js';
import { Room } from '../../static/room/room.js';
import { admit, createRoom } from '../../static/room/rooms.js';
import { Store } from '../../static/storage/store.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { parseLink } from '../../static/values/link.js';
import { Api } from '../../static/wire/api.js';
import { testLocks } from './locks.js';
import { TestServer } from './server.js';
import { there } from './there.js';
import { until } from './waiting.js';

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

/** @type {TestServer} */
let server;
/** What is done with requests about a room. @type {Map<string, typeof server.intercept>} */
const watched = new Map();

before(async () => {
	server = await TestServer.start();
	server.intercept = (request, response) => watched.get(request.path.split('/')[3])?.(request, response) ?? false;
});

after(() => server.stop());

/** Of one person: its tabs share a store, locks and channels. */
class Browser {
	#store = new Store(new MemoryTables(), true);
	#locks = testLocks();
	#api;
	/** @type {Room[]} */
	tabs = [];
	/** All that any tab ever complained of. @type {Set<string>} */
	alarms = new Set();

	/** @param {string} name */
	constructor(name) {
		this.name = name;
		this.#api = new Api(server.base, (input, init) =>
			fetch(input, {
				...init,
				headers: { .../** @type {Record<string, string>} */ (init?.headers), 'test-browser': name },
			}),
		);
	}

	/** The tab that was opened last. @returns {Room} */
	get tab() {
		return /** @type {Room} */ (this.tabs.at(-1));
	}

	/** A new room, whose owner has no name in it and says nothing: nothing tells by which request they renew. */
	async create() {
		const { record } = await createRoom(this.#store, { name: 'Summer trip' }, this.#api);
		return this.#show(record);
	}

	/** @param {string} url */
	async come(url) {
		const link = parseLink(url);
		assert.equal(link.state, 'ok');
		const { record } = await admit(this.#store, link);
		const room = await this.#show(record);
		await room.join(this.name);
		return room;
	}

	/** Another tab, or the same one after a reload. @param {string} id */
	async open(id) {
		return this.#show(await this.#store.room(id));
	}

	close() {
		for (const tab of this.tabs) tab.close();
		this.tabs = [];
	}

	/** @param {any} record */
	async #show(record) {
		const room = new Room(record, {
			store: this.#store,
			api: this.#api,
			origin: 'https://buddy.example',
			locks: this.#locks,
			channel: (topic) => new BroadcastChannel(`${this.name}/${topic}`),
		});
		this.tabs.push(room);
		const note = () => {
			for (const { code } of room.alarms) this.alarms.add(code);
			for (const { alarm, type } of room.entries) if (alarm || type === 'lost') this.alarms.add(alarm ?? type);
		};
		room.addEventListener('alarms', note);
		room.addEventListener('entries', note);
		await room.open();
		return room;
	}
}

/** @param {Room} room */
const texts = (room) => room.entries.flatMap((entry) => (entry.type === 'message' ? [entry.text] : []));

/** Whom somebody believes for the owner's word, and what they know by it. @param {Room} room */
async function known(room) {
	const guests = room.phase === 'open' ? await room.guests() : [];
	return {
		kept: guests.flatMap(({ name, trusted }) => (trusted ? [name] : [])).sort(),
		invite: (await room.ownLinks()).invite,
		renewals: room.entries.filter(({ type }) => type === 'rotate').length,
	};
}

/**
 * A room is renewed, and one request of Ben, who follows, comes to nothing. He must get everything in the end.
 *
 * @param {object} cut
 * @param {number} cut.at Which of his requests.
 * @param {'lost' | 'reloaded' | 'taken over'} cut.how What becomes of the tab that made it.
 * @param {boolean} cut.away Whether he learns of the renewal when he comes back.
 * @param {boolean} cut.byLink Whether he gets the keys by a link and not by a grant.
 * @returns {Promise<number>} how many requests he made
 */
async function followed({ at, how, away, byLink }) {
	const [ada, ben, cleo] = ['Ada', 'Ben', 'Cleo'].map((name) => new Browser(name + crypto.randomUUID()));
	assert.ok(ada && ben && cleo);
	try {
		const owner = await ada.create();
		const { room: id } = owner;
		const { invite } = await owner.ownLinks();
		for (const guest of [ben, cleo]) await (await guest.come(invite ?? '')).send('before');
		if (how === 'taken over') await ben.open(id);
		for (const room of [owner, ...ben.tabs, cleo.tab]) {
			await until(() => texts(room).length === 2 && room.connection.state === 'live', 'all have spoken');
		}
		const stay = (await owner.guests()).filter(({ name }) => !byLink || name !== ben.name);
		const links = byLink ? (await owner.links()).map((link) => link.id) : [];
		if (away) ben.close();
		let asked = 0;
		/** @type {Promise<unknown> | null} */
		let reopened = null;
		watched.set(id, ({ headers, path }, response) => {
			if (headers['test-browser'] !== ben.name || path.endsWith('/signals')) return false;
			asked += 1;
			if (asked !== at + 1) return false;
			response.destroy();
			if (how === 'taken over') ben.tabs.shift()?.close();
			if (how === 'reloaded') {
				ben.close();
				reopened = ben.open(id);
			}
			return true;
		});
		await owner.renew({ remove: [], stay: stay.map(({ signer }) => signer ?? ''), links, sharePast: true });
		await cleo.tab.send('after');
		await until(() => texts(owner).includes('after'), 'the renewal is followed by others');
		if (away) await ben.open(id);
		await until(() => ben.tab && texts(ben.tab).includes('after'), 'what was said after the renewal is read');
		const all = { kept: stay.map(({ name }) => name).sort(), invite: (await owner.ownLinks()).invite, renewals: 1 };
		const knowsAll = async () => {
			// A page that is being loaded again knows nothing yet.
			await reopened;
			return ben.tab && JSON.stringify(await known(ben.tab)) === JSON.stringify(all);
		};
		const what = `all of the renewal is known, though request ${at} was cut`;
		await until(knowsAll, what, 20_000);
		watched.delete(id);
		// It may have been the very last request.
		await reopened;
		await until(knowsAll, what, 20_000);
		const needed = asked;
		await ben.tab.send('on');
		await until(() => texts(owner).includes('on'), 'the follower goes on');
		for (const { name, alarms } of [ada, ben, cleo])
			assert.deepEqual([...alarms], [], `${name}, request ${at} was cut`);
		return needed;
	} finally {
		for (const browser of [ada, ben, cleo]) browser.close();
	}
}

for (const [name, cut] of /** @type {const} */ ([
	['whose connection breaks', { how: 'lost', away: false, byLink: false }],
	['who was away and whose connection breaks', { how: 'lost', away: true, byLink: false }],
	['who reloads the page', { how: 'reloaded', away: false, byLink: false }],
	['who comes back and reloads the page', { how: 'reloaded', away: true, byLink: false }],
	['whose other tab takes over', { how: 'taken over', away: false, byLink: false }],
	['who comes by a link and whose connection breaks', { how: 'lost', away: false, byLink: true }],
	['who comes by a link and reloads the page', { how: 'reloaded', away: false, byLink: true }],
])) {
	test(`at whichever request, one ${name} still follows a renewal to its end`, async () => {
		const requests = await followed({ ...cut, at: Infinity });
		assert.ok(requests >= 3);
		await Promise.all(Array.from({ length: requests }, (_, at) => followed({ ...cut, at })));
	});
}

/**
 * The owner removes Ben, which takes the link back as well, and one request of theirs comes to nothing. They try again
 * where they are told that it failed.
 *
 * @param {object} cut
 * @param {number} cut.at Which of the requests.
 * @param {'lost' | 'unanswered' | 'reloaded'} cut.how `unanswered`: the server did what it was asked for. So it did
 *   where the page is reloaded.
 * @returns {Promise<number>} how many requests it took
 */
async function renewed({ at, how }) {
	const [ada, ben, cleo] = ['Ada', 'Ben', 'Cleo'].map((name) => new Browser(name + crypto.randomUUID()));
	assert.ok(ada && ben && cleo);
	try {
		const { room: id } = await ada.create();
		const { invite } = await ada.tab.ownLinks();
		for (const guest of [ben, cleo]) await (await guest.come(invite ?? '')).send('before');
		for (const { tab } of [ada, ben, cleo]) {
			await until(() => texts(tab).length === 2 && tab.connection.state === 'live', 'all have spoken');
		}
		let asked = 0;
		/** @type {Promise<unknown> | null} */
		let reopened = null;
		watched.set(id, ({ headers, path }, response) => {
			if (headers['test-browser'] !== ada.name || path.endsWith('/signals')) return false;
			asked += 1;
			if (asked !== at + 1) return false;
			if (how === 'lost' || path.endsWith('/stream')) return Boolean(response.destroy());
			response.writeHead = () => {
				if (how === 'reloaded') {
					ada.close();
					reopened = ada.open(id);
				}
				return response.destroy();
			};
			return false;
		});
		/** @param {Room} owner */
		const renew = async (owner) => {
			const guests = await owner.guests();
			const of = (/** @type {Browser} */ { name }) =>
				guests.flatMap((guest) => (guest.name === name ? [guest.signer] : []));
			const remove = of(ben);
			if (remove.length > 0) await owner.renew({ remove, stay: of(cleo), links: [], sharePast: true });
		};
		await renew(ada.tab).catch(async (cause) => {
			assert.ok(['network', 'aborted'].includes(cause.code), cause);
		});
		const needed = asked;
		watched.delete(id);
		await reopened;
		await until(() => ada.tab.connection.state === 'live', 'the owner is back');
		await renew(ada.tab);
		await ada.tab.send('after');
		await until(() => texts(cleo.tab).includes('after'), `who stays reads on, though request ${at} was cut`);
		await until(() => ben.tab.phase === 'removed', `who was removed is out, though request ${at} was cut`);
		const links = await ada.tab.links();
		assert.deepEqual(
			links.map(({ isRoomLink }) => isRoomLink),
			[true],
			`request ${at} was cut`,
		);
		const { invite: fresh } = await ada.tab.ownLinks();
		assert.deepEqual([links[0]?.url, fresh === invite], [fresh, false], `request ${at} was cut`);
		await until(async () => (await cleo.tab.ownLinks()).invite === fresh, 'members pass on the new link');
		for (const { name, alarms } of [ada, cleo]) assert.deepEqual([...alarms], [], `${name}, request ${at} was cut`);
		return needed;
	} finally {
		for (const browser of [ada, ben, cleo]) browser.close();
	}
}

for (const how of /** @type {const} */ (['lost', 'unanswered', 'reloaded'])) {
	test(`at whichever request, an owner whose request is ${how} still removes somebody and takes a link back`, async () => {
		const requests = await renewed({ how, at: Infinity });
		assert.ok(requests >= 6);
		await Promise.all(Array.from({ length: requests }, (_, at) => renewed({ how, at })));
	});
}
