import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import fc from 'fast-check';

import { seal } from '../../static/crypto/envelope.js';
import { openIdentity } from '../../static/crypto/identity.js';
import { openMember } from '../../static/crypto/keys.js';
import { Api } from '../../static/wire/api.js';
import { pinnedIn, pinsWith } from '../../static/room/pins.js';
import { Room } from '../../static/room/room.js';
import { admit, checkNews, createRoom, listRooms, suggestedName } from '../../static/room/rooms.js';
import { parseLink } from '../../static/values/link.js';
import { openStore, Store } from '../../static/storage/store.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { enterRoom } from './entering.js';
import { answer, TestServer } from './server.js';
import { collect } from './collect.js';
import { there } from './there.js';
import { until } from './waiting.js';

/**
 * @import { Alarm, NewLink, Renewal } from '../../static/room/facade.js'
 * @import { Common, Entry, MessageParts } from '../../static/room/log.js'
 * @import { RoomRecord } from '../../static/storage/store.js'
 * @import { Tables } from '../../static/storage/tables.js'
 *
 * What only entries of some types have.
 *
 * @typedef {object} Some
 * @property {string} [text]
 * @property {MessageParts['edited']} [edited]
 * @property {MessageParts['reactions']} [reactions]
 * @property {string} [by]
 * @property {string} [how]
 * @property {Shown[]} [kept]
 *
 * @typedef {Common & Some & { type: Entry['type'] }} Shown
 */

/** @type {TestServer} */
let server;
/** @type {Api} */
let api;
/** @type {Room[]} */
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

/** @param {Store} store @param {{ record: RoomRecord }} admitted @param {string} [name] */
function enter(store, admitted, name = '') {
	return enterRoom(open, admitted.record, { store, api }, name);
}

async function ownersRoom(name = 'Ada') {
	const store = browser();
	const admitted = await createRoom(store, { name: 'Summer trip' }, api);
	const room = await enter(store, admitted, name);
	return { store, room };
}

/**
 * Somebody with a browser of their own, by the room's link or, for who only reads, by one that the owner makes.
 *
 * @param {Room} room
 * @param {string} name
 * @param {NewLink['role']} role
 */
async function guestOf(room, name, role = 'member') {
	const store = browser();
	const { invite } = await room.ownLinks();
	const url = role === 'member' ? invite : (await room.makeLink({ ...LINK, role })).url;
	return { store, room: await enter(store, await admit(store, linkOf(url)), name) };
}

/** A link that is whole. @param {string | null} url */
function linkOf(url) {
	const link = parseLink(there(url));
	assert.ok(link.state === 'ok', link.state);
	return link;
}

/** What a browser knows of a room. @param {Store} store @param {string} room */
const recordOf = async (store, room) => there(await store.room(room));

/** A link without limits. @type {NewLink} */
const LINK = { name: '', role: 'member', openings: null, expiresInS: null };

/** What was said, or stands for it, without cards. @param {Room} room @returns {Shown[]} */
const words = (room) => room.entries.filter(({ type }) => type !== 'card');
/** What is wrong with entries, then with the whole room. @param {Room} room @returns {(Shown['alarm'] | Alarm['code'])[]} */
const alarms = (room) => [...room.entries.flatMap(({ alarm }) => alarm ?? []), ...room.alarms.map(({ code }) => code)];
const texts = (/** @type {Room} */ room) =>
	room.entries.flatMap((entry) => (entry.type === 'message' ? entry.text : []));
/** Where something stands that was sent. @param {Shown} entry */
const seqOf = ({ seq }) => there(seq);

test('two people talk through a link, and a third reads everything later', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ada.send('hello');
	await until(() => texts(ben).includes('hello'), 'Ben hears Ada');
	await ben.send('hello yourself');
	await until(() => words(ada).length === 2 && words(ada).every(({ state }) => state === 'sent'), 'Ada hears Ben');
	const { room: cleo } = await guestOf(ada, '', 'reader');
	assert.deepEqual(texts(cleo), ['hello', 'hello yourself']);
	assert.equal(cleo.canWrite, false);
	assert.equal(cleo.info.title, 'Summer trip');
	assert.deepEqual(
		words(cleo).map(({ name, own, byOwner }) => [name, own, byOwner]),
		[
			['Ada', false, true],
			['Ben', false, false],
		],
	);
});

