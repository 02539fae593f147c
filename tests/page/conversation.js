/**
 * An honest room in fast motion, without a network or encryption: a server that appends, blanks and expires as
 * the contract says, and devices that write as the page does. For tests of what readers believe.
 *
 * @import { Content, Kept, State } from '../../static/crypto/content.js'
 * @import { Identity } from '../../static/crypto/identity.js'
 * @import { Signing } from '../../static/crypto/keys.js'
 * @import { AlarmCode, Item } from '../../static/room/trust.js'
 * @import { LogEvent } from '../../static/values/event.js'
 */

import { createHash } from 'node:crypto';

import { admitPerson } from '../../static/crypto/card.js';
import { openIdentity, openSeed } from '../../static/crypto/identity.js';
import { Lines, lineOf } from '../../static/room/lines.js';
import { withSeen } from '../../static/room/sealing.js';
import { Standing } from '../../static/room/standing.js';
import { Trust } from '../../static/room/trust.js';
import { encodeBase64url, randomBytes } from '../../static/values/bytes.js';

export const ROOM = 'ab'.repeat(32);

/**
 * @typedef {{ identity: Identity, name: string, signer: string, author: string, carded: Set<number> }} Person
 *   `carded`: epochs in which they have a card.
 *
 * @typedef {object} Epoch
 * @property {number} epoch
 * @property {number} seq
 * @property {Signing} signing Whose public half is `admit`.
 * @property {string} admit
 * @property {Kept[]} kept
 * @property {string[]} removed
 *
 * @typedef {{ content: Content, signer: string, epoch?: number }} Said
 *
 * @typedef {object} Post
 * @property {string} client_id
 * @property {string} kind
 * @property {string} author
 * @property {number | null} [target]
 * @property {string} body
 * @property {number} epoch
 *
 * What a device still has to send; sealed once it has a body.
 *
 * @typedef {object} Waiting
 * @property {string} client_id
 * @property {string} kind
 * @property {Content} content
 * @property {number | null} target
 * @property {string | null} body
 * @property {number | null} epoch
 * @property {string | null} again
 * @property {number} [seq] Of one that was acknowledged.
 */

/** @param {string} text */
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Numbers that look random and are the same each time (mulberry32). @param {number} seed @returns {() => number} */
export function generator(seed) {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
	};
}

export class Conversation {
	/** As the server keeps them; where one expired, there is a hole. @type {LogEvent[]} */
	events = [];
	/** What each body holds: what decryption would give. @type {Map<string, Said>} */
	said = new Map();
	/** @type {Epoch[]} */
	epochs = [];
	/** @type {State} */
	state = { name: '', locked: false, message_ttl_s: null, expires_in_s: 2_592_000, ever_ttl: null, invite: null };
	floor = 1;
	now = 1_700_000_000_000;
	log = 0;
	/** @type {Person[]} */
	people = [];
	counter = 0;
	/** Where each id stands, and what edits each message. @type {Map<string, number>} */
	ids = new Map();
	/** @type {Map<number, number[]>} */
	edits = new Map();
	/** Each author's newest card, which outlives the log. @type {Map<string, { event: LogEvent, epoch: number } & Said>} */
	cards = new Map();
	/** The last sequence that a backup had which was restored. */
	restoredTo = 0;
	/** @type {Pick<Conversation, 'events' | 'floor' | 'epochs' | 'state' | 'cards'> | null} */
	backup = null;

	/** @param {Person} owner */
	constructor(owner) {
		this.owner = owner;
		this.people.push(owner);
	}

	static async begin() {
		const room = new Conversation(await newPerson('Owner'));
		await room.renew([], []);
		return room;
	}

	/** @param {string} name */
	async person(name) {
		const person = await newPerson(name);
		this.people.push(person);
		return person;
	}

	get last() {
		return this.events.length;
	}

	/** The one in force. */
	get epoch() {
		return /** @type {Epoch} */ (this.epochs.at(-1));
	}

	/** One that has not expired. @param {number} seq */
	event(seq) {
		return /** @type {LogEvent} */ (this.events[seq - 1]);
	}

