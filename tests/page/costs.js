/**
 * Measures what the page's own work costs, beside the network, decryption and drawing. For a test that bounds it
 * and a benchmark that tells it.
 *
 * @import { Content } from '../../static/crypto/content.js'
 * @import { Item } from '../../static/room/trust.js'
 * @import { Device, Person } from './conversation.js'
 * @import { LogEvent } from '../../static/values/event.js'
 */

import assert from 'node:assert/strict';

import { Log } from '../../static/room/log.js';
import { sha256 } from '../../static/values/bytes.js';
import { Conversation } from './conversation.js';

const EVENTS = 4_000;
/** Events of a page of history. */
export const PAGE = 200;
const RUNS = 15;

/** One more reaction to a message that has many, as each comes while people look. @param {number} before @returns {Promise<number[]>} in milliseconds */
export async function reacting(before) {
	const room = await Conversation.begin();
	const people = await crowd(room, 50);
	const target = say(room, room.owner, { text: 'a message' });
	const react = (/** @type {number} */ at) => {
		const emoji = String.fromCodePoint(0x1f400 + (at % 30));
		const said = { emoji, on: at % 3 !== 0, target_id: target.client_id };
		return say(room, people[at % people.length] ?? room.owner, said, target.seq);
	};
	for (let at = 0; at < before; at += 1) react(at);
	const view = await reader(room);
	for (let from = 0; from < room.last; from += PAGE) await view.take(room.items(room.events.slice(from, from + PAGE)));
	const costs = [];
	for (let at = 0; at < 100; at += 1) {
		const items = room.items([react(before + at)]);
		const began = performance.now();
		await view.take(items);
		costs.push(performance.now() - began);
	}
	return costs;
}

/** Pages of a history in which many people gave one reaction, and showing what they gave it to again, in milliseconds. @param {number} count */
export async function naming(count) {
	const room = await Conversation.begin();
	const people = await crowd(room, count);
	const target = say(room, room.owner, { text: 'a message' });
	for (const person of people) say(room, person, { emoji: '👍', on: true, target_id: target.client_id }, target.seq);
	const view = await reader(room);
	const pages = [];
	for (let from = 0; from < room.last; from += PAGE) {
		const items = room.items(room.events.slice(from, from + PAGE));
		const began = performance.now();
		await view.take(items);
		pages.push(performance.now() - began);
	}
	const shown = [];
	for (let run = 0; run < 100; run += 1) {
		const began = performance.now();
		view.log.refresh(new Set([target.seq]));
		shown.push(performance.now() - began);
	}
	return { pages, shown };
}

/** Judging whether the log is the one that its writers saw, and the hashing that this takes. In microseconds an event. */
export async function judging() {
	const room = await Conversation.begin();
	const devices = [room.device(room.owner)];
	for (const name of ['Ada', 'Ben', 'Cleo']) devices.push(room.device(await room.person(name)));
	for (let at = 0; at < EVENTS; at += 1) {
		const device = /** @type {Device} */ (devices[at % devices.length]);
		device.follow();
		device.say('message', { text: `message ${at}` });
		await device.send();
	}
	const items = room.items(room.events);
	const window = new Uint8Array(64 * 165);
	const costs = [];
	const hashes = [];
	for (let run = 0; run < RUNS; run += 1) {
		const one = room.reader();
		one.learn();
		for (let at = 0; at + PAGE <= items.length; at += PAGE) {
			const began = performance.now();
			one.judge(await one.trust.add(items.slice(at, at + PAGE)));
			one.judge(one.trust.settle(at + PAGE));
			const judged = performance.now();
			costs.push(((judged - began) * 1000) / PAGE);
			// Beside each other, so that both meet what else the machine does.
			await Promise.all(Array.from({ length: 64 }, () => sha256(window)));
			hashes.push(((performance.now() - judged) * 1000) / 64);
		}
		assert.deepEqual(one.alarms, new Map());
	}
	return { costs, hashes };
}

/** People whom the owner kept, so that no card is needed. @param {Conversation} room @param {number} count @returns {Promise<Person[]>} */
async function crowd(room, count) {
	const people = Array.from({ length: count }, (_, at) => ({
		signer: `${at}-signer`.padStart(16, '0'),
		author: at.toString(16).padStart(32, '0'),
		name: `Person ${at}`,
		identity: room.owner.identity,
		carded: /** @type {Set<number>} */ (new Set()),
	}));
	await room.renew(people, []);
	return people;
}

/** @param {Conversation} room @param {Person} person @param {Content} content @param {number | null} [target] @returns {LogEvent} */
function say(room, person, content, target = null) {
	const { epoch } = room.epoch;
	const body = room.seal(person, epoch, { prev: null, ...content });
	const kind = target === null ? 'message' : 'react';
	const { seq = 0 } = room.append({ client_id: room.id(), kind, author: person.author, target, body, epoch });
	return room.event(seq);
}

/** Somebody to whom events are shown as the page does. @param {Conversation} room */
async function reader(room) {
	const one = room.reader();
	await one.meet();
	const log = new Log({ signer: room.owner.signer, author: room.owner.author }, one.trust);
	const take = async (/** @type {Item[]} */ items) => {
		log.add(items, await one.trust.add(items));
		return log.entries.length;
	};
	return { log, take };
}

/** @param {number[]} costs @param {number} share @returns {number} the value that this share of them is not above */
export function quantile(costs, share) {
	const sorted = costs.slice().sort((one, other) => one - other);
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
