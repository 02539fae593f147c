import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';

import { Api } from '../../static/wire/api.js';
import { Room } from '../../static/room/room.js';
import { admit, checkNews, createRoom, listRooms, suggestedName } from '../../static/room/rooms.js';
import { parseLink } from '../../static/values/link.js';
import { openStore, Store } from '../../static/storage/store.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { answer, TestServer } from './server.js';
import { until } from './waiting.js';

let server;
let api;
let open = [];

before(async () => {
	server = await TestServer.start();
	api = new Api(server.base);
});

beforeEach(() => {
	for (const room of open) room.close();
	open = [];
	server.intercept = () => false;
});

after(async () => {
	for (const room of open) room.close();
	await server.stop();
});

/** A browser of its own: storage that nobody else sees. */
function browser() {
	return new Store(new MemoryTables(), false);
}

async function enter(store, admitted, name) {
	const room = new Room(admitted.record, { store, api, origin: 'https://buddy.example' });
	open.push(room);
	await room.open();
	if (room.phase === 'preview') await room.join(name);
	else if (name) await room.setName(name);
	await until(() => room.connection.state === 'live', 'the room is live');
	return room;
}

async function ownersRoom(name = 'Ada') {
	const store = browser();
	const admitted = await createRoom(store, { name: 'Summer trip' }, api);
	const room = await enter(store, admitted, name);
	return { store, room };
}

async function guestOf(room, name, which = 'invite') {
	const store = browser();
	const links = await room.ownLinks();
	const link = parseLink(links[which]);
	assert.equal(link.state, 'ok');
	return { store, room: await enter(store, await admit(store, link), name) };
}

const texts = (room) => room.entries.filter(({ type }) => type === 'message').map(({ text }) => text);

test('two people talk through a link, and a third reads everything later', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ada.send('hello');
	await until(() => texts(ben).includes('hello'), 'Ben hears Ada');
	await ben.send('hello yourself');
	await until(() => ada.entries.length === 2 && ada.entries.every(({ state }) => state === 'sent'), 'Ada hears Ben');
	const { room: cleo } = await guestOf(ada, '', 'reader');
	assert.deepEqual(texts(cleo), ['hello', 'hello yourself']);
	assert.equal(cleo.canWrite, false);
	assert.equal(cleo.info.title, 'Summer trip');
	assert.deepEqual(
		cleo.entries.map(({ name, own, byOwner }) => [name, own, byOwner]),
		[
			['Ada', false, true],
			['Ben', false, false],
		],
	);
});

test('a newcomer signals and stores nothing before joining', async () => {
	const { room: ada } = await ownersRoom();
	const store = browser();
	const links = await ada.ownLinks();
	const admitted = await admit(store, parseLink(links.invite));
	await until(() => ada.people.length === 1, 'Ada has signalled');
	server.requests = [];
	const room = new Room(admitted.record, { store, api });
	open.push(room);
	await room.open();
	assert.equal(room.phase, 'preview');
	assert.equal(room.info.title, 'Summer trip');
	assert.deepEqual(
		server.requests.filter(({ headers, method }) => headers['buddy-author'] || method !== 'GET'),
		[],
	);
	assert.deepEqual(await store.rooms(), []);
});

test('what is sent is stored first and arrives once, though the first answer is lost', async () => {
	const { room: ada } = await ownersRoom();
	let lost = 0;
	server.intercept = ({ method, path }, response) => {
		if (method !== 'POST' || !path.endsWith('/messages') || lost > 0) return false;
		lost += 1;
		response.destroy();
		return true;
	};
	await ada.send('only once');
	await until(() => ada.entries[0]?.state === 'sent' && ada.entries[0].seq === 1, 'it is sent');
	const posts = server.requests.filter(
		({ method, path }) => method === 'POST' && path.includes(ada.room) && path.endsWith('/messages'),
	);
	assert.equal(posts.length, 2);
	assert.equal(posts[0].body, posts[1].body);
	assert.equal(ada.entries.length, 1);
});

