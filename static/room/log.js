/**
 * Folds a room's events into what is shown, and decides what a reader believes.
 * Pure: what it is given has been decrypted and its signatures checked. Events may come in any order;
 * the outcome depends on their sequence alone.
 *
 * @import { LogEvent } from '../values/event.js'
 * @import { Content, Fault, Opened, Previous } from '../crypto/envelope.js'
 */

import { parseObject } from '../values/json.js';
import { cleanName, foldName, isEmoji } from '../values/text.js';

/**
 * @typedef {'edit' | 'delete' | 'react'} ChangeKind The kinds that change a message.
 *
 * @typedef {object} Item An event and what its body turned out to be.
 * @property {LogEvent} event
 * @property {Opened | null} opened Null if there is nothing to open: blanked, of the server, or unknown.
 * @property {string} hash base64url of the SHA-256 of the body's text.
 * @property {string | null} [signer] Who signed a body that was blanked since, if that is remembered.
 *
 * @typedef {object} Unsent One's own event that has no sequence yet.
 * @property {string} clientId
 * @property {string} kind
 * @property {number | null} target
 * @property {Content} content
 * @property {'sending' | 'sent' | 'failed'} state `sent`: acknowledged, but not yet back from the log.
 * @property {string | null} error
 *
 * @typedef {{ emoji: string, count: number, own: boolean, names: ReactionName[], pending: boolean }} Reaction
 * @typedef {{ name: string, taken: boolean }} ReactionName `taken`: another key used this name first.
 *
 * @typedef {object} Common
 * @property {string} key Stable, also from unsent to sent.
 * @property {number | null} seq Null while unsent.
 * @property {string} clientId
 * @property {string | null} author
 * @property {string | null} signer The id of the public key that signed it.
 * @property {boolean} own
 * @property {boolean} byOwner
 * @property {string} name
 * @property {boolean} nameTaken Another key used this name first.
 * @property {number | null} sentAtMs By the server's clock.
 * @property {number | null} writtenAtMs By the writer's clock.
 * @property {'sent' | 'sending' | 'failed'} state
 * @property {string | null} error The code of what failed.
 *
 * @typedef {object} MessageParts
 * @property {'message'} type
 * @property {string} text
 * @property {{ seq: number, clientId: string } | null} replyTo
 * @property {boolean} replyBroken The answered message is not the one its writer meant.
 * @property {{ atMs: number, pending: boolean } | null} edited
 * @property {Reaction[]} reactions
 * @property {boolean} pending An own edit or deletion is on its way.
 * @property {boolean} withheld Its writer had seen something else than the server shows here.
 *
 * @typedef {object} RoomChanges What a `room` event says.
 * @property {boolean} [locked]
 * @property {number | null} [messageTtlS]
 * @property {number | null} [expiresInS]
 * @property {string} [title]
 * @property {boolean} [titleForged] The new name is not signed by the owner.
 *
 * @typedef {Common & MessageParts} MessageEntry
 * @typedef {Common & { type: 'removed', by: 'author' | 'owner' | 'server' }} RemovedEntry
 * @typedef {Common & { type: 'unreadable', reason: Exclude<Fault, 'newer'>, kind: ChangeKind | 'message' }}
 *   UnreadableEntry
 * @typedef {Common & { type: 'unauthorised', kind: ChangeKind, target: number | null }} UnauthorisedEntry
 * @typedef {Common & { type: 'newer' }} NewerEntry
 * @typedef {Common & { type: 'room', changes: RoomChanges }} RoomEntry
 * @typedef {Common & { type: 'lost', kept: Entry[] }} LostEntry
 * @typedef {Common & { type: 'failed_change', kind: ChangeKind, target: number | null, text: string }} FailedChangeEntry
 *   An own edit, deletion or reaction that the server refused.
 * @typedef {MessageEntry | RemovedEntry | UnreadableEntry | UnauthorisedEntry | NewerEntry | RoomEntry | LostEntry
 *   | FailedChangeEntry} Entry
 *
 * @typedef {{ changed: Set<string>, kind: 'append' | 'prepend' | 'update' }} Changes
 *
 * @typedef {{ signer: string | null, author: string | null, ownerSigner: string | null }} Viewer
 *   Who looks: own key and member id, and the owner's key as this browser knows it.
 */

