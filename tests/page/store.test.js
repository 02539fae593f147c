import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Api } from '../../static/wire/api.js';
import {
	admit,
	checkNews,
	createRoom,
	forgetRoom,
	listRooms,
	renameRoom,
	roomAddress,
	sweepRooms,
	takeIdentity,
} from '../../static/room/rooms.js';
import { openIdentity, roomOf } from '../../static/crypto/identity.js';
import { newSecret, ownerIdentity } from '../../static/crypto/keys.js';
import { formatLink, parseLink } from '../../static/values/link.js';
import { openStore, Store } from '../../static/storage/store.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { collect } from './collect.js';
import { TestServer } from './server.js';
import { there } from './there.js';

/**
 * @import { Bytes } from '../../static/values/bytes.js'
 * @import { LogEvent } from '../../static/values/event.js'
 * @import { Role } from '../../static/values/link.js'
 * @import { OutboxEntry, Removal, RoomRecord, State } from '../../static/storage/store.js'
 */

const ROOM = '0f'.repeat(32);
const HASH = 'e0'.repeat(32);
/** @param {number} seq @returns {LogEvent} */
const event = (seq) => ({
	seq,
	kind: 'message',
	client_id: `id-${seq}`,
	author: null,
	target: null,
	body: 'sealed',
	sent_at_ms: seq,
});
/** @param {string} room @param {number} seq */
const stored = (room, seq) => ({ room, seq, event: event(seq), hash: HASH, signer: 'key' });
/** @param {string} room @param {number} order @returns {OutboxEntry} */
const waiting = (room, order) => ({
	room,
	order,
	client_id: `id-${order}`,
	kind: 'message',
	target: null,
	said: { text: 'hello' },
	identity: new Uint8Array(32),
	body: null,
	epoch: null,
	again: null,
	state: 'waiting',
	seq: null,
	error: null,
});

/** One that was made, and of which nothing else is known yet. @param {string} room @returns {RoomRecord} */
const known = (room) => ({
	room,
	role: 'owner',
	owner: null,
	link: null,
	identity: new Uint8Array(32),
	joined: false,
	label: '',
	title: '',
	yourName: '',
	openedAtMs: 0,
	log: null,
	lastSeq: 0,
	readSeq: 0,
	ownerSigner: null,
	ownerLinkKept: false,
	createdAtMs: 0,
	expiresAtMs: 0,
	state: null,
	lastPost: null,
	closed: null,
	lost: [],
});

/** Each test runs on both kinds of storage: they must not differ. */
const KINDS = {
	IndexedDB: () => openStore(new IDBFactory()),
	memory: async () => new Store(new MemoryTables(), false),
};