test('a newcomer signals and stores nothing before joining', async () => {
	const { room: ada } = await ownersRoom();
	const store = browser();
	const { invite } = await ada.ownLinks();
	const admitted = await admit(store, linkOf(invite));
	server.requests = [];
	const room = new Room(admitted.record, { store, api });
	open.push(room);
	await room.open();
	assert.equal(room.phase, 'preview');
	assert.equal(room.info.title, 'Summer trip');
	const asked = server.requests.filter(({ path }) => path.includes(ada.room) && !path.endsWith('/signals'));
	assert.deepEqual(
		asked.map(
			({ method, path }) =>
				`${method} ${path
					.split('/')
					.slice(4)
					.join('/')
					.replace(/[0-9a-f]{32}/, 'id')}`,
		),
		['POST links/id/open', 'GET keys', 'GET '],
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
	await until(() => words(ada)[0]?.state === 'sent' && words(ada)[0].seq !== null, 'it is sent');
	const posts = server.requests.filter(
		({ method, path }) => method === 'POST' && path.includes(ada.room) && path.endsWith('/messages'),
	);
	// The card that goes first is what was lost.
	assert.equal(posts.length, 3);
	assert.equal(posts[0].body, posts[1].body);
	assert.equal(words(ada).length, 1);
});

test('edits, reactions and deletions by their author change a message for all', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('first');
	await until(() => words(ada)[0], 'Ada hears');
	await until(() => words(ben)[0]?.seq, 'Ben has it back');
	await ada.react(seqOf(words(ada)[0]), '👍', true);
	await ben.edit(seqOf(words(ben)[0]), 'second');
	const seen = await until(
		() => [words(ada)[0]].find(({ text, reactions: [given] = [] }) => text === 'second' && given?.pending === false),
		'both',
	);
	assert.deepEqual(seen.reactions?.[0]?.names, [{ name: 'Ada', taken: false }]);
	assert.equal(seen.edited?.pending, false);
	await until(() => words(ben)[0].reactions?.length === 1, 'Ben sees the reaction');
	await ben.remove(seqOf(words(ben)[0]));
	await until(() => words(ada)[0].type === 'removed', 'removed');
	assert.equal(words(ada)[0].by, 'author');
});

test('what was deleted keeps its author, after a reload and for who comes later', async () => {
	const { room: ada, store } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('oops');
	await until(() => words(ada)[0], 'Ada hears');
	await until(() => words(ben)[0]?.seq, 'Ben has it back');
	await ben.remove(seqOf(words(ben)[0]));
	await until(() => words(ada)[0]?.type === 'removed', 'removed');
	const whose = (/** @type {Room} */ room) => words(room).map(({ type, name, signer }) => [type, name, signer]);
	const expected = [['removed', 'Ben', ben.ownSigner]];
	assert.deepEqual(whose(ada), expected);
	ada.close();
	const again = await enter(store, { record: await recordOf(store, ada.room) });
	assert.deepEqual(whose(again), expected, 'after a reload');
	const { room: late } = await guestOf(again, 'Late');
	await until(() => words(late)[0]?.name === 'Ben', 'who comes later is told');
	assert.deepEqual(whose(late), expected);
});

test('the owner deletes what others wrote, and speaks in a locked room', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('rude');
	await until(() => words(ada)[0], 'Ada hears');
	await ada.remove(seqOf(words(ada)[0]));
	await until(() => words(ben)[0]?.type === 'removed', 'removed');
	assert.equal(words(ben)[0].by, 'owner');
	await ada.change({ locked: true });
	await until(() => ben.info.locked, 'Ben learns of the lock');
	await ada.send('quiet please');
	await until(() => texts(ben).includes('quiet please'), 'the owner may');
	await ben.send('but');
	await until(() => words(ben).at(-1)?.state === 'failed', 'refused');
	assert.equal(words(ben).at(-1)?.error, 'room_locked');
	await ada.change({ locked: false });
	await ben.retry(there(words(ben).at(-1)).clientId);
	await until(() => texts(ada).includes('but'), 'sent after all');
});

test('what the owner pinned is so for all, newcomers too, across a renewal and until it is deleted; nobody else pins', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	for (const text of ['the plan', 'the address']) await ben.send(text);
	await until(() => words(ada).length === 2, 'both are there');
	const pinned = (/** @type {Room} */ room) => pinnedIn(room).map(({ message }) => message?.text);
	for (const entry of words(ada).slice(0, 2)) {
		const pins = there(pinsWith(ada, { seq: seqOf(entry), clientId: entry.clientId }, true));
		await ada.change({ pins });
	}
	await until(() => pinned(ben).length === 2, 'Ben learns of both');
	assert.deepEqual(pinned(ben), ['the plan', 'the address']);
	assert.equal(ben.entries.filter((entry) => entry.type === 'change' && entry.changes.pinned).length, 2);

	await assert.rejects(ben.change({ pins: [] }));
	// A member has the key that seals, and a server may append what they sealed: the owner has not signed it.
	const [first] = await store.rotations(ada.room);
	const { content } = await openMember(0, there(first?.secret ?? null));
	const ben0 = await openIdentity((await recordOf(store, ada.room)).identity);
	const client_id = crypto.randomUUID();
	const place = { room: ada.room, epoch: 0, kind: 'change', client_id, author: ben0.author, target: null };
	const state = { ...there((await recordOf(store, ada.room)).state).state, pins: [] };
	const body = await seal(content, ben0, place, { at_ms: Date.now(), state, prev: null });
	server.append(ada.room, { kind: 'change', client_id, author: ben0.author, body });
	for (const room of [ada, ben]) await until(() => alarms(room).includes('signer'), 'it shows');
	assert.deepEqual(pinned(ada), ['the plan', 'the address']);
	assert.deepEqual(pinned(ben), ['the plan', 'the address']);

	await renew(ada);
	const { room: cleo } = await guestOf(ada, 'Cleo');
	await until(() => pinned(cleo).length === 2, 'Cleo, who came later, sees both');
	await ben.remove(seqOf(words(ben)[0]));
	for (const room of [ada, ben, cleo])
		await until(() => pinned(room).join() === 'the address', 'it went with its message');
	await ada.change({ pins: there(pinsWith(ada, { seq: there(pinnedIn(ada)[0]).seq, clientId: '' }, false)) });
	for (const room of [ada, ben, cleo]) await until(() => room.info.pins.length === 0, 'nothing is pinned');
});

