/** Files of a room, from one browser to another, over a server that takes parts, loses them and breaks off. */

import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { admit, createRoom } from '../../static/room/rooms.js';
import { MemoryTables, openIndexedTables } from '../../static/storage/tables.js';
import { Store } from '../../static/storage/store.js';
import { parseLink } from '../../static/values/link.js';
import { Api } from '../../static/wire/api.js';
import { enterRoom } from './entering.js';
import { refuse, TestServer } from './server.js';
import { there } from './there.js';
import { until } from './waiting.js';

/**
 * @import { Room } from '../../static/room/room.js'
 * @import { MessageEntry } from '../../static/room/log.js'
 * @import { RoomRecord } from '../../static/storage/store.js'
 */

/** @type {TestServer} */
let server;
/** @type {Room[]} */
let open = [];

before(async () => {
	server = await TestServer.start();
});

beforeEach(() => {
	for (const room of open) room.close();
	open = [];
	server.intercept = () => false;
	server.requests = [];
});

after(async () => {
	for (const room of open) room.close();
	await server.stop();
});

/** @param {Store} store @param {RoomRecord} record @param {string} [name] @param {Api} [api] */
function enter(store, record, name, api = new Api(server.base)) {
	return enterRoom(open, record, { store, api }, name);
}

/** @param {Api} [api] Of the owner's page. */
async function twoPeople(api) {
	const store = new Store(new MemoryTables(), false);
	const { record } = await createRoom(store, { name: 'Pictures' }, new Api(server.base));
	const room = await enter(store, record, 'Ada', api);
	const link = parseLink(there((await room.ownLinks()).invite));
	assert.ok(link.state === 'ok');
	const others = new Store(await openIndexedTables(indexedDB), true);
	const guest = await enter(others, (await admit(others, link)).record, 'Ben');
	return { store, record, room, guest };
}