test('edits, reactions and deletions by their author change a message for all', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('first');
	await until(() => ada.entry(1), 'Ada hears');
	await until(() => ben.entry(1), 'Ben has it back');
	await ada.react(1, '👍', true);
	await ben.edit(1, 'second');
	const seen = await until(
		() => [ada.entry(1)].find((entry) => entry.text === 'second' && entry.reactions.length === 1),
		'both',
	);
	assert.deepEqual(seen.reactions[0].names, [{ name: 'Ada', taken: false }]);
	assert.equal(seen.edited.pending, false);
	await until(() => ben.entry(1).reactions.length === 1, 'Ben sees the reaction');
	await ben.remove(1);
	await until(() => ada.entry(1).type === 'removed', 'removed');
	assert.equal(ada.entry(1).by, 'author');
});

test('the owner deletes what others wrote, and speaks in a locked room', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('rude');
	await until(() => ada.entry(1), 'Ada hears');
	await ada.remove(1);
	await until(() => ben.entry(1)?.type === 'removed', 'removed');
	assert.equal(ben.entry(1).by, 'owner');
	await ada.change({ locked: true });
	await until(() => ben.info.locked, 'Ben learns of the lock');
	await ada.send('quiet please');
	await until(() => texts(ben).includes('quiet please'), 'the owner may');
	await ben.send('but');
	await until(() => ben.entries.at(-1).state === 'failed', 'refused');
	assert.equal(ben.entries.at(-1).error, 'room_locked');
	await ada.change({ locked: false });
	await ben.retry(ben.entries.at(-1).clientId);
	await until(() => texts(ada).includes('but'), 'sent after all');
});

test('a deletion that nobody signed shows as removed by the server', async () => {
	const { room: ada } = await ownersRoom();
	await ada.send('inconvenient');
	await until(() => ada.entry(1), 'sent');
	server.append(ada.room, {
		kind: 'delete',
		client_id: crypto.randomUUID(),
		target: 1,
		author: ada.entry(1).author,
		body: '',
	});
	await until(() => ada.entry(1).type === 'removed', 'removed');
	assert.equal(ada.entry(1).by, 'server');
});

test('a reload shows what this browser has before the server answers', async () => {
	globalThis.indexedDB = new IDBFactory();
	const store = await openStore();
	assert.equal(store.persistent, true);
	const admitted = await createRoom(store, {}, api);
	const room = await enter(store, admitted, 'Ada');
	await room.send('kept');
	await until(() => room.entries[0]?.seq === 1, 'sent');
	await until(async () => (await store.outbox(room.room)).length === 0, 'nothing waits');
	room.close();
	server.intercept = (_, response) => response.destroy() && true;
	const again = new Room(await store.room(room.room), { store, api });
	open.push(again);
	await again.open();
	assert.equal(again.phase, 'open');
	assert.deepEqual(texts(again), ['kept']);
	await until(() => again.connection.state === 'offline', 'it says so');
});

test('what was written offline survives a reload and is sent in order', async () => {
	globalThis.indexedDB = new IDBFactory();
	const store = await openStore();
	const admitted = await createRoom(store, {}, api);
	const room = await enter(store, admitted, 'Ada');
	server.intercept = (_, response) => response.destroy() && true;
	await Promise.all([room.send('one'), room.send('two'), room.send('three')]);
	assert.deepEqual(texts(room), ['one', 'two', 'three']);
	room.close();
	const again = new Room(await store.room(room.room), { store, api });
	open.push(again);
	await again.open();
	assert.deepEqual(
		again.entries.map(({ text, state }) => [text, state]),
		[
			['one', 'sending'],
			['two', 'sending'],
			['three', 'sending'],
		],
	);
	server.intercept = () => false;
	await until(() => again.entries.every(({ seq }) => seq !== null), 'all are sent', 10_000);
	assert.deepEqual(texts(again), ['one', 'two', 'three']);
	assert.deepEqual(
		server.rooms.get(room.room).events.map(({ seq }) => seq),
		[1, 2, 3],
	);
});

