import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { ApiError } from '../../static/wire/api.js';
import { Outbox } from '../../static/room/outbox.js';
import { Store } from '../../static/storage/store.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { testLocks } from './locks.js';
import { until } from './waiting.js';

/**
 * @import { OutboxEntry } from '../../static/storage/store.js'
 *
 * @typedef {ConstructorParameters<typeof Outbox>[0]} Parts
 */

const ROOM = '0f'.repeat(32);
const ME = new Uint8Array(32);
/** @type {Outbox[]} */
let boxes = [];

afterEach(() => {
	for (const box of boxes) box.stop();
	boxes = [];
});

/** A server that remembers by client id, and answers as told before that. @param {(ApiError | 'lost')[]} answers */
function server(...answers) {
	/** @type {OutboxEntry[]} */
	const seen = [];
	/** @type {Map<string, number>} */
	const stored = new Map();
	return {
		seen,
		stored,
		send: async (/** @type {OutboxEntry} */ entry) => {
			seen.push(entry);
			const answer = answers.shift();
			if (answer instanceof ApiError) throw answer;
			const seq = stored.get(entry.client_id) ?? stored.size + 1;
			stored.set(entry.client_id, seq);
			if (answer === 'lost') throw new ApiError('network', 'the answer was lost');
			return { seq };
		},
	};
}

/** @param {Store} store @param {Parts['send']} send @param {Partial<Parts>} more */
function outbox(store, send, more = {}) {
	const box = new Outbox({
		room: ROOM,
		store,
		seal: async ({ client_id }) => ({ body: `body of ${client_id}`, epoch: 0 }),
		send,
		renewed: async () => false,
		holds: async () => true,
		lost: () => {},
		changed: () => {},
		...more,
	});
	boxes.push(box);
	return box;
}

const memory = () => new Store(new MemoryTables(), false);
const post = (/** @type {string} */ client_id) => ({
	client_id,
	kind: 'message',
	target: null,
	said: { text: client_id },
	identity: ME,
});
const states = (/** @type {Outbox} */ box) => box.entries.map(({ client_id, state }) => [client_id, state]);

test('posts go out in order and stay until the log shows them', async () => {
	const { send, stored } = server();
	const box = outbox(memory(), send);
	for (const id of ['a', 'b', 'c']) await box.add(post(id));
	await until(() => stored.size === 3 && box.entries.every(({ state }) => state === 'sent'), 'all sent');
	assert.deepEqual(Array.from(stored.keys()), ['a', 'b', 'c']);
	await box.seen(1, new Map([['a', 1]]));
	assert.deepEqual(states(box), [
		['b', 'sent'],
		['c', 'sent'],
	]);
	await box.seen(3);
	assert.deepEqual(states(box), []);
	assert.equal(box.sending.count, 0);
});

test('a lost answer is followed by the same bytes under the same id, and nothing overtakes', async () => {
	const { send, seen, stored } = server('lost');
	const box = outbox(memory(), send, { random: () => 0 });
	await box.add(post('a'));
	await box.add(post('b'));
	await until(() => stored.size === 2, 'both');
	assert.deepEqual(
		seen.map(({ client_id, body }) => [client_id, body]),
		[
			['a', 'body of a'],
			['a', 'body of a'],
			['b', 'body of b'],
		],
	);
});

test('what is refused fails with its reason, and the rest goes on', async () => {
	const { send, stored } = server(new ApiError('room_locked', 'locked', { status: 403 }));
	const box = outbox(memory(), send);
	await box.add(post('a'));
	await box.add(post('b'));
	await until(() => stored.has('b'), 'the second');
	await until(() => states(box).length === 2 && box.entries[1].state === 'sent', 'settled');
	assert.deepEqual([box.entries[0].state, box.entries[0].error], ['failed', 'room_locked']);
	await box.retry('a');
	await until(() => stored.has('a'), 'sent after all');
});