test('a deletion that nobody signed takes nothing from who has read it, and shows', async () => {
	const { room: ada, store } = await ownersRoom();
	await ada.send('inconvenient');
	await until(() => words(ada)[0]?.seq, 'sent');
	const { author } = words(ada)[0];
	const seq = seqOf(words(ada)[0]);
	server.append(ada.room, { kind: 'delete', client_id: crypto.randomUUID(), target: seq, author, body: '' });
	await until(() => alarms(ada).includes('blanked'), 'it shows');
	assert.deepEqual(texts(ada), ['inconvenient']);
	const stored = await store.eventsBefore(ada.room, seq + 1, 1);
	assert.notEqual(stored[0].event.body, '');
	const { room: late } = await guestOf(ada, 'Late');
	await until(() => words(late)[0]?.type === 'removed', 'to a newcomer it is removed');
	assert.equal(words(late)[0].by, 'server');
});

test('a reload shows what this browser has before the server answers', async () => {
	globalThis.indexedDB = new IDBFactory();
	const store = await openStore();
	assert.equal(store.persistent, true);
	const admitted = await createRoom(store, {}, api);
	const room = await enter(store, admitted, 'Ada');
	await room.send('kept');
	await until(() => words(room)[0]?.seq, 'sent');
	await until(async () => (await store.outbox(room.room)).length === 0, 'nothing waits');
	room.close();
	server.intercept = (_, response) => response.destroy() && true;
	const again = new Room(await recordOf(store, room.room), { store, api });
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
	const again = new Room(await recordOf(store, room.room), { store, api });
	open.push(again);
	await again.open();
	assert.deepEqual(
		words(again).map(({ text, state }) => [text, state]),
		[
			['one', 'sending'],
			['two', 'sending'],
			['three', 'sending'],
		],
	);
	server.intercept = () => false;
	await until(() => words(again).every(({ seq }) => seq !== null), 'all are sent', 10_000);
	assert.deepEqual(texts(again), ['one', 'two', 'three']);
	assert.deepEqual(
		server.room(room.room).events.map(({ kind }) => kind),
		['card', 'message', 'message', 'message'],
	);
});

test('what was written before the owner link came is sent as who wrote it', async () => {
	const { room: owner } = await ownersRoom();
	const { room: ben, store } = await guestOf(owner, 'Ben');
	server.intercept = (_, response) => response.destroy() && true;
	await ben.send('by the member');
	ben.close();
	const { owner: ownerLink } = await owner.ownLinks();
	const { record } = await admit(store, linkOf(ownerLink));
	assert.equal(record.role, 'owner');
	server.intercept = () => false;
	const again = await enter(store, { record });
	await until(() => words(owner).length === 1, 'it arrives', 10_000);
	assert.deepEqual(
		words(owner).map(({ type, text, own }) => [type, text, own]),
		[['message', 'by the member', false]],
	);
	await until(() => words(again).length === 1 && words(again)[0].seq !== null, 'and is here, once');
	const kinds = server.room(owner.room).events.map(({ kind }) => kind);
	assert.deepEqual(kinds, ['card', 'message']);
});

test('a storage that fails as soon as it is used keeps nobody from talking', async () => {
	const refusal = () => Promise.reject(new DOMException('no', 'UnknownError'));
	const failing = /** @type {Tables} */ (new Proxy({}, { get: () => refusal }));
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
	const { record } = await admit(other, linkOf(owner));
	assert.equal(other.persistent, false);
	const again = await enter(other, { record }, 'Ada');
	await until(() => texts(again).includes('all the same'), 'it arrived');
});