test('what was written before the owner link came is sent as who wrote it', async () => {
	const { room: owner } = await ownersRoom();
	const { room: ben, store } = await guestOf(owner, 'Ben');
	server.intercept = (_, response) => response.destroy() && true;
	await ben.send('by the member');
	ben.close();
	const { owner: ownerLink } = await owner.ownLinks();
	const { record } = await admit(store, parseLink(ownerLink));
	assert.equal(record.role, 'owner');
	server.intercept = () => false;
	const again = await enter(store, { record });
	await until(() => owner.entries.length === 1, 'it arrives', 10_000);
	assert.deepEqual(
		owner.entries.map(({ type, text, own }) => [type, text, own]),
		[['message', 'by the member', false]],
	);
	await until(() => again.entries.length === 1 && again.entries[0].seq === 1, 'and is here, once');
	assert.equal(server.rooms.get(owner.room).events.length, 1);
});

test('a storage that fails as soon as it is used keeps nobody from talking', async () => {
	const failing = new Proxy({}, { get: () => () => Promise.reject(new DOMException('no', 'UnknownError')) });
	const store = new Store(failing, true);
	const admitted = await createRoom(store, { name: 'Summer trip' }, api);
	assert.equal(store.persistent, false, 'it is said that nothing is kept');
	assert.deepEqual(await listRooms(store), []);
	assert.equal(await suggestedName(store), '');
	const room = await enter(store, admitted, 'Ada');
	assert.deepEqual(await room.draft(), { text: '', replyTo: null });
	await room.send('all the same');
	const { owner } = await room.ownLinks();
	const other = new Store(failing, true);
	const { record } = await admit(other, parseLink(owner));
	assert.equal(other.persistent, false);
	const again = await enter(other, { record }, 'Ada');
	await until(() => texts(again).includes('all the same'), 'it arrived');
});

test('a second device of the same person knows their name', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ada.send('hello');
	await ben.send('from the laptop');
	await until(() => ada.entries.length === 2, 'both are there');
	const { device } = await ben.ownLinks();
	const phone = await enter(browser(), await admit(browser(), parseLink(device)), '');
	await until(() => phone.yourName === 'Ben', 'the name is known');
	const stranger = await enter(browser(), await admit(browser(), parseLink((await ada.ownLinks()).invite)), '');
	assert.equal(stranger.yourName, '');
	assert.equal((await store.room(ada.room)).yourName, 'Ben');
});

test('a room that is left right after writing loses nothing', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	server.intercept = ({ method, path }, response) =>
		method === 'POST' && path.endsWith('/messages') && response.destroy() && true;
	await ben.send('goodbye');
	ben.close();
	server.intercept = () => false;
	await until(() => texts(ada).includes('goodbye'), 'it arrives', 10_000);
});

test('older history loads page by page', async () => {
	const { room: ada } = await ownersRoom();
	for (let count = 0; count < 250; count += 1)
		server.append(ada.room, { kind: 'message', client_id: crypto.randomUUID(), body: 'v2.x' });
	await until(() => ada.entries.length === 250, 'Ada follows');
	const { room: ben } = await guestOf(ada, 'Ben');
	assert.equal(ben.entries.length, 100);
	assert.equal(ben.entries[0].type, 'newer');
	assert.equal(ben.hasOlder, true);
	assert.equal(await ben.loadUntil(1), true);
	assert.equal(ben.entries.length, 250);
	assert.equal(ben.hasOlder, false);
	assert.equal(await ben.loadOlder(), 0);
});

