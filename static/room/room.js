/**
 * One open room: ties access, log, stream, outbox and storage together for the view, as {@link RoomFacade} says.
 * No DOM.
 *
 * @import { RoomAnswer } from '../wire/api.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Content, Pin, SentFile, State } from '../crypto/content.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { RotationError } from '../crypto/rotation.js'
 * @import { Alarm, Guest, Link, NewLink, Person, Phase, Renewal, Renewed, RoomFacade, RoomInfo } from './facade.js'
 * @import { Chosen, Files } from './files.js'
 * @import { Changes, Entry, MessageEntry, Unsent } from './log.js'
 * @import { RoomHistory } from './history.js'
 * @import { OwnLink, Owning } from './owning.js'
 * @import { Posting } from './posting.js'
 * @import { Signals } from './signals.js'
 * @import { Teller } from './telling.js'
 * @import { SharedStream } from '../wire/tabs.js'
 * @import { Draft, Notify, RoomRecord, Store } from '../storage/store.js'
 * @import { Closed, Connection } from '../wire/stream.js'
 */

import { isFarewell } from '../crypto/card.js';
import { openIdentity } from '../crypto/identity.js';
import { openInvite, openLink } from '../crypto/links.js';
import { formatLink } from '../values/link.js';
import { cleanName } from '../values/text.js';
import { Api, ApiError } from '../wire/api.js';
import { Access } from './access.js';
import { Bodies } from './bodies.js';
import { Drafts } from './drafts.js';
import { isLimited } from './founding.js';
import { Keyring } from './keyring.js';
import { RoomError, spoken } from './saying.js';
import { suggestName } from './rooms.js';
import { isUnread } from './unread.js';

/**
 * What a room needs of its page; all but the store have defaults.
 *
 * @typedef {object} Surroundings
 * @property {Store} store
 * @property {Api} [api]
 * @property {string} [origin] For links.
 * @property {EventTarget} [wakes] Where `online`, `pageshow` and `visibilitychange` are heard: a page's window.
 * @property {LockManager} [locks]
 * @property {((name: string) => BroadcastChannel) | null} [channel]
 * @property {boolean} [visible]
 *
 * All that an opened room is made of.
 *
 * @typedef {object} Parts
 * @property {Identity} identity
 * @property {Keyring} keyring
 * @property {Access} access
 * @property {Bodies} bodies
 * @property {Owning | null} owning
 */

/** Further behind than this, the page begins at the end and leaves the rest to scrolling. */
const MOST_BEHIND = 1_000;
const CHECK_MS = 5_000;
/** Clocks differ by less. */
const GRACE_MS = 600_000;

/** @implements {RoomFacade} */
export class Room extends EventTarget {
	/** @type {Phase} */
	phase = 'opening';
	/** @type {RoomFacade['goneReason']} */
	goneReason = null;
	/** @type {RoomFacade['linkEnded']} */
	linkEnded = null;
	/** @type {Connection} */
	connection = { state: 'idle', code: null, retryAtMs: null };
	/** Whether all up to the server's last event was shown once. */
	loaded = false;
	/** The connection was lost and is not back yet. */
	#wasOffline = false;

