// Being told of a room while no tab of it is open: what is registered follows what a person wants, those who write have
// others told without a request for each word, and a room's worker shows one notice, in the person's words.

import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import vm from 'node:vm';

import './english.js';
import { Nearby } from '../../static/room/nearby.js';
import { admit, createRoom, forgetRoom } from '../../static/room/rooms.js';
import { Teller } from '../../static/room/telling.js';
import { openStore } from '../../static/storage/store.js';
import { encodeBase64url } from '../../static/values/bytes.js';
import { parseLink } from '../../static/values/link.js';
import { Api, ApiError } from '../../static/wire/api.js';
import { enterRoom } from './entering.js';
import { testLocks } from './locks.js';
import { TestServer } from './server.js';
import { there } from './there.js';
import { until } from './waiting.js';

/**
 * @import { Room } from '../../static/room/room.js'
 * @import { RoomRecord, Store } from '../../static/storage/store.js'
 * @import { Told } from '../../static/wire/api.js'
 */

const KEY = encodeBase64url(Uint8Array.from({ length: 65 }, (_, at) => (at === 0 ? 4 : at)));

/** @type {TestServer} */
let server;
/** @type {Api} */
let api;
/** @type {Workers} */
let workers;
/** @type {Room[]} */
let open = [];
const locks = testLocks();
/** How many addresses the push service has given out. */
let made = 0;
const known = Object.getOwnPropertyDescriptor(globalThis, 'navigator');

/** The browser's workers and its push service, as far as a page sees them. */
class Workers {
	/** By scope. @type {Map<string, Registration>} */
	held = new Map();
	/** Why nobody can register. @type {string | null} */
	refuses = null;
	/** @param {string} address @param {{ scope: string }} options */
	async register(address, { scope }) {
		assert.equal(address, '/push.js');
		const held = this.held.get(scope) ?? new Registration(this, scope);
		this.held.set(scope, held);
		return held;
	}

	/** @param {string} scope */
	async getRegistration(scope) {
		// The one that keeps the page is in charge of every address that has none of its own.
		return this.held.get(scope) ?? { scope: 'https://buddy.example/' };
	}
}

class Registration {
	active = {};
	/** @type {object | null} */
	subscription = null;

	/** @param {Workers} workers @param {string} path */
	constructor(workers, path) {
		this.workers = workers;
		this.path = path;
		this.scope = `https://buddy.example${path}`;
		this.pushManager = {
			getSubscription: async () => this.subscription,
			/** @param {{ userVisibleOnly: boolean, applicationServerKey: Uint8Array<ArrayBuffer> }} options */
			subscribe: async ({ userVisibleOnly, applicationServerKey }) => {
				if (workers.refuses) throw new DOMException('', workers.refuses);
				assert.ok(userVisibleOnly);
				made += 1;
				return (this.subscription = {
					endpoint: `https://push.example/${made}`,
					expirationTime: null,
					options: { applicationServerKey: applicationServerKey.slice().buffer },
					getKey: (/** @type {string} */ name) => new Uint8Array(name === 'auth' ? 16 : 65).buffer,
					unsubscribe: async () => ((this.subscription = null), true),
				});
			},
		};
	}

	async unregister() {
		this.workers.held.delete(this.path);
		return true;
	}
}

before(async () => {
	server = await TestServer.start();
	api = new Api(server.base);
});

beforeEach(() => {
	for (const room of open) room.close();
	open = [];
	workers = new Workers();
	made = 0;
	server.pushKey = KEY;
	server.intercept = () => false;
	Object.assign(globalThis, { PushManager: class {} });
	Object.defineProperty(globalThis, 'navigator', {
		value: {
			locks,
			get serviceWorker() {
				return workers;
			},
		},
		configurable: true,
	});
});

after(async () => {
	for (const room of open) room.close();
	if (known) Object.defineProperty(globalThis, 'navigator', known);
	else Reflect.deleteProperty(globalThis, 'navigator');
	await server.stop();
});

/** A browser that keeps what it is told. */
async function browser() {
	indexedDB = new IDBFactory();
	return openStore();
}

/** @param {Store} store @param {{ record: RoomRecord }} admitted @param {string} name */
function enter(store, admitted, name) {
	return enterRoom(open, admitted.record, { store, api }, name);
}

async function ownersRoom() {
	const store = await browser();
	return { store, room: await enter(store, await createRoom(store, { name: 'Summer trip' }, api), 'Ada') };
}

/** @param {Room} room */
async function guestOf(room) {
	const store = await browser();
	const link = parseLink(there((await room.ownLinks()).invite));
	assert.ok(link.state === 'ok', link.state);
	return { store, room: await enter(store, await admit(store, link), 'Ben') };
}

