// What readers believe: each way in which a server or a reader can lie, and each situation in which nobody does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ROOM, Conversation } from './conversation.js';
import { Standing } from '../../static/room/standing.js';
import { Trust } from '../../static/room/trust.js';

/**
 * @import { State } from '../../static/crypto/content.js'
 * @import { LogEvent } from '../../static/values/event.js'
 * @import { Device, Person, Reader } from './conversation.js'
 */

/** A room in which Ada, the owner, and Ben have said a few things, and Ben has seen them. */
async function talked(count = 5) {
	const room = await Conversation.begin();
	const ben = await room.person('Ben');
	const [first, second] = [room.device(room.owner), room.device(ben)];
	for (let at = 1; at <= count; at += 1) {
		const device = at % 2 === 0 ? first : second;
		device.follow();
		device.say('message', { text: `message ${at}` });
		await device.send();
		room.now += 1_000;
	}
	return { room, ben, ada: first, device: second };
}

/** Whoever says something next has seen all there is. */
async function goOn(/** @type {Device} */ device, text = 'next') {
	device.follow();
	device.say('message', { text });
	await device.send();
}

/**
 * @param {Conversation} room
 * @param {LogEvent[]} events
 * @param {(reader: Reader) => unknown} [prepare]
 * @returns {Promise<[number, string][]>} the alarms of somebody who is shown these events
 */
async function alarmsOf(room, events, prepare = () => {}) {
	const reader = room.reader();
	reader.learn();
	prepare(reader);
	await reader.take(events.filter(Boolean));
	reader.judge(reader.trust.settle(events.length + 99));
	return Array.from(reader.alarms).sort(([one], [other]) => one - other);
}

/** What somebody said first. @param {Conversation} room @param {Person} person */
function firstOf(room, person) {
	const first = room.events.find(({ kind, author }) => kind === 'message' && author === person.author);
	assert.ok(first);
	return first;
}

test('honest talk raises nothing', async () => {
	const { room, device } = await talked();
	await goOn(device);
	assert.deepEqual(await alarmsOf(room, room.events), []);
});

test('an event that is dropped, swapped, moved, forged in time or blanked shows with the next one said', async () => {
	const { room, device, ada } = await talked();
	await goOn(device);
	await goOn(ada);
	const at = 4;
	const lie = (/** @type {Partial<LogEvent>} */ change) =>
		room.events.map((event) => (event.seq === at ? { ...event, ...change } : event));
	const [other] = room.items([room.events[1]]);
	const swapped = room.events.map((event) => {
		if (event.seq === 3) return { ...room.events[3], seq: 3 };
		return event.seq === 4 ? { ...room.events[2], seq: 4 } : event;
	});
	const dropped = room.events
		.filter(({ seq }) => seq !== at)
		.map((event) => (event.seq > at ? { ...event, seq: event.seq - 1 } : event));
	for (const [name, events] of Object.entries({
		'another body': lie({ body: other.event.body }),
		'another author': lie({ author: 'ab'.repeat(16) }),
		'another id': lie({ client_id: room.id() }),
		'another time': lie({ sent_at_ms: 1 }),
		'another kind': lie({ kind: 'poll' }),
		'another target': lie({ target: 1 }),
		'another order': swapped,
		'one less': dropped,
	})) {
		const found = await alarmsOf(room, events);
		// What was moved tells of itself as well.
		const most = name === 'another order' ? 2 : 1;
		const told = found.filter(([, code]) => code === 'window').length;
		assert.ok(told >= 1 && told <= most, `${name}: ${JSON.stringify(found)}`);
	}
	// A body that is blanked, though nobody deleted it; and one whose hash is withheld, too.
	const erased = room.items([room.event(at)])[0]?.hash ?? '';
	assert.deepEqual(await alarmsOf(room, lie({ body: '', erased })), [[at, 'blanked']]);
	assert.ok((await alarmsOf(room, lie({ body: '' }))).some(([seq, code]) => seq === at && code === 'blanked'));
});