test('a failed one can be discarded', async () => {
	const { send } = server(new ApiError('too_large', 'no', { status: 413 }));
	const box = outbox(memory(), send);
	await box.add(post('a'));
	await until(() => box.entries[0]?.state === 'failed', 'failed');
	await box.discard('a');
	assert.deepEqual(states(box), []);
});

test('a rate limit is waited for as long as the server asks, whoever kicks', async () => {
	const { send, seen } = server(new ApiError('rate_limited', 'slow down', { status: 429, retryAfterMs: 300 }));
	const box = outbox(memory(), send);
	const begun = Date.now();
	await box.add(post('a'));
	await until(() => box.sending.code === 'rate_limited', 'it waits');
	assert.ok((box.sending.waitingUntilMs ?? 0) - Date.now() > 200);
	assert.equal(box.sending.count, 1);
	box.kick();
	await until(() => box.entries[0]?.state === 'sent', 'sent');
	assert.equal(seen.length, 2);
	assert.ok(Date.now() - begun >= 295);
	assert.deepEqual(box.sending, { count: 0, code: null, waitingUntilMs: null, unkept: false });
});

test('being offline is waited out, and a kick ends the wait', async () => {
	const { send } = server(
		new ApiError('network', 'no'),
		new ApiError('timeout', 'no'),
		new ApiError('unavailable', 'no', { status: 503 }),
	);
	const box = outbox(memory(), send, { random: () => 1 });
	await box.add(post('a'));
	await until(() => box.sending.code === 'network', 'it waits');
	for (const code of ['timeout', 'unavailable']) {
		box.kick();
		await until(() => box.sending.code === code, code);
	}
	box.kick();
	await until(() => box.entries[0]?.state === 'sent', 'sent');
});

test('what a crash left is taken up by the next page', async () => {
	const store = memory();
	const broken = outbox(store, () => new Promise(() => {}));
	await broken.add(post('a'));
	await broken.add(post('b'));
	broken.stop();
	const { send, stored } = server();
	await outbox(store, send).load();
	await until(() => stored.size === 2, 'both');
	assert.deepEqual(Array.from(stored.keys()), ['a', 'b']);
});

test('what was written later goes later, though the clock was set back', async (context) => {
	const store = memory();
	const before = outbox(store, () => new Promise(() => {}));
	await before.add(post('a'));
	before.stop();
	context.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3600_000 });
	const { send, stored } = server();
	const box = outbox(store, send);
	await box.load();
	await box.add(post('b'));
	await until(() => stored.size === 2, 'both');
	assert.deepEqual(Array.from(stored.keys()), ['a', 'b']);
	assert.deepEqual(
		states(box).map(([id]) => id),
		['a', 'b'],
	);
});

test('what a server had acknowledged before it lost its log is sent again, and stays one', async () => {
	const { send, seen, stored } = server();
	const box = outbox(memory(), send);
	for (const id of ['a', 'b']) await box.add(post(id));
	await until(() => box.entries.every(({ state }) => state === 'sent'), 'both are acknowledged');
	stored.delete('b');
	await box.requeue();
	await box.seen(1);
	await until(() => stored.has('b') && seen.length === 4, 'sent again');
	await until(() => states(box).length === 1, 'what the log shows is done');
	assert.deepEqual(states(box), [['b', 'sent']]);
	assert.deepEqual(seen[3], { ...seen[1], seq: null });
});

test('a room that is left sends what waits, and then no more', async () => {
	const { send, stored } = server(new ApiError('network', 'no'));
	const box = outbox(memory(), send, { random: () => 0 });
	await box.add(post('a'));
	await until(() => box.sending.code === 'network', 'it waits');
	box.finish();
	await until(() => stored.has('a'), 'sent after the room was left');
	await box.add(post('b'));
	box.kick();
	const idle = outbox(memory(), send);
	idle.finish();
	await idle.add(post('c'));
	assert.equal(box.entries.find(({ client_id }) => client_id === 'b')?.state, 'waiting');
	assert.deepEqual(Array.from(stored.keys()), ['a']);
});