/** What the server has of a room. @param {Room} room */
const pushed = ({ room }) => Array.from(server.room(room).pushed.keys());
/** @param {Room} room */
const asked = ({ room }) => server.requests.filter(({ path }) => path === `/api/rooms/${room}/push/notify`).length;

test('a room is registered with the push service and the server when that is wanted, and not before', async () => {
	const { store, room } = await ownersRoom();
	assert.equal(await room.offersPush(), true);
	assert.equal(workers.held.size, 0);
	await room.setNotify('all', false);
	await room.setPush(true);
	assert.equal(room.push, true);
	assert.deepEqual(pushed(room), ['https://push.example/1']);
	const { keys } = there(server.room(room.room).pushed.get('https://push.example/1'));
	assert.deepEqual([keys.p256dh.length, keys.auth.length], [87, 22]);
	const { push } = there(await store.room(room.room));
	assert.deepEqual(push, {
		endpoint: 'https://push.example/1',
		epoch: 0,
		unnamed: 'Unnamed room',
		news: 'New messages',
	});
	await room.setPush(false);
	assert.deepEqual([pushed(room), workers.held.size, room.push], [[], 0, false]);
});

test('each room has an address of its own', async () => {
	const store = await browser();
	const rooms = [];
	for (const name of ['One', 'Two']) rooms.push(await enter(store, await createRoom(store, { name }, api), 'Ada'));
	for (const room of rooms) {
		await room.setNotify('all', false);
		await room.setPush(true);
	}
	assert.deepEqual(rooms.map(pushed), [['https://push.example/1'], ['https://push.example/2']]);
	assert.deepEqual(
		Array.from(workers.held.keys()),
		rooms.map(({ room }) => `/push/${room}/`),
	);
});

test('what is registered goes with muting, with wanting less and with the room, and comes back', async () => {
	const { store, room } = await ownersRoom();
	await room.setNotify('all', false);
	await room.setPush(true);
	await room.setNotify('all', true);
	await until(() => pushed(room).length === 0 && workers.held.size === 0, 'a muted room is not pushed');
	await room.setNotify('all', false);
	await until(() => pushed(room).length === 1, 'it is again');
	await room.setNotify('mentions', false);
	await until(() => pushed(room).length === 0, 'the server cannot tell mentions');
	await room.setNotify('all', false);
	await until(() => pushed(room).length === 1, 'all of it');
	// From the list beside another room, too.
	room.close();
	const nearby = new Nearby(store, { shows: () => false, api });
	await nearby.mute(room.room, true);
	assert.equal(workers.held.size, 0);
	await store.changeRoom(room.room, { muted: false });
	const again = await enter(store, { record: there(await store.room(room.room)) }, 'Ada');
	await again.keepPush({ anew: true });
	assert.equal(pushed(again).length, 1);
	await forgetRoom(store, room.room, api);
	await until(() => pushed(room).length === 0 && workers.held.size === 0, 'it is forgotten everywhere');
	nearby.close();
});

test('a renewal ends what was registered, and it is registered again with the new keys', async () => {
	const { room: ada } = await ownersRoom();
	const { store, room: ben } = await guestOf(ada);
	await ben.setNotify('all', false);
	await ben.setPush(true);
	await ben.send('hello');
	await until(async () => (await ada.guests()).length === 1, 'Ben is known');
	await ada.renew({ stay: (await ada.guests()).map(({ signer }) => signer), remove: [], links: [], sharePast: true });
	const isAnew = async () => (await store.room(ben.room))?.push?.epoch === 1;
	await until(isAnew, 'it is registered again');
	assert.deepEqual(pushed(ada), ['https://push.example/1'], 'under the same address');
});

test('an address that the browser changed is told to the server when the room is opened next', async () => {
	const { room } = await ownersRoom();
	await room.setNotify('all', false);
	await room.setPush(true);
	there(workers.held.get(`/push/${room.room}/`)).subscription = null;
	await room.keepPush({ anew: true });
	assert.deepEqual(pushed(room), ['https://push.example/2']);
	// So it is where the server has another key.
	server.pushKey = encodeBase64url(Uint8Array.from({ length: 65 }, (_, at) => (at === 0 ? 4 : 65 - at)));
	await room.keepPush({ anew: true });
	assert.deepEqual(pushed(room), ['https://push.example/3']);
});

