// What is shown of edits and reactions does not hang on how their events came, and costs little however many there are.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Log } from '../../static/room/log.js';
import { MOST_NAMES, MOST_REACTIONS, Tally } from '../../static/room/tally.js';
import { Conversation, generator } from './conversation.js';

const EMOJI = ['👍', '🎉', '❤️', 'no emoji'];

/** One thing that happens: who does what to which of two messages. */
const STEP = fc.record({
	who: fc.nat(3),
	kind: fc.oneof(
		{ weight: 12, arbitrary: fc.constant('react') },
		{ weight: 8, arbitrary: fc.constantFrom('edit', 'stray', 'twice', 'again') },
		{ weight: 2, arbitrary: fc.constant('delete') },
	),
	to: fc.nat(1),
	emoji: fc.constantFrom(...EMOJI),
	on: fc.boolean(),
});

/**
 * @import { Item, Trust } from '../../static/room/trust.js'
 * @import { Person } from './conversation.js'
 * @import { LogEvent } from '../../static/values/event.js'
 *
 * @typedef {{ who: number, kind: string, to: number, emoji: string, on: boolean }} Step
 */

/** A room in which that happened, with what no honest page would say in between. @param {Step[]} steps */
async function happened(steps) {
	const room = await Conversation.begin();
	const people = [room.owner];
	for (const name of ['Ada', 'Ben', 'Cleo']) people.push(await room.person(name));
	const devices = people.map((person) => room.device(person));
	/** @type {LogEvent[]} */
	const messages = [];
	for (const device of devices.slice(0, 2)) {
		device.follow();
		device.say('message', { text: 'at first' });
		await device.send();
		messages.push(room.event(room.last));
	}
	const { epoch } = room.epoch;
	for (const { who, kind, to, emoji, on } of steps) {
		const person = /** @type {Person} */ (people[who]);
		const target = /** @type {LogEvent} */ (messages[to]);
		const said = {
			emoji,
			on,
			text: `by ${who}`,
			target_id: kind === 'stray' ? 'another' : target.client_id,
			prev: null,
		};
		const last = room.event(room.last);
		const post = { client_id: room.id(), author: person.author, target: target.seq, sent_at_ms: room.now };
		if (kind === 'twice') room.events.push({ ...last, seq: room.last + 1 });
		else if (kind === 'again') {
			// Sealed anew for one that arrived after all, or for one that never did.
			const again = on ? last.client_id : 'never';
			const body = room.seal(person, epoch, { ...said, on: true, again });
			room.events.push({ ...post, seq: room.last + 1, kind: 'react', body });
		} else {
			const body = room.seal(person, epoch, said);
			room.events.push({ ...post, seq: room.last + 1, kind: kind === 'stray' ? 'react' : kind, body });
			if (kind === 'delete' && (who === 0 || who === to)) room.blank(target.seq);
		}
	}
	return room;
}

/** What somebody sees who is given events in these batches. @param {Conversation} room @param {Item[][]} batches */
async function shown(room, batches) {
	const reader = room.reader();
	await reader.meet();
	reader.trust.settle(room.last);
	const log = new Log({ signer: room.owner.signer, author: room.owner.author }, reader.trust);
	for (const batch of batches) log.add(batch, await reader.trust.add(batch));
	return { log, reader };
}

/** What is given, told by going through everything that was ever said of a message. @param {Conversation} room @param {Trust} trust @param {number | null} target */
function fromScratch(room, trust, target) {
	/** @type {Map<string, Map<string, number>>} */
	const since = new Map();
	/** @type {string | undefined | null} */
	let edit = null;
	for (const { event, opened } of room.items(room.events)) {
		if (event.target !== target || !trust.outcome(event.seq).counts || !opened?.ok) continue;
		const { emoji = '', on, text } = opened.content;
		if (event.kind === 'edit') edit = text;
		if (event.kind !== 'react' || emoji === 'no emoji') continue;
		const givers = since.get(emoji) ?? new Map();
		since.set(emoji, givers);
		if (!on) givers.delete(opened.signer);
		else if (!givers.has(opened.signer)) givers.set(opened.signer, event.seq);
	}
	const given = Array.from(since).filter(([, givers]) => givers.size > 0);
	const first = (/** @type {Map<string, number>} */ givers) => Math.min(...givers.values());
	given.sort(([, one], [, other]) => first(one) - first(other));
	return { edit, given: given.map(([emoji, givers]) => [emoji, givers.size, givers.has(room.owner.signer)]) };
}