test('what the storage refused is said to be kept nowhere until it is sent', async () => {
	const store = memory();
	store.putOutbox = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
	const { send } = server(new ApiError('network', 'no'));
	const box = outbox(store, send);
	await box.add(post('a'));
	await until(() => box.sending.code === 'network', 'it waits');
	assert.equal(box.sending.unkept, true);
	box.kick();
	await until(() => box.entries[0]?.state === 'sent', 'sent');
	await until(() => !box.sending.unkept, 'nothing is unkept');
});

test("of several tabs only one sends, and each shows the others' posts", async () => {
	const store = memory();
	const locks = testLocks();
	let sending = 0;
	let most = 0;
	const { send, seen } = server();
	const slow = async (/** @type {OutboxEntry} */ entry) => {
		sending += 1;
		most = Math.max(most, sending);
		await new Promise((resolve) => setTimeout(resolve, 5));
		sending -= 1;
		return send(entry);
	};
	const tabs = Array.from({ length: 3 }, () =>
		outbox(store, slow, { locks, channel: new BroadcastChannel(`outbox-${ROOM}`) }),
	);
	for (const [at, tab] of tabs.entries()) for (const id of ['a', 'b', 'c']) await tab.add(post(`${id}${at}`));
	for (const tab of tabs)
		await until(() => tab.entries.length === 9 && tab.entries.every(({ state }) => state === 'sent'), 'all tabs know');
	assert.equal(most, 1);
	assert.equal(seen.length, 9);
});

test('a tab that is long at work before it sends is left to it', async () => {
	const store = memory();
	const locks = testLocks();
	const { send, stored } = server();
	let done = () => {};
	const upload = new Promise((resolve) => {
		done = () => resolve(undefined);
	});
	const sealed = { body: 'v2.0.sealed', epoch: 0 };
	let [began, begun] = [0, 0];
	const channel = () => new BroadcastChannel(`outbox-busy-${ROOM}`);
	const seal = () => ((began += 1), upload.then(() => sealed));
	const atWork = outbox(store, send, { locks, channel: channel(), stealAfterMs: 90, seal });
	await atWork.add(post('a'));
	await until(() => began === 1, 'it begins');
	const other = outbox(store, send, {
		locks,
		channel: channel(),
		stealAfterMs: 90,
		seal: async () => ((begun += 1), sealed),
	});
	// So long that it would have been taken for frozen many times.
	let turns = 0;
	const ticking = setInterval(() => (turns += 1), 90);
	await other.load();
	await until(() => turns >= 6, 'time goes by');
	clearInterval(ticking);
	assert.deepEqual([begun, stored.size], [0, 0]);
	done();
	await until(() => stored.size === 1, 'it is sent');
	for (const box of [atWork, other])
		await until(() => box.entries.every(({ state }) => state === 'sent'), 'all is settled');
	assert.deepEqual([began, begun], [1, 0]);
});

test('a tab that is frozen while it sends does not hold up the others, and later doubles nothing', async () => {
	const store = memory();
	const locks = testLocks();
	const { send, stored } = server();
	let thaw = () => {};
	const frozen = new Promise((resolve) => {
		thaw = () => resolve(undefined);
	});
	const channel = () => new BroadcastChannel(`outbox-frozen-${ROOM}`);
	const asleep = outbox(store, (entry) => frozen.then(() => send(entry)), { locks, channel: channel() });
	await asleep.add(post('a'));
	const awake = outbox(store, send, { locks, channel: channel(), stealAfterMs: 50 });
	await awake.load();
	await awake.add(post('b'));
	await until(() => stored.size === 2, 'both are sent by the tab that is awake');
	thaw();
	await asleep.add(post('c'));
	await until(() => stored.size === 3, 'the other goes on');
	for (const box of [asleep, awake])
		await until(() => box.entries.length === 3 && box.entries.every(({ state }) => state === 'sent'), 'all is settled');
	assert.deepEqual(Array.from(stored.keys()), ['a', 'b', 'c']);
});