test('a log that got shorter says so and keeps what was lost', async () => {
	const { room: ada, store } = await ownersRoom();
	for (const text of ['kept', 'lost', 'lost too']) await ada.send(text);
	await until(() => ada.entry(3), 'sent');
	const behind = server.rooms.get(ada.room);
	behind.events.length = 1;
	behind.log = 'another';
	server.cut();
	await until(() => ada.entries.at(-1).type === 'lost', 'the loss shows');
	assert.deepEqual(
		ada.entries.map(({ type }) => type),
		['message', 'lost'],
	);
	assert.deepEqual(
		ada.entries[1].kept.map(({ text }) => text),
		['lost', 'lost too'],
	);
	await until(() => ada.connection.state === 'live', 'it goes on');
	await ada.send('anew');
	await until(() => ada.entries.at(-1).seq === 2, 'in the new log');
	ada.close();
	const again = await enter(store, { record: await store.room(ada.room) });
	assert.deepEqual(
		again.entries.map(({ type, text, kept }) => [type, text ?? kept.map((entry) => entry.text)]),
		[
			['message', 'kept'],
			['lost', ['lost', 'lost too']],
			['message', 'anew'],
		],
	);
});

test('a message that the server leaves out of history shows as withheld', async () => {
	const { room: ada } = await ownersRoom();
	for (let count = 1; count <= 6; count += 1) await ada.send(`message ${count}`);
	await until(() => ada.entry(6), 'sent');
	const { events } = server.rooms.get(ada.room);
	const withheld = new Set([3, 6]);
	server.intercept = ({ path }, response) => {
		if (!path.includes('/messages?')) return false;
		const messages = events.filter(({ seq }) => !withheld.has(seq));
		return answer(response, 200, { messages, first_seq: 1, last_seq: 6 });
	};
	const { room: ben } = await guestOf(ada, 'Ben');
	const shown = () => ben.entries.map(({ type, text }) => text ?? type);
	await until(() => shown().length === 6, 'all that there is');
	assert.deepEqual(shown(), ['message 1', 'message 2', 'lost', 'message 4', 'message 5', 'lost']);
});

test('where nothing expires, a server that claims so loses its own copies only', async () => {
	const { room: ada, store } = await ownersRoom();
	for (let count = 1; count <= 4; count += 1) await ada.send(`message ${count}`);
	await until(() => ada.entry(4), 'sent');
	ada.close();
	server.rooms.get(ada.room).firstSeq = 4;
	const again = await enter(store, { record: await store.room(ada.room) });
	const shown = () => again.entries.map(({ type, text }) => text ?? type);
	await until(() => shown().includes('lost'), 'it shows');
	assert.deepEqual(shown(), ['message 1', 'message 2', 'message 3', 'lost', 'message 4']);
	assert.equal((await store.eventsBefore(ada.room, 5, 10)).length, 4);
	// Once a lifetime was set, what the server says has expired has.
	await again.change({ messageTtlS: 3600 });
	await until(() => shown().length === 2, 'gone');
	assert.equal(shown()[0], 'message 4');
	assert.equal((await store.eventsBefore(ada.room, 6, 10))[0].seq, 4);
});

test('a message from long ago that the server sends again is not shown again', async () => {
	const { room: ada, store } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('yes, do it');
	for (let count = 1; count <= 130; count += 1) await ada.send(`message ${count}`);
	await until(() => ada.entry(131), 'sent', 20_000);
	ada.close();
	const again = await enter(store, { record: await store.room(ada.room) });
	assert.equal(again.entry(1), undefined, 'the page begins further down');
	const { author, client_id, body } = server.rooms.get(ada.room).events[0];
	server.append(ada.room, { kind: 'message', author, client_id, body });
	await again.send('last');
	await until(() => texts(again).at(-1) === 'last' && again.entries.at(-1).seq !== null, 'sent');
	assert.ok(!texts(again).includes('yes, do it'));
	const { room: newcomer } = await guestOf(ada, 'Cleo');
	await until(() => !texts(newcomer).includes('yes, do it'), 'a newcomer learns it, too');
});