test('an event that comes twice shows, with the same content or with another, and is not counted', async () => {
	const { room, device } = await talked();
	await goOn(device);
	const last = room.last;
	const again = { ...room.events[2], seq: last + 1 };
	assert.deepEqual(await alarmsOf(room, [...room.events, again]), [[last + 1, 'repeated']]);
	const reused = { ...room.events[3], client_id: room.events[2].client_id, seq: last + 1 };
	assert.deepEqual(await alarmsOf(room, [...room.events, reused]), [[last + 1, 'reused']]);
});

test('two readers who are shown different ends learn of it from a signal, once', async () => {
	const { room, device, ada } = await talked();
	await goOn(device, 'pay on Monday');
	const lied = room.events.map((event, at) => (at === room.last - 1 ? { ...event, sent_at_ms: 7 } : event));
	const reader = room.reader();
	reader.learn();
	await reader.take(lied);
	ada.follow();
	const head = await ada.lines.head();
	assert.equal(await reader.trust.signal(ada.person.signer, head), 'differs');
	assert.equal(await reader.trust.signal(ada.person.signer, head), 'known');
});

test('an acknowledged post that is not where it was acknowledged shows', async () => {
	const { room, ben, device } = await talked();
	await goOn(device);
	const { epoch } = room.epoch;
	const body = room.seal(ben, epoch, { text: 'and', prev: null, after: { client_id: room.id(), seq: 3 } });
	room.append({ client_id: room.id(), kind: 'message', author: ben.author, body, epoch });
	assert.deepEqual(await alarmsOf(room, room.events), [[room.last, 'after']]);
});

test('who was never let in, or speaks in an epoch that is over, is not believed', async () => {
	const { room, ben } = await talked();
	const eve = await room.person('Eve');
	const say = (/** @type {Person} */ person, /** @type {number} */ epoch) => {
		const body = room.seal(person, epoch, { text: 'believe me', prev: null });
		room.events.push({
			seq: room.last + 1,
			kind: 'message',
			client_id: room.id(),
			author: person.author,
			target: null,
			body,
			sent_at_ms: room.now,
		});
	};
	say(eve, 0);
	await room.renew([], [ben]);
	say(ben, 1);
	say(ben, 0);
	const last = room.last;
	assert.deepEqual(await alarmsOf(room, room.events), [
		[last - 3, 'signer'],
		[last - 1, 'signer'],
		[last, 'epoch'],
	]);
});

test('a card counts in its room and epoch, for its signer and with its key only', async () => {
	const { room, ben } = await talked();
	const eve = await room.person('Eve');
	const card = await room.card(ben);
	const standing = new Standing(ROOM, room.owner.signer);
	for (const epoch of room.epochs) standing.addEpoch(epoch);
	const place = { seq: 9, author: eve.author };
	assert.equal(await standing.addCard(place, 0, eve.signer, card), false, "another's");
	assert.equal(await standing.addCard(place, 0, ben.signer, { ...card, box: 'A'.repeat(43) }), false, 'another key');
	assert.equal(await standing.addCard(place, 1, ben.signer, card), null, 'of an epoch that is not known');
	assert.equal(await standing.addCard(place, 0, ben.signer, card), true);
	await room.renew([], []);
	standing.addEpoch(room.epoch);
	assert.equal(await standing.addCard(place, 1, ben.signer, card), false, 'of another epoch');
	const elsewhere = new Standing('cd'.repeat(32), room.owner.signer);
	elsewhere.addEpoch(room.epochs[0]);
	assert.equal(await elsewhere.addCard(place, 0, ben.signer, card), false, 'of another room');
	assert.equal(standing.believes(ben.signer, 0), 'yes');
});