	id() {
		this.counter += 1;
		return `00000000-0000-4000-8000-${String(this.counter).padStart(12, '0')}`;
	}

	/** What the server does with an append: its answer, or why not. @param {Post} post @returns {{ seq: number, error?: never } | { error: string, seq?: never }} */
	append({ client_id, kind, author, target = null, body, epoch }) {
		const known = this.ids.get(client_id);
		if (known !== undefined && this.events[known - 1]?.client_id === client_id) return { seq: known };
		if (epoch !== this.epoch.epoch) return { error: 'stale_epoch' };
		if (target !== null && (this.events[target - 1]?.body ?? '') === '') return { error: 'invalid' };
		const seq = this.last + 1;
		this.events.push({ seq, kind, client_id, author, target, body, sent_at_ms: this.now });
		this.ids.set(client_id, seq);
		if (kind === 'edit' && target !== null) this.edits.set(target, [...(this.edits.get(target) ?? []), seq]);
		if (kind === 'delete' && target !== null) this.blank(target);
		const said = this.said.get(body);
		if (kind === 'card' && said) this.cards.set(author, { ...said, event: this.event(seq), epoch });
		return { seq };
	}

	/** Replaces an event, as whatever was given out before stays as it was. @param {LogEvent | undefined} event */
	erase(event) {
		if (event && event.body !== '') this.events[event.seq - 1] = { ...event, body: '', erased: sha256(event.body) };
	}

	/** @param {number} target */
	blank(target) {
		this.erase(this.events[target - 1]);
		for (const seq of this.editsOf(target)) this.erase(this.events[seq - 1]);
	}

	/** @param {number} target */
	editsOf(target) {
		return (this.edits.get(target) ?? []).filter((seq) => {
			const event = this.events[seq - 1];
			return event?.kind === 'edit' && event.target === target;
		});
	}

	/** Lets go what has expired, blanking what changed it. */
	expire() {
		const { message_ttl_s } = this.state;
		if (message_ttl_s === null) return;
		while (this.floor <= this.last && this.event(this.floor).sent_at_ms + message_ttl_s * 1000 <= this.now) {
			for (const seq of this.editsOf(this.floor)) this.erase(this.events[seq - 1]);
			delete this.events[this.floor - 1];
			this.floor += 1;
		}
	}

	backUp() {
		this.backup ??= {
			events: this.events.slice(),
			floor: this.floor,
			epochs: [...this.epochs],
			state: this.state,
			cards: new Map(this.cards),
		};
	}

	/** As an operator restores a backup, and names the log anew. */
	restore() {
		if (!this.backup) throw new Error('there is no backup');
		Object.assign(this, this.backup);
		this.restoredTo = this.last;
		this.log += 1;
		for (const person of this.people) {
			person.carded = new Set(Array.from(person.carded).filter((epoch) => epoch < this.epochs.length));
			if (!this.cards.has(person.author)) person.carded.clear();
		}
	}

	/** A body that stands for an envelope. @param {Pick<Person, 'signer'>} person @param {number} epoch @param {Content} content */
	seal(person, epoch, content) {
		const body = `v2.${epoch}.${(this.said.size + 1).toString(36)}-${person.signer.slice(0, 8)}`;
		this.said.set(body, { content: { at_ms: this.now, ...content }, signer: person.signer });
		return body;
	}

	/** The owner's renewal: appends its event, but for the first. @param {Person[]} kept @param {Person[]} removed */
	async renew(kept, removed) {
		const epoch = this.epochs.length;
		const admit = await openSeed(randomBytes(32));
		let seq = 0;
		if (epoch > 0) {
			const body = `rotation ${epoch}`;
			const prev = await this.lines().head();
			this.said.set(body, { content: { prev }, signer: this.owner.signer, epoch });
			seq = this.last + 1;
			const { author } = this.owner;
			this.events.push({ seq, kind: 'rotate', client_id: this.id(), author, target: null, body, sent_at_ms: this.now });
		}
		this.epochs.push({
			epoch,
			seq,
			signing: admit,
			admit: encodeBase64url(admit.publicKey),
			kept: kept.map(({ signer, author, name, identity }) => ({
				signer,
				author,
				name,
				box: encodeBase64url(identity.boxKey),
			})),
			removed: removed.map(({ author }) => author),
		});
		for (const person of kept) person.carded.add(epoch);
	}