test('a second device of the same person knows their name', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ada.send('hello');
	await ben.send('from the laptop');
	await until(() => words(ada).length === 2, 'both are there');
	const { device } = await ben.ownLinks();
	const phone = await enter(browser(), await admit(browser(), linkOf(device)), '');
	await until(() => phone.yourName === 'Ben', 'the name is known');
	const stranger = await enter(browser(), await admit(browser(), linkOf((await ada.ownLinks()).invite)), '');
	assert.equal(stranger.yourName, '');
	assert.equal((await recordOf(store, ada.room)).yourName, 'Ben');
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

/** Fills a log with what nobody wrote, as a hostile server may. @param {Room} room @param {number} count */
function pad(room, count) {
	for (let at = 0; at < count; at += 1) {
		server.append(room.room, { kind: 'poll', client_id: crypto.randomUUID(), body: 'of a later version' });
	}
}

test('older history loads page by page', async () => {
	const { room: ada } = await ownersRoom();
	pad(ada, 250);
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

test('a log that got shorter says so once, keeps what was lost, and sends again what was acknowledged', async () => {
	const { room: ada, store } = await ownersRoom();
	for (const text of ['kept', 'lost', 'lost too']) await ada.send(text);
	await until(() => words(ada)[2]?.seq, 'sent');
	const { room: ben } = await guestOf(ada, 'Ben');
	const behind = server.room(ada.room);
	behind.events.length = 2;
	behind.log = 'another';
	server.cut();
	await until(() => words(ada).at(-1)?.type === 'lost', 'the loss shows');
	assert.deepEqual(
		words(ada).map(({ type }) => type),
		['message', 'lost'],
	);
	assert.deepEqual(
		words(ada)[1].kept?.map(({ text }) => text),
		['lost', 'lost too'],
	);
	await until(() => ada.connection.state === 'live' && ben.connection.state === 'live', 'it goes on');
	await ada.send('anew');
	await until(() => texts(ben).includes('anew') && words(ada).at(-1)?.seq === 3, 'in the new log');
	assert.deepEqual([alarms(ada), alarms(ben)], [[], []]);
	ada.close();
	const again = await enter(store, { record: await recordOf(store, ada.room) });
	assert.deepEqual(
		words(again).map(({ type, text, kept }) => [type, text ?? kept?.map((entry) => entry.text)]),
		[
			['message', 'kept'],
			['lost', ['lost', 'lost too']],
			['message', 'anew'],
		],
	);
});

test('a message that the server leaves out of history shows as missing', async () => {
	const { room: ada } = await ownersRoom();
	for (let count = 1; count <= 6; count += 1) await ada.send(`message ${count}`);
	await until(() => words(ada)[5]?.seq, 'sent');
	const { events } = server.room(ada.room);
	const withheld = new Set([4, 7]);
	server.intercept = ({ path }, response) => {
		if (!path.includes('/messages?')) return false;
		const messages = events.filter(({ seq }) => !withheld.has(seq));
		return answer(response, 200, { messages, first_seq: 1, last_seq: 7 });
	};
	const { room: ben } = await guestOf(ada, 'Ben');
	const shown = () => words(ben).map(({ type, text }) => text ?? type);
	await until(() => shown().length === 6, 'all that there is');
	assert.deepEqual(shown(), ['message 1', 'message 2', 'lost', 'message 4', 'message 5', 'lost']);
});

test('where nothing expires, a server that claims so loses its own copies only', async () => {
	const { room: ada, store } = await ownersRoom();
	for (let count = 1; count <= 4; count += 1) await ada.send(`message ${count}`);
	await until(() => words(ada)[3]?.seq, 'sent');
	ada.close();
	server.room(ada.room).firstSeq = 5;
	const again = await enter(store, { record: await recordOf(store, ada.room) });
	const shown = () => words(again).map(({ type, text }) => text ?? type);
	await until(() => shown().includes('lost'), 'it shows');
	assert.deepEqual(shown(), ['message 1', 'message 2', 'message 3', 'lost', 'message 4']);
	assert.equal((await store.eventsBefore(ada.room, 6, 10)).length, 5);
});

test('a message from long ago that the server sends again is not shown again', async () => {
	const { room: ada, store } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('yes, do it');
	await until(() => texts(ada).includes('yes, do it'), 'heard');
	pad(ada, 130);
	await ada.send('later');
	await until(() => words(ada).at(-1)?.text === 'later' && words(ada).at(-1)?.seq, 'sent', 20_000);
	ada.close();
	const again = await enter(store, { record: await recordOf(store, ada.room) });
	assert.ok(!texts(again).includes('yes, do it'), 'the page begins further down');
	const { author, client_id, body } = server.room(ada.room).events[1];
	server.append(ada.room, { kind: 'message', author, client_id, body });
	await again.send('last');
	await until(() => texts(again).at(-1) === 'last' && words(again).at(-1)?.seq !== null, 'sent');
	assert.ok(!texts(again).includes('yes, do it'));
	assert.deepEqual(alarms(again), ['repeated']);
});

test('a room that is deleted goes for all, and a browser that knew it says so', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ada.send('soon gone');
	await until(() => words(ben)[0], 'heard');
	await ada.destroy();
	await until(() => ben.phase === 'gone', 'gone');
	assert.equal(ben.goneReason, 'deleted');
	assert.equal(ada.phase, 'gone');
	await until(async () => (await store.eventsBefore(ben.room, 99, 9)).length === 0, 'the cache is empty');
	const again = new Room(await recordOf(store, ben.room), { store, api });
	await again.open();
	assert.equal(again.phase, 'gone');
});

test('who is here and who types is told, and own names are claimed', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ada');
	ben.typing();
	await until(() => ada.people.some(({ own, typing }) => !own && typing), 'typing shows');
	await ada.send('I was first');
	await until(() => words(ben)[0], 'heard');
	await ben.send('no, I');
	await until(() => words(ada)[1], 'heard');
	assert.equal(words(ada)[0].nameTaken, false);
	assert.equal(words(ada)[1].nameTaken, true);
	assert.equal(ada.people.find(({ own }) => !own)?.taken, true);
});

test('who leaves says so at once', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	// Who has said nothing has no name yet.
	await until(() => ada.people.some(({ own, here }) => !own && here), 'Ben is here');
	ben.close();
	await until(() => ada.people.every(({ own, here }) => own || !here), 'Ben is gone');
});