test("copies of what a server lost live no longer than the room's messages", async () => {
	const { room: ada, store } = await ownersRoom();
	await ada.send('lost');
	await until(() => ada.entry(1), 'sent');
	const { messageTtlS, lost, ...record } = await store.room(ada.room);
	ada.close();
	const [event] = await store.eventsBefore(ada.room, 2, 1);
	const old = { ...event, event: { ...event.event, sent_at_ms: Date.now() - 7200_000 } };
	await store.putRoom({ ...record, messageTtlS, lost: [{ after: 0, events: [old, event] }] });
	const again = await enter(store, { record: await store.room(ada.room) });
	const kept = () => again.entries.find(({ type }) => type === 'lost')?.kept.length;
	assert.equal(kept(), 1, 'one client id, one entry');
	await again.change({ messageTtlS: 3600 });
	await until(async () => (await store.room(ada.room)).lost[0].events.length === 1, 'the old copy is wiped');
});

test('a room that is deleted goes for all, and a browser that knew it says so', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ada.send('soon gone');
	await until(() => ben.entry(1), 'heard');
	await ada.destroy();
	await until(() => ben.phase === 'gone', 'gone');
	assert.equal(ben.goneReason, 'deleted');
	assert.equal(ada.phase, 'gone');
	await until(async () => (await store.eventsBefore(ben.room, 99, 9)).length === 0, 'the cache is empty');
	const again = new Room(await store.room(ben.room), { store, api });
	await again.open();
	assert.equal(again.phase, 'gone');
});

test('who is here and who types is told, and own names are claimed', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ada');
	ben.typing();
	await until(() => ada.people.some(({ own, typing }) => !own && typing), 'typing shows');
	await ada.send('I was first');
	await until(() => ben.entry(1), 'heard');
	await ben.send('no, I');
	await until(() => ada.entry(2), 'heard');
	assert.equal(ada.entry(1).nameTaken, false);
	assert.equal(ada.entry(2).nameTaken, true);
	assert.equal(ada.people.find(({ own }) => !own).taken, true);
});

test('who leaves says so at once', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await until(() => ada.people.some(({ name, here }) => name === 'Ben' && here), 'Ben is here');
	ben.close();
	await until(() => ada.people.every(({ name }) => name !== 'Ben'), 'Ben is gone');
});

test('a newcomer learns whose a name is though its first use is far above', async () => {
	const { room: ada } = await ownersRoom();
	await ada.send('I am the first Ada');
	await until(() => ada.entry(1), 'sent');
	for (let count = 0; count < 450; count += 1) {
		server.append(ada.room, { kind: 'message', client_id: crypto.randomUUID(), body: 'v2.x' });
	}
	const { room: thief } = await guestOf(ada, 'ADA');
	await thief.send('and I am another');
	const { room: cleo } = await guestOf(ada, 'Cleo');
	await until(() => cleo.entries.at(-1).nameTaken, 'the name is known to be taken');
	assert.ok(cleo.entries.length < 200);
	const asked = server.requests.length;
	const states = [];
	cleo.addEventListener('connection', () => states.push(cleo.connection.state));
	server.cut();
	await until(() => states.length > 1 && states.at(-1) === 'live', 'cut and live again');
	assert.ok(server.requests.slice(asked).every(({ path }) => !path.includes('before=')));
});

test('who has read everything has nothing new, though reactions follow', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ada.send('read me');
	await until(() => ben.entry(1), 'heard');
	assert.deepEqual(await checkNews(store, api), new Set([ada.room]));
	await ben.markRead(1);
	await ada.react(1, '👍', true);
	await until(() => ben.entry(1).reactions.length === 1, 'the reaction is seen');
	await until(async () => (await checkNews(store, api)).size === 0, 'nothing is new');
	await ada.send('and me');
	await until(() => ben.entry(3), 'heard');
	assert.deepEqual(await checkNews(store, api), new Set([ada.room]));
});