test('an edit or a deletion of what somebody else wrote does nothing, and erases nothing', async () => {
	const { room, ben, ada } = await talked();
	const target = firstOf(room, room.owner);
	const { epoch } = room.epoch;
	for (const kind of ['edit', 'delete', 'react']) {
		const said = { text: 'mine', emoji: '👍', on: true, target_id: target.client_id, prev: null };
		const body = room.seal(ben, epoch, said);
		const seq = room.last + 1;
		const event = { client_id: room.id(), kind, author: ben.author, target: target.seq, body, sent_at_ms: room.now };
		room.events.push({ seq, ...event });
	}
	const { last } = room;
	assert.deepEqual(await alarmsOf(room, room.events), [
		[last - 2, 'not_theirs'],
		[last - 1, 'not_theirs'],
	]);
	const reader = room.reader();
	await reader.read();
	assert.equal(reader.trust.outcome(target.seq).removed, null);
	assert.ok(reader.trust.outcome(last).counts, 'the reaction counts');
	assert.ok(!reader.trust.outcome(last - 2).counts && !reader.trust.outcome(last - 1).counts);
	// The owner may delete anybody's.
	const theirs = firstOf(room, ben);
	ada.follow();
	ada.say('delete', { target_id: theirs.client_id }, theirs.seq);
	await ada.send();
	await reader.read();
	assert.equal(reader.trust.outcome(theirs.seq).removed, 'owner');
});

test("a liar's prev shows as one notice, and leads no newcomer astray", async () => {
	const { room, ben, device } = await talked(80);
	const { epoch } = room.epoch;
	const digest = 'A'.repeat(43);
	for (const prev of [
		{ seq: 10, from: 1, digest },
		{ seq: 40, from: 20, digest },
		{ seq: 10_000, from: 9_999, digest },
	]) {
		const body = room.seal(ben, epoch, { text: 'lie', prev });
		room.append({ client_id: room.id(), kind: 'message', author: ben.author, body, epoch });
	}
	const found = await alarmsOf(room, room.events);
	assert.deepEqual(
		found.map(([, code]) => code),
		['window'],
	);
	await goOn(device);
	const newcomer = room.reader();
	await newcomer.meet();
	await newcomer.take(room.events.slice(-2));
	assert.deepEqual(Array.from(newcomer.alarms.values()), []);
});

test('a sequence that is missing needs a lifetime that the owner set', async () => {
	const { room } = await talked();
	const state = (/** @type {Partial<State>} */ changes) => ({ ...room.state, ...changes });
	const trust = new Trust(ROOM, new Standing(ROOM, room.owner.signer), () => room.now);
	assert.ok(trust.explainsMissing(3), 'the owner has not been heard yet');
	trust.setState(state({}));
	assert.ok(!trust.explainsMissing(3));
	trust.setState(state({ message_ttl_s: 60, ever_ttl: 60 }));
	assert.ok(trust.explainsMissing(3));
	// Once set and now off: what ended then has ended.
	trust.setState(state({ ever_ttl: 60 }));
	assert.ok(trust.explainsMissing(3));
	// What is known to be younger has not, whatever the server says; ten minutes are no reason to cry.
	await trust.add(room.items(room.events));
	trust.setState(state({ message_ttl_s: 86_400, ever_ttl: 86_400 }));
	assert.ok(!trust.explainsMissing(3));
	trust.setState(state({ message_ttl_s: 500, ever_ttl: 500 }));
	assert.ok(trust.explainsMissing(3));
});

test('erased, expired and edited things that expired raise nothing', async () => {
	const { room, ada, device } = await talked();
	const [, own] = room.events.filter(({ kind, author }) => kind === 'message' && author === device.person.author);
	device.follow();
	device.say('edit', { text: 'better', target_id: own.client_id }, own.seq);
	await device.send();
	device.say('delete', { target_id: own.client_id }, own.seq);
	await device.send();
	await goOn(ada);
	assert.ok(room.events.filter(({ body }) => body === '').length === 2);
	assert.deepEqual(await alarmsOf(room, room.events), []);
	room.state = { ...room.state, message_ttl_s: 600, ever_ttl: 600 };
	room.now += 700_000;
	room.expire();
	await goOn(ada, 'after it expired');
	assert.deepEqual(await alarmsOf(room, room.events, (reader) => reader.meet()), []);
});