test('a newcomer learns whose a name is though its first use is far above', async () => {
	const { room: ada } = await ownersRoom();
	await ada.send('I am the first Ada');
	await until(() => words(ada)[0]?.seq, 'sent');
	pad(ada, 450);
	const { room: thief } = await guestOf(ada, 'ADA');
	await thief.send('and I am another');
	const { room: cleo } = await guestOf(ada, 'Cleo');
	await until(() => words(cleo).at(-1)?.nameTaken, 'the name is known to be taken');
	assert.ok(cleo.entries.length < 200);
});

const news = (/** @type {Store} */ store) => collect(checkNews(store, api, { pause: async () => {} }));

test('who has read everything has nothing new, though reactions follow', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ada.send('read me');
	await until(() => words(ben)[0], 'heard');
	assert.deepEqual(await news(store), [ada.room]);
	await ben.markRead(seqOf(words(ben)[0]));
	await ada.react(seqOf(words(ada)[0]), '👍', true);
	await until(() => words(ben)[0].reactions?.length === 1, 'the reaction is seen');
	await until(async () => (await news(store)).length === 0, 'nothing is new');
	await ada.send('and me');
	await until(() => words(ben)[1], 'heard');
	assert.deepEqual(await news(store), [ada.room]);
});

test('an owner link of another room does not take over a known one', async () => {
	const { room: ada, store } = await ownersRoom();
	const other = await (await ownersRoom()).room.ownLinks();
	await assert.rejects(admit(store, { ...linkOf(other.owner), room: ada.room }), { code: 'wrong_key' });
});

test('a message lifetime hides what it has ended', async () => {
	const { room: ada } = await ownersRoom();
	await ada.send('old');
	await until(() => words(ada)[0]?.seq, 'sent');
	await ada.change({ messageTtlS: 1 });
	await until(() => texts(ada).length === 0, 'gone', 15_000);
	assert.deepEqual(alarms(ada), []);
});

test('whatever a hostile server or member puts into the log, the rest goes on', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('before');
	await until(() => words(ada)[0], 'heard');
	const sealed = server.room(ada.room).events[1];
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
		target: fc.constantFrom(null, 0, -1, 3, 5, 1e9),
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
		() => people.every((room) => words(room).length === 30 && words(room).every(({ seq }) => seq !== null)),
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
	for (const room of people) assert.deepEqual(alarms(room), []);
});

/**
 * Renews the keys: all stay but those who are removed, with no link but a new one.
 *
 * @param {Room} room
 * @param {Partial<Renewal> & { leave?: string[] }} how `leave`: who is left out without being removed.
 */
async function renew(room, { remove = [], leave = [], sharePast = true, links = [] } = {}) {
	const guests = (await room.guests()).map(({ signer }) => signer);
	const stay = guests.filter((signer) => !remove.includes(signer) && !leave.includes(signer));
	return room.renew({ remove, stay, links, sharePast });
}

test('after a renewal all go on, whoever was away as well, and what was written before arrives after', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	const { room: cleo, store } = await guestOf(ada, 'Cleo');
	for (const room of [ada, ben, cleo]) await room.send(`I am ${room.yourName}`);
	await until(() => words(ada).length === 3, 'all spoke');
	server.intercept = ({ method, path }, response) =>
		method === 'POST' && path.endsWith('/messages') && response.destroy() && true;
	await cleo.send('written before');
	cleo.close();
	server.intercept = () => false;
	await renew(ada);
	await ben.send('between');
	await until(() => texts(ada).includes('between'), 'Ben followed');
	await renew(ada);
	await ada.send('after two renewals');
	const again = await enter(store, { record: await recordOf(store, ada.room) });
	for (const room of [ada, ben, again]) {
		await until(
			() => texts(room).includes('written before') && texts(room).includes('after two renewals'),
			'all is there',
		);
		assert.equal(texts(room).filter((text) => text === 'written before').length, 1);
		assert.deepEqual(alarms(room), []);
		assert.deepEqual(room.people.map(({ name }) => name).sort(), ['Ada', 'Ben', 'Cleo']);
	}
});