	#record;
	#store;
	#api;
	#surroundings;
	#origin;
	/** @type {Parts | null} */
	#parts = null;
	/** @type {RoomHistory | null} */
	#history = null;
	/** @type {SharedStream | null} */
	#stream = null;
	/** Null for who only reads. @type {Posting | null} */
	#posting = null;
	/** @type {Signals | null} */
	#signals = null;
	/** @type {Promise<Files> | null} */
	#files = null;
	/** @type {Promise<Teller> | null} */
	#teller = null;
	/** Once messages are shown. @type {typeof import('./comparing.js') | null} */
	#comparing = null;
	/** @type {Map<string, Alarm>} */
	#alarms = new Map();
	/** Names of links by their ids, as far as the owner's page has asked for them. @type {Map<string, string>} */
	#linkNames = new Map();
	/** What was known of the keys when all went on with them last: following may break in the middle. */
	#goesOnWith = '';
	/** Nobody is here: only what comes is heard. */
	#follows = false;
	/** With whose keys this tab opened its stream last. */
	#streamsIn = -1;
	/** How the room stands was asked, and nothing was answered. */
	#owesInfo = false;
	/** Where a renewal began whose keys are still to come: from there on nothing can be judged. */
	#unfollowed = Infinity;
	/** The server's `state_seq`, which the next statement goes on from. */
	#stateSeq = 0;
	#drafts;
	#visible;
	#closed = new AbortController();
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#timer;

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
		return this.canWrite ? (this.#parts?.identity.signer ?? null) : null;
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

	get notify() {
		return this.#record.notify ?? 'nothing';
	}

	get muted() {
		return this.#record.muted ?? false;
	}

	get push() {
		return Boolean(this.#record.push);
	}

	get removal() {
		return this.#record.removal ?? null;
	}

	/** @returns {readonly Alarm[]} */
	get alarms() {
		return Array.from(this.#alarms.values());
	}

	/** @returns {RoomInfo} */
	get info() {
		const { title, state, expiresAtMs, createdAtMs, lastSeq, ownerSigner } = this.#record;
		const { locked = false, message_ttl_s = null, expires_in_s = null, pins = [] } = state?.state ?? {};
		return {
			title,
			locked,
			messageTtlS: message_ttl_s,
			expiresInS: expires_in_s,
			expiresAtMs,
			createdAtMs,
			firstSeq: this.#history?.firstSeq ?? 1,
			lastSeq,
			owner: ownerSigner,
			pins,
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

	/** @param {Entry} entry */
	isUnread(entry) {
		return isUnread(entry, this.readSeq);
	}

	get sending() {
		return this.#posting?.outbox.sending ?? { count: 0, code: null, waitingUntilMs: null, unkept: false };
	}

	/** @returns {readonly Person[]} */
	get people() {
		const { keyring, access } = this.#parts ?? {};
		const epoch = keyring?.current?.part.epoch;
		if (!access || !keyring?.owner || epoch === undefined) return [];
		const { standing } = access;
		const { present } = this.#signals?.presence ?? { present: new Map() };
		const named = standing.peopleOf(epoch).map(({ signer }) => signer);
		// Who was just removed is not here any more, though nobody has heard them leave.
		const removed = new Set(keyring?.current?.part.removed);
		const here = Array.from(present.values()).filter(({ author }) => !removed.has(author));
		const signers = new Set([standing.owner, ...named, ...here.map(({ signer }) => signer)]);
		if (this.ownSigner) {
			signers.delete(this.ownSigner);
			signers.add(this.ownSigner);
		}
		return Array.from(signers, (signer) => this.#person(signer));
	}

	/** @param {string} signer @returns {Person} */
	#person(signer) {
		const { standing } = this.#opened().access;
		const now = Date.now();
		const present = this.#signals?.presence.present.get(signer);
		const card = standing.cardOf(signer);
		const own = signer === this.ownSigner;
		const name = standing.nameOf(signer) || (own ? this.yourName : '');
		return {
			signer,
			author: card?.author ?? present?.author ?? null,
			name,
			taken: name !== '' && standing.isNameTaken(name, signer),
			own,
			owner: signer === standing.owner,
			typing: (present?.typingUntil ?? 0) > now,
			here: (present?.hereUntil ?? 0) > now,
			via: (card?.via && this.#linkNames.get(card.via)) ?? null,
			compared: own ? null : this.comparison({ signer, name }),
		};
	}

	/** @param {{ signer: string, name: string }} person */
	comparison(person) {
		return this.#comparing?.comparisonWith(this.#record.compared ?? [], person) ?? null;
	}

	/** @param {{ signer: string, name: string }} person @param {boolean} isCompared @returns {Promise<void>} */
	async setCompared({ signer, name }, isCompared) {
		// Another tab may have noted somebody else.
		const { compared = [] } = (await this.#store.room(this.room).catch(() => null)) ?? this.#record;
		const others = compared.filter((one) => one.signer !== signer);
		await this.#change({ compared: isCompared ? [...others, { signer, name, atMs: Date.now() }] : others });
		this.#emit('compared');
		this.#emit('people');
	}

	/** Finds out how the room stands; a known one opens at once. Never rejects, joins nothing. @returns {Promise<void>} */
	async open() {
		const { joined, closed, removal, link } = this.#record;
		await this.#build();
		await this.#strengthen();
		if (closed) this.#gone(closed);
		else if (removal && !(await this.#letIn(removal))) this.#enter('removed');
		else if (joined && this.#opened().keyring.current) await this.#start();
		else if (!joined && link && isLimited(link.secret) && !this.#opened().keyring.current) this.#enter('invited');
		else await this.#preview();
	}

	/** Takes up what this browser holds of the room, and asks nobody. @returns {Promise<void>} */
	async peek() {
		await this.#build();
		await this.#history?.readCache();
	}

	/** Goes on with a room that stands beside another: it is known, and its person is not in it. @returns {Promise<void>} */
	async follow() {
		this.#follows = true;
		await this.open();
	}

	/** Who was left out, by a server that withheld their keys as well, comes in as soon as it gives them. @param {NonNullable<RoomFacade['removal']>} removal */
	async #letIn(removal) {
		const { access, keyring } = this.#opened();
		if (removal.how === 'removed' || !keyring.current) return false;
		try {
			const outcome = await access.follow();
			if (outcome === 'removed') await this.#keepUnsent(outcome);
			await this.#change({ removal: outcome === 'current' ? null : { ...removal, how: outcome } });
			return outcome === 'current';
		} catch (cause) {
			if (!(cause instanceof ApiError)) throw cause;
			return false;
		}
	}

	/** A link that gives more than is known is opened before the room is; one that gives nothing changes nothing. */
	async #strengthen() {
		const { access, keyring, owning } = this.#opened();
		const { joined, role, link } = this.#record;
		if (!joined || !keyring.current || role === 'reader' || keyring.current.keys.member) return;
		try {
			if (owning) await access.follow();
			else await access.enter();
			await this.#change({ role, link });
		} catch (cause) {
			if (!(cause instanceof ApiError)) throw cause;
			const { role: before = 'reader', link: held = null } =
				(await this.#store.room(this.room).catch(() => null)) ?? {};
			if (!owning) Object.assign(this.#record, { role: before, link: held });
		}
	}

	async #build() {
		if (this.#parts) return;
		const { room, owner, identity: secret } = this.#record;
		const identity = await openIdentity(secret);
		const keyring = new Keyring(room, owner, identity);
		// Who only looks at what a room is needs nothing of what it takes to own it or to talk in it.
		const owning =
			owner && new (await untilLoaded(() => import('./owning.js'))).Owning(room, owner, identity, keyring, this.#api);
		const access = new Access({
			record: this.#record,
			identity,
			keyring,
			api: this.#api,
			store: this.#store,
			owning,
			refused: (fault) => this.#refuse(fault),
			leftWaiting: () => this.#raise('left_waiting'),
			setBack: (is) => (is ? this.#raise('set_back') : this.#withdraw('set_back')),
			closed: this.#closed.signal,
		});
		this.#parts = { identity, keyring, access, owning, bodies: new Bodies(room, keyring) };
		await access.restore();
		if (keyring.current) await this.#makeHistory();
	}

	async #makeHistory() {
		const [{ RoomHistory }, comparing] = await Promise.all([
			untilLoaded(() => import('./history.js')),
			untilLoaded(() => import('./comparing.js')),
		]);
		if (this.#history) return;
		this.#comparing = comparing;
		const { identity, keyring, access, bodies } = this.#opened();
		this.#history = new RoomHistory({
			record: this.#record,
			readToken: () => access.readToken,
			bodies,
			identity: this.canWrite ? identity : null,
			standing: access.standing,
			api: this.#api,
			store: this.#store,
			remember: (changes) => this.#change(changes),
			changed: (changes) => this.#emitEntries(changes),
			closed: this.#closed.signal,
		});
		this.#record.ownerSigner = keyring.owner;
	}

	/** @param {string} name Ignored for a reader. @returns {Promise<void>} */
	async join(name) {
		if (this.phase === 'invited') {
			await this.#preview();
			if (/** @type {Phase} */ (this.phase) !== 'preview') return;
		}
		this.#record.joined = true;
		this.#record.yourName = this.canWrite ? cleanName(name) : '';
		await this.#store.putRoom(this.#record).catch(() => {});
		await this.#opened().access.keep();
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
		clearInterval(this.#timer);
	}

	/** @param {string} name @returns {Promise<void>} */
	async setName(name) {
		await this.#change({ yourName: cleanName(name) });
		await suggestName(this.#store, this.yourName).catch(() => {});
		await this.#posting?.rename();
		this.#emit('info');
	}

	/** @param {string} label A name that only this browser knows. @returns {Promise<void>} */
	async setLabel(label) {
		await this.#change({ label: cleanName(label) });
		this.#emit('info');
	}

	/** @param {string} text @param {{ replyTo?: number, file?: Chosen }} [more] @returns {Promise<string>} its client id */
	async send(text, { replyTo, file: chosen } = {}) {
		if (!chosen) return this.#post('message', replyTo ?? null, { text: spoken(text) });
		const files = await this.#fileOf();
		const file = await files.hold(chosen);
		try {
			return await this.#post('message', replyTo ?? null, { text: text.trimEnd(), files: [file] });
		} catch (cause) {
			await files.drop([file]);
			throw cause;
		}
	}

	/** @param {SentFile} file @param {{ signal?: AbortSignal, progress?: (share: number) => void }} [more] @returns {Promise<Blob>} */
	async readFile(file, more) {
		return (await this.#fileOf()).read(file, more);
	}

	/**
	 * @param {{ files: boolean, signal: AbortSignal, progress: (share: number) => void }} how
	 * @returns {Promise<{ copy: Blob, missing: number }>}
	 */
	async signedCopy({ files, signal, progress }) {
		const { identity, keyring, access } = this.#opened();
		const { makeCopy } = await import('./copying.js');
		const { log, firstSeq } = this.#shown();
		const cards = await access.cards();
		const { state: body, state_seq: seq } = await this.#api.room(this.room, { token: access.readToken }, signal);
		const kept = {
			room: this.room,
			logName: this.#record.log,
			firstSeq,
			log,
			keyring,
			cards,
			statement: seq === 0 ? null : { seq, body },
			alarms: this.alarms,
			identity,
			files: files ? await this.#fileOf() : null,
		};
		return makeCopy(kept, { signal, progress });
	}

	/** @param {number} seq @param {string} text @returns {Promise<string>} */
	async edit(seq, text) {
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
		if (this.canWrite) this.#signals?.presence.typing();
	}

	typingStopped() {
		if (this.canWrite) this.#signals?.presence.typingStopped();
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
		return this.#shown().loadOlder(this.connection.state === 'offline');
	}

	/** @param {number} seq @returns {Promise<boolean>} whether it is loaded now */
	async loadUntil(seq) {
		while ((this.#shown().log.first ?? 0) > seq && this.hasOlder) await this.loadOlder();
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

	/** @returns {Promise<{ invite: string | null, owner: string | null, device: string | null }>} full addresses */
	async ownLinks() {
		const { owner, link, identity } = this.#record;
		const whole = (/** @type {string} */ path) => this.#origin + path;
		const invite = await this.#roomLink();
		const carrier = invite ?? link?.secret ?? null;
		return {
			invite: invite && whole(formatLink(this.room, 'member', invite)),
			owner: owner && whole(formatLink(this.room, 'owner', owner)),
			device:
				owner === null && this.canWrite && carrier ? whole(formatLink(this.room, 'member', carrier, identity)) : null,
		};
	}

	/** The secret of the link that members pass on. */
	async #roomLink() {
		const { keyring } = this.#opened();
		const sealed = this.#record.state?.state.invite ?? null;
		if (sealed === null) return null;
		// A statement of an epoch holds what was sealed for that epoch.
		for (const { part, keys } of keyring.epochs.reverse()) {
			const secret = keys?.invite && (await openInvite(keys.invite, this.room, part.epoch, sealed));
			if (secret) return secret;
		}
		return null;
	}

	/** @param {Notify} notify @param {boolean} muted @returns {Promise<void>} */
	async setNotify(notify, muted) {
		await this.#change({ notify, muted });
		this.#emit('info');
		// Not awaited: what one wants holds here, whatever the server says.
		void this.keepPush();
	}

	/** @returns {Promise<boolean>} @throws {ApiError} */
	async offersPush() {
		try {
			await this.#api.pushKey(this.room, { token: this.#opened().access.readToken });
			return true;
		} catch (cause) {
			if (cause instanceof ApiError && cause.code === 'push_off') return false;
			throw cause;
		}
	}

	/** @param {boolean} wanted @returns {Promise<void>} @throws {ApiError | import('../wire/push.js').PushError} */
	async setPush(wanted) {
		const { wantPush } = await loadPushing();
		await wantPush(this.#store, this.room, this.#api, wanted, (push) => this.#change({ push }));
	}

	/** @param {{ anew?: boolean }} [how] @returns {Promise<void>} */
	async keepPush({ anew = false } = {}) {
		try {
			// Another tab may have changed that.
			const { push = null } = (await this.#store.room(this.room)) ?? {};
			this.#record.push = push;
			if (!push) return;
			const { keepPush } = await loadPushing();
			await keepPush(this.#store, this.room, this.#api, anew);
		} catch (error) {
			console.warn('Nothing is pushed:', /** @type {Error} */ (error).message);
		}
	}

	/** Others may want to be told of what was written here, though no tab of theirs is open. @param {string} token that let it be written */
	#tellPushed(token) {
		this.#teller ??= import('./telling.js').then(
			({ Teller }) =>
				new Teller({
					tell: async (token) => {
						const { push } = (await this.#store.room(this.room)) ?? {};
						return this.#api.tellPushed(this.room, { token }, push?.endpoint ?? null);
					},
					here: () => this.people.filter(({ here, own }) => here && !own).map(({ signer }) => signer),
				}),
		);
		this.#teller.then(
			(teller) => teller.said(token),
			() => (this.#teller = null),
		);
	}

	/** @param {readonly Entry[]} entries @returns {Promise<MessageEntry[]>} */
	async claimNotices(entries) {
		const { worthTelling } = await import('./noticing.js');
		const entryOf = (/** @type {number} */ seq) => this.entry(seq);
		for (;;) {
			// Another tab may have set it otherwise, have been read, or have told meanwhile.
			const held = await this.#store.room(this.room).catch(() => undefined);
			if (!held || held.muted) return [];
			const { notify = 'nothing', readSeq, noticedSeq = 0, yourName } = held;
			const told = worthTelling(entries, { notify, yourName, entryOf, after: Math.max(readSeq, noticedSeq) });
			const last = told.at(-1)?.seq;
			if (last === undefined || (await this.#store.claimNotices(this.room, noticedSeq, last))) return told;
		}
	}

	/** @returns {Promise<void>} */
	setOwnerLinkKept() {
		return this.#change({ ownerLinkKept: true });
	}

	/** @returns {Promise<Link[]>} @throws {ApiError} */
	async links() {
		const links = await this.#owned().links();
		const roomLink = await this.#roomLinkId();
		for (const { row, made } of links) if (made) this.#linkNames.set(row.id, made.note.name);
		this.#emit('people');
		return links.map((link) => this.#toLink(link, roomLink));
	}

	/** @param {NewLink} link @returns {Promise<Link>} @throws {ApiError} */
	async makeLink(link) {
		const made = await this.#owned().makeLink(link);
		this.#emit('links');
		return this.#toLink(made, await this.#roomLinkId());
	}

	/** @param {OwnLink} link @param {string | null} roomLink @returns {Link} */
	#toLink({ row, made }, roomLink) {
		const { role = 'member', name = '' } = made?.note ?? {};
		const usedUp = row.openings !== null && row.opened >= row.openings;
		const expired = row.expires_at_ms !== null && row.expires_at_ms <= Date.now();
		return {
			id: row.id,
			name: cleanName(name),
			role,
			isRoomLink: row.id === roomLink,
			url: made && this.#origin + formatLink(this.room, role, made.secret),
			opened: row.opened,
			openings: row.openings,
			createdAtMs: row.created_at_ms,
			openedAtMs: row.opened_at_ms,
			expiresAtMs: row.expires_at_ms,
			ended: expired ? 'expired' : usedUp ? 'used_up' : null,
		};
	}

	async #roomLinkId() {
		const secret = await this.#roomLink();
		return secret && (await openLink(secret)).id;
	}

	/** @returns {Promise<Guest[]>} @throws {ApiError} */
	async guests() {
		const { keyring, access } = this.#opened();
		const { epoch } = keyring.keys;
		await access.meet();
		// Cards that this device did not see in its own log may have been made with a link that leaked.
		const kept = new Set(keyring.keptIn(epoch)?.map(({ signer }) => signer));
		return access.standing.peopleOf(epoch).map(({ signer }) => {
			const card = access.standing.cardOf(signer);
			const seen = card !== undefined && this.#shown().trust.fact(card.seq) !== undefined;
			return { ...this.#person(signer), trusted: kept.has(signer) || seen };
		});
	}

	/** @param {Renewal} renewal @returns {Promise<Renewed>} @throws {ApiError} */
	async renew(renewal) {
		const { keyring, access } = this.#opened();
		const renewed = await this.#owned().renew(renewal, access.standing, {
			look: async () => {
				await access.follow();
				await this.#refreshInfo();
				access.standing.complete = false;
				await access.meet();
				return {
					state: this.#stated(),
					head: await this.#shown().trust.lines.head(),
					roomLink: await this.#roomLinkId(),
					cardsSeen: access.cardsSeen,
				};
			},
			begun: async (row) => {
				await keyring.add(row);
				await this.#renewed();
			},
		});
		const { secret } = this.#record.link ?? {};
		if (!secret || secret !== renewed.roomLink) {
			await this.#change({ link: { secret: renewed.roomLink, clientId: crypto.randomUUID() } });
		}
		this.#emit('links');
		return {
			leftOut: renewed.leftOut,
			roomLink: this.#origin + formatLink(this.room, 'member', renewed.roomLink),
		};
	}

	/**
	 * @param {{ locked?: boolean, title?: string, expiresInS?: number, messageTtlS?: number | null, pins?: Pin[] }} changes
	 * @returns {Promise<void>}
	 * @throws {ApiError}
	 */
	async change({ locked, title, expiresInS, messageTtlS, pins }) {
		/** @type {Partial<State>} */
		const changed = {
			...(title === undefined ? {} : { name: cleanName(title) }),
			...(locked === undefined ? {} : { locked }),
			...(expiresInS === undefined ? {} : { expires_in_s: expiresInS }),
			...(messageTtlS === undefined ? {} : { message_ttl_s: messageTtlS || null }),
			...(pins === undefined ? {} : { pins }),
		};
		for (let tries = 1; ; tries += 1) {
			await this.#refreshInfo();
			const before = this.#stated();
			const lifetimes = [before.ever_ttl, changed.message_ttl_s ?? null].filter((lifetime) => lifetime !== null);
			const after = {
				...before,
				...changed,
				ever_ttl: lifetimes.length === 0 ? null : Math.min(...lifetimes),
				invite: await this.#inviteNow(before.invite),
			};
			const prev = await this.#shown().trust.lines.head();
			try {
				await this.#learn(await this.#owned().state(after, this.#stateSeq, { prev, changed }));
				return;
			} catch (cause) {
				const code = cause instanceof ApiError ? cause.code : null;
				// Another device of the owner said or renewed something meanwhile.
				if ((code !== 'state_changed' && code !== 'stale_epoch') || tries >= 3) throw cause;
				await this.#opened().access.follow();
			}
		}
	}

	/** The room's link, sealed for the epoch in which it is stated. @param {string | null} before */
	async #inviteNow(before) {
		const { content } = this.#opened().keyring.current ?? {};
		return content?.state?.invite ?? before;
	}

	/** Deletes the room for all. @returns {Promise<void>} @throws {ApiError} */
	async destroy() {
		await this.#owned().destroy();
		await this.#end('deleted');
	}

	/** @param {string} alarm @returns {Promise<void>} */
	async choose(alarm) {
		if (this.#alarms.get(alarm)?.code !== 'two_rotations') return;
		this.#alarms.delete(alarm);
		this.#emit('alarms');
		const { access, keyring } = this.#opened();
		const { epoch = 0 } = keyring.other ?? {};
		const outcome = await access.choose();
		await this.#posting?.outbox.reseal(epoch);
		if (outcome === 'current') await this.#renewed();
		else await this.#shutOut(outcome);
	}

	/** @returns {Parts} */
	#opened() {
		if (!this.#parts) throw new Error('the room has not been opened');
		return this.#parts;
	}

	/** @returns {Owning} */
	#owned() {
		const { owning } = this.#opened();
		if (!owning) throw new ApiError('not_allowed', 'this is for the owner');
		return owning;
	}

	#shown() {
		if (!this.#history) throw new Error('the room has not been opened');
		return this.#history;
	}

	/** @returns {State} */
	#stated() {
		const { state } = this.#record;
		if (!state) throw new ApiError('bad_answer', 'what the owner said last is not known');
		return state.state;
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

	/** @param {Alarm['code']} code @param {{ by?: string | null, detail?: string | null }} [more] */
	#raise(code, { by = null, detail = null } = {}) {
		const id = [code, by, detail].filter(Boolean).join('/');
		if (this.#alarms.has(id)) return;
		this.#alarms.set(id, { id, code, by, detail, atMs: Date.now() });
		this.#emit('alarms');
	}

	/** @param {Alarm['code']} code @param {string | null} [detail] */
	#withdraw(code, detail = null) {
		if (this.#alarms.delete([code, detail].filter(Boolean).join('/'))) this.#emit('alarms');
	}

	/** Something that is no rotation was offered as one. @param {RotationError} fault */
	#refuse({ code }) {
		if (this.#opened().keyring.other) this.#raise('two_rotations');
		else this.#raise('bad_rotation', { detail: code });
	}

	/** Storage that fails costs what it would have remembered, not the conversation. @param {Partial<RoomRecord>} changes */
	async #change(changes) {
		Object.assign(this.#record, changes);
		if (this.#record.joined) await this.#store.changeRoom(this.room, changes).catch(() => {});
	}

	/** @param {{ again?: boolean }} [how] `again`: the keys that were got a moment ago were those of before. */
	async #preview({ again = false } = {}) {
		this.#enter('opening');
		const { access } = this.#opened();
		try {
			const outcome = await access.follow();
			if (outcome !== 'current') {
				await this.#shutOut(outcome);
				return;
			}
			await this.#learn(await this.#api.room(this.room, { token: access.readToken }, this.#closed.signal));
			if (this.#record.joined) await this.#start();
			else this.#enter('preview');
		} catch (cause) {
			if (!(cause instanceof ApiError)) throw cause;
			if (cause.code === 'link_ended') {
				this.linkEnded = cause.reason === 'used_up' ? 'used_up' : 'expired';
				this.#enter('link_ended');
			} else if (cause.code === 'room_gone' && this.#record.joined) {
				await this.#heardGone({ reason: 'deleted', farewell: cause.farewell });
			} else {
				const refused = ['room_not_found', 'room_gone', 'not_allowed'].includes(cause.code);
				// Whoever comes just as the keys change asks once more; a server that goes on so gives what is over.
				if (cause.code === 'renewed' && !again) await this.#preview({ again: true });
				else if (cause.code === 'foreign_keys' || cause.code === 'renewed') this.#enter('mistrusted');
				else this.#enter(refused ? 'not_here' : 'unreachable');
			}
		}
	}

	async #start() {
		// All that it takes is here before anything is shown: from then on the network may go.
		const streaming = untilLoaded(() => import('../wire/tabs.js'));
		await this.#makeHistory();
		const history = this.#shown();
		this.#goesOnWith = this.#opened().keyring.extent;
		if (!this.#follows) await this.#change({ openedAtMs: Date.now() });
		await history.readCache();
		await this.#makeSignals();
		await this.#startPosting();
		const { SharedStream } = await streaming;
		this.#enter('open');
		this.#connected({ state: 'connecting', code: null, retryAtMs: null });
		const cursor = await this.#beginAtEnd();
		if (this.#closed.signal.aborted || this.phase !== 'open') return;
		if (cursor !== null) await this.#posting?.outbox.seen(cursor).catch(() => {});

		const { log } = this.#record;
		const { access, keyring } = this.#opened();
		const { locks, channel, wakes } = this.#environment();
		this.#stream = new SharedStream({
			room: this.room,
			start: { cursor, log },
			open: (cursor, signal) => {
				this.#streamsIn = keyring.keys.epoch;
				return this.#api.stream(this.room, { token: access.readToken }, cursor, signal);
			},
			history: (range) => history.page(range),
			lastSeq: async () => (await this.#api.room(this.room, { token: access.readToken })).last_seq,
			sink: {
				events: (events) => this.#receive(events),
				missing: (seq) => history.noteMissing(seq),
				diverged: async (mark) => {
					await this.#posting?.outbox.requeue();
					const cursor = await history.reconcile(mark);
					access.recall();
					// Not awaited: what the server says of its keys holds nothing up.
					void access.compare().catch(() => {});
					await this.#posting?.outbox.seen(cursor);
					return cursor;
				},
			},
			follower: {
				connection: (connection) => this.#connected(connection),
				signals: (signals) => void this.#signals?.hear(signals),
				closed: (closed) => void this.#heardClosed(closed),
			},
			wakes,
			locks,
			channel: channel?.(`buddy/stream/${this.room}`),
		});
		this.#stream.start(this.#visible);
		if (this.canWrite) this.#signals?.presence.setVisible(this.#visible);
		this.#timer = setInterval(() => void this.#check(), CHECK_MS);
	}

	/** What no message brings about: what ended, and what others saw and is not here. */
	async #check() {
		const history = this.#shown();
		await history.dropExpired();
		await this.#goOn();
		const signals = this.#signals;
		if (!signals?.overdue || this.connection.state !== 'live') return;
		// Before anybody is told that something is withheld, the server is asked for it.
		const { last } = history.trust.lines;
		const page = await history.page({ after: last, limit: 1 }).catch(() => null);
		if (page) await signals.catchUp(page.messages.length === 0);
	}

	/** Asks again for what a connection that broke kept back. */
	async #goOn() {
		if (this.connection.state !== 'live') return;
		if (this.#opened().access.isUnfinished) await this.#meet().catch(() => {});
		if (this.#owesInfo) await this.#refreshInfo();
		await this.#settle();
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

	async #makeSignals() {
		if (this.#signals) return;
		const { Signals } = await untilLoaded(() => import('./signals.js'));
		const { identity, keyring, access, bodies, owning } = this.#opened();
		/** @type {string | null} */
		let ownerToken = null;
		void owning?.access().then(({ token }) => (ownerToken = token));
		this.#signals = new Signals({
			room: this.room,
			keyring,
			bodies,
			identity: this.canWrite ? identity : null,
			api: this.#api,
			locked: () => this.info.locked,
			ownerToken: () => ownerToken,
			trust: () => this.#shown().trust,
			standing: access.standing,
			apart: (by) => this.#raise('fork', { by }),
			changed: () => this.#emit('people'),
		});
	}

	async #startPosting() {
		if (!this.canWrite || this.#posting) return;
		const { identity, keyring, access, bodies, owning } = this.#opened();
		const { locks, channel } = this.#environment();
		const { Posting } = await untilLoaded(() => import('./posting.js'));
		this.#posting = new Posting({
			record: this.#record,
			keyring,
			standing: access.standing,
			bodies,
			identity,
			api: this.#api,
			store: this.#store,
			log: () => this.#shown().log,
			via: await access.via(),
			ownerToken: owning && (await owning.access()).token,
			meet: () => access.meet(),
			renewed: () => this.#followAgain(),
			isSetBack: () => this.#isSetBack(),
			files: () => this.#fileOf(),
			lost: (seq) => this.#shown().noteOwnLost(seq),
			arrived: (token) => this.#tellPushed(token),
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
			this.#owesInfo = true;
			const answer = await this.#ask();
			if (!answer) return null;
			await this.#learn(answer);
			this.#owesInfo = false;
			const cursor =
				known !== null && answer.last_seq - known <= MOST_BEHIND ? known : await this.#shown().showNewest();
			await this.#meet();
			return cursor;
		} catch (cause) {
			// The stream will tell what is wrong, and try again.
			if (!(cause instanceof ApiError)) throw cause;
			return known;
		}
	}

	/** How the room is, with the keys that are in force by then. @returns {Promise<RoomAnswer | null>} null: one is shut out */
	async #ask() {
		const { access } = this.#opened();
		const ask = () => this.#api.room(this.room, { token: access.readToken }, this.#closed.signal);
		try {
			const answer = await ask();
			if (answer.epoch <= access.keyring.keys.epoch) return answer;
		} catch (cause) {
			if (!(cause instanceof ApiError) || cause.code !== 'renewed') throw cause;
		}
		return (await this.#followAgain()) ? ask() : null;
	}

	/** Whose cards there are, which tells who may be believed. */
	async #meet() {
		const { access } = this.#opened();
		await access.meet();
		if (access.isUnfinished) await this.#followAgain();
		else if (await access.locate()) await this.#refreshInfo();
		await this.#shown().review();
		this.#emit('people');
	}

	/** There are new keys. @returns {Promise<boolean>} whether they are here now */
	async #followAgain() {
		const { access, keyring } = this.#opened();
		try {
			const outcome = await access.follow();
			if (outcome !== 'current') {
				await this.#shutOut(outcome);
				return false;
			}
		} catch (cause) {
			if (!(cause instanceof ApiError)) throw cause;
			if (cause.code === 'room_gone') await this.#heardGone({ reason: 'deleted', farewell: cause.farewell });
			return false;
		}
		this.#unfollowed = Infinity;
		const isNew = keyring.extent !== this.#goesOnWith;
		if (isNew) await this.#renewed();
		return isNew;
	}

	/** The keys in force are new: all goes on with them. */
	async #renewed() {
		const { access, keyring } = this.#opened();
		this.#goesOnWith = keyring.extent;
		access.recall();
		// What the owner said with the keys is here already; among it the link that is passed on from now on.
		const { row, content } = keyring.current ?? {};
		if (row && content?.state) await this.#believe({ seq: row.seq, state: content.state });
		await this.#refreshInfo();
		await this.#history?.review();
		this.#stream?.resume();
		this.#posting?.outbox.kick();
		this.#emit('people');
		this.#emit('info');
		// Not awaited: it was made with the keys of before, and nothing here waits for it.
		void this.keepPush();
	}

	/** One is not among those who stay, and no link lets one in. @param {'removed' | 'left_out'} how */
	async #shutOut(how) {
		if (!this.#record.joined) {
			this.#enter('not_here');
			return;
		}
		const owner = this.#parts?.keyring.owner ?? null;
		const name = owner ? (this.#parts?.access.standing.nameOf(owner) ?? '') : '';
		this.#stop();
		const unsent = await this.#keepUnsent(how);
		await this.#change({ removal: { how, title: this.displayName, owner: name, unsent }, lost: [] });
		this.#history?.end();
		this.#enter('removed');
		void this.keepPush();
		await this.#store.dropSaid(this.room).catch(() => {});
		// A former token still asks for keys, which may have been withheld.
		if (how === 'removed') await this.#store.dropRotations(this.room, 0).catch(() => {});
	}

	/**
	 * One's own words go with nobody else's. Who is only left out sends them when a link lets them in again; who comes
	 * back as somebody else finds them as a draft.
	 *
	 * @param {'removed' | 'left_out'} how
	 * @returns {Promise<string[]>} what was not sent, the draft last
	 */
	async #keepUnsent(how) {
		await this.#drafts.write();
		const { text: draft } = await this.#drafts.read();
		const waiting = this.#posting?.outbox.entries ?? (await this.#store.outbox(this.room).catch(() => []));
		const said = waiting.flatMap(({ state, said: { text } }) => (state !== 'sent' && text ? [text] : []));
		const unsent = [...said, draft].filter((text) => text.trim() !== '');
		if (how === 'removed') {
			this.#drafts.save({ text: unsent.join('\n\n'), replyTo: null });
			await this.#drafts.write();
			await this.#store.dropOutbox(this.room).catch(() => {});
		}
		return unsent;
	}

	/** New events, in order. @param {LogEvent[]} events */
	async #receive(events) {
		const history = this.#shown();
		const { access } = this.#opened();
		const items = await history.append(events, this.#stream?.sequencer.log ?? null);
		if (this.#closed.signal.aborted) return;
		await access.note(items);
		for (const { opened } of items)
			if (opened?.ok) this.#signals?.presence.said(opened.signer, opened.content.at_ms ?? 0);
		for (const { event, opened, epoch } of items) {
			if (event.kind === 'rotate' && opened?.ok && epoch !== null) await this.#heardRotation(epoch, event);
			if (event.kind === 'change') await this.#heardState(event.seq);
		}
		const seen = new Map(events.map(({ client_id, seq }) => [client_id, seq]));
		await this.#posting?.outbox.seen(this.#record.lastSeq, seen).catch(() => {});
		await this.#signals?.catchUp(false);
		await this.#settle();
		await this.#settleRead();
		await this.#recallName();
		if (items.some(({ event }) => event.kind === 'card')) this.#emit('people');
		if (events.some(({ kind }) => kind === 'change' || kind === 'rotate')) void this.#refreshInfo();
	}

	/** @param {number} epoch @param {LogEvent} event */
	async #heardRotation(epoch, event) {
		const { access, keyring } = this.#opened();
		if (keyring.get(epoch)) {
			await access.began(epoch, event);
			this.#emitEntries(this.#shown().log.refresh(new Set([event.seq])));
		} else {
			this.#unfollowed = Math.min(this.#unfollowed, event.seq);
			// Not awaited: following reads the log's end, which this is part of.
			void this.#followAgain();
		}
	}

	/** @param {number} seq */
	async #heardState(seq) {
		const { trust } = this.#shown();
		const state = trust.outcome(seq).alarm === null ? trust.fact(seq)?.content?.state : undefined;
		if (state) await this.#believe({ seq, state });
	}

	/** @param {{ seq: number, state: State }} stated */
	async #believe(stated) {
		if (stated.seq < (this.#record.state?.seq ?? 0)) return;
		await this.#change({ state: stated, title: cleanName(stated.state.name) });
		this.#history?.trust.setState(stated.state);
		this.#emit('info');
	}

	/** Up to what was read, all that may explain it is here. */
	async #settle() {
		const history = this.#shown();
		if (this.connection.state !== 'live') return;
		if (!this.#opened().access.standing.complete) await this.#meet().catch(() => {});
		history.settle(Math.min(history.trust.lines.last, this.#unfollowed - 1));
		if (!this.loaded) {
			this.loaded = true;
			this.#emit('info');
		}
	}

	/** On another device of one's own nobody is asked again how one is called. */
	async #recallName() {
		const signer = this.ownSigner;
		if (this.yourName !== '' || !signer) return;
		const name = this.#opened().access.standing.nameOf(signer);
		if (name === '') return;
		await this.#change({ yourName: name });
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
		const history = this.#history;
		const { access, keyring } = this.#opened();
		// Not awaited: following ends with learning.
		if (answer.epoch < keyring.keys.epoch) void this.#followAgain();
		else this.#withdraw('set_back');
		this.#stateSeq = answer.state_seq;
		const stated = await access.state(answer);
		await this.#change({
			expiresAtMs: answer.expires_at_ms,
			createdAtMs: answer.created_at_ms,
			ownerSigner: keyring.owner,
		});
		if (stated) {
			await this.#believe(stated);
			this.#compare(answer, stated);
		}
		history?.startAt(answer.first_seq);
		if (this.isOwner && !this.#record.link) {
			const secret = await this.#roomLink();
			if (secret) await this.#change({ link: { secret, clientId: crypto.randomUUID() } });
		}
		this.#emit('info');
		await history?.dropExpired();
	}

	/** What the server does without the owner's word is said to be its doing. @param {RoomAnswer} answer @param {{ seq: number, state: State }} stated */
	#compare(answer, { seq, state }) {
		// An answer from before what is known compares with nothing.
		if (answer.last_seq < seq) return;
		const differences = /** @type {const} */ ([
			['lock', answer.locked !== state.locked],
			['lifetime', answer.message_ttl_s !== state.message_ttl_s],
			['expiry', this.#endsOtherwise(answer, state)],
		]);
		for (const [detail, differs] of differences) {
			if (differs) this.#raise('server_state', { detail });
			else this.#withdraw('server_state', detail);
		}
	}

	/** Whether the server keeps the room for another time after the last event than the owner set. @param {RoomAnswer} answer @param {State} state */
	#endsOtherwise({ last_seq, created_at_ms, expires_at_ms }, { expires_in_s }) {
		const newest = this.#history?.log.item(this.#history.log.last)?.event;
		// An answer from before the newest event does not count it.
		if (newest && newest.seq > last_seq) return false;
		const lastAtMs = newest?.sent_at_ms ?? created_at_ms;
		const over = expires_at_ms - (lastAtMs + expires_in_s * 1000);
		return over < -GRACE_MS || (newest?.seq === last_seq && over > GRACE_MS);
	}

	async #refreshInfo() {
		try {
			const { access } = this.#opened();
			await this.#learn(await this.#api.room(this.room, { token: access.readToken }, this.#closed.signal));
			this.#owesInfo = false;
		} catch {
			this.#owesInfo = true;
		}
	}

	/** @param {Connection} connection */
	#connected(connection) {
		const returned = this.connection.state === 'offline' || this.#wasOffline;
		this.#wasOffline = returned && connection.state !== 'live';
		this.connection = connection;
		if (connection.state === 'refused') void this.#heardRefused();
		this.#emit('connection');
		if (connection.state !== 'live') return;
		this.#posting?.outbox.kick();
		if (returned) this.#signals?.presence.returned();
		// What was away may have come back as an older copy of itself.
		if (returned || this.#alarms.has('set_back')) void this.#refreshInfo();
		const log = this.#stream?.sequencer.log ?? null;
		if (log !== this.#record.log) void this.#change({ log });
		void this.#settle().then(() => this.#recallName());
	}

	/** The room is not there for the keys in force. */
	async #heardRefused() {
		const isThere = await this.#isSetBack();
		if (this.phase !== 'open' || this.#alarms.has('two_rotations')) return;
		if (isThere) setTimeout(() => this.#stream?.resume(), this.#alarms.has('set_back') ? CHECK_MS : 0);
		else await this.#heardGone({ reason: 'expired', farewell: null });
	}

	/** Whether the room is there all the same: a server that was set back knows the keys of then, until it is given those in force. */
	async #isSetBack() {
		if (await this.#followAgain()) return true;
		if (this.phase !== 'open') return false;
		if (this.#alarms.has('two_rotations') || this.#alarms.has('set_back')) return true;
		const token = this.#opened().access.readToken;
		return this.#api.room(this.room, { token }, this.#closed.signal).then(
			() => true,
			() => false,
		);
	}

	/** @param {Closed} closed */
	async #heardClosed(closed) {
		if (closed.reason !== 'renewed') {
			await this.#heardGone(closed);
			return;
		}
		if (await this.#followAgain()) return;
		if (this.phase !== 'open') return;
		// The keys may have come before this word did. Else nothing came of it: the stream asks again after a while.
		const isAhead = this.#opened().keyring.keys.epoch > this.#streamsIn;
		setTimeout(() => this.#stream?.resume(), isAhead ? 0 : CHECK_MS);
	}

	/** A stream may end without it. @returns {Promise<string | null>} */
	async #askFarewell() {
		const token = this.#parts?.keyring.current?.keys.readToken;
		if (!token) return null;
		const refusal = await this.#api.room(this.room, { token }, this.#closed.signal).catch((cause) => cause);
		return refusal instanceof ApiError && refusal.code === 'room_gone' ? refusal.farewell : null;
	}

	/** The server says that the room is no more: that the owner deleted it must be proved, and an expiry signed. @param {Closed} closed */
	async #heardGone({ reason, farewell: told }) {
		const farewell = told ?? (reason === 'deleted' ? await this.#askFarewell() : null);
		const owner = this.#parts?.keyring.owner ?? this.#record.ownerSigner;
		if (farewell !== null && owner !== null && (await isFarewell(owner, this.room, farewell))) {
			await this.#end('deleted');
		} else if (reason === 'expired' && this.#mayHaveExpired()) {
			await this.#end('expired');
		} else if (this.phase === 'open') {
			// Own copies are kept, and can be read.
			this.#raise('claims_gone');
			this.#signals?.presence.setVisible(false);
			this.#posting?.outbox.stop();
		} else {
			this.#gone('unknown');
		}
	}

	#mayHaveExpired() {
		const { state, createdAtMs } = this.#record;
		if (!state) return false;
		const newest = this.#history?.log.item(this.#history.log.last)?.event.sent_at_ms ?? createdAtMs;
		return newest + state.state.expires_in_s * 1000 - GRACE_MS <= Date.now();
	}

	/** The room is no more: what was said in it goes, that it was known stays. @param {'deleted' | 'expired'} reason */
	async #end(reason) {
		await this.#change({ closed: reason, lost: [] });
		this.#history?.end();
		this.#gone(reason);
		await this.#store.closeRoom(this.room).catch(() => {});
		void this.keepPush();
	}

	/** @param {'deleted' | 'expired' | 'unknown'} reason */
	#gone(reason) {
		this.#stop();
		this.goneReason = reason;
		this.#enter('gone');
	}

	#stop() {
		this.#signals?.presence.setVisible(false);
		this.#posting?.outbox.stop();
		this.#stream?.stop();
		clearInterval(this.#timer);
	}

	/** @param {string} kind @param {number | null} target @param {Content} said @returns {Promise<string>} */
	async #post(kind, target, said) {
		if (!this.#posting) throw new RoomError('read_only', 'this link lets you read only');
		return this.#posting.post(kind, target, said);
	}

	/** Loaded when there is a file. @returns {Promise<Files>} */
	#fileOf() {
		this.#files ??= (async () => {
			const { keyring, owning } = this.#opened();
			const owner = owning && (await owning.access());
			const { Files } = await untilLoaded(() => import('./files.js'));
			return new Files({
				room: this.room,
				api: this.#api,
				store: this.#store,
				access: {
					read: () => ({ token: keyring.keys.readToken }),
					write: () => ({ token: keyring.current?.keys.postToken ?? null }),
					owner: () => owner,
				},
				renewed: () => this.#followAgain(),
				progress: (detail) => this.dispatchEvent(new CustomEvent('files', { detail })),
			});
		})();
		return this.#files;
	}

	/** @param {Unsent[]} unsent */
	#showUnsent(unsent) {
		this.#emitEntries(this.#shown().log.setUnsent(unsent));
		this.#emit('sending');
	}
}

/** It waits for nobody: without it the room is all the same. */
function loadPushing() {
	return import('./pushing.js').catch(() => {
		throw new ApiError('network', 'the rest of the page did not arrive');
	});
}

/**
 * A part of the page that a room cannot do without. It may have to be fetched while the server is away for a moment.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @returns {Promise<T>}
 */
async function untilLoaded(load) {
	for (let pauseMs = 250; ; pauseMs = Math.min(2 * pauseMs, 8000)) {
		try {
			return await load();
		} catch {
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
		}
	}
}