test('who begins in the middle, or hears a signal from before or ahead, is told nothing', async () => {
	const { room, ada, device } = await talked(200);
	await goOn(device);
	const reader = room.reader();
	await reader.meet();
	await reader.take(room.events.slice(-70));
	assert.deepEqual(Array.from(reader.alarms), []);
	const early = room.reader();
	await early.take(room.events.slice(0, 20));
	ada.follow();
	assert.equal(await early.trust.signal(ada.person.signer, await ada.lines.head()), 'wait');
	const behind = room.device(room.owner);
	behind.follow(130);
	assert.equal(await reader.trust.signal(ada.person.signer, await behind.lines.head()), 'skip');
	assert.equal(await reader.trust.signal(ada.person.signer, null), 'skip');
});

test('two devices and two attempts of one person raise nothing, and of a post sealed anew one is shown', async () => {
	const { room, ben, device } = await talked();
	const phone = room.device(ben);
	phone.follow();
	device.say('message', { text: 'from the laptop' });
	await device.send();
	phone.say('message', { text: 'from the phone' });
	await phone.send();
	// A lying server says that it has not what it has: the same words come twice.
	const { epoch } = room.epoch;
	const first = room.id();
	/** @type {[string, string | null][]} */
	const attempts = [
		[first, null],
		[room.id(), first],
		[room.id(), first],
	];
	for (const [client_id, again] of attempts) {
		device.follow();
		const said = { text: 'once', prev: await device.lines.head(), ...(again ? { again } : {}) };
		room.append({ client_id, kind: 'message', author: ben.author, body: room.seal(ben, epoch, said), epoch });
	}
	assert.deepEqual(await alarmsOf(room, room.events), []);
	const reader = room.reader();
	await reader.read();
	const shown = [2, 1, 0].map((back) => reader.trust.outcome(room.last - back).hidden);
	assert.deepEqual(shown, [null, 'again', 'again']);
});

test("what is called again by somebody else hides nothing of anybody's", async () => {
	const { room, ben } = await talked();
	const target = firstOf(room, room.owner);
	const body = room.seal(ben, 0, { text: 'instead', prev: null, again: target.client_id });
	room.append({ client_id: room.id(), kind: 'message', author: ben.author, body, epoch: 0 });
	const reader = room.reader();
	await reader.read();
	assert.equal(reader.trust.outcome(target.seq).hidden, null);
	assert.equal(reader.trust.outcome(room.last).hidden, null);
});

test('what cards or renewals still to be read may explain waits', async () => {
	const { room, device, ben } = await talked();
	await room.renew([ben], []);
	device.epoch = 1;
	await goOn(device);
	const reader = room.reader();
	reader.standing.complete = false;
	reader.standing.addEpoch({ ...room.epochs[0], kept: [] });
	await reader.take(room.events);
	assert.deepEqual(Array.from(reader.alarms), []);
	reader.learn();
	await reader.meet();
	reader.standing.complete = true;
	reader.judge(reader.trust.settle(room.last));
	reader.judge(reader.trust.held);
	assert.deepEqual(Array.from(reader.alarms), []);
});

test('a log that was restored is told once, whatever was on its way', async () => {
	const { room, device, ada } = await talked();
	room.backUp();
	await goOn(device, 'lost');
	await goOn(ada, 'lost, too');
	const reader = room.reader();
	await reader.read();
	// Written against what is lost, and arriving afterwards.
	for (const one of [device, ada]) {
		one.follow();
		one.say('message', { text: 'on its way' });
		await one.seal(one.queue[0]);
	}
	room.restore();
	for (const one of [device, ada]) await one.send();
	await reader.read();
	assert.deepEqual(Array.from(reader.alarms), []);
	await goOn(device);
	await goOn(ada);
	await reader.read();
	assert.deepEqual(Array.from(reader.alarms), []);
	assert.equal(reader.trust.holds(1, { ...room.events[0], hash: 'x' }), false);
});
