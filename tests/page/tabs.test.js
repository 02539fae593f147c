import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { Api } from '../../static/wire/api.js';
import { createRoom } from '../../static/room/rooms.js';
import { openMember } from '../../static/crypto/keys.js';
import { Store } from '../../static/storage/store.js';
import { SharedStream } from '../../static/wire/tabs.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { testLocks } from './locks.js';
import { TestServer } from './server.js';
import { there } from './there.js';
import { until } from './waiting.js';

/**
 * @import { Access } from '../../static/wire/api.js'
 * @import { Closed, SignalEvent } from '../../static/wire/stream.js'
 */

const PATIENCE = { answer: 60, silence: 200, beat: 40, poll: 50, seldom: 60 };

/** @typedef {{ room: string, access: Access }} Known A room, and what lets one in. */

/** @type {TestServer} */
let server;
/** @type {Api} */
let api;
/** @type {LockManager | undefined} */
let locks;
/** @type {{ stop: () => void }[]} */
let tabs = [];

before(async () => {
	server = await TestServer.start();
	api = new Api(server.base);
});

beforeEach(() => {
	locks = testLocks();
});

afterEach(() => {
	for (const tab of tabs) tab.stop();
	tabs = [];
});

after(() => server.stop());

/** @returns {Promise<Known>} */
async function newRoom() {
	const { record } = await createRoom(new Store(new MemoryTables(), false), {}, api);
	const { readToken } = await openMember(0, there(record.founding?.secret));
	const beats = setInterval(() => {
		for (const stream of server.rooms.get(record.room)?.streams ?? []) stream.write(': keep-alive\n\n');
	}, 20);
	tabs.push({ stop: () => clearInterval(beats) });
	return { room: record.room, access: { token: readToken } };
}

/** @param {Known} known */
function openTab({ room, access }, { visible = true, frozen = false, cursor = 0 } = {}) {
	const seen = {
		/** @type {number[]} */
		events: [],
		/** @type {SignalEvent[]} */
		signals: [],
		/** @type {Closed[]} */
		closed: [],
	};
	const channel = new BroadcastChannel(`tabs-${room}`);
	if (frozen) {
		channel.close();
		channel.addEventListener = () => {};
		channel.postMessage = () => {};
	}
	const stream = new SharedStream({
		room,
		start: { cursor, log: null },
		open: (from, signal) => api.stream(room, access, from, signal),
		history: (range) => api.history(room, access, range),
		lastSeq: async () => (await api.room(room, access)).last_seq,
		sink: {
			events: (events) => void seen.events.push(...events.map(({ seq }) => seq)),
			missing: () => assert.fail('nothing is missing'),
			diverged: (mark) => mark.last_seq,
		},
		follower: {
			connection: () => {},
			signals: (signals) => void seen.signals.push(...signals),
			closed: (reason) => void seen.closed.push(reason),
		},
		locks,
		channel,
		timing: { retry: 10, retryMost: 20, resume: 5 },
		patience: PATIENCE,
	});
	stream.start(visible);
	const tab = { seen, stream, state: () => stream.connection.state, stop: () => stream.stop() };
	tabs.push(tab);
	return tab;
}

const say = (/** @type {Known} */ { room }) =>
	server.append(room, { kind: 'message', client_id: crypto.randomUUID(), body: 'v1.x' });

test('all tabs of a room hear everything over one stream', async () => {
	const room = await newRoom();
	say(room);
	const open = [openTab(room), openTab(room), openTab(room)];
	for (const tab of open) await until(() => tab.state() === 'live', 'live');
	for (let count = 0; count < 20; count += 1) say(room);
	server.signal(room.room, { kind: 'here', author: null, body: 'v1.x', sent_at_ms: 1, expires_at_ms: 2 });
	for (const tab of open)
		await until(() => tab.seen.events.length === 21 && tab.seen.signals.length === 1, 'all events and the signal');
	for (const { seen } of open)
		assert.deepEqual(
			seen.events,
			Array.from({ length: 21 }, (_, at) => at + 1),
		);
	assert.equal(server.streams(room.room), 1);
});

test('another tab leads when the leader closes', async () => {
	const room = await newRoom();
	const [first, second] = [openTab(room), openTab(room)];
	await until(() => first.state() === 'live' && second.state() === 'live', 'live');
	first.stop();
	say(room);
	await until(() => second.seen.events.length === 1 && second.state() === 'live', 'the second goes on');
	await until(() => server.streams(room.room) === 1, 'one stream');
});