test('storage that fails holds up nothing: what could not be stored or noted is sent from memory', async () => {
	for (const failing of /** @type {const} */ (['putOutbox', 'changeOutbox', 'outbox', 'removeOutbox'])) {
		const store = memory();
		const working = store[failing];
		let works = false;
		const failed = (/** @type {unknown[]} */ ...given) =>
			works ? Reflect.apply(working, store, given) : Promise.reject(new DOMException('no', 'AbortError'));
		Object.assign(store, { [failing]: failed });
		const { send, stored } = server();
		const box = outbox(store, send);
		for (const id of ['a', 'b']) await box.add(post(id));
		await until(() => stored.size === 2, `both are sent while ${failing} fails`);
		works = true;
		await until(() => box.entries.every(({ state }) => state === 'sent'), 'both are known to be sent');
		await box.seen(2);
		assert.deepEqual(states(box), [], failing);
		box.stop();
	}
});

test('what is refused for an epoch that is over is sealed anew, under another id that names the first', async () => {
	const stale = new ApiError('stale_epoch', 'over', { status: 409 });
	const { send, seen, stored } = server(stale, stale);
	let epoch = 0;
	const box = outbox(memory(), send, {
		seal: async ({ client_id }) => ({ body: `${client_id} in ${epoch}`, epoch }),
		renewed: async () => {
			epoch += 1;
			return true;
		},
	});
	await box.add(post('a'));
	await box.add(post('b'));
	await until(() => stored.size === 2, 'both');
	assert.deepEqual(
		seen.map(({ said, epoch, again }) => [said.text, epoch, again]),
		[
			['a', 0, null],
			['a', 1, 'a'],
			['a', 2, 'a'],
			['b', 2, null],
		],
	);
	assert.equal(new Set(seen.map(({ client_id }) => client_id)).size, 4);
});

test('new keys are fetched before the same bytes go out again', async () => {
	const { send, seen } = server(new ApiError('renewed', 'new keys', { status: 403 }));
	let asked = 0;
	const box = outbox(memory(), send, { renewed: async () => (asked += 1) > 0 });
	await box.add(post('a'));
	await until(() => box.entries[0]?.state === 'sent', 'sent');
	assert.equal(asked, 1);
	assert.deepEqual([seen[0].body, seen[0].client_id], [seen[1].body, seen[1].client_id]);
});

test('a server that says without end that the keys are new is not asked without end', async () => {
	let asked = 0;
	const send = async () => {
		asked += 1;
		throw new ApiError('renewed', 'new keys', { status: 403 });
	};
	const box = outbox(memory(), send, { renewed: async () => true, random: () => 1 });
	await box.add(post('a'));
	await until(() => box.sending.code === 'renewed', 'it waits');
	assert.ok(asked < 10);
});

test('what goes before something is put before it', async () => {
	const { send, seen } = server();
	const box = outbox(memory(), send, {
		seal: async ({ kind }) =>
			kind === 'card' || box.entries.some((entry) => entry.kind === 'card')
				? { body: kind, epoch: 0 }
				: { before: { kind: 'card', said: {} } },
	});
	await box.add(post('a'));
	await until(() => seen.length === 2, 'both');
	assert.deepEqual(
		seen.map(({ kind }) => kind),
		['card', 'message'],
	);
});

test('what was acknowledged and is not where it was is said to be lost, and kept', async () => {
	const { send } = server();
	/** @type {number[]} */
	const lost = [];
	const box = outbox(memory(), send, { holds: async () => false, lost: (seq) => lost.push(seq) });
	await box.add(post('a'));
	await until(() => box.entries[0]?.state === 'sent', 'sent');
	await box.seen(5);
	assert.deepEqual(lost, [1]);
	assert.deepEqual([box.entries[0].state, box.entries[0].error], ['failed', 'lost']);
});