test('a link with another key does not take over a known room', async () => {
	const { room: ada, store } = await ownersRoom();
	const other = await (await ownersRoom()).room.ownLinks();
	const link = { ...parseLink(other.invite), room: ada.room };
	await assert.rejects(admit(store, link), { code: 'wrong_key' });
});

test('a message lifetime hides what it has ended', async () => {
	const { room: ada } = await ownersRoom();
	server.append(ada.room, {
		kind: 'message',
		client_id: crypto.randomUUID(),
		body: 'v2.old',
		sent_at_ms: Date.now() - 60_000,
	});
	await ada.send('fresh');
	await until(() => ada.entry(2), 'both');
	await ada.change({ messageTtlS: 30 });
	assert.equal(ada.entry(1), undefined);
	assert.deepEqual(texts(ada), ['fresh']);
});

test('whatever a hostile server or member puts into the log, the rest goes on', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('before');
	await until(() => ada.entry(1), 'heard');
	const sealed = server.rooms.get(ada.room).events[0];
	const nasty = [
		'',
		' ',
		'<img src=x onerror=alert(1)>',
		'v1..',
		'v2.x',
		'\u202e',
		sealed.body,
		sealed.body.slice(0, -1),
		'{"locked":1}',
		'[]',
		'null',
		'{"about":"v1.x"}',
	];
	const kinds = ['message', 'edit', 'delete', 'react', 'room', 'poll', '__proto__', 'constructor', ''];
	const one = fc.record({
		kind: fc.constantFrom(...kinds),
		body: fc.constantFrom(...nasty),
		target: fc.constantFrom(null, 0, -1, 2, 5, 1e9),
		client_id: fc.oneof(fc.constantFrom(sealed.client_id, '', '__proto__', 'x'), fc.uuid()),
		author: fc.constantFrom(null, sealed.author, '', 'x'.repeat(1000)),
		sent_at_ms: fc.constantFrom(0, -1, Date.now(), Number.MAX_SAFE_INTEGER),
	});
	for (const event of fc.sample(one, 300)) server.append(ada.room, event);
	server.signal(ada.room, { kind: '<b>', author: 7, body: {}, sent_at_ms: 1, expires_at_ms: 2 });
	server.signal(ada.room, { kind: 'here', author: null, body: sealed.body, sent_at_ms: 1, expires_at_ms: 2 });
	await ben.send('after');
	for (const room of [ada, ben]) await until(() => texts(room).at(-1) === 'after', 'both hear what comes after');
	assert.ok(texts(ada).every((text) => text === 'before' || text === 'after'));
	const { room: cleo } = await guestOf(ada, 'Cleo');
	await cleo.loadUntil(1);
	assert.deepEqual(texts(cleo), ['before', 'after']);
});

test('through cuts and lost answers, everybody ends up with the same conversation', async () => {
	const { room: ada } = await ownersRoom();
	const people = [ada, (await guestOf(ada, 'Ben')).room, (await guestOf(ada, 'Cleo')).room];
	let turns = 0;
	server.intercept = ({ method, path }, response) => {
		turns += 1;
		if (method !== 'POST' || !path.endsWith('/messages') || turns % 3 !== 0) return false;
		response.destroy();
		return true;
	};
	const cutting = setInterval(() => server.cut(), 60);
	for (let count = 0; count < 10; count += 1)
		await Promise.all(people.map((room) => room.send(`${room.yourName} ${count}`)));
	await until(
		() => people.every((room) => room.entries.length === 30 && room.entries.every(({ seq }) => seq !== null)),
		'all arrived',
		30_000,
	);
	clearInterval(cutting);
	for (const room of people) assert.deepEqual(texts(room), texts(ada));
	for (const { yourName } of people) {
		const said = texts(ada).filter((text) => text.startsWith(yourName));
		assert.deepEqual(
			said,
			Array.from({ length: 10 }, (_, count) => `${yourName} ${count}`),
		);
	}
	assert.ok(people.every((room) => room.entries.every((entry) => entry.withheld === false)));
});