test('who was removed goes blank, reads nothing more, and comes back only as somebody else by a link', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ben.send('rude');
	await until(() => texts(ada).includes('rude'), 'heard');
	const { device } = await ben.ownLinks();
	const was = there(ben.ownSigner);
	const { roomLink } = await renew(ada, { remove: [was] });
	await until(() => ben.phase === 'removed', 'Ben is out');
	assert.deepEqual(ben.entries, []);
	assert.deepEqual(ben.removal, { how: 'removed', title: 'Summer trip', owner: '', unsent: [] });
	assert.deepEqual(await store.eventsBefore(ada.room, 99, 9), []);
	await ada.send('not for Ben');
	const reopened = new Room(await recordOf(store, ada.room), { store, api });
	await reopened.open();
	assert.equal(reopened.phase, 'removed');
	const elsewhere = new Room((await admit(browser(), linkOf(device))).record, { store: browser(), api });
	await elsewhere.open();
	assert.equal(elsewhere.phase, 'not_here', 'the old link opens nothing, with the old identity neither');
	const back = await enter(store, await admit(store, linkOf(roomLink)), 'Benedict');
	assert.notEqual(back.ownSigner, was);
	await back.send('hello again');
	await until(() => texts(ada).includes('hello again'), 'as somebody new');
	assert.deepEqual(alarms(ada), []);
});

test('who was left out returns by a link, and who is not shown the past sees one divider', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('before');
	await until(() => texts(ada).includes('before'), 'heard');
	const [link] = await ada.links();
	await renew(ada, { leave: [there(ben.ownSigner)], sharePast: false, links: [link.id] });
	await ben.send('I came by the link again');
	await until(() => texts(ada).includes('I came by the link again'), 'Ben is back');
	assert.deepEqual(alarms(ada), []);
	const { room: cleo } = await guestOf(ada, 'Cleo');
	await until(() => texts(cleo).includes('I came by the link again'), 'Cleo reads what came after');
	assert.equal(cleo.entries.filter(({ type }) => type === 'unshared').length, 1);
	assert.ok(!texts(cleo).includes('before'));
	assert.deepEqual(alarms(cleo), []);
});

test('links are listed, limited, spent, and taken back', async () => {
	const { room: ada } = await ownersRoom();
	const once = await ada.makeLink({ name: 'For Ben', role: 'member', openings: 1, expiresInS: 3600 });
	const store = browser();
	const asked = server.requests.length;
	const ben = new Room((await admit(store, linkOf(once.url))).record, { store, api });
	open.push(ben);
	await ben.open();
	assert.equal(ben.phase, 'invited', 'only a click opens it');
	assert.equal(server.requests.length, asked);
	await ben.join('Ben');
	assert.equal(ben.phase, 'open');
	const late = new Room((await admit(browser(), linkOf(once.url))).record, { store: browser(), api });
	await late.open();
	await late.join('Late');
	assert.equal(late.phase, 'link_ended');
	assert.equal(late.linkEnded, 'used_up');
	const listed = (await ada.links()).map(({ name, role, opened, openings, isRoomLink, ended }) => ({
		name,
		role,
		opened,
		openings,
		isRoomLink,
		ended,
	}));
	assert.deepEqual(listed, [
		{ name: '', role: 'member', opened: 0, openings: null, isRoomLink: true, ended: null },
		{ name: 'For Ben', role: 'member', opened: 1, openings: 1, isRoomLink: false, ended: 'used_up' },
	]);
	await ben.send('here');
	await until(() => texts(ada).includes('here'), 'heard');
	assert.equal(ada.people.find(({ name }) => name === 'Ben')?.via, 'For Ben');
	await renew(ada);
	assert.equal((await ada.links()).length, 1);
	await ben.send('still here');
	await until(() => texts(ada).includes('still here'), 'heard');
});

test("an owner's second device, away over a renewal, has all keys and can renew", async () => {
	const { room: ada } = await ownersRoom();
	await ada.send('one');
	await until(() => words(ada)[0]?.seq, 'sent');
	const { owner } = await ada.ownLinks();
	const store = browser();
	const second = await enter(store, await admit(store, linkOf(owner)), 'Ada');
	second.close();
	await renew(ada);
	await ada.send('two');
	await ada.change({ title: 'Renamed' });
	const again = await enter(store, { record: await recordOf(store, ada.room) });
	await until(() => texts(again).includes('two') && again.info.title === 'Renamed', 'all is known');
	await renew(again);
	await ada.send('three');
	await until(() => texts(again).includes('three'), 'the first device followed the second');
	for (const room of [ada, again]) assert.deepEqual(alarms(room), []);
});

test('a reader reads on after a renewal, and says nothing', async () => {
	const { room: ada } = await ownersRoom();
	const link = await ada.makeLink({ name: 'Readers', role: 'reader', openings: null, expiresInS: null });
	const store = browser();
	const eve = await enter(store, await admit(store, linkOf(link.url)), '');
	await renew(ada, { links: [link.id] });
	await ada.send('for readers, too');
	await until(() => texts(eve).includes('for readers, too'), 'read');
	assert.equal((await eve.ownLinks()).invite, null, 'a reader cannot pass on the link to take part');
	await assert.rejects(eve.send('no'), { code: 'read_only' });
	assert.deepEqual(alarms(eve), []);
});

test('what the server does without the owner is said to be its doing', async () => {
	const { room: ada } = await ownersRoom();
	server.room(ada.room).state.locked = true;
	const { room: ben } = await guestOf(ada, 'Ben');
	await until(() => ben.alarms.some(({ code, detail }) => code === 'server_state' && detail === 'lock'), 'it shows');
	assert.equal(ben.info.locked, false, 'the owner said nothing of the kind');
});