	/** The lines of all that is kept. */
	lines() {
		const lines = new Lines(ROOM);
		for (const event of this.events.slice(Math.max(0, this.last - 64))) {
			if (event) lines.set(event.seq, lineOf(event, event.erased ?? sha256(event.body)));
		}
		return lines;
	}

	/** @param {Person} person */
	async card(person) {
		const { epoch, signing } = this.epoch;
		return { name: person.name, ...(await admitPerson(signing, ROOM, epoch, person.identity)) };
	}

	/** What reading makes of events. @param {LogEvent[]} events @returns {Item[]} Of holes there is nothing. */
	items(events) {
		return events.filter(Boolean).map((event) => {
			const said = this.said.get(event.body);
			return {
				event,
				opened: said ? { ok: true, content: said.content, signer: said.signer } : null,
				epoch: said?.epoch ?? (event.body === '' ? null : Number(event.body.split('.')[1])),
				hash: event.body === '' ? (event.erased ?? null) : sha256(event.body),
			};
		});
	}

	/** A page of history as the server gives it. @param {number} after */
	page(after, limit = 200) {
		const from = Math.max(after, this.floor - 1);
		return this.events.slice(from, from + limit).filter(Boolean);
	}

	/** Somebody who reads and judges. */
	reader({ skewMs = 0 } = {}) {
		return new Reader(this, skewMs);
	}

	/** @param {Person} person */
	device(person) {
		return new Device(this, person);
	}
}

/** @param {string} name @returns {Promise<Person>} */
async function newPerson(name) {
	const identity = await openIdentity(randomBytes(32));
	return { identity, name, signer: identity.signer, author: identity.author, carded: new Set() };
}

export class Reader {
	cursor = 0;
	/** Every alarm by sequence. @type {Map<number, AlarmCode>} */
	alarms = new Map();

	/** @param {Conversation} room @param {number} skewMs */
	constructor(room, skewMs) {
		this.room = room;
		this.standing = new Standing(ROOM, room.owner.signer);
		this.standing.complete = true;
		this.trust = new Trust(ROOM, this.standing, () => room.now + skewMs);
		this.log = room.log;
	}

	/** Loads keys and the state, as the page does before it judges. */
	learn() {
		for (const epoch of this.room.epochs.slice(this.standing.epochs.length)) this.standing.addEpoch(epoch);
		this.trust.setState(this.room.state);
	}

	/** Loads each author's newest card, as the page does where it has not read all of the log. */
	async meet() {
		this.learn();
		for (const { event, epoch, signer, content } of this.room.cards.values()) {
			await this.standing.addCard(event, epoch, signer, content);
		}
	}

	/** @param {number} [upTo] */
	async read(upTo = Infinity) {
		this.learn();
		if (this.log !== this.room.log) {
			this.trust.forgetAfter(this.room.restoredTo);
			this.learn();
			this.cursor = Math.min(this.cursor, this.room.restoredTo);
			this.log = this.room.log;
		}
		if (this.cursor < this.room.floor - 1) {
			assertExplained(this.trust, this.room.floor - 1);
			await this.meet();
			this.cursor = this.room.floor - 1;
		}
		this.trust.forgetBefore(this.room.floor);
		while (this.cursor < Math.min(this.room.last, upTo)) {
			const events = this.room.page(this.cursor, Math.min(200, upTo - this.cursor));
			await this.take(events);
			this.cursor = events.at(-1)?.seq ?? upTo;
		}
		if (this.cursor === this.room.last) this.judge(this.trust.settle(this.cursor));
	}

	/** @param {LogEvent[]} events */
	async take(events) {
		this.judge(await this.trust.add(this.room.items(events)));
	}

	/** @param {Set<number>} stale */
	judge(stale) {
		for (const seq of stale) {
			const { alarm } = this.trust.outcome(seq);
			if (alarm === null) this.alarms.delete(seq);
			else this.alarms.set(seq, alarm);
		}
	}
}

