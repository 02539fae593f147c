// A hundred thousand honest events raise no alarm, and judging them costs next to nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Conversation, generator } from './conversation.js';

const EVENTS = 100_000;

/** @param {number} seed @param {number} count */
async function talk(seed, count) {
	const random = generator(seed);
	/** @template T @param {T[]} list @returns {T} */
	const pick = (list) => /** @type {T} */ (list[Math.floor(random() * list.length)]);
	const room = await Conversation.begin();
	const people = [];
	for (let at = 0; at < 12; at += 1) people.push(await room.person(`Person ${at}`));
	const devices = [room.device(room.owner), ...people.flatMap((person) => [room.device(person), room.device(person)])];
	const watcher = room.reader({ skewMs: 300_000 });
	const late = room.reader({ skewMs: -300_000 });
	const offline = new Map();
	let restored = false;
	let spent = 0;
	while (room.last < count) {
		room.now += Math.floor(random() * 2_000);
		const device = pick(devices);
		const { person } = device;
		if (offline.has(device)) {
			if (room.last < offline.get(device)) {
				if (random() < 0.1) device.say('message', { text: 'offline' });
				continue;
			}
			offline.delete(device);
		}
		if (random() < 0.7) device.follow(room.last - Math.floor(random() * 4));
		const dice = random();
		const recent = room.events.slice(-40).filter((event) => event?.kind === 'message' && event.body !== '');
		const target = pick(recent);
		if (dice < 0.6 || !target) device.say('message', { text: 'hello' });
		else if (dice < 0.75) device.say('react', { emoji: '👍', on: true, target_id: target.client_id }, target.seq);
		else if (target.author === person.author || person === room.owner) {
			const kind = dice < 0.85 && target.author === person.author ? 'edit' : 'delete';
			device.say(kind, { ...(kind === 'edit' ? { text: 'better' } : {}), target_id: target.client_id }, target.seq);
		}
		await device.send({ lose: random() < 0.03 });
		if (random() < 0.002) offline.set(device, room.last + Math.floor(random() * 2_000));
		if (random() < 0.0005) {
			const staying = people.filter(() => random() < 0.9);
			await room.renew(staying, []);
		}
		if (random() < 0.0008) {
			const ttl = pick([null, null, 600, 3_600, 86_400]);
			const { ever_ttl } = room.state;
			const shortest = ttl === null ? ever_ttl : Math.min(ttl, ever_ttl ?? Infinity);
			room.state = { ...room.state, message_ttl_s: ttl, ever_ttl: shortest };
			const owners = devices[0];
			owners.follow();
			owners.epoch = room.epoch.epoch;
			owners.say('change', { state: room.state });
			await owners.send();
		}
		if (random() < 0.01) room.expire();
		if (!restored && room.last > count * 0.6 - 30) room.backUp();
		if (!restored && room.last > count * 0.6) {
			// What the other devices learn of it only when they come back.
			restored = true;
			await watcher.read();
			room.restore();
		}
		if (random() < 0.02 || watcher.cursor + 400 < room.last) {
			const began = performance.now();
			await watcher.read(room.last - Math.floor(random() * 3));
			spent += performance.now() - began;
		}
		if (random() < 0.0003) await late.read();
		if (random() < 0.0005) {
			// Somebody who begins at the end, as whoever opens the room now.
			const newcomer = room.reader();
			newcomer.cursor = Math.max(0, room.last - 100);
			await newcomer.meet();
			await newcomer.read();
			const before = room.page(Math.max(0, room.last - 400), 300);
			await newcomer.take(before);
			assert.deepEqual(newcomer.alarms, new Map(), 'for a newcomer');
		}
	}
	for (const device of devices) {
		device.follow();
		await device.send();
	}
	await watcher.read();
	await late.read();
	return { room, watcher, late, spent };
}

test('a hundred thousand honest events raise no alarm', async () => {
	const { room, watcher, late, spent } = await talk(7, EVENTS);
	assert.ok(room.epochs.length > 20 && room.floor > 1, 'there were renewals, and something expired');
	assert.ok(room.said.size > EVENTS);
	assert.deepEqual(watcher.alarms, new Map());
	assert.deepEqual(late.alarms, new Map());
	console.log(
		`${((spent * 1000) / room.last).toFixed(1)} µs an event, ${room.epochs.length} epochs, ${room.floor} expired`,
	);
});
