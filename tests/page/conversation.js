/**
 * An honest room in fast motion, without a network or encryption: a server that appends, blanks and expires as
 * the contract says, and devices that write as the page does. For tests of what readers believe.
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

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Numbers that look random and are the same each time (mulberry32). */
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
	/** As the server keeps them; expired ones are undefined. */
	events = [];
	/** What each body holds: what decryption would give. */
	said = new Map();
	epochs = [];
	state = { name: '', locked: false, message_ttl_s: null, expires_in_s: 2_592_000, ever_ttl: null, invite: null };
	floor = 1;
	now = 1_700_000_000_000;
	log = 0;
	people = [];
	counter = 0;
	/** Where each id stands, and what edits each message. */
	ids = new Map();
	edits = new Map();
	/** Each author's newest card, which outlives the log. */
	cards = new Map();

	static async begin() {
		const room = new Conversation();
		room.owner = await room.person('Owner');
		await room.renew([], []);
		return room;
	}

	async person(name) {
		const identity = await openIdentity(randomBytes(32));
		const person = { identity, name, signer: identity.signer, author: identity.author, carded: new Set() };
		this.people.push(person);
		return person;
	}

	get last() {
		return this.events.length;
	}

	get epoch() {
		return this.epochs.at(-1);
	}

	id() {
		this.counter += 1;
		return `00000000-0000-4000-8000-${String(this.counter).padStart(12, '0')}`;
	}

	/** What the server does with an append: its answer, or why not. */
	append({ client_id, kind, author, target = null, body, epoch }) {
		const known = this.ids.get(client_id);
		if (known !== undefined && this.events[known - 1]?.client_id === client_id) return { seq: known };
		if (epoch !== this.epoch.epoch) return { error: 'stale_epoch' };
		if (target !== null && (!this.events[target - 1] || this.events[target - 1].body === ''))
			return { error: 'invalid' };
		const seq = this.last + 1;
		this.events.push({ seq, kind, client_id, author, target, body, sent_at_ms: this.now });
		this.ids.set(client_id, seq);
		if (kind === 'edit') this.edits.set(target, [...(this.edits.get(target) ?? []), seq]);
		if (kind === 'delete') this.blank(target);
		if (kind === 'card') this.cards.set(author, { event: this.events[seq - 1], epoch, ...this.said.get(body) });
		return { seq };
	}

	/** Replaces an event, as whatever was given out before stays as it was. */
	erase(event) {
		if (event && event.body !== '') this.events[event.seq - 1] = { ...event, body: '', erased: sha256(event.body) };
	}

	blank(target) {
		this.erase(this.events[target - 1]);
		for (const seq of this.editsOf(target)) this.erase(this.events[seq - 1]);
	}

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
		while (this.floor <= this.last && this.events[this.floor - 1].sent_at_ms + message_ttl_s * 1000 <= this.now) {
			for (const seq of this.editsOf(this.floor)) this.erase(this.events[seq - 1]);
			this.events[this.floor - 1] = undefined;
			this.floor += 1;
		}
	}

	backUp() {
		this.backup ??= {
			events: [...this.events],
			floor: this.floor,
			epochs: [...this.epochs],
			state: this.state,
			cards: new Map(this.cards),
		};
	}

	/** As an operator restores a backup, and names the log anew. */
	restore() {
		Object.assign(this, this.backup);
		this.restoredTo = this.last;
		this.log += 1;
		for (const person of this.people) {
			person.carded = new Set(Array.from(person.carded).filter((epoch) => epoch < this.epochs.length));
			if (!this.cards.has(person.author)) person.carded.clear();
		}
	}

	/** A body that stands for an envelope. */
	seal(person, epoch, content) {
		const body = `v2.${epoch}.${(this.said.size + 1).toString(36)}-${person.signer.slice(0, 8)}`;
		this.said.set(body, { content: { at_ms: this.now, ...content }, signer: person.signer });
		return body;
	}

	/** The owner's renewal: appends its event, but for the first. */
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

	async card(person) {
		const { epoch, signing } = this.epoch;
		return { name: person.name, ...(await admitPerson(signing, ROOM, epoch, person.identity)) };
	}

	/** What reading makes of events. */
	items(events) {
		return events.map((event) => {
			const said = this.said.get(event.body);
			return {
				event,
				opened: said ? { ok: true, content: said.content, signer: said.signer } : null,
				epoch: said?.epoch ?? (event.body === '' ? null : Number(event.body.split('.')[1])),
				hash: event.body === '' ? (event.erased ?? null) : sha256(event.body),
			};
		});
	}

	/** A page of history as the server gives it. */
	page(after, limit = 200) {
		return this.events.slice(Math.max(after, this.floor - 1), Math.max(after, this.floor - 1) + limit);
	}

	/** Somebody who reads and judges. */
	reader({ skewMs = 0 } = {}) {
		return new Reader(this, skewMs);
	}

	device(person) {
		return new Device(this, person);
	}
}

export class Reader {
	cursor = 0;
	/** Every alarm by sequence. */
	alarms = new Map();

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
			this.cursor = events.at(-1).seq;
		}
		if (this.cursor === this.room.last) this.judge(this.trust.settle(this.cursor));
	}

	async take(events) {
		this.judge(await this.trust.add(this.room.items(events)));
	}

	judge(stale) {
		for (const seq of stale) {
			const { alarm } = this.trust.outcome(seq);
			if (alarm === null) this.alarms.delete(seq);
			else this.alarms.set(seq, alarm);
		}
	}
}

function assertExplained(trust, seq) {
	if (!trust.explainsMissing(seq)) throw new Error(`what is missing up to ${seq} is not explained`);
}

/** One browser of a person: follows the log with a delay, and keeps an outbox. */
export class Device {
	queue = [];
	lastAck = null;

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
				...(this.sent ?? [])
					.filter(({ seq }) => seq > this.room.restoredTo)
					.map((entry) => ({ ...entry, seq: undefined })),
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

	say(kind, content, target = null) {
		this.queue.push({ kind, content, target, client_id: this.room.id(), body: null, epoch: null, again: null });
	}

	/** Sends what waits; `lose`: the answer of the first attempt is lost, and it stays in the queue. */
	async send({ lose = false } = {}) {
		while (this.queue.length > 0) {
			let entry = this.queue[0];
			if (!entry.body) await this.seal(entry);
			const answer = this.room.append({ ...entry, author: this.person.author });
			if (lose) return;
			if (answer.error === 'stale_epoch') {
				this.epoch = this.room.epoch.epoch;
				const again = entry.again ?? entry.client_id;
				entry = { ...entry, client_id: this.room.id(), body: null, again };
				this.queue[0] = entry;
				continue;
			}
			this.queue.shift();
			if (answer.seq) {
				this.lastAck = { client_id: entry.client_id, seq: answer.seq };
				this.sent = [...(this.sent ?? []).slice(-40), { ...entry, seq: answer.seq }];
			}
		}
	}

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
				const { seq } = this.room.append(card);
				this.lastAck = { client_id: card.client_id, seq };
				this.person.carded.add(this.epoch);
			}
		}
		const prev = await this.lines.head();
		entry.epoch = this.epoch;
		entry.body = this.room.seal(
			this.person,
			this.epoch,
			withSeen(entry.content, { prev, after: this.lastAck, again: entry.again }),
		);
	}
}