test('tallies kept as events come are those made from scratch, whatever order, repeats, deletions and erasures', async () => {
	let counted = 0;
	await fc.assert(
		fc.asyncProperty(
			fc.array(STEP, { minLength: 5, maxLength: 40, size: 'max' }),
			fc.nat(),
			fc.nat(8),
			async (steps, seed, cut) => {
				const room = await happened(steps);
				const items = room.items(room.events);
				const scratch = await shown(room, [items]);
				for (const entry of scratch.log.entries) {
					if (entry.type !== 'message') continue;
					const { edit, given } = fromScratch(room, scratch.reader.trust, entry.seq);
					assert.deepEqual(
						entry.reactions.map(({ emoji, count, own }) => [emoji, count, own]),
						given,
					);
					assert.equal(entry.edited === null ? null : entry.text, edit);
					counted += given.length;
				}
				const random = generator(seed);
				const mixed = items.map((item) => ({ item, at: random() })).sort((one, other) => one.at - other.at);
				/** @type {Item[][]} */
				const batches = [];
				for (const { item } of mixed) {
					if (batches.length === 0 || random() < 0.4) batches.push([]);
					batches.at(-1)?.push(item);
				}
				// Some come a second time.
				const kept = await shown(room, [...batches, ...batches.slice(0, 2)]);
				assert.deepEqual(kept.log.entries, scratch.log.entries);
				// The end is another one: what it changed is as it was before.
				const at = Math.max(4, room.last - cut);
				kept.reader.trust.forgetAfter(at);
				kept.log.loseAfter(at);
				const shorter = await shown(room, [items.slice(0, at)]);
				const whole = (/** @type {{ log: Log }} */ { log }) =>
					log.entries.filter(({ type }) => type === 'message' || type === 'removed');
				assert.deepEqual(whole(kept), whole(shorter));
			},
		),
		{ numRuns: 250 },
	);
	assert.ok(counted > 100, `something was given: ${counted}`);
});

test('of many reactions the first and one’s own are shown, of many people the first are named', () => {
	const tally = new Tally();
	const emoji = (/** @type {number} */ at) => String.fromCodePoint(0x1f400 + at);
	for (let at = 0; at < 50; at += 1) tally.addWord(100 - at, { emoji: emoji(at), on: true, signer: `person ${at}` });
	const { given, more } = tally.given('person 0', []);
	// Whoever spoke first stands first; the own one is the last of all.
	assert.deepEqual([given.length, more], [MOST_REACTIONS + 1, 50 - MOST_REACTIONS - 1]);
	assert.equal(given[0]?.emoji, emoji(49));
	assert.deepEqual(given.at(-1), { emoji: emoji(0), count: 1, own: true, signers: ['person 0'], pending: false });

	const crowd = new Tally();
	for (let seq = 1; seq <= 500; seq += 1) crowd.addWord(seq, { emoji: '👍', on: true, signer: `person ${seq}` });
	const named = (/** @type {string} */ own, /** @type {{ emoji: string, on: boolean }[]} */ waiting) => {
		const [given] = crowd.given(own, waiting).given;
		assert.ok(given);
		return given;
	};
	const people = (/** @type {number} */ from) => Array.from({ length: MOST_NAMES }, (_, at) => `person ${from + at}`);
	assert.deepEqual([named('', []).count, named('', []).signers], [500, people(1)]);
	// Taken back, though the server does not know it yet; then it does.
	const back = named('person 1', [{ emoji: '👍', on: false }]);
	assert.deepEqual([back.count, back.own, back.pending, back.signers], [499, false, true, people(2)]);
	crowd.addWord(501, { emoji: '👍', on: false, signer: 'person 1' });
	assert.deepEqual([named('', []).count, named('', []).signers], [499, people(2)]);
	crowd.remove(501);
	assert.deepEqual([named('', []).count, named('', []).signers], [500, people(1)]);
});