for (const [kind, make] of Object.entries(KINDS)) {
	test(`${kind}: events come back ascending, without a gap, by room`, async () => {
		const store = await make();
		await store.putEvents([3, 4, 1, 6, 5].map((seq) => stored(ROOM, seq)));
		await store.putEvents([stored('1f'.repeat(32), 2)]);
		const seqs = async (/** @type {number} */ before, /** @type {number} */ limit) =>
			(await store.eventsBefore(ROOM, before, limit)).map(({ seq }) => seq);
		assert.deepEqual(await seqs(7, 10), [3, 4, 5, 6]);
		assert.deepEqual(await seqs(7, 2), [5, 6]);
		assert.deepEqual(await seqs(2, 10), [1]);
		assert.deepEqual(await seqs(1, 10), []);
		await store.eraseMessage(ROOM, 4);
		assert.deepEqual(
			(await store.eventsBefore(ROOM, 5, 1)).map(({ event, signer }) => [event.body, event.erased, signer]),
			[['', HASH, 'key']],
		);
		await store.eraseMessage(ROOM, 99);
		await store.dropEvents(ROOM, 0, 4);
		assert.deepEqual(await seqs(99, 10), [5, 6]);
		await store.dropEvents(ROOM, 6);
		assert.deepEqual(await seqs(99, 10), [5]);
	});

	test(`${kind}: the outbox keeps its order, and what was discarded does not come back`, async () => {
		const store = await make();
		for (const order of [10, 9, 100]) await store.putOutbox(waiting(ROOM, order));
		assert.deepEqual(
			(await store.outbox(ROOM)).map(({ order }) => order),
			[9, 10, 100],
		);
		await store.changeOutbox(waiting(ROOM, 10), { state: 'failed', error: 'room_full' });
		await store.removeOutbox(waiting(ROOM, 9));
		await store.changeOutbox(waiting(ROOM, 9), { state: 'sent' });
		assert.deepEqual(
			(await store.outbox(ROOM)).map(({ order, state }) => [order, state]),
			[
				[10, 'failed'],
				[100, 'waiting'],
			],
		);
	});

	test(`${kind}: forgetting a room wipes everything of it and nothing of others`, async () => {
		const store = await make();
		const other = '1f'.repeat(32);
		for (const room of [ROOM, other]) {
			await store.putRoom({ ...known(room), owner: newSecret() });
			const rotation = { room, epoch: 0, seq: 0, public: '{}', signature: 'signed', private: null };
			await store.putRotations([{ ...rotation, role: null, secret: null }]);
			await store.putCards([{ room, seq: 1, event: event(1), epoch: 0 }]);
			await store.putEvents([stored(room, 1)]);
			await store.putOutbox(waiting(room, 1));
			await store.putDraft(room, { text: 'half a', replyTo: null });
			await store.putUpload({ room, file: 'ff'.repeat(16), salt: newSecret(), blob: new Blob(['a picture']) });
		}
		await forgetRoom(store, ROOM);
		for (const { room, count } of [
			{ room: ROOM, count: 0 },
			{ room: other, count: 1 },
		]) {
			const left = [
				await store.room(room),
				...(await store.eventsBefore(room, 9, 9)),
				...(await store.outbox(room)),
				await store.draft(room),
				...(await store.rotations(room)),
				...(await store.cards(room)),
				await store.upload(room, 'ff'.repeat(16)),
			];
			assert.equal(left.filter((one) => one !== undefined).length, 7 * count);
		}
		await store.changeRoom(ROOM, { title: 'back?' });
		assert.equal(await store.room(ROOM), undefined);
	});

	test(`${kind}: an empty draft is none, and secrets are kept as bytes`, async () => {
		const store = await make();
		await store.putDraft(ROOM, { text: 'half a', replyTo: 3 });
		assert.deepEqual(await store.draft(ROOM), { room: ROOM, text: 'half a', replyTo: 3 });
		await store.putDraft(ROOM, { text: '', replyTo: null });
		assert.equal(await store.draft(ROOM), undefined);
		const secret = newSecret();
		await store.putRoom({ ...known(ROOM), owner: secret });
		assert.deepEqual((await store.room(ROOM))?.owner, secret);
		assert.equal(await store.setting('name'), '');
		await store.putSetting('name', 'Ada');
		assert.equal(await store.setting('name'), 'Ada');
	});
}

for (const [kind, openKind] of Object.entries(KINDS)) {
	test(`${kind}: an id is found where it was first used, in its own room only`, async () => {
		const store = await openKind();
		const again = { ...stored(ROOM, 9), event: { ...event(9), client_id: 'id-2' } };
		await store.putEvents([stored(ROOM, 1), stored(ROOM, 2), again, stored('aa'.repeat(32), 3)]);
		assert.deepEqual(await store.firstUses(ROOM, ['id-2', 'id-3', 'id-1']), [
			['id-2', 2],
			['id-1', 1],
		]);
		assert.deepEqual(await store.firstUses(ROOM, []), []);
	});

	test(`${kind}: erasing a message erases its edits, too, and nothing else`, async () => {
		const store = await openKind();
		const change = (/** @type {number} */ seq, /** @type {string} */ kind, /** @type {number} */ target) => ({
			...stored(ROOM, seq),
			event: { ...event(seq), kind, target },
		});
		const others = [change(3, 'edit', 2), change(4, 'react', 1), change(5, 'message', 1)];
		const edits = [change(6, 'edit', 1), change(7, 'edit', 1)];
		await store.putEvents([stored(ROOM, 1), stored(ROOM, 2), ...others, ...edits]);
		await store.eraseMessage(ROOM, 1);
		const held = await store.eventsBefore(ROOM, 8, 10);
		assert.deepEqual(
			held.map(({ event }) => event.body),
			['', 'sealed', 'sealed', 'sealed', 'sealed', '', ''],
		);
		assert.ok(held.every(({ signer }) => signer === 'key'));
	});
}

