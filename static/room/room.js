/**
 * One open room: ties keys, log, stream, outbox and storage together for the view. No DOM.
 *
 * Its events are `phase`, `connection`, `info`, `people`, `sending`, and `entries`, whose `detail` is
 * a {@link Changes}.
 *
 * @import { RoomAnswer } from '../wire/api.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Content } from '../crypto/envelope.js'
 * @import { Changes, Entry, Unsent } from './log.js'
 * @import { Identity, RoomKeys } from '../crypto/secrets.js'
 * @import { Draft, RoomRecord, Store } from '../storage/store.js'
 * @import { Connection } from '../wire/stream.js'
 */

import { Api, ApiError } from '../wire/api.js';
import { Bodies } from './bodies.js';
import { Drafts } from './drafts.js';
import { RoomHistory } from './history.js';
import { parseObject } from '../values/json.js';
import { Posting, RoomError, spoken } from './posting.js';
import { suggestName } from './rooms.js';
import { Signals } from './signals.js';
import { openIdentity, openKeys } from '../crypto/secrets.js';
import { formatLink } from '../values/link.js';
import { SharedStream } from '../wire/tabs.js';
import { cleanName } from '../values/text.js';

/**
 * @typedef {'opening' | 'preview' | 'open' | 'not_here' | 'gone' | 'unreachable'} Phase
 *
 * @typedef {object} RoomInfo
 * @property {string} title
 * @property {boolean} locked
 * @property {number | null} messageTtlS
 * @property {number} expiresAtMs
 * @property {number} createdAtMs
 * @property {number} firstSeq
 * @property {number} lastSeq
 * @property {string | null} owner Their signer.
 *
 * @typedef {object} Person
 * @property {string} signer
 * @property {string} name
 * @property {string | null} author
 * @property {boolean} taken Another key used this name first.
 * @property {boolean} own
 * @property {boolean} owner
 * @property {boolean} typing
 * @property {boolean} here
 *
 * @typedef {object} Surroundings What a room needs of its page; all have defaults.
 * @property {Store} store
 * @property {Api} [api]
 * @property {string} [origin] For links.
 * @property {EventTarget} [wakes] Where `online`, `pageshow` and `visibilitychange` are heard: a page's window.
 * @property {LockManager} [locks]
 * @property {((name: string) => BroadcastChannel) | null} [channel]
 * @property {boolean} [visible]
 */

/** Further behind than this, the page begins at the end and leaves the rest to scrolling. */
const MOST_BEHIND = 1_000;
const EXPIRY_CHECK_MS = 10_000;

export class Room extends EventTarget {
	/** @type {Phase} */
	phase = 'opening';
	/** @type {'deleted' | 'expired' | 'unknown' | null} */
	goneReason = null;
	/** @type {Connection} */
	connection = { state: 'idle', code: null, retryAtMs: null };

	/** @type {import('./facade.js').Alarm[]} */
	alarms = [];
	linkEnded = null;
	removal = null;
	/** Whether all up to the server's last event was shown once. */
	loaded = false;

	#record;
	#store;
	#api;
	#surroundings;
	#origin;
	/** @type {RoomKeys | null} */
	#keys = null;
	/** @type {Identity | null} */
	#identity = null;
	/** @type {RoomHistory | null} */
	#history = null;
	/** @type {SharedStream | null} */
	#stream = null;
	/** @type {Bodies | null} */
	#bodies = null;
	/** Null for who only reads. @type {Posting | null} */
	#posting = null;
	/** @type {Signals | null} */
	#signals = null;
	#drafts;
	#visible;
	#closed = new AbortController();
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#expiryTimer;
	/** @param {RoomRecord} record @param {Surroundings} surroundings */
	constructor(record, surroundings) {
		super();
		this.#record = record;
		this.#surroundings = surroundings;
		this.#store = surroundings.store;
		this.#api = surroundings.api ?? new Api();
		this.#origin = surroundings.origin ?? globalThis.location?.origin ?? '';
		this.#visible = surroundings.visible ?? true;
		this.#drafts = new Drafts(record.room, surroundings.store, () => record.joined);
	}