test('a hidden leader gives way to a tab that is looked at', async () => {
	const room = await newRoom();
	const hidden = openTab(room, { visible: false });
	await until(() => hidden.state() === 'live', 'live');
	const opens = () => server.requests.filter(({ path }) => path === `/api/rooms/${room.room}/stream`).length;
	assert.equal(opens(), 1);
	const visible = openTab(room);
	await until(() => opens() === 2 && server.streams(room.room) === 1, 'the lock has changed hands');
	say(room);
	await until(() => visible.seen.events.length === 1 && hidden.seen.events.length === 1, 'both hear');
	visible.stream.setVisible(false);
	hidden.stream.setVisible(true);
	await until(() => opens() === 3 && server.streams(room.room) === 1, 'and back');
	say(room);
	await until(() => visible.seen.events.length === 2 && hidden.seen.events.length === 2, 'both hear');
});

test('a visible tab beside a frozen leader streams for itself', async () => {
	const room = await newRoom();
	const frozen = openTab(room, { frozen: true });
	await until(() => frozen.state() === 'live', 'the leader has the lock');
	const visible = openTab(room);
	await until(() => visible.state() === 'live', 'live by itself');
	assert.equal(server.streams(room.room), 2);
	say(room);
	await until(() => visible.seen.events.length === 1, 'it hears');
	visible.stream.setVisible(false);
	await until(() => server.streams(room.room) === 1, 'hidden, it lets go');
});

test('a leader that freezes later is noticed after two heartbeats', async () => {
	const room = await newRoom();
	const [leader, other] = [openTab(room), openTab(room)];
	await until(() => leader.state() === 'live' && other.state() === 'live', 'live');
	const post = BroadcastChannel.prototype.postMessage;
	BroadcastChannel.prototype.postMessage = () => {};
	try {
		await until(() => server.streams(room.room) === 2, 'a stream of its own');
	} finally {
		BroadcastChannel.prototype.postMessage = post;
	}
	await until(() => server.streams(room.room) === 1, 'given up when the leader is heard again');
	say(room);
	await until(() => other.seen.events.length === 1, 'nothing is lost');
	assert.deepEqual(other.seen.events, [1]);
});

test('with more than three rooms, hidden ones ask instead of streaming', async () => {
	const rooms = await Promise.all(Array.from({ length: 5 }, newRoom));
	const hidden = rooms.slice(0, 4).map((room) => openTab(room, { visible: false }));
	const shown = openTab(rooms[4]);
	await until(() => shown.state() === 'live', 'the visible one streams');
	await until(
		() => rooms.every(({ room }, at) => server.streams(room) === (at === 4 ? 1 : 0)),
		'the hidden ones let go',
	);
	for (const room of rooms) say(room);
	for (const tab of hidden) await until(() => tab.seen.events.length === 1, 'they hear all the same');
	hidden[0].stream.setVisible(true);
	await until(() => server.streams(rooms[0].room) === 1, 'looked at, it streams');
});

test('where streams are short, a hidden tab asks instead of streaming, and streams once it is looked at', async (t) => {
	server.streamMaxS = 25;
	t.after(() => {
		server.streamMaxS = undefined;
	});
	const room = await newRoom();
	const tab = openTab(room);
	await until(() => tab.state() === 'live', 'it streams');
	tab.stream.setVisible(false);
	await until(() => server.streams(room.room) === 0, 'hidden, it lets go');
	say(room);
	await until(() => tab.seen.events.length === 1, 'it hears all the same');
	assert.equal(tab.state(), 'live');
	tab.stream.setVisible(true);
	await until(() => server.streams(room.room) === 1, 'looked at, it streams');
});

test('a closed room is closed in every tab, and stays so', async () => {
	const room = await newRoom();
	const open = [openTab(room), openTab(room)];
	for (const tab of open) await until(() => tab.state() === 'live', 'live');
	server.close(room.room, 'expired');
	for (const tab of open) await until(() => tab.seen.closed.length === 1 && tab.state() === 'closed', 'closed');
	const asked = server.requests.length;
	await new Promise((resolve) => setTimeout(resolve, PATIENCE.silence));
	assert.equal(server.requests.length, asked);
});

test('without locks, or where they are refused, each tab streams', async () => {
	const refusing = { request: () => Promise.reject(new DOMException('no', 'SecurityError')), query: async () => ({}) };
	for (const none of [undefined, refusing]) {
		const room = await newRoom();
		locks = none;
		const open = [openTab(room), openTab(room)];
		for (const tab of open) await until(() => tab.state() === 'live', 'live');
		assert.equal(server.streams(room.room), 2);
	}
});