test('where nothing can be pushed that is said, and nothing is left behind', async () => {
	const { room } = await ownersRoom();
	await room.setNotify('all', false);
	for (const [refuses, code] of [
		['NotAllowedError', 'push_denied'],
		['AbortError', 'push_failed'],
	]) {
		workers.refuses = refuses;
		await assert.rejects(room.setPush(true), { code });
		assert.deepEqual([room.push, workers.held.size], [false, 0]);
	}
	workers.refuses = null;
	server.pushKey = null;
	assert.equal(await room.offersPush(), false);
	await assert.rejects(room.setPush(true), { code: 'push_off' });
	assert.equal(room.push, false);
});

test('others are told of a message, and of nothing else, but not whoever wrote it', async () => {
	const { room: ada } = await ownersRoom();
	const { room: ben } = await guestOf(ada);
	for (const room of [ada, ben]) {
		workers = new Workers();
		await room.setNotify('all', false);
		await room.setPush(true);
	}
	assert.equal(pushed(ada).length, 2);
	await ada.send('hello');
	const { told } = server.room(ada.room);
	await until(() => told.length === 1, 'others are told');
	assert.deepEqual(told, [['https://push.example/2']]);
	const seq = await until(() => ada.entries.find(({ type }) => type === 'message')?.seq, 'it is in the log');
	await ada.react(seq, '👍', true);
	await ada.edit(seq, 'hello there');
	await ada.remove(seq);
	await until(() => ada.sending.count === 0 && ada.entries.some(({ type }) => type === 'removed'), 'all is sent');
	assert.equal(asked(ada), 1);
});

test('a room in which nobody wants to be told costs one request and not one for each message', async () => {
	const { room: ada } = await ownersRoom();
	for (const text of ['one', 'two', 'three']) {
		await ada.send(text);
		await until(() => ada.sending.count === 0 && asked(ada) > 0, 'it is sent');
	}
	assert.equal(asked(ada), 1);
});

/** @param {(Told | ApiError)[]} answers @param {string[]} [here] */
function tellerOf(answers, here = []) {
	/** @type {string[]} */
	const calls = [];
	/** @type {number[]} */
	const waits = [];
	const now = Date.now;
	let passed = 0;
	Date.now = () => now() + passed;
	const teller = new Teller({
		tell: async (token) => {
			calls.push(token);
			const next = there(answers.shift());
			if (next instanceof ApiError) throw next;
			return next;
		},
		here: () => [...here],
		pause: async (ms) => {
			waits.push(Math.ceil(ms / 1000));
			passed += ms;
		},
	});
	return { teller, calls, waits, pass: (/** @type {number} */ ms) => (passed += ms), end: () => (Date.now = now) };
}

test('a room is told once a while: what is written meanwhile waits, and is told once', async () => {
	const told = { again_in_s: 0, registrations: 2 };
	const { teller, calls, waits, end } = tellerOf([told, told]);
	teller.said('a');
	teller.said('b');
	teller.said('c');
	await until(() => calls.length === 2 && waits.length === 1, 'the first at once, the others together');
	assert.deepEqual([calls, waits], [['a', 'c'], [10]]);
	end();
});

test('who was told by somebody else in between is asked for once more, and not for ever', async () => {
	const busy = { again_in_s: 7, registrations: 2 };
	const { teller, calls, waits, end } = tellerOf([busy, busy]);
	teller.said('a');
	await until(() => calls.length === 2, 'it asks again');
	await new Promise((resolve) => setImmediate(resolve));
	assert.deepEqual([calls, waits], [['a', 'a'], [7]]);
	end();
});

test('where nobody is to be told it rests, until somebody leaves who may want it now; a fault rests as well', async () => {
	const nobody = { again_in_s: 0, registrations: 0 };
	const here = ['ben'];
	const away = new ApiError('network', '');
	const { teller, calls, pass, end } = tellerOf([nobody, nobody, nobody, away], here);
	const say = async () => {
		teller.said('a');
		await new Promise((resolve) => setImmediate(resolve));
		return calls.length;
	};
	assert.deepEqual([await say(), await say()], [1, 1]);
	here.pop();
	assert.deepEqual([await say(), await say()], [2, 2], 'Ben has left');
	pass(300_000);
	assert.equal(await say(), 3, 'a while has passed');
	pass(300_000);
	assert.equal(await say(), 4);
	pass(59_000);
	assert.equal(await say(), 4, 'a server that is away is left alone for a while');
	end();
});