	get room() {
		return this.#record.room;
	}

	get role() {
		return this.#record.role;
	}

	get isOwner() {
		return this.role === 'owner';
	}

	get canWrite() {
		return this.role !== 'reader';
	}

	get ownSigner() {
		return this.#identity?.signer ?? null;
	}

	get yourName() {
		return this.#record.yourName;
	}

	get label() {
		return this.#record.label;
	}

	get displayName() {
		return this.#record.label || this.#record.title;
	}

	get readSeq() {
		return this.#record.readSeq;
	}

	/** Whether its link brought an identity along, which makes one the same person as on another device. */
	get carriesIdentity() {
		return this.#record.carriesIdentity ?? false;
	}

	get ownerLinkKept() {
		return this.#record.ownerLinkKept;
	}

	/** @returns {RoomInfo} */
	get info() {
		const { title, locked, messageTtlS, expiresAtMs, createdAtMs, lastSeq, ownerSigner } = this.#record;
		return {
			title,
			locked,
			messageTtlS,
			expiresAtMs,
			createdAtMs,
			firstSeq: this.#history?.firstSeq ?? 1,
			lastSeq,
			owner: ownerSigner,
		};
	}

	/** @returns {readonly Entry[]} */
	get entries() {
		return this.#history?.log.entries ?? [];
	}

	get hasOlder() {
		return this.#history?.hasOlder ?? false;
	}

	/** @param {number} seq @returns {Entry | undefined} */
	entry(seq) {
		return this.#history?.log.entry(seq);
	}

	get sending() {
		return this.#posting?.outbox.sending ?? { count: 0, code: null, waitingUntilMs: null, unkept: false };
	}

	/** @returns {readonly Person[]} */
	get people() {
		const now = Date.now();
		return Array.from(
			this.#signals?.presence.present.values() ?? [],
			({ signer, author, name, hereUntil, typingUntil }) => ({
				signer,
				name: cleanName(name),
				author,
				taken: this.#history?.log.isNameTaken(name, signer) ?? false,
				own: signer === this.ownSigner,
				owner: signer === this.#record.ownerSigner,
				typing: typingUntil > now,
				here: hereUntil > now,
			}),
		);
	}