test('what has ended is wiped in rooms that nobody opens, too', async () => {
	const store = await openStore(new IDBFactory());
	const now = Date.now();
	/** @param {string} room @param {number} seq @param {number} sent_at_ms */
	const at = (room, seq, sent_at_ms) => ({ ...stored(room, seq), event: { ...event(seq), sent_at_ms } });
	/** @type {State} */
	const said = { name: '', locked: false, message_ttl_s: 3600, expires_in_s: 86_400, ever_ttl: 3600, invite: null };
	const [other, third] = ['aa'.repeat(32), 'bb'.repeat(32)];
	const old = Array.from({ length: 250 }, (_, index) => at(ROOM, index + 1, now - 7_200_000 + index));
	await store.putEvents([...old, at(ROOM, 251, now - 1000), at(other, 1, 1), at(third, 1, now - 7_200_000)]);
	await store.putRoom({ ...known(ROOM), joined: true, state: { seq: 0, state: said } });
	await store.putRoom({ ...known(other), joined: true, state: null });
	await store.putRoom({ ...known(third), joined: true, state: { seq: 0, state: said } });
	await sweepRooms(store);
	const kept = async (/** @type {string} */ room) => (await store.eventsBefore(room, 1000, 1000)).map(({ seq }) => seq);
	assert.deepEqual([await kept(ROOM), await kept(other), await kept(third)], [[251], [1], []]);
});

test('a storage of an earlier version keeps what it holds', async () => {
	const factory = new IDBFactory();
	await new Promise((resolve, reject) => {
		const opening = factory.open('buddy', 1);
		opening.onupgradeneeded = () => opening.result.createObjectStore('events', { keyPath: ['room', 'seq'] });
		opening.onerror = reject;
		opening.onsuccess = () => {
			const writing = opening.result.transaction('events', 'readwrite');
			writing.objectStore('events').put(stored(ROOM, 1));
			writing.oncomplete = () => resolve(opening.result.close());
		};
	});
	const store = await openStore(factory);
	assert.equal(store.persistent, true);
	assert.equal((await store.eventsBefore(ROOM, 2, 10)).length, 1);
	assert.deepEqual(await store.firstUses(ROOM, ['id-1']), [['id-1', 1]]);
	await store.putSetting('name', 'Ada');
	assert.equal(await store.setting('name'), 'Ada');
});

test('a connection to the storage that the browser closes is opened again', async () => {
	const factory = new IDBFactory();
	/** @type {IDBDatabase[]} */
	const opened = [];
	const open = factory.open.bind(factory);
	factory.open = (...version) => {
		const opening = open(...version);
		opening.addEventListener('success', () => opened.push(opening.result));
		return opening;
	};
	const store = await openStore(factory);
	await store.putSetting('name', 'Ada');
	opened[0].close();
	assert.deepEqual(await Promise.all([store.setting('name'), store.setting('name')]), ['Ada', 'Ada']);
	assert.equal(opened.length, 2);
});

test('two tabs share one storage', async () => {
	const factory = new IDBFactory();
	const [one, other] = [await openStore(factory), await openStore(factory)];
	await one.putOutbox(waiting(ROOM, 1));
	assert.equal((await other.outbox(ROOM)).length, 1);
});

test('a browser that forbids naming its storage gets the substitute, too', async () => {
	const own = there(Object.getOwnPropertyDescriptor(globalThis, 'indexedDB'));
	Object.defineProperty(globalThis, 'indexedDB', {
		configurable: true,
		get: () => {
			throw new DOMException('no', 'SecurityError');
		},
	});
	assert.equal((await openStore()).persistent, false);
	Object.defineProperty(globalThis, 'indexedDB', own);
});

test('without storage there is a substitute that says so', async () => {
	const refusing = new IDBFactory();
	refusing.open = () => {
		throw new DOMException('no', 'SecurityError');
	};
	const failing = new IDBFactory();
	failing.open = () => {
		const error = new DOMException('no', 'InvalidStateError');
		const request = Object.assign(new IDBOpenDBRequest(), { readyState: /** @type {const} */ ('done'), error });
		queueMicrotask(() => request.onerror?.(new Event('error')));
		return request;
	};
	for (const factory of [refusing, failing, null]) {
		const store = await openStore(factory);
		assert.equal(store.persistent, false);
		await store.putRoom({ ...known(ROOM), joined: true, openedAtMs: 1 });
		assert.equal((await listRooms(store)).length, 1);
	}
});

/** @param {Role} role @param {Bytes} secret @param {Bytes | null} [identity] */
function linkOf(role, secret, identity = null, room = ROOM) {
	const link = parseLink(formatLink(room, role, secret, identity));
	assert.ok(link.state === 'ok');
	return link;
}

/** An owner's secret and the room that it names. */
async function owned() {
	const owner = newSecret();
	return { owner, room: await roomOf((await openIdentity(await ownerIdentity(owner))).publicKey) };
}