/** @param {number} length */
function bytes(length) {
	return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

/** @param {number} length @param {string} [name] */
function chosen(length, name = 'notes.bin') {
	return { blob: new Blob([bytes(length)]), name, type: 'application/x-notes' };
}

/** @param {Room} room @returns {MessageEntry[]} */
function withFiles(room) {
	return room.entries.flatMap((entry) => (entry.type === 'message' && entry.files.length > 0 ? [entry] : []));
}

/** @param {Room} room */
async function arrived(room) {
	await until(() => withFiles(room)[0]?.state === 'sent' && withFiles(room)[0]?.seq !== null, 'the file has arrived');
	const [entry] = withFiles(room);
	return there(entry?.files[0]);
}

const puts = () => server.requests.filter(({ method }) => method === 'PUT');

test('a file is sent in parts, named by its message, and read by others', async () => {
	const { room, guest, record } = await twoPeople();
	/** @type {number[]} */
	const shares = [];
	room.addEventListener('files', (event) => {
		const { done, of } = /** @type {CustomEvent<{ done: number, of: number }>} */ (event).detail;
		shares.push(done / of);
	});
	await room.send('Look:', { file: { ...chosen(600_000), width: 40, height: 30, thumb: bytes(90) } });
	// What is said later waits for what was said before.
	await room.send('Did you see it?');
	const file = await arrived(guest);
	assert.deepEqual(
		[file.name, file.type, file.size, file.width, file.height, file.thumb?.length],
		['notes.bin', 'application/x-notes', 600_000, 40, 30, 120],
	);
	assert.equal(withFiles(guest)[0]?.text, 'Look:');
	assert.deepEqual(new Uint8Array(await (await guest.readFile(file)).arrayBuffer()), bytes(600_000));
	assert.deepEqual(shares, [0, 1 / 3, 2 / 3, 1]);
	await until(
		() => guest.entries.some((entry) => entry.type === 'message' && entry.text === 'Did you see it?'),
		'both',
	);
	const texts = guest.entries.flatMap((entry) => (entry.type === 'message' ? [entry.text] : []));
	assert.deepEqual(texts, ['Look:', 'Did you see it?']);
	// Nothing tells the server what it is: neither name, nor length.
	const held = there(server.room(record.room).files.get(file.id));
	assert.equal(
		Array.from(held.parts.values()).reduce((sum, part) => sum + part.length, 0),
		606_208 + 38 * 16 + 56,
	);
	assert.ok(server.requests.every(({ body }) => !body.includes('notes') && !body.includes(file.key)));
});

test('an upload goes on where it stopped, after a reload', async () => {
	let stored = 0;
	// A page that is gone asks nothing any more, though it has not been told so.
	const api = new Api(server.base, (input, init) => {
		const breaks = stored > 2 || (init?.method === 'PUT' && ++stored > 2);
		return breaks ? Promise.reject(new TypeError('the page is gone')) : fetch(input, init);
	});
	const { store, record, room, guest } = await twoPeople(api);
	await room.send('', { file: chosen(1_200_000) });
	await until(() => room.sending.code === 'network', 'the connection breaks');
	room.close();
	server.requests = [];
	const again = await enter(store, there(await store.room(record.room)));
	const file = await arrived(guest);
	assert.equal(puts().length, 3, 'two of five parts had arrived');
	assert.deepEqual(new Uint8Array(await (await guest.readFile(file)).arrayBuffer()), bytes(1_200_000));
	await arrived(again);
	await until(async () => (await store.upload(record.room, file.id)) === undefined, 'what has arrived is not kept');
});

test('a file that the server dropped meanwhile is sent anew, and a message comes once', async () => {
	const { record, room, guest } = await twoPeople();
	let dropped = false;
	server.intercept = ({ method, path }) => {
		if (method === 'POST' && path.endsWith('/messages') && !dropped) {
			dropped = true;
			server.room(record.room).files.clear();
		}
		return false;
	};
	await room.setName('Ada');
	await room.send('first', { file: chosen(300_000) });
	const file = await arrived(guest);
	assert.deepEqual(new Uint8Array(await (await guest.readFile(file)).arrayBuffer()), bytes(300_000));
	assert.equal(withFiles(guest).length, 1);
});

test('what is cancelled is not sent, and what is refused says why', async () => {
	const { store, record, room, guest } = await twoPeople();
	/** @type {() => void} */
	let release = () => {};
	const held = new Promise((resolve) => (release = () => resolve(undefined)));
	server.intercept = async ({ method }) => {
		if (method === 'PUT') await held;
		return false;
	};
	const cancelled = await room.send('', { file: chosen(600_000) });
	await until(() => puts().length === 1, 'it is on its way');
	const [file] = withFiles(room)[0]?.files ?? [];
	await room.discard(cancelled);
	release();
	await room.send('after it');
	await until(() => guest.entries.some((entry) => entry.type === 'message' && entry.text === 'after it'), 'it goes on');
	assert.equal(withFiles(guest).length, 0);
	assert.equal(withFiles(room).length, 0);
	assert.equal(await store.upload(record.room, there(file).id), undefined);

	server.intercept = ({ method }, response) => {
		if (method !== 'PUT') return false;
		refuse(response, 403, 'room_full');
		return true;
	};
	await room.send('', { file: chosen(100) });
	await until(() => withFiles(room)[0]?.state === 'failed', 'it fails');
	assert.equal(withFiles(room)[0]?.error, 'room_full');
	server.intercept = () => false;
	await room.retry(there(withFiles(room)[0]).clientId);
	await arrived(guest);
	await assert.rejects(room.send('', { file: chosen(26_214_401) }), { code: 'too_large' });
});

test('a file that is gone, or is not what was sent, is not read', async () => {
	const { record, room, guest } = await twoPeople();
	await room.send('', { file: chosen(300_000) });
	const file = await arrived(guest);
	await until(() => withFiles(room)[0]?.seq !== null, 'it has arrived');
	const { parts } = there(server.room(record.room).files.get(file.id));
	const part = there(parts.get(1));
	const whole = part.subarray();
	parts.set(1, part.subarray(0, 16_400));
	await assert.rejects(guest.readFile(file), { code: 'damaged' });
	const changed = Buffer.from(whole);
	changed[5] = (changed[5] ?? 0) ^ 1;
	parts.set(1, changed);
	await assert.rejects(guest.readFile(file), { code: 'damaged' });
	parts.set(1, whole);
	assert.equal((await guest.readFile(file)).size, 300_000);
	server.room(record.room).files.clear();
	await assert.rejects(guest.readFile(file), { code: 'file_not_found' });
});