test('a server that claims the room is gone must prove it', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ada.send('keep this');
	await until(() => texts(ben).includes('keep this'), 'heard');
	server.close(ada.room, 'deleted', 'A'.repeat(86));
	await until(() => ben.alarms.some(({ code }) => code === 'claims_gone'), 'it is called a claim');
	assert.deepEqual(texts(ben), ['keep this']);
});

test('two people who are shown different logs learn of it from signals', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	for (const room of [ada, ben]) await room.send('hello');
	await until(() => [ada, ben].every((room) => words(room).length === 2), 'both spoke');
	// Ben's server swaps what comes next; nobody says anything afterwards.
	const { streams } = server.room(ada.room);
	server.intercept = ({ headers }) => {
		void headers;
		return false;
	};
	const first = there(Array.from(streams)[0]);
	const write = first.write.bind(first);
	first.write = (/** @type {unknown} */ text) =>
		write(
			String(text)
				.replace(/"kind":"message"/, '"kind":"poll"')
				.replace(/event: message/, 'event: poll'),
		);
	await ada.send('pay on Monday');
	await until(() => [ada, ben].every((room) => room.info.lastSeq >= 5), 'both saw something');
	for (const room of [ada, ben]) {
		room.setVisible(false);
		room.setVisible(true);
	}
	await until(() => ada.alarms.concat(ben.alarms).some(({ code }) => code === 'fork'), 'it shows');
});

test('a forged card, statement or rotation is not believed', async () => {
	const { room: ada } = await ownersRoom();
	const link = await ada.makeLink({ name: '', role: 'reader', openings: null, expiresInS: null });
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('I am Ben');
	await until(() => texts(ada).includes('I am Ben'), 'heard');
	const { room: eve } = { room: await enter(browser(), await admit(browser(), linkOf(link.url)), '') };
	const { events } = server.room(ada.room);
	const card = there(events.find(({ kind, author }) => kind === 'card' && author !== null));
	// The same card again, elsewhere; a statement that is a message; a rotation that nobody signed.
	server.append(ada.room, { ...card, seq: events.length + 1, client_id: crypto.randomUUID() });
	server.append(ada.room, { kind: 'change', client_id: crypto.randomUUID(), author: card.author, body: card.body });
	server.append(ada.room, { kind: 'rotate', client_id: crypto.randomUUID(), author: card.author, body: 'a.b.c' });
	await ben.send('after it all');
	for (const room of [ada, ben, eve]) await until(() => texts(room).includes('after it all'), 'the rest goes on');
	assert.equal(ada.info.title, 'Summer trip');
});

/** Answers as the server does, but for one event that nobody gets to see. @param {string} room @param {number} seq */
function hide(room, seq) {
	const kept = server.room(room);
	server.intercept = ({ method, path }, response) => {
		if (method !== 'GET' || !path.includes('/messages?')) return false;
		const query = new URL(path, server.base).searchParams;
		const shown = kept.events.filter((event) => event.seq !== seq);
		const limit = Number(query.get('limit') ?? 50);
		const messages = query.has('after')
			? shown.filter((event) => event.seq > Number(query.get('after'))).slice(0, limit)
			: shown.filter((event) => event.seq < Number(query.get('before') ?? Infinity)).slice(-limit);
		return answer(response, 200, { messages, first_seq: 1, last_seq: kept.events.length });
	};
	for (const stream of kept.streams) {
		const write = stream.write.bind(stream);
		stream.write = (/** @type {unknown} */ text) => String(text).startsWith(`id: ${seq}\n`) || write(String(text));
	}
}

for (const lifetime of [null, 86_400]) {
	test(`an own post that the server took and hides is told, and its words are kept; lifetime: ${lifetime}`, async () => {
		const { room: ada } = await ownersRoom();
		if (lifetime !== null) await ada.change({ messageTtlS: lifetime });
		const { room: ben, store } = await guestOf(ada, 'Ben');
		await ben.send('I am Ben');
		await until(() => texts(ada).includes('I am Ben') && ben.sending.count === 0, 'Ben has spoken');
		hide(ada.room, server.room(ada.room).events.length + 1);
		await ben.send('Nobody will see this');
		await until(() => words(ben).at(-1)?.state === 'sent', 'it was taken');
		await ada.send('Anybody there?');
		await until(() => texts(ben).includes('Anybody there?'), 'its place has passed');
		await until(() => words(ben).some(({ how }) => how === 'own'), 'it is told');
		const [kept] = await store.outbox(ada.room);
		assert.deepEqual([kept.state, kept.error, kept.said.text], ['failed', 'lost', 'Nobody will see this']);
	});
}