export class Log {
	#viewer;
	/** @type {Map<number, Item>} */
	#items = new Map();
	/** Sequences that point at one: changes and answers. @type {Map<number, Set<number>>} */
	#pointing = new Map();
	/** Sequences whose writers had seen one last. @type {Map<number, Set<number>>} */
	#after = new Map();
	/** Where each `client_id` was first seen. @type {Map<string, number>} */
	#firstUse = new Map();
	/** Who first used a name. @type {Map<string, { seq: number, signer: string }>} */
	#names = new Map();
	/** @type {Map<string, Set<number>>} */
	#nameUsers = new Map();
	/** Which key first spoke under a member id: both are derived from one secret. @type {Map<string, { seq: number, signer: string }>} */
	#authors = new Map();
	/** @type {Unsent[]} */
	#unsent = [];
	#first = Infinity;
	#last = 0;

	/** Ascending by `#positions`, which runs beside it. @type {Entry[]} */
	#entries = [];
	/** @type {number[]} */
	#positions = [];
	/** @type {Entry[] | null} */
	#all = null;

	/** @param {Viewer} viewer */
	constructor(viewer) {
		this.#viewer = viewer;
	}

	/** All that is shown, ascending; what is unsent comes last. An entry that changed is a new object. */
	get entries() {
		this.#all ??= [...this.#entries, ...this.#unsentEntries()];
		return this.#all;
	}

	/** The lowest sequence held, or null. */
	get first() {
		return this.#items.size === 0 ? null : this.#first;
	}

	/** The last sequence held; 0 for none. */
	get last() {
		return this.#last;
	}

	/**
	 * The body last seen, which the next own event names. One that is blanked meanwhile, as an edit is when its
	 * message expires, would look to those who have read it like another.
	 *
	 * @returns {Previous | undefined}
	 */
	get previous() {
		for (let seq = this.#last; seq >= this.#first; seq -= 1) {
			const item = this.#items.get(seq);
			if (item && item.event.body !== '') return { seq, sha256: item.hash };
		}
		return undefined;
	}

	/** @param {number} seq @returns {Entry | undefined} */
	entry(seq) {
		const at = this.#search(seq);
		return this.#positions[at] === seq ? this.#entries[at] : undefined;
	}

	/** @param {number} seq @returns {Item | undefined} */
	item(seq) {
		return this.#items.get(seq);
	}

	/** The first sequence sent after a time; times never decrease with the sequence. @param {number} ms @returns {number} */
	firstAfter(ms) {
		for (let seq = this.#first; seq <= this.#last; seq += 1) {
			const item = this.#items.get(seq);
			if (item && item.event.sent_at_ms > ms) return seq;
		}
		return this.#last + 1;
	}

	/** @param {string} name @param {string | null} signer @returns {boolean} whether another key used it first */
	isNameTaken(name, signer) {
		const first = this.#names.get(asCompared(name));
		return first !== undefined && first.signer !== signer;
	}

	/** How many names are known. */
	get nameCount() {
		return this.#names.size;
	}