/** What a room's worker does of all that a browser would have it do. @param {{ record?: object, looked?: boolean, shown?: object[], agent?: string }} [with] */
async function workerOf({ record, looked = false, shown = [], agent = 'Chrome/150 Safari/537' } = {}) {
	const room = 'ab'.repeat(32);
	const store = await browser();
	if (record) await store.putRoom(/** @type {RoomRecord} */ ({ room, ...record }));
	/** @type {Record<string, (event: object) => void>} */
	const hear = {};
	/** @type {any[]} */
	const notices = [];
	/** @type {string[]} */
	const went = [];
	const tab = (/** @type {string} */ path) => ({
		url: `https://buddy.example${path}`,
		focus: async () => void went.push(`focus ${path}`),
	});
	/** @type {ReturnType<typeof tab>[]} */
	const tabs = [];
	const self = {
		registration: {
			scope: `https://buddy.example/push/${room}/`,
			getNotifications: async () => shown,
			showNotification: async (/** @type {string} */ title, /** @type {object} */ options) =>
				void notices.push({ title, ...options }),
		},
		clients: {
			matchAll: async () => tabs,
			openWindow: async (/** @type {string} */ path) => void went.push(`open ${path}`),
		},
		addEventListener: (/** @type {string} */ type, /** @type {(event: object) => void} */ listener) =>
			(hear[type] = listener),
	};
	const locks = { query: async () => ({ held: looked ? [{ name: `buddy/looking/${room}` }] : [] }) };
	const source = readFileSync(new URL('../../static/push.js', import.meta.url), 'utf8');
	vm.runInNewContext(source, { self, navigator: { locks, userAgent: agent }, indexedDB, URL, Date });
	const happens = async (/** @type {string} */ type, /** @type {object} */ event) => {
		/** @type {Promise<unknown>[]} */
		const work = [];
		hear[type]?.({ ...event, waitUntil: (/** @type {Promise<unknown>} */ one) => work.push(one) });
		await Promise.all(work);
	};
	const sent = { web_push: 8030, notification: { title: 'Buddy', body: 'New messages' } };
	return {
		room,
		notices,
		went,
		tabs,
		tab,
		happens,
		pushed: () => happens('push', { data: { json: () => sent } }),
	};
}

const GERMAN = { title: 'Sommerreise', label: '', push: { unnamed: 'Raum ohne Namen', news: 'Neue Nachrichten' } };

test('a worker says in the person’s words that a room has news, and names the room as this browser does', async () => {
	const named = async (/** @type {object | undefined} */ record) => {
		const worker = await workerOf(record === undefined ? {} : { record });
		await worker.pushed();
		assert.equal(worker.notices.length, 1);
		const [{ title, body, tag }] = worker.notices;
		assert.equal(tag, `buddy/${worker.room}`);
		return `${title}: ${body}`;
	};
	assert.equal(await named(GERMAN), 'Sommerreise: Neue Nachrichten');
	assert.equal(await named({ ...GERMAN, label: 'Wir' }), 'Wir: Neue Nachrichten');
	assert.equal(await named({ ...GERMAN, title: '' }), 'Raum ohne Namen: Neue Nachrichten');
	assert.equal(await named(undefined), 'Buddy: New messages', 'of a room that is not known here, what was sent');
});

test('a worker shows nothing of a room that is looked at, but where a browser would take leave away for that', async () => {
	const worker = await workerOf({ record: GERMAN, looked: true });
	await worker.pushed();
	assert.equal(worker.notices.length, 0);
	const safari = await workerOf({ record: GERMAN, looked: true, agent: 'Version/18 Safari/605' });
	await safari.pushed();
	assert.equal(safari.notices.length, 1);
});

test('what a tab showed a moment ago stays, in its words, and is not heard again', async () => {
	const by = (/** @type {number} */ ago) => ({ title: 'Trip', body: 'Ben: hi', data: { atMs: Date.now() - ago } });
	const worker = await workerOf({ record: GERMAN, shown: [by(1_000)] });
	await worker.pushed();
	assert.deepEqual(
		worker.notices.map(({ title, body, silent }) => [title, body, silent]),
		[['Trip', 'Ben: hi', true]],
	);
	const later = await workerOf({ record: GERMAN, shown: [by(60_000)] });
	await later.pushed();
	assert.deepEqual(
		later.notices.map(({ body, renotify }) => [body, renotify]),
		[['Neue Nachrichten', true]],
	);
});

test('a press on a notice leads to the tab of its room, or opens one', async () => {
	const worker = await workerOf();
	const notification = { close() {} };
	worker.tabs.push(worker.tab('/'), worker.tab('/r/other'));
	await worker.happens('notificationclick', { notification });
	worker.tabs.push(worker.tab(`/r/${worker.room}`));
	await worker.happens('notificationclick', { notification });
	assert.deepEqual(worker.went, [`open /r/${worker.room}`, `focus /r/${worker.room}`]);
});