test('an owner link is stored before the address shows anything of it', async () => {
	const store = new Store(new MemoryTables(), false);
	const { owner, room } = await owned();
	const { record, address } = await admit(store, linkOf('owner', owner, null, room));
	assert.equal(address, `/r/${room}`);
	assert.deepEqual((await store.room(room))?.owner, owner);
	assert.equal(record.joined, false);
	assert.equal(typeof record.ownerSigner, 'string');
	assert.deepEqual(await listRooms(store), []);
	await assert.rejects(admit(store, linkOf('owner', newSecret(), null, room)), { code: 'wrong_key' });
});

test('an identity in a link is taken over and leaves the address', async () => {
	const store = new Store(new MemoryTables(), false);
	const [member, identity] = [newSecret(), newSecret()];
	const { address } = await admit(store, linkOf('member', member, identity));
	assert.equal(address, formatLink(ROOM, 'member', member));
	assert.deepEqual((await store.room(ROOM))?.identity, identity);
	const again = await admit(store, linkOf('member', member));
	assert.deepEqual(again.record.identity, identity);
});

test('a link with another identity does not make a known person another one unasked', async () => {
	const store = new Store(new MemoryTables(), false);
	const [member, theirs] = [newSecret(), newSecret()];
	const { record: mine } = await admit(store, linkOf('member', member));
	await store.putRoom({ ...mine, joined: true });
	const { record, otherIdentity } = await admit(store, linkOf('member', member, theirs));
	assert.deepEqual([record.identity, otherIdentity], [mine.identity, theirs]);
	assert.deepEqual((await store.room(ROOM))?.identity, mine.identity);
	const same = await admit(store, linkOf('member', member, mine.identity));
	assert.equal(same.otherIdentity, undefined);
	await takeIdentity(store, record, theirs);
	assert.deepEqual((await store.room(ROOM))?.identity, theirs);
	const newcomer = await admit(new Store(new MemoryTables(), false), linkOf('member', member, theirs));
	assert.deepEqual([newcomer.record.identity, newcomer.record.carriesIdentity], [theirs, true]);
});

test('a stronger link makes a known room stronger, another of the same strength changes nothing', async () => {
	const store = new Store(new MemoryTables(), false);
	const { owner, room } = await owned();
	const [reader, member] = [newSecret(), newSecret()];
	const first = await admit(store, linkOf('reader', reader, null, room));
	await store.putRoom({ ...first.record, joined: true, label: 'mine' });
	// What a link gives is known when it was opened; only an owner's secret proves itself.
	const stronger = await admit(store, linkOf('member', member, null, room));
	assert.deepEqual(
		[stronger.record.role, stronger.record.link?.secret, stronger.record.label],
		['member', member, 'mine'],
	);
	assert.equal((await store.room(room))?.role, 'reader');
	await store.putRoom(stronger.record);
	const other = await admit(store, linkOf('member', newSecret(), null, room));
	assert.deepEqual(other.record.link?.secret, member);
	const owns = await admit(store, linkOf('owner', owner, null, room));
	assert.deepEqual([owns.record.role, owns.record.owner, owns.record.joined], ['owner', owner, true]);
	assert.equal((await admit(store, linkOf('reader', reader, null, room))).record.role, 'owner');
	assert.equal(await roomAddress(there(await store.room(room))), formatLink(room, 'member', member));
});

test('whoever was removed comes back by another link only, and as somebody else', async () => {
	const store = new Store(new MemoryTables(), false);
	const [room, secret] = ['5a'.repeat(32), newSecret()];
	const { record } = await admit(store, linkOf('member', secret, null, room));
	/** @type {Removal} */
	const removal = { how: 'removed', title: 'Trip', owner: 'Ana', unsent: [] };
	await store.putRoom({ ...record, joined: true, removal });
	const again = await admit(store, linkOf('member', secret, null, room));
	assert.deepEqual([again.record.removal, again.record.identity], [removal, record.identity]);
	const other = await admit(store, linkOf('member', newSecret(), null, room));
	assert.equal(other.record.removal, null);
	assert.notDeepEqual(other.record.identity, record.identity);
});

test('rooms are asked for one after another, with pauses, and only as long as somebody wants to know', async () => {
	const server = await TestServer.start();
	const api = new Api(server.base);
	const store = new Store(new MemoryTables(), false);
	for (const name of ['one', 'two', 'three', 'four']) await createRoom(store, { name }, api);
	server.requests = [];
	const asked = () => server.requests.length;
	/** What had been asked at each pause. @type {number[]} */
	const pauses = [];
	const pause = async () => void pauses.push(asked());
	await collect(checkNews(store, api, { pause }));
	assert.deepEqual([pauses, asked()], [[1, 2, 3], 4]);
	await collect(checkNews(store, api, { pause, wanted: () => asked() < 6 }));
	assert.equal(asked(), 6);
	await server.stop();
});