	/** Names and who first used them, to be remembered beyond what is loaded. @returns {[string, number, string][]} */
	get names() {
		return Array.from(this.#names, ([name, { seq, signer }]) => [name, seq, signer]);
	}

	/** @param {[string, number, string][]} names */
	rememberNames(names) {
		for (const [name, seq, signer] of names) this.#claimName(name, seq, signer, new Set());
	}

	/** Where ids were first seen, beyond what is loaded. @param {[string, number][]} uses @returns {Changes} */
	rememberUses(uses) {
		/** @type {Set<number>} */
		const stale = new Set();
		for (const [clientId, seq] of uses) this.#noteUse(clientId, seq, stale);
		return this.#refreshAll(stale, 'update');
	}

	/** Takes from events that are not to be shown only who used which name, and which ids. @param {Item[]} items @returns {Changes} */
	learnUses(items) {
		/** @type {Set<number>} */
		const stale = new Set();
		for (const { event, opened } of items) {
			this.#noteUse(event.client_id, event.seq, stale);
			this.#noteAuthor(event, opened, stale);
			const name = opened?.ok ? asCompared(opened.content.name ?? '') : '';
			if (opened?.ok && name !== '') this.#claimName(name, event.seq, opened.signer, stale);
		}
		return this.#refreshAll(stale, 'update');
	}

	/** @param {string} signer The owner's public key, once known. @returns {Changes} */
	setOwner(signer) {
		this.#viewer = { ...this.#viewer, ownerSigner: signer };
		return this.#refreshAll(new Set(this.#items.keys()), 'update');
	}

	/** @param {Item[]} items @returns {Changes} */
	add(items) {
		const first = this.#first;
		/** @type {Set<number>} */
		const stale = new Set();
		for (const item of items) this.#take(item, stale);
		const prepended = items.some(({ event }) => event.seq < first) && first !== Infinity;
		return this.#refreshAll(stale, prepended ? 'prepend' : 'append');
	}

	get unsent() {
		return this.#unsent;
	}

	/** @param {Unsent[]} unsent In the order in which they go out. @returns {Changes} */
	setUnsent(unsent) {
		const stale = new Set([...this.#unsent, ...unsent].flatMap(({ target }) => target ?? []));
		const keys = [...this.#unsent, ...unsent].map(({ clientId }) => clientId);
		this.#unsent = unsent;
		const changes = this.#refreshAll(stale, 'append');
		for (const key of keys) changes.changed.add(key);
		return changes;
	}

	/** Forgets what has expired; names and ids stay taken. @param {number} seq @returns {Changes} */
	dropBefore(seq) {
		const changed = new Set();
		const count = this.#search(seq);
		for (const entry of this.#entries.splice(0, count)) changed.add(entry.key);
		this.#positions.splice(0, count);
		for (const held of this.#items.keys()) if (held < seq) this.#items.delete(held);
		this.#first = Math.max(this.#first, seq);
		this.#all = null;
		return { changed, kind: 'update' };
	}

	/**
	 * The server no longer has what came after a sequence: own copies move into one entry that says so.
	 *
	 * @param {number} seq
	 * @returns {Changes}
	 */
	loseAfter(seq) {
		const kept = this.#entries.splice(this.#search(seq + 0.25));
		const items = Array.from(this.#items.values()).filter(({ event }) => event.seq <= seq);
		const lost = kept.map((entry) => (entry.type === 'lost' ? entry.kept : [entry])).flat();
		this.#clear();
		const { changed } = this.add(items);
		for (const { key } of kept) changed.add(key);
		for (const key of this.noteLost(seq, lost).changed) changed.add(key);
		return { changed, kind: 'update' };
	}

	/** Shows again what was lost after a sequence. @param {number} seq @param {Entry[]} kept @returns {Changes} */
	noteLost(seq, kept) {
		const key = `lost-${seq}-${kept[0]?.key ?? ''}`;
		this.#put(seq + 0.5, { ...NOBODY, key, type: 'lost', kept });
		return { changed: new Set([key]), kind: 'update' };
	}

	/** The events after a sequence. @param {number} seq @returns {Item[]} */
	itemsAfter(seq) {
		return Array.from(this.#items.values()).filter(({ event }) => event.seq > seq);
	}

	#clear() {
		this.#items.clear();
		this.#pointing.clear();
		this.#after.clear();
		this.#firstUse.clear();
		this.#nameUsers.clear();
		this.#authors.clear();
		this.#entries = [];
		this.#positions = [];
		this.#all = null;
		this.#first = Infinity;
		this.#last = 0;
	}

	/** @param {Item} item @param {Set<number>} stale */
	#take(item, stale) {
		const { seq, client_id, target } = item.event;
		if (this.#items.has(seq)) return;
		this.#items.set(seq, item);
		this.#first = Math.min(this.#first, seq);
		this.#last = Math.max(this.#last, seq);
		stale.add(seq);

		this.#noteUse(client_id, seq, stale);
		if (target !== null) {
			index(this.#pointing, target, seq);
			stale.add(target);
		}
		for (const pointing of this.#pointing.get(seq) ?? []) stale.add(pointing);
		for (const after of this.#after.get(seq) ?? []) stale.add(after);

		this.#noteAuthor(item.event, item.opened, stale);
		if (!item.opened?.ok) return;
		const { content, signer } = item.opened;
		if (content.prev) index(this.#after, content.prev.seq, seq);
		const name = asCompared(content.name ?? '');
		if (name === '') return;
		index(this.#nameUsers, name, seq);
		this.#claimName(name, seq, signer, stale);
	}

	/** @param {string} clientId @param {number} seq @param {Set<number>} stale */
	#noteUse(clientId, seq, stale) {
		const used = this.#firstUse.get(clientId);
		if (clientId === '' || (used !== undefined && used <= seq)) return;
		this.#firstUse.set(clientId, seq);
		if (used !== undefined) this.#markStale(used, stale);
	}

	/** A deletion proves nothing of its writer, for it is what is to be judged. @param {LogEvent} event @param {Opened | null} opened @param {Set<number>} stale */
	#noteAuthor({ seq, kind, author }, opened, stale) {
		if (!opened?.ok || author === null || kind === 'delete') return;
		const known = this.#authors.get(author);
		if (known && known.seq <= seq) return;
		this.#authors.set(author, { seq, signer: opened.signer });
		if (known?.signer === opened.signer) return;
		for (const { event } of this.#items.values()) {
			if (event.kind === 'delete' && event.author === author && event.target !== null) stale.add(event.target);
		}
	}

	/** @param {string} name @param {number} seq @param {string} signer @param {Set<number>} stale */
	#claimName(name, seq, signer, stale) {
		const claimed = this.#names.get(name);
		if (claimed && claimed.seq <= seq) return;
		this.#names.set(name, { seq, signer });
		if (!claimed || claimed.signer === signer) return;
		for (const user of this.#nameUsers.get(name) ?? []) this.#markStale(user, stale);
	}

	/** @param {number} seq @param {Set<number>} stale */
	#markStale(seq, stale) {
		stale.add(seq);
		const target = this.#items.get(seq)?.event.target ?? null;
		if (target !== null) stale.add(target);
	}

	/** A `client_id` seen before is never applied again. @param {Item} item */
	#isFirst({ event }) {
		return event.client_id === '' || this.#firstUse.get(event.client_id) === event.seq;
	}

	/** @param {Set<number>} stale @param {Changes['kind']} kind @returns {Changes} */
	#refreshAll(stale, kind) {
		/** @type {Set<string>} */
		const changed = new Set();
		for (const seq of Array.from(stale).sort((one, other) => one - other)) {
			const item = this.#items.get(seq);
			if (!item) continue;
			const before = this.entry(seq);
			const after = this.#show(item);
			if (before) changed.add(before.key);
			if (after) changed.add(after.key);
			this.#put(seq, after);
		}
		this.#all = null;
		return { changed, kind };
	}

	/** @param {number} position @param {Entry | null} entry */
	#put(position, entry) {
		const at = this.#search(position);
		const held = this.#positions[at] === position ? 1 : 0;
		this.#entries.splice(at, held, ...(entry ? [entry] : []));
		this.#positions.splice(at, held, ...(entry ? [position] : []));
		this.#all = null;
	}

	/** The index of the first entry at a position or after it. @param {number} position */
	#search(position) {
		let low = 0;
		let high = this.#positions.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (/** @type {number} */ (this.#positions[middle]) < position) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	/** @param {Item} item @returns {Entry | null} null: it shows only in what it changes, or not at all */
	#show(item) {
		const { event, opened } = item;
		if (!this.#isFirst(item)) return null;
		const common = this.#common(item);
		if (event.kind === 'room') return { ...common, type: 'room', changes: roomChanges(item, this.#viewer.ownerSigner) };
		if (event.kind === 'message') return this.#message(item, common);
		if (!isChange(event.kind)) return { ...common, type: 'newer' };
		// A deletion that is not authentic shows at its target; a blanked change has nothing left to say.
		if (event.kind === 'delete' || event.body === '') return this.#lostBefore(item, common);
		if (!opened?.ok) return unopened(item, event.kind, common);
		const target = this.#items.get(event.target ?? 0);
		if (target && event.target !== null && !this.#applies(item, target)) {
			return { ...common, type: 'unauthorised', kind: event.kind, target: event.target };
		}
		return this.#lostBefore(item, common);
	}

	/** @param {Item} item @param {Common} common @returns {Entry | null} */
	#lostBefore(item, common) {
		return this.#isWithheld(item) ? { ...common, type: 'lost', kept: [] } : null;
	}

	/** @param {Item} item @param {Common} common @returns {Entry} */
	#message(item, common) {
		const { event, opened } = item;
		const changes = this.#changesOf(event.seq);
		const removed = this.#removedBy(item, changes);
		if (removed) return { ...common, type: 'removed', by: removed };
		if (!opened?.ok) return unopened(item, 'message', common);
		if (opened.content.text === undefined)
			return { ...common, type: 'unreadable', reason: 'malformed', kind: 'message' };

		const pending = this.#unsent.filter(
			({ clientId, target, state }) => target === event.seq && state !== 'failed' && !this.#firstUse.has(clientId),
		);
		const pendingEdit = common.own ? pending.findLast(({ kind }) => kind === 'edit') : undefined;
		const edit = changes.findLast((change) => change.event.kind === 'edit' && this.#applies(change, item));
		const editContent = pendingEdit?.content ?? (edit?.opened?.ok ? edit.opened.content : undefined);
		const editedAt = pendingEdit ? pendingEdit.content.at_ms : edit?.event.sent_at_ms;
		const answered = event.target === null ? undefined : this.#items.get(event.target);
		return {
			...common,
			type: 'message',
			text: editContent?.text ?? opened.content.text,
			replyTo: event.target === null ? null : { seq: event.target, clientId: opened.content.target_id ?? '' },
			replyBroken: answered !== undefined && answered.event.client_id !== opened.content.target_id,
			edited: editContent ? { atMs: editedAt ?? 0, pending: pendingEdit !== undefined } : null,
			reactions: this.#reactions(item, changes, pending),
			pending: pending.some(({ kind }) => kind === 'edit' || kind === 'delete'),
			withheld: this.#isWithheld(item),
		};
	}

	/** The applied or at least first-seen changes of a message, ascending. @param {number} seq @returns {Item[]} */
	#changesOf(seq) {
		const pointing = Array.from(this.#pointing.get(seq) ?? []).sort((one, other) => one - other);
		return pointing.flatMap((other) => {
			const item = this.#items.get(other);
			return item && isChange(item.event.kind) && this.#isFirst(item) ? [item] : [];
		});
	}

	/** @param {Item} item @param {Item[]} changes @returns {'author' | 'owner' | 'server' | null} */
	#removedBy(item, changes) {
		const deletions = changes.filter(({ event }) => event.kind === 'delete');
		const believed = deletions.find((deletion) => this.#applies(deletion, item));
		if (believed?.opened?.ok) {
			const own = believed.event.author !== null && believed.event.author === item.event.author;
			return believed.opened.signer === this.#viewer.ownerSigner && !own ? 'owner' : 'author';
		}
		return deletions.length > 0 || item.event.body === '' ? 'server' : null;
	}

	/**
	 * Whether a change is of one who may make it, and meant for this message. Anyone may react; an edit
	 * needs the key that signed the message, a deletion that key or the owner's.
	 *
	 * @param {Item} change
	 * @param {Item} target
	 */
	#applies({ event, opened }, target) {
		if (!opened?.ok || target.event.kind !== 'message') return false;
		const { content, signer } = opened;
		if (content.target_id !== target.event.client_id) return false;
		if (event.kind === 'react') return isEmoji(content.emoji ?? '') && content.on !== undefined;
		const author = target.opened?.ok ? target.opened.signer : (target.signer ?? null);
		if (event.kind === 'edit') return content.text !== undefined && signer === author;
		if (signer === this.#viewer.ownerSigner || signer === author) return true;
		// Of a message blanked before it was read, the key is lost; what remains is the member id, and whose that is.
		if (author !== null || target.event.body !== '' || event.author === null) return false;
		const known = this.#authors.get(event.author);
		return event.author === target.event.author && (known === undefined || known.signer === signer);
	}

	/** @param {Item} message @param {Item[]} changes @param {Unsent[]} pending @returns {Reaction[]} */
	#reactions(message, changes, pending) {
		/** By emoji, the names of those whose last word was to add it, by key. @type {Map<string, Map<string, ReactionName>>} */
		const given = new Map();
		const say = (/** @type {Content} */ { emoji = '', on, name = '' }, /** @type {string} */ signer) => {
			const names = given.get(emoji) ?? new Map();
			if (on) names.set(signer, { name: cleanName(name), taken: this.isNameTaken(name, signer) });
			else names.delete(signer);
			given.set(emoji, names);
		};
		for (const change of changes) {
			if (change.event.kind !== 'react' || !change.opened?.ok || !this.#applies(change, message)) continue;
			say(change.opened.content, change.opened.signer);
		}
		const own = this.#viewer.signer ?? '';
		const waiting = pending.filter(({ kind }) => kind === 'react').map(({ content }) => content);
		for (const content of waiting) say(content, own);
		return Array.from(given, ([emoji, names]) => ({
			emoji,
			count: names.size,
			own: names.has(own),
			names: Array.from(names.values()),
			pending: waiting.some((content) => content.emoji === emoji),
		})).filter(({ count }) => count > 0);
	}

	/** Whether its writer had seen something else than the server shows here. @param {Item} item */
	#isWithheld({ event, opened }) {
		const previous = opened?.ok ? opened.content.prev : undefined;
		if (!previous) return false;
		if (previous.seq >= event.seq) return true;
		const seen = this.#items.get(previous.seq);
		return seen !== undefined && seen.event.body !== '' && seen.hash !== previous.sha256;
	}

	/** @param {Item} item @returns {Common} */
	#common({ event, opened, signer = null }) {
		const by = opened?.ok ? opened.signer : signer;
		const name = opened?.ok ? (opened.content.name ?? '') : '';
		return {
			key: event.client_id || `#${event.seq}`,
			seq: event.seq,
			clientId: event.client_id,
			author: event.author,
			signer: by,
			own: by === null ? event.author !== null && event.author === this.#viewer.author : by === this.#viewer.signer,
			byOwner: by !== null && by === this.#viewer.ownerSigner,
			name: cleanName(name),
			nameTaken: name !== '' && this.isNameTaken(name, by),
			// What is of unknown shape tells no time.
			sentAtMs: event.sent_at_ms || null,
			writtenAtMs: (opened?.ok ? opened.content.at_ms : null) ?? null,
			state: 'sent',
			error: null,
		};
	}

	/** @returns {Entry[]} */
	#unsentEntries() {
		const { signer, author, ownerSigner } = this.#viewer;
		/** @type {Entry[]} */
		const entries = [];
		for (const { clientId, kind, target, content, state, error } of this.#unsent) {
			if (this.#firstUse.has(clientId)) continue;
			const common = {
				...NOBODY,
				key: clientId,
				clientId,
				author,
				signer,
				own: true,
				byOwner: signer !== null && signer === ownerSigner,
				name: cleanName(content.name ?? ''),
				nameTaken: this.isNameTaken(content.name ?? '', signer),
				writtenAtMs: content.at_ms ?? null,
				state,
				error,
			};
			const text = content.text ?? content.emoji ?? '';
			if (isChange(kind)) {
				if (state === 'failed') entries.push({ ...common, type: 'failed_change', kind, target, text });
				continue;
			}
			entries.push({
				...common,
				type: 'message',
				text,
				replyTo: target === null ? null : { seq: target, clientId: content.target_id ?? '' },
				replyBroken: false,
				edited: null,
				reactions: [],
				pending: false,
				withheld: false,
			});
		}
		return entries;
	}
}

/** @type {Common} */
const NOBODY = {
	key: '',
	seq: null,
	clientId: '',
	author: null,
	signer: null,
	own: false,
	byOwner: false,
	name: '',
	nameTaken: false,
	sentAtMs: null,
	writtenAtMs: null,
	state: 'sent',
	error: null,
};

/** Names are compared as they are shown: what is cut off does not make them differ. @param {string} name */
function asCompared(name) {
	return foldName(cleanName(name));
}

/** @param {string} kind @returns {kind is ChangeKind} */
function isChange(kind) {
	return kind === 'edit' || kind === 'delete' || kind === 'react';
}

/** @param {Item} item @param {ChangeKind | 'message'} kind @param {Common} common @returns {Entry} */
function unopened({ opened }, kind, common) {
	const reason = opened && !opened.ok ? opened.fault : 'malformed';
	return reason === 'newer' ? { ...common, type: 'newer' } : { ...common, type: 'unreadable', reason, kind };
}

/** @param {Item} item @param {string | null} ownerSigner @returns {RoomChanges} */
function roomChanges({ event, opened }, ownerSigner) {
	const said = parseObject(event.body);
	/** @type {RoomChanges} */
	const changes = {};
	if (typeof said['locked'] === 'boolean') changes.locked = said['locked'];
	if (isSeconds(said['message_ttl_s'])) changes.messageTtlS = said['message_ttl_s'];
	if (isSeconds(said['expires_in_s'])) changes.expiresInS = said['expires_in_s'];
	if (said['about'] !== undefined) {
		const believed = opened?.ok === true && (ownerSigner === null || opened.signer === ownerSigner);
		if (believed) changes.title = cleanName(opened.content.name ?? '');
		else changes.titleForged = true;
	}
	return changes;
}

/** @param {unknown} value @returns {value is number | null} */
function isSeconds(value) {
	return value === null || Number.isSafeInteger(value);
}

/** @param {Map<any, Set<number>>} map @param {any} key @param {number} seq */
function index(map, key, seq) {
	const held = map.get(key);
	if (held) held.add(seq);
	else map.set(key, new Set([seq]));
}