/** @param {Trust} trust @param {number} seq */
function assertExplained(trust, seq) {
	if (!trust.explainsMissing(seq)) throw new Error(`what is missing up to ${seq} is not explained`);
}

/** @param {Waiting} entry @returns {entry is Waiting & { body: string, epoch: number }} */
function isSealed(entry) {
	return entry.body !== null && entry.epoch !== null;
}

/** One browser of a person: follows the log with a delay, and keeps an outbox. */
export class Device {
	/** @type {Waiting[]} */
	queue = [];
	/** The last of what was acknowledged. @type {Waiting[]} */
	sent = [];
	/** @type {{ client_id: string, seq: number } | null} */
	lastAck = null;

	/** @param {Conversation} room @param {Person} person */
	constructor(room, person) {
		this.room = room;
		this.person = person;
		this.lines = new Lines(ROOM);
		this.cursor = Math.max(0, room.last - 100, room.floor - 1);
		this.log = room.log;
		this.epoch = room.epoch.epoch;
	}

	follow(upTo = this.room.last) {
		if (this.log !== this.room.log) {
			// Acknowledged and lost: the same bytes again, before anything else.
			this.queue.unshift(
				...this.sent.filter(({ seq = 0 }) => seq > this.room.restoredTo).map((entry) => ({ ...entry, seq: undefined })),
			);
			this.lines.forgetAfter(this.room.restoredTo);
			this.cursor = Math.min(this.cursor, this.room.restoredTo);
			this.lastAck = null;
			this.log = this.room.log;
		}
		this.cursor = Math.max(this.cursor, this.room.floor - 1);
		for (const event of this.room.page(this.cursor, Math.max(0, upTo - this.cursor))) {
			this.lines.set(event.seq, lineOf(event, event.erased ?? sha256(event.body)));
			this.cursor = event.seq;
		}
	}

	/** @param {string} kind @param {Content} content @param {number | null} [target] */
	say(kind, content, target = null) {
		this.queue.push({ kind, content, target, client_id: this.room.id(), body: null, epoch: null, again: null });
	}

	/** Sends what waits; `lose`: the answer of the first attempt is lost, and it stays in the queue. */
	async send({ lose = false } = {}) {
		for (;;) {
			const [entry] = this.queue;
			if (!entry) return;
			const { body, epoch } = isSealed(entry) ? entry : await this.seal(entry);
			const answer = this.room.append({ ...entry, body, epoch, author: this.person.author });
			if (lose) return;
			if (answer.error === 'stale_epoch') {
				this.epoch = this.room.epoch.epoch;
				const again = entry.again ?? entry.client_id;
				this.queue[0] = { ...entry, client_id: this.room.id(), body: null, again };
				continue;
			}
			this.queue.shift();
			if (answer.seq) {
				this.lastAck = { client_id: entry.client_id, seq: answer.seq };
				this.sent = [...this.sent.slice(-40), { ...entry, seq: answer.seq }];
			}
		}
	}

	/** @param {Waiting} entry @returns {Promise<{ body: string, epoch: number }>} */
	async seal(entry) {
		if (!this.person.carded.has(this.epoch) && this.person !== this.room.owner && entry.kind !== 'card') {
			if (this.epoch !== this.room.epoch.epoch) this.epoch = this.room.epoch.epoch;
			if (!this.person.carded.has(this.epoch)) {
				const content = withSeen(await this.room.card(this.person), {
					prev: await this.lines.head(),
					after: this.lastAck,
				});
				const body = this.room.seal(this.person, this.epoch, content);
				const card = { kind: 'card', client_id: this.room.id(), body, epoch: this.epoch, author: this.person.author };
				const { seq = 0 } = this.room.append(card);
				this.lastAck = { client_id: card.client_id, seq };
				this.person.carded.add(this.epoch);
			}
		}
		const prev = await this.lines.head();
		const { epoch } = this;
		const body = this.room.seal(
			this.person,
			epoch,
			withSeen(entry.content, { prev, after: this.lastAck, again: entry.again }),
		);
		entry.epoch = epoch;
		entry.body = body;
		return { body, epoch };
	}
}
