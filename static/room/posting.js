/**
 * What one says oneself: kept in words until its first attempt, sealed then with what was seen by then, sent by the
 * outbox, and shown while it is on its way. Before the first word goes a card (docs/protocol.md, "Cards").
 *
 * @import { Api } from '../wire/api.js'
 * @import { Content, SentFile } from '../crypto/content.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { OutboxEntry, RoomRecord, Store } from '../storage/store.js'
 * @import { Bodies } from './bodies.js'
 * @import { Files } from './files.js'
 * @import { Keyring } from './keyring.js'
 * @import { Log, Unsent } from './log.js'
 * @import { Standing } from './standing.js'
 */

import { admitPerson } from '../crypto/card.js';
import { MAX_CONTENT_BYTES, TooLong } from '../crypto/envelope.js';
import { openIdentity } from '../crypto/identity.js';
import { equalBytes, utf8 } from '../values/bytes.js';
import { cleanName } from '../values/text.js';
import { ApiError } from '../wire/api.js';
import { hashBody } from './bodies.js';
import { Outbox } from './outbox.js';
import { RoomError } from './saying.js';
import { withSeen } from './sealing.js';

/** What is added when sealing: what was seen, the last post, the post that is replaced. */
const SEEN_BYTES = 400;

export class Posting {
	#record;
	#keyring;
	#standing;
	#bodies;
	#identity;
	#api;
	#store;
	#log;
	#via;
	#ownerToken;
	#meet;
	#isSetBack;
	#files;
	#arrived;
	#show;
	/** Other identities that something waits of, opened. @type {Identity[]} */
	#others = [];

	/**
	 * @param {object} parts
	 * @param {RoomRecord} parts.record
	 * @param {Keyring} parts.keyring
	 * @param {Standing} parts.standing
	 * @param {Bodies} parts.bodies
	 * @param {Identity} parts.identity
	 * @param {Api} parts.api
	 * @param {Store} parts.store
	 * @param {() => Log} parts.log As it is now.
	 * @param {string | null} parts.via The link's id by which one came.
	 * @param {string | null} parts.ownerToken
	 * @param {() => Promise<void>} parts.meet Loads whose cards there are, own ones among them.
	 * @param {() => Promise<boolean>} parts.renewed The keys are new; resolves with whether they are here now.
	 * @param {() => Promise<boolean>} parts.isSetBack Whether a room that does not know the keys is there all the same.
	 * @param {() => Promise<Files>} parts.files
	 * @param {(seq: number) => void} parts.lost
	 * @param {(token: string) => void} parts.arrived A message is in the log, by this tab and with this token.
	 * @param {(unsent: Unsent[]) => void} parts.show
	 * @param {LockManager | undefined} parts.locks
	 * @param {BroadcastChannel | null | undefined} parts.channel To the other tabs.
	 */
	constructor(parts) {
		const { record, keyring, standing, bodies, identity, api, store, log } = parts;
		this.#record = record;
		this.#keyring = keyring;
		this.#standing = standing;
		this.#bodies = bodies;
		this.#identity = identity;
		this.#api = api;
		this.#store = store;
		this.#log = log;
		this.#via = parts.via;
		this.#ownerToken = parts.ownerToken;
		this.#meet = parts.meet;
		this.#isSetBack = parts.isSetBack;
		this.#files = parts.files;
		this.#arrived = parts.arrived;
		this.#show = parts.show;
		this.outbox = new Outbox({
			room: record.room,
			store,
			seal: (entry) => this.#seal(entry),
			send: (entry) => this.#send(entry),
			renewed: parts.renewed,
			holds: (entry, seq) => this.#holds(entry, seq),
			lost: parts.lost,
			changed: () => this.#showUnsent(),
			done: (entry) => void this.#withFiles(entry, (all, files) => all.drop(files)),
			anew: async (entry) => {
				const files = await this.#withFiles(entry, (all, files) => all.renew(files));
				return files ? { ...entry.said, files } : entry.said;
			},
			locks: parts.locks,
			channel: parts.channel,
		});
	}

	/** Takes up what was left. @returns {Promise<void>} */
	async load() {
		await this.outbox.load();
		this.#showUnsent();
	}