test('keys that the owner gave and the server kept back are told once a link leads on', async () => {
	const { room: ada } = await ownersRoom();
	const press = await ada.makeLink({ name: 'The press', role: 'reader', openings: null, expiresInS: null });
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('I am Ben');
	await until(() => texts(ada).includes('I am Ben') && ben.sending.count === 0, 'Ben has spoken');
	const kept = (await ada.links()).map(({ id }) => id).filter((id) => id !== press.id);
	const owners = there(server.requests.findLast(({ path }) => path.endsWith('/links'))).headers.authorization;
	/** The token with which Ben asks first is of the epoch before. @type {string | undefined} */
	let former;
	server.intercept = ({ method, path, headers: { authorization } }, response) => {
		const asked = method === 'GET' && path.includes(ada.room) && path.includes('/keys');
		if (!asked || authorization === owners) return false;
		former ??= authorization;
		const { epoch, rotations } = server.room(ada.room);
		const told = rotations.slice(1).map(({ epoch: begun, seq, public: text, signature, private: sealed }) => {
			return {
				epoch: begun,
				seq,
				public: text,
				signature,
				private: authorization === former ? null : sealed,
				grant: null,
			};
		});
		return answer(response, 200, { epoch, rotations: told });
	};
	const guests = (await ada.guests()).map(({ signer }) => signer);
	await ada.renew({ remove: [], stay: guests, links: kept, sharePast: true });
	await until(() => alarms(ben).includes('left_waiting'), 'Ben is told');
	server.intercept = () => false;
	await ben.send('There I am');
	await until(() => texts(ada).includes('There I am'), 'and goes on');
	assert.deepEqual([alarms(ben), alarms(ada)], [['left_waiting'], []]);
});

test('who was left out for a withheld grant comes in again once the server is honest, and after a reload', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben, store } = await guestOf(ada, 'Ben');
	await ben.send('I am Ben');
	await until(() => texts(ada).includes('I am Ben') && ben.sending.count === 0, 'Ben has spoken');
	const link = linkOf((await ben.ownLinks()).invite);
	server.intercept = ({ method, path }, response) => {
		if (method !== 'GET' || !path.includes('/keys') || !path.includes(ada.room)) return false;
		const { epoch, rotations } = server.room(ada.room);
		const told = rotations.map(({ epoch, seq, public: text, signature }) => ({ epoch, seq, public: text, signature }));
		return answer(response, 200, {
			epoch,
			rotations: told.slice(1).map((rotation) => ({ ...rotation, private: null, grant: null })),
		});
	};
	await renew(ada);
	await until(() => ben.phase === 'removed', 'Ben is left out');
	assert.equal(ben.removal?.how, 'left_out');
	ben.close();
	const still = new Room((await admit(store, link)).record, { store, api });
	open.push(still);
	await still.open();
	assert.deepEqual([still.phase, still.removal?.how], ['removed', 'left_out'], 'the server lies on');
	still.close();
	server.intercept = () => false;
	await ada.send('After');
	const back = await enter(store, await admit(store, link));
	await until(() => texts(back).includes('After'), 'Ben is back');
	await back.send('Back');
	await until(() => texts(ada).includes('Back'), 'and heard');
	assert.deepEqual([alarms(back), alarms(ada)], [[], []]);
});

test('with whom words were compared is kept here, under their key and their name, and goes with either', async () => {
	const { store, room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada, 'Ben');
	await ben.send('hello');
	const personCalled = (/** @type {string} */ name) => ada.people.find((person) => person.name === name);
	const first = await until(() => personCalled('Ben'), 'Ben is known');
	assert.equal(first.compared, null);
	let told = 0;
	ada.addEventListener('compared', () => (told += 1));
	await ada.setCompared(first, true);
	assert.deepEqual([told, personCalled('Ben')?.compared?.how], [1, 'same']);
	assert.equal(ada.comparison({ signer: there(ada.ownSigner), name: 'Ada' }), null);
	// As it reads, it is the same name.
	assert.equal(ada.comparison({ signer: first.signer, name: 'BEN' })?.how, 'same');
	// Another tab, and later.
	const { compared = [] } = await recordOf(store, ada.room);
	assert.deepEqual(
		compared.map(({ signer, name }) => [signer, name]),
		[[first.signer, 'Ben']],
	);

	// Somebody of his name has another key.
	const { room: other } = await guestOf(ada, 'ben');
	await other.send('me too');
	const second = await until(() => personCalled('ben'), 'the other is known');
	assert.deepEqual([second.compared?.how, second.compared?.name], ['other_key', 'Ben']);
	// His own key under another name says so, and has no mark until the words are compared once more.
	await ben.setName('Benjamin');
	const renamed = await until(() => personCalled('Benjamin'), 'the new name is known');
	assert.equal(renamed.signer, first.signer);
	assert.deepEqual([renamed.compared?.how, renamed.compared?.name], ['renamed', 'Ben']);
	await ada.setCompared(renamed, true);
	assert.equal(personCalled('Benjamin')?.compared?.how, 'same');
	assert.equal(personCalled('ben')?.compared, null, 'that name is nobody’s by now');
	await ada.setCompared(renamed, false);
	assert.equal(personCalled('Benjamin')?.compared, null);
	assert.deepEqual((await recordOf(store, ada.room)).compared, []);
});