	/** Finds out how the room stands; a known one opens at once. Never rejects, joins nothing. @returns {Promise<void>} */
	async open() {
		const { room, role, secret, identity, joined, closed } = this.#record;
		this.#keys ??= await openKeys(room, role, secret);
		this.#identity ??= role === 'reader' ? null : await openIdentity(identity);
		this.#bodies ??= new Bodies(this.#keys, this.#identity);
		this.#signals ??= new Signals({
			keys: this.#keys,
			bodies: this.#bodies,
			identity: this.#identity,
			api: this.#api,
			locked: () => this.#record.locked,
			yourName: () => this.yourName,
			changed: () => this.#emit('people'),
		});
		this.#history ??= new RoomHistory({
			record: this.#record,
			keys: this.#keys,
			bodies: this.#bodies,
			identity: this.#identity,
			api: this.#api,
			store: this.#store,
			remember: (changes) => this.#change(changes),
			changed: (changes) => this.#emitEntries(changes),
			closed: this.#closed.signal,
		});
		if (closed) this.#gone(closed);
		else if (joined) await this.#start();
		else await this.#preview();
	}

	/** @param {string} name Ignored for a reader. @returns {Promise<void>} */
	async join(name) {
		this.#record.joined = true;
		this.#record.yourName = this.canWrite ? cleanName(name) : '';
		await this.#store.putRoom(this.#record).catch(() => {});
		if (this.yourName !== '') await suggestName(this.#store, this.yourName).catch(() => {});
		await this.#start();
	}

	/** Leaves the page; the room stays known. */
	close() {
		if (this.#closed.signal.aborted) return;
		void this.#drafts.write();
		this.#signals?.presence.stop();
		this.#closed.abort();
		this.#stream?.stop();
		// What was written and not sent yet goes out though the room is left.
		this.#posting?.outbox.finish();
		clearInterval(this.#expiryTimer);
	}

	/** @param {string} name @returns {Promise<void>} */
	async setName(name) {
		await this.#change({ yourName: cleanName(name) });
		await suggestName(this.#store, this.yourName).catch(() => {});
		this.#emit('info');
	}

	/** @param {string} label A name that only this browser knows. @returns {Promise<void>} */
	async setLabel(label) {
		await this.#change({ label: cleanName(label) });
		this.#emit('info');
	}

	/** @param {string} text @param {{ replyTo?: number }} [more] @returns {Promise<string>} its client id */
	send(text, { replyTo } = {}) {
		return this.#post('message', replyTo ?? null, { text: spoken(text) });
	}

	/** @param {number} seq @param {string} text @returns {Promise<string>} */
	edit(seq, text) {
		return this.#post('edit', seq, { text: spoken(text) });
	}

	/** @param {number} seq @returns {Promise<string>} */
	remove(seq) {
		return this.#post('delete', seq, {});
	}

	/** @param {number} seq @param {string} emoji @param {boolean} on @returns {Promise<string>} */
	react(seq, emoji, on) {
		return this.#post('react', seq, { emoji, on });
	}

	/** @param {string} clientId @returns {Promise<void>} */
	async retry(clientId) {
		await this.#posting?.outbox.retry(clientId);
	}

	/** @param {string} clientId @returns {Promise<void>} */
	async discard(clientId) {
		await this.#posting?.outbox.discard(clientId);
	}

	typing() {
		this.#signals?.presence.typing();
	}

	typingStopped() {
		this.#signals?.presence.typingStopped();
	}

	/** @param {boolean} visible */
	setVisible(visible) {
		this.#visible = visible;
		// A phone may end a page that nobody looks at without a further word.
		if (!visible) void this.#drafts.write();
		this.#stream?.setVisible(visible);
		if (this.phase === 'open' && this.canWrite) this.#signals?.presence.setVisible(visible);
	}

	/**
	 * Older history, from this browser where it has it.
	 *
	 * @returns {Promise<number>} how many events came; 0 where the log begins
	 * @throws {ApiError} where the server is needed and not there
	 */
	loadOlder() {
		return this.#loaded().loadOlder(this.connection.state === 'offline');
	}

	/** @param {number} seq @returns {Promise<boolean>} whether it is loaded now */
	async loadUntil(seq) {
		while ((this.#loaded().log.first ?? 0) > seq && this.hasOlder) await this.loadOlder();
		return this.entry(seq) !== undefined;
	}

	/** @param {number} seq @returns {Promise<void>} */
	async markRead(seq) {
		if (seq > this.readSeq) await this.#change({ readSeq: seq });
		await this.#settleRead();
	}

	/** @returns {Promise<Draft>} */
	draft() {
		return this.#drafts.read();
	}

	/** @param {string} text @param {number | null} replyTo */
	saveDraft(text, replyTo) {
		this.#drafts.save({ text, replyTo });
	}

	/** @returns {Promise<{ invite: string | null, owner: string | null, device: string | null, reader: string }>} full addresses */
	async ownLinks() {
		const { owner, member, reader } = this.#opened();
		const link = (/** @type {string} */ path) => this.#origin + path;
		return {
			invite: member && link(formatLink(this.room, 'member', member)),
			owner: owner && link(formatLink(this.room, 'owner', owner)),
			device: member && link(formatLink(this.room, 'member', member, this.#record.identity)),
			reader: link(formatLink(this.room, 'reader', reader)),
		};
	}

	/** @returns {Promise<import('./facade.js').Link[]>} */
	async links() {
		const { invite, reader } = await this.ownLinks();
		const { createdAtMs } = this.info;
		const common = {
			name: '',
			opened: 0,
			openings: null,
			createdAtMs,
			openedAtMs: null,
			expiresAtMs: null,
			ended: null,
		};
		return [
			{ ...common, id: 'member', role: 'member', isRoomLink: true, url: invite },
			{ ...common, id: 'reader', role: 'reader', isRoomLink: false, url: reader },
		];
	}

	/** @param {import('./facade.js').NewLink} wanted @returns {Promise<import('./facade.js').Link>} */
	async makeLink({ role }) {
		const link = (await this.links()).find((one) => one.role === role);
		return /** @type {import('./facade.js').Link} */ (link);
	}

	/** @returns {Promise<void>} */
	setOwnerLinkKept() {
		return this.#change({ ownerLinkKept: true });
	}

	/**
	 * @param {{ locked?: boolean, title?: string, expiresInS?: number | null, messageTtlS?: number | null }} changes
	 * @returns {Promise<void>}
	 * @throws {ApiError}
	 */
	async change({ locked, title, expiresInS, messageTtlS }) {
		const { ownerToken } = this.#opened();
		const about = title === undefined || !this.#bodies ? {} : { about: await this.#bodies.sealTitle(title) };
		const answer = await this.#api.changeRoom(
			this.room,
			{ token: ownerToken, author: this.#identity?.authorSecret },
			{
				...about,
				...(locked === undefined ? {} : { locked }),
				...(expiresInS === undefined ? {} : { expires_in_s: expiresInS }),
				...(messageTtlS === undefined ? {} : { message_ttl_s: messageTtlS }),
			},
		);
		await this.#learn(answer);
	}

	/** Deletes the room for all. @returns {Promise<void>} @throws {ApiError} */
	async destroy() {
		await this.#api.deleteRoom(this.room, { token: this.#opened().ownerToken });
		await this.#end('deleted');
	}

	/** @returns {RoomKeys} */
	#opened() {
		if (!this.#keys) throw new Error('the room has not been opened');
		return this.#keys;
	}

	#loaded() {
		if (!this.#history) throw new Error('the room has not been opened');
		return this.#history;
	}

	/** @param {string} type */
	#emit(type) {
		if (!this.#closed.signal.aborted) this.dispatchEvent(new Event(type));
	}

	/** @param {Changes} changes */
	#emitEntries(changes) {
		if (this.#closed.signal.aborted || changes.changed.size === 0) return;
		this.dispatchEvent(new CustomEvent('entries', { detail: changes }));
	}

	/** @param {Phase} phase */
	#enter(phase) {
		this.phase = phase;
		this.#emit('phase');
	}

	/** Storage that fails costs what it would have remembered, not the conversation. @param {Partial<RoomRecord>} changes */
	async #change(changes) {
		Object.assign(this.#record, changes);
		if (this.#record.joined) await this.#store.changeRoom(this.room, changes).catch(() => {});
	}

	async #preview() {
		this.#enter('opening');
		try {
			await this.#learn(await this.#api.room(this.room, { token: this.#opened().readToken }));
			this.#enter('preview');
		} catch (cause) {
			const refused = cause instanceof ApiError && (cause.code === 'room_not_found' || cause.code === 'not_allowed');
			this.#enter(refused ? 'not_here' : 'unreachable');
		}
	}

	async #start() {
		const history = this.#loaded();
		await this.#change({ openedAtMs: Date.now() });
		await history.readCache();
		await this.#startPosting();
		this.#enter('open');
		this.#connected({ state: 'connecting', code: null, retryAtMs: null });
		const cursor = await this.#beginAtEnd();
		if (this.#closed.signal.aborted || this.phase !== 'open') return;
		if (cursor !== null) await this.#posting?.outbox.seen(cursor, new Set()).catch(() => {});
		await this.#recallName();

		const { log } = this.#record;
		const { locks, channel, wakes } = this.#environment();
		const token = this.#opened().readToken;
		this.#stream = new SharedStream({
			room: this.room,
			start: { cursor, log },
			open: (cursor, signal) => this.#api.stream(this.room, { token }, cursor, signal),
			history: (range) => history.page(range),
			lastSeq: async () => (await this.#api.room(this.room, { token })).last_seq,
			sink: {
				events: (events) => this.#receive(events),
				missing: (seq) => this.#emitEntries(history.log.noteLost(seq, [])),
				diverged: async (mark) => {
					await this.#posting?.outbox.requeue();
					const cursor = await history.reconcile(mark);
					await this.#posting?.outbox.seen(cursor, new Set());
					return cursor;
				},
			},
			follower: {
				connection: (connection) => this.#connected(connection),
				signals: (signals) => void this.#signals?.hear(signals),
				closed: (reason) => void this.#end(reason),
			},
			wakes,
			locks,
			channel: channel?.(`buddy/stream/${this.room}`),
		});
		this.#stream.start(this.#visible);
		if (this.canWrite) this.#signals?.presence.setVisible(this.#visible);
		this.#expiryTimer = setInterval(() => void history.dropExpired(), EXPIRY_CHECK_MS);
	}

	/** Tabs that share no storage share nothing. */
	#environment() {
		const { wakes = new EventTarget(), locks, channel } = this.#surroundings;
		if (!this.#store.persistent) return { wakes, locks: undefined, channel: null };
		const make =
			channel ??
			(typeof BroadcastChannel === 'undefined' ? null : (/** @type {string} */ name) => new BroadcastChannel(name));
		return { wakes, locks: locks ?? globalThis.navigator?.locks, channel: make };
	}

	async #startPosting() {
		if (!this.#identity || !this.#bodies) return;
		const { locks, channel } = this.#environment();
		this.#posting = new Posting({
			keys: this.#opened(),
			bodies: this.#bodies,
			identity: this.#identity,
			api: this.#api,
			store: this.#store,
			log: () => this.#loaded().log,
			yourName: () => this.yourName,
			show: (unsent) => this.#showUnsent(unsent),
			locks,
			channel: channel?.(`buddy/outbox/${this.room}`),
		});
		await this.#posting.load();
	}

	/**
	 * Learns how the room stands; a newcomer, or who was long away, begins with the newest page.
	 *
	 * @returns {Promise<number | null>} the cursor to follow from, if there is one
	 */
	async #beginAtEnd() {
		const known = this.#record.log === null ? null : this.#record.lastSeq;
		try {
			const answer = await this.#api.room(this.room, { token: this.#opened().readToken }, this.#closed.signal);
			await this.#learn(answer);
			if (known !== null && answer.last_seq - known <= MOST_BEHIND) return known;
			return await this.#loaded().showNewest();
		} catch (cause) {
			// The stream will tell what is wrong, and try again.
			if (!(cause instanceof ApiError)) throw cause;
			return known;
		}
	}

	/** New events, in order. @param {LogEvent[]} events */
	async #receive(events) {
		// One that was set and taken back at once has ended what it has ended.
		const lifetimes = events
			.filter(({ kind }) => kind === 'room')
			.map(({ body }) => parseObject(body)['message_ttl_s']);
		if (lifetimes.some(Boolean)) await this.#change({ mayExpire: true });
		const items = await this.#loaded().append(events, this.#stream?.sequencer.log ?? null);
		for (const { opened } of items) if (opened?.ok) this.#signals?.presence.said(opened.signer);
		const seen = new Set(events.map(({ client_id }) => client_id));
		await this.#posting?.outbox.seen(this.#record.lastSeq, seen).catch(() => {});
		await this.#settleRead();
		await this.#recallName();
		if (events.some(({ kind }) => kind === 'room')) void this.#refreshInfo();
	}

	/** On another device of one's own nobody is asked again how one is called. */
	async #recallName() {
		if (this.yourName !== '' || !this.canWrite) return;
		const own = this.entries.findLast((entry) => entry.own && entry.seq !== null && entry.name !== '');
		if (!own) return;
		await this.#change({ yourName: own.name });
		this.#emit('info');
	}

	/** Events that show in no entry of their own, such as reactions, are read with what is above them. */
	async #settleRead() {
		const last = this.entries.findLast(({ seq }) => seq !== null)?.seq ?? 0;
		const { lastSeq } = this.#record;
		if (last <= this.readSeq && this.readSeq < lastSeq) await this.#change({ readSeq: lastSeq });
	}

	/** @param {RoomAnswer} answer */
	async #learn(answer) {
		const history = this.#loaded();
		const { ownerSigner } = this.#record;
		const about = answer.about === null ? null : await this.#bodies?.openTitle(answer.about);
		const believed = about?.ok && (ownerSigner === null || about.signer === ownerSigner) ? about : null;
		await this.#change({
			locked: answer.locked,
			messageTtlS: answer.message_ttl_s,
			...(answer.message_ttl_s === null ? {} : { mayExpire: true }),
			expiresAtMs: answer.expires_at_ms,
			createdAtMs: answer.created_at_ms,
			...(believed ? { title: cleanName(believed.content.name ?? ''), ownerSigner: believed.signer } : {}),
		});
		history.startAt(answer.first_seq);
		if (believed && ownerSigner === null) this.#emitEntries(history.log.setOwner(believed.signer));
		this.#emit('info');
		await history.dropExpired();
	}

	async #refreshInfo() {
		try {
			await this.#learn(await this.#api.room(this.room, { token: this.#opened().readToken }, this.#closed.signal));
		} catch {
			// The next change, or the next opening, tells again.
		}
	}

	/** @param {Connection} connection */
	#connected(connection) {
		this.connection = connection;
		// What refuses us is not there any more, which is said once, by the room's end.
		if (connection.state === 'refused') {
			const expired = this.#record.expiresAtMs > 0 && this.#record.expiresAtMs <= Date.now();
			if (expired) void this.#end('expired');
			else this.#gone('unknown');
			return;
		}
		if (connection.state === 'live') this.loaded = true;
		this.#emit('connection');
		if (connection.state === 'live') {
			this.#posting?.outbox.kick();
			const log = this.#stream?.sequencer.log ?? null;
			if (log !== this.#record.log) void this.#change({ log });
			// Where it fails, scrolling up tells the same.
			this.#loaded()
				.learnNames()
				.catch(() => {});
		}
	}

	/** The room is no more: what was said in it goes, that it was known stays. @param {'deleted' | 'expired'} reason */
	async #end(reason) {
		await this.#change({ closed: reason, lost: [] });
		this.#history?.end();
		this.#gone(reason);
		await this.#store.closeRoom(this.room).catch(() => {});
	}

	/** @param {'deleted' | 'expired' | 'unknown'} reason */
	#gone(reason) {
		this.#signals?.presence.setVisible(false);
		this.#posting?.outbox.stop();
		this.#stream?.stop();
		clearInterval(this.#expiryTimer);
		this.goneReason = reason;
		this.#enter('gone');
	}

	/** @param {string} kind @param {number | null} target @param {Content} said @returns {Promise<string>} */
	async #post(kind, target, said) {
		if (!this.#posting) throw new RoomError('read_only', 'this link lets you read only');
		return this.#posting.post(kind, target, said);
	}

	/** @param {Unsent[]} unsent */
	#showUnsent(unsent) {
		this.#emitEntries(this.#loaded().log.setUnsent(unsent));
		this.#emit('sending');
	}
}