	/** @param {string} kind @param {number | null} target @param {Content} said @returns {Promise<string>} its client id */
	async post(kind, target, said) {
		const answered = target === null ? undefined : this.#log().item(target);
		if (target !== null && !answered) throw new RoomError('not_loaded', 'that message is not loaded');
		/** @type {Content} */
		const content = { at_ms: Date.now(), ...said };
		if (answered) content.target_id = answered.event.client_id;
		const bytes = utf8(JSON.stringify(content)).length + SEEN_BYTES;
		if (bytes > MAX_CONTENT_BYTES) throw new TooLong(bytes, MAX_CONTENT_BYTES);
		const client_id = crypto.randomUUID();
		await this.outbox.add({ client_id, kind, target, said: content, identity: this.#identity.secret });
		return client_id;
	}

	/** A new name is a new card, for whom others know already. @returns {Promise<void>} */
	async rename() {
		const { signer } = this.#identity;
		if (this.#standing.nameOf(signer) === '' || !this.#lacksCard(this.#identity)) return;
		await this.post('card', null, {});
	}

	/** @param {OutboxEntry} entry @returns {Promise<{ epoch: number, body: string } | { before: Pick<OutboxEntry, 'kind' | 'said'> }>} */
	async #seal(entry) {
		const { current } = this.#keyring;
		if (!current?.keys.admit) throw new RoomError('no_key', 'no key of this epoch lets one speak');
		const identity = await this.#identityOf(entry);
		await this.#meet();
		const isCard = entry.kind === 'card';
		if (!isCard && this.#lacksCard(identity)) return { before: { kind: 'card', said: {} } };
		// What it says is read as soon as it is there, so all that belongs to it goes first.
		await this.#withFiles(entry, (all, files) => all.upload(files));
		const said = isCard ? await this.#card(identity) : entry.said;
		const prev = await this.#log().trust.lines.head();
		const after = await this.#lastPost();
		const content = withSeen(said, { prev, after, again: entry.again });
		return this.#bodies.sealPost(identity, entry, content);
	}

	/**
	 * Does something with the files of what waits, if it has any.
	 *
	 * @template T
	 * @param {OutboxEntry} entry
	 * @param {(all: Files, files: SentFile[]) => T | Promise<T>} work
	 * @returns {Promise<T | undefined>}
	 */
	async #withFiles({ said }, work) {
		/** @type {SentFile[]} */
		const files = said['files'] ?? [];
		return files.length === 0 ? undefined : work(await this.#files(), files);
	}

	/** @param {Identity} identity @returns {Promise<Content>} */
	async #card(identity) {
		const { room, yourName } = this.#record;
		const { epoch, admit } = this.#keyring.keys;
		if (!admit) throw new RoomError('no_key', 'no key of this epoch lets one speak');
		const via = this.#via === null ? {} : { via: this.#via };
		return { at_ms: Date.now(), name: yourName, ...(await admitPerson(admit, room, epoch, identity)), ...via };
	}

	/** Whether others would not believe, or know, who speaks. @param {Identity} identity */
	#lacksCard({ signer, secret }) {
		const underWay = this.outbox.entries.some(
			({ kind, state, identity }) => kind === 'card' && state !== 'failed' && equalBytes(identity, secret),
		);
		if (underWay) return false;
		const { epoch } = this.#keyring.keys;
		const known = this.#standing.believes(signer, epoch) === 'yes';
		const carded = signer !== this.#standing.owner || this.#standing.cardOf(signer) !== undefined;
		return !known || !carded || this.#standing.nameOf(signer) !== cleanName(this.#record.yourName);
	}

	/** Of this browser, in whichever tab. @returns {Promise<RoomRecord['lastPost']>} */
	async #lastPost() {
		const stored = await this.#store.room(this.#record.room).catch(() => undefined);
		return (stored ?? this.#record).lastPost;
	}

	/** @param {OutboxEntry} entry @returns {Promise<Identity>} */
	async #identityOf({ identity }) {
		if (equalBytes(identity, this.#identity.secret)) return this.#identity;
		const known = this.#others.find(({ secret }) => equalBytes(secret, identity));
		if (known) return known;
		const opened = await openIdentity(identity);
		this.#others.push(opened);
		return opened;
	}

	/** @param {OutboxEntry} entry */
	async #send(entry) {
		const { room } = this.#record;
		const { authorSecret: author } = await this.#identityOf(entry);
		const files = (await this.#withFiles(entry, (all, files) => all.named(files))) ?? [];
		const post = { ...entry, body: entry.body ?? '', epoch: entry.epoch ?? 0, files };
		let token = this.#keyring.current?.keys.postToken ?? null;
		const receipt = await this.#api.post(room, { token, author }, post).catch(async (cause) => {
			const code = cause instanceof ApiError ? cause.code : null;
			if (code === 'room_not_found' && (await this.#isSetBack()))
				throw new ApiError('renewed', 'other keys are in force');
			// The weakest token goes first; the owner's opens a locked room and deletes what others wrote.
			if (!this.#ownerToken || (code !== 'room_locked' && code !== 'not_allowed')) throw cause;
			token = this.#ownerToken;
			return this.#api.post(room, { token, author }, post);
		});
		const lastPost = { client_id: entry.client_id, seq: receipt.seq };
		if (lastPost.seq > (this.#record.lastPost?.seq ?? 0)) {
			this.#record.lastPost = lastPost;
			await this.#store.changeRoom(room, { lastPost }).catch(() => {});
		}
		if (entry.kind === 'message' && token !== null) this.#arrived(token);
		return receipt;
	}

	/** @param {OutboxEntry} entry @param {number} seq @returns {Promise<boolean | null>} @throws {ApiError} */
	async #holds({ client_id, kind, target, body }, seq) {
		const hash = await hashBody(body ?? '');
		const held = this.#log().trust.holds(seq, { client_id, kind, target, hash });
		const { first, last } = this.#log();
		// Above what is shown it may have been read before, or have expired.
		if (held !== null || first === null || seq < first || seq > last) return held;
		// The cache may lack what was shown once; what the server does not give either, it hides.
		const token = this.#keyring.keys.readToken;
		const page = await this.#api.history(this.#record.room, { token }, { after: seq - 1, limit: 1 });
		// It may have expired meanwhile, if what is above it has.
		if (page.first_seq > seq && this.#log().trust.explainsMissing(first)) return null;
		const event = page.messages[0];
		if (event?.seq !== seq || event.client_id !== client_id || event.kind !== kind) return false;
		return event.target === target && (event.erased ?? (await hashBody(event.body))) === hash;
	}

	#showUnsent() {
		this.#show(
			this.outbox.entries.map(({ client_id, kind, target, said, state, error }) => ({
				clientId: client_id,
				kind,
				target,
				content: said,
				state: state === 'waiting' ? /** @type {const} */ ('sending') : state,
				error,
			})),
		);
	}
}