test('a room that has expired meanwhile is closed, and forgotten after a while', async () => {
	const server = await TestServer.start();
	const api = new Api(server.base);
	const store = new Store(new MemoryTables(), false);
	const { room } = (await createRoom(store, { name: 'old' }, api)).record;
	const { room: living } = (await createRoom(store, { name: 'living' }, api)).record;
	await store.changeRoom(room, { expiresAtMs: Date.now() - 1000 });
	await store.putDraft(room, { text: 'never sent', replyTo: null });
	server.close(room, 'expired');
	await collect(checkNews(store, api, { pause: async () => {} }));
	assert.equal((await store.room(room))?.closed, 'expired');
	assert.equal(await store.draft(room), undefined);
	await sweepRooms(store);
	assert.ok(await store.room(room), 'it is still there to say what became of it');
	await store.changeRoom(room, { expiresAtMs: Date.now() - 8 * 86_400_000 });
	await sweepRooms(store);
	assert.equal(await store.room(room), undefined);
	assert.ok(await store.room(living));
	await server.stop();
});

test('the list tells which rooms hold something new', async () => {
	const server = await TestServer.start();
	const api = new Api(server.base);
	const store = new Store(new MemoryTables(), false);
	const rooms = [];
	for (const name of ['one', 'two', 'three']) rooms.push((await createRoom(store, { name }, api)).record.room);
	server.append(rooms[1], { kind: 'message', client_id: 'x', body: 'v1.x' });
	server.close(rooms[2], 'deleted');
	assert.deepEqual(await collect(checkNews(store, api, { pause: async () => {} })), [rooms[1]]);
	await renameRoom(store, rooms[0], ' My \u202eown ');
	assert.deepEqual((await listRooms(store)).map(({ label, title }) => [label, title]).sort(), [
		['', 'three'],
		['', 'two'],
		['My own', 'one'],
	]);
	await server.stop();
});

test('a room is made with hashes only', async () => {
	const server = await TestServer.start();
	const { record } = await createRoom(
		new Store(new MemoryTables(), false),
		{ name: 'Secret name', messageTtlS: 60 },
		new Api(server.base),
	);
	const [{ body: sent }] = server.requests;
	const { room, rotation, link, ...settings } = JSON.parse(sent);
	assert.deepEqual(settings, { expires_in_s: 2_592_000, message_ttl_s: 60 });
	assert.deepEqual(Object.keys(rotation).sort(), ['private', 'public', 'signature']);
	assert.deepEqual(Object.keys(link).sort(), ['id', 'note', 'sealed', 'token_hash']);
	assert.equal(room, record.room);
	// Nothing that the server is not to know is in it, in whichever form.
	const { owner, identity, founding } = record;
	for (const secret of [owner, identity, founding?.secret, record.link?.secret]) {
		const bytes = Buffer.from(there(secret));
		for (const form of /** @type {const} */ (['hex', 'base64url', 'base64']))
			assert.ok(!sent.includes(bytes.toString(form)));
	}
	assert.ok(!sent.includes('Secret name'));
	await server.stop();
});

test('a room is made once, though the first answer is lost', async () => {
	const server = await TestServer.start();
	let lost = 0;
	server.intercept = (_, response) => lost++ === 0 && response.destroy() && true;
	const { record } = await createRoom(new Store(new MemoryTables(), false), {}, new Api(server.base));
	assert.deepEqual(Array.from(server.rooms.keys()), [record.room]);
	const [first, second] = server.requests.map(({ body }) => body);
	assert.equal(first, second);
	await server.stop();
});

test('of several tabs that would tell of a message, one does', async () => {
	const store = await openStore();
	const { record } = await admit(
		store,
		/** @type {any} */ (parseLink(`https://b.example${formatLink(ROOM, 'member', newSecret())}`)),
	);
	await store.putRoom({ ...record, joined: true });
	const claims = await Promise.all([1, 2, 3].map(() => store.claimNotices(ROOM, 0, 7)));
	assert.deepEqual(claims.sort(), [false, false, true]);
	assert.equal(await store.claimNotices(ROOM, 0, 9), false, 'who has not heard of it looks again');
	assert.equal(await store.claimNotices(ROOM, 7, 9), true);
	await store.changeRoom(ROOM, { readSeq: 9 });
	assert.equal((await store.room(ROOM))?.noticedSeq, 9);
	await store.forgetRoom(ROOM);
	assert.equal(await store.claimNotices(ROOM, 9, 10), false, 'a forgotten room tells nothing');
	assert.equal(await store.room(ROOM), undefined);
});
