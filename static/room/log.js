/**
 * Folds a room's events into what is shown. What of them is believed, {@link Trust} decides; here is only said how
 * that looks. Pure: what it is given has been decrypted. Events may come in any order; the outcome depends on
 * their sequence alone.
 *
 * @import { Content, SentFile, State } from '../crypto/content.js'
 * @import { EntryAlarm } from './facade.js'
 * @import { AlarmCode, Item, Trust } from './trust.js'
 */

import { parsePublic, parseRotationBody } from '../crypto/rotation.js';
import { parseObject } from '../values/json.js';
import { cleanName } from '../values/text.js';
import { Tally } from './tally.js';

/**
 * @typedef {'edit' | 'delete' | 'react'} ChangeKind The kinds that change a message.
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
 *   `names`: of the first who gave it.
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
 * @property {EntryAlarm | null} alarm What is wrong with it.
 *
 * @typedef {object} MessageParts
 * @property {'message'} type
 * @property {string} text
 * @property {SentFile[]} files
 * @property {{ seq: number, clientId: string } | null} replyTo
 * @property {boolean} replyBroken The answered message is not the one its writer meant.
 * @property {{ atMs: number, pending: boolean } | null} edited
 * @property {Reaction[]} reactions
 * @property {number} moreReactions How many different ones there are besides.
 * @property {boolean} pending An own edit or deletion is on its way.
 *
 * @typedef {object} StateChanges What the owner said anew, or the server did without the owner's word.
 * @property {string} [title]
 * @property {boolean} [locked]
 * @property {number | null} [messageTtlS]
 * @property {number} [expiresInS]
 * @property {boolean} [pinned] A message was pinned; false: one no longer is.
 *
 * @typedef {Common & MessageParts} MessageEntry
 * @typedef {Common & { type: 'removed', by: 'author' | 'owner' | 'server' }} RemovedEntry
 * @typedef {Common & { type: 'unreadable', reason: 'malformed' | 'undecryptable' | 'forged', kind: ChangeKind | 'message' }} UnreadableEntry
 * @typedef {Common & { type: 'unauthorised', kind: ChangeKind, target: number | null }} UnauthorisedEntry
 * @typedef {Common & { type: 'newer' }} NewerEntry
 * @typedef {Common & { type: 'change', doer: 'owner' | 'server', changes: StateChanges }} ChangeEntry
 * @typedef {Common & { type: 'rotate', removed: string[], sharedPast: boolean }} RotateEntry
 * @typedef {Common & { type: 'unshared' }} UnsharedEntry What was said before this is closed to who came later.
 * @typedef {Common & { type: 'card', before: string | null }} CardEntry
 * @typedef {Common & { type: 'alarm' }} AlarmEntry Something that shows nowhere else, and is wrong.
 * @typedef {Common & { type: 'lost', how: 'gap' | 'own' | 'diverged', kept: Entry[] }} LostEntry
 * @typedef {Common & { type: 'failed_change', kind: ChangeKind, target: number | null, text: string }} FailedChangeEntry
 *   An own edit, deletion or reaction that the server refused.
 * @typedef {MessageEntry | RemovedEntry | UnreadableEntry | UnauthorisedEntry | NewerEntry | ChangeEntry | RotateEntry
 *   | UnsharedEntry | CardEntry | AlarmEntry | LostEntry | FailedChangeEntry} Entry
 *
 * @typedef {{ changed: Set<string>, kind: 'append' | 'prepend' | 'update' }} Changes
 *
 * @typedef {{ signer: string | null, author: string | null }} Viewer Who looks: own key and member id.
 */

/** What is shown of an alarm; the others have entries of their own. @type {Partial<Record<AlarmCode, EntryAlarm>>} */
const SHOWN = {
	window: 'window',
	after: 'after',
	repeated: 'repeated',
	reused: 'reused',
	blanked: 'blanked',
	epoch: 'epoch',
	signer: 'signer',
	not_owner: 'signer',
};

export class Log {
	#viewer;
	/** @type {Map<number, Item>} */
	#items = new Map();
	/** What counts of the edits and reactions of each message. @type {Map<number, Tally>} */
	#tallies = new Map();
	/** @type {Unsent[]} */
	#unsent = [];
	/** The ids of what is unsent here and stands in the log, under these or as sealed anew. @type {Set<string>} */
	#arrived = new Set();
	#first = Infinity;
	#last = 0;

	/** Ascending by `#positions`, which runs beside it. @type {Entry[]} */
	#entries = [];
	/** @type {number[]} */
	#positions = [];
	/** @type {Entry[] | null} */
	#all = null;

	/** @param {Viewer} viewer @param {Trust} trust It knows every event before the log does. */
	constructor(viewer, trust) {
		this.#viewer = viewer;
		this.trust = trust;
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

	/**
	 * @param {Item[]} items
	 * @param {Set<number>} stale Whose outcome is new or has changed.
	 * @returns {Changes}
	 */
	add(items, stale) {
		const first = this.#first;
		for (const item of items) {
			const { seq, client_id } = item.event;
			if (this.#items.has(seq)) continue;
			this.#items.set(seq, item);
			this.#first = Math.min(this.#first, seq);
			this.#last = Math.max(this.#last, seq);
			this.#arrived.add(client_id);
		}
		const prepended = items.some(({ event }) => event.seq < first) && first !== Infinity;
		return this.refresh(stale, prepended ? 'prepend' : 'append');
	}

	/** Replaces what did not open before, for want of its key. @param {Item[]} items @param {Set<number>} stale @returns {Changes} */
	replace(items, stale) {
		for (const item of items) {
			const held = this.#items.get(item.event.seq);
			if (!held) continue;
			this.#discount(held);
			this.#items.set(item.event.seq, item);
		}
		return this.refresh(stale, 'update');
	}

	/** @param {Set<number>} stale Whose outcome may have changed. @param {Changes['kind']} [kind] @returns {Changes} */
	refresh(stale, kind = 'update') {
		/** @type {Set<string>} */
		const changed = new Set();
		// A change shows in what it changes; what is first of an epoch, in what closes the one before.
		const all = new Set(stale);
		for (const seq of stale) {
			const item = this.#items.get(seq);
			if (!item) continue;
			this.#count(item);
			if (item.event.target !== null) all.add(item.event.target);
		}
		/** @type {[number, Entry | null][]} */
		const shown = [];
		for (const seq of Array.from(all).sort((one, other) => one - other)) {
			const item = this.#items.get(seq);
			if (!item) continue;
			const before = this.entry(seq);
			const after = this.#show(item);
			if (before) changed.add(before.key);
			if (after) changed.add(after.key);
			shown.push([seq, after]);
		}
		this.#put(shown);
		this.#all = null;
		return { changed, kind };
	}

	get unsent() {
		return this.#unsent;
	}

	/** @param {Unsent[]} unsent In the order in which they go out. @returns {Changes} */
	setUnsent(unsent) {
		const stale = new Set([...this.#unsent, ...unsent].flatMap(({ target }) => target ?? []));
		const keys = [...this.#unsent, ...unsent].map(({ clientId }) => clientId);
		this.#unsent = unsent;
		const changes = this.refresh(stale, 'append');
		for (const key of keys) changes.changed.add(key);
		return changes;
	}

	/** Forgets what has expired. @param {number} seq @returns {Changes} */
	dropBefore(seq) {
		const changed = new Set();
		const count = this.#search(seq);
		for (const entry of this.#entries.splice(0, count)) changed.add(entry.key);
		this.#positions.splice(0, count);
		for (const [held, item] of this.#items) if (held < seq) this.#forget(item);
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
		this.#positions.splice(this.#entries.length);
		const lost = kept.map((entry) => (entry.type === 'lost' ? entry.kept : [entry])).flat();
		for (const [held, item] of this.#items) {
			if (held <= seq) continue;
			this.#forget(item);
			this.#arrived.delete(item.event.client_id);
		}
		this.#last = Math.max(0, ...this.#items.keys());
		if (this.#items.size === 0) this.#first = Infinity;
		this.#all = null;
		/** @type {Set<string>} */
		const changed = new Set(kept.map(({ key }) => key));
		// What a lost event had changed is as it was before.
		for (const key of this.refresh(new Set(this.#items.keys())).changed) changed.add(key);
		for (const key of this.noteLost(seq, 'diverged', lost).changed) changed.add(key);
		return { changed, kind: 'update' };
	}

	/** Says that something should be here. @param {number} seq @param {LostEntry['how']} how @param {Entry[]} [kept] @returns {Changes} */
	noteLost(seq, how, kept = []) {
		const key = `lost-${seq}-${kept[0]?.key ?? ''}`;
		this.#put([[seq + 0.5, { ...NOBODY, key, type: 'lost', how, kept }]]);
		return { changed: new Set([key]), kind: 'update' };
	}

	/** The events after a sequence. @param {number} seq @returns {Item[]} */
	itemsAfter(seq) {
		return Array.from(this.#items.values()).filter(({ event }) => event.seq > seq);
	}

	/** Events whose key was not at hand. @returns {Item[]} */
	get closed() {
		return Array.from(this.#items.values()).filter(({ opened }) => opened && !opened.ok && opened.fault === 'no_key');
	}

	/** Takes in whether an edit or reaction counts now. @param {Item} item */
	#count({ event: { seq, kind, target }, opened }) {
		if (target === null || (kind !== 'edit' && kind !== 'react')) return;
		const counts = this.trust.outcome(seq).counts;
		let tally = this.#tallies.get(target);
		if (!counts || !opened?.ok) return tally?.remove(seq);
		if (!tally) this.#tallies.set(target, (tally = new Tally()));
		const { emoji = '', on = false } = opened.content;
		if (kind === 'edit') tally.addEdit(seq);
		else tally.addWord(seq, { emoji, on, signer: opened.signer });
	}

	/** @param {Item} item */
	#discount({ event: { seq, target } }) {
		if (target !== null) this.#tallies.get(target)?.remove(seq);
	}

	/** @param {Item} item */
	#forget(item) {
		this.#items.delete(item.event.seq);
		this.#tallies.delete(item.event.seq);
		this.#discount(item);
	}

	/**
	 * Puts entries at their positions, all at once: one by one, a page of history would move all that is held as often
	 * as it has events.
	 *
	 * @param {[position: number, entry: Entry | null][]} shown Ascending; null: nothing is to stand there.
	 */
	#put(shown) {
		const [first, last] = [shown[0], shown.at(-1)];
		if (!first || !last) return;
		const start = this.#search(first[0]);
		const end = this.#search(last[0] + 0.25);
		/** @type {Entry[]} */
		const entries = [];
		/** @type {number[]} */
		const positions = [];
		const keep = (/** @type {number} */ from, /** @type {number} */ to) => {
			for (let at = from; at < to; at += 1) {
				entries.push(/** @type {Entry} */ (this.#entries[at]));
				positions.push(/** @type {number} */ (this.#positions[at]));
			}
		};
		let at = start;
		for (const [position, entry] of shown) {
			const next = this.#search(position);
			keep(at, next);
			at = this.#positions[next] === position ? next + 1 : next;
			if (!entry) continue;
			entries.push(entry);
			positions.push(position);
		}
		keep(at, end);
		this.#entries = this.#entries.slice(0, start).concat(entries, this.#entries.slice(end));
		this.#positions = this.#positions.slice(0, start).concat(positions, this.#positions.slice(end));
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
		const { alarm, hidden, removed } = this.trust.outcome(event.seq);
		const common = this.#common(item, alarm);
		if (hidden === 'again') return null;
		if (hidden === 'repeat') return alarm ? { ...common, key: `${common.key}-${event.seq}`, type: 'alarm' } : null;
		if (alarm === 'server') return { ...common, type: 'change', doer: 'server', changes: serverChanges(event.body) };
		if (opened && !opened.ok && opened.fault === 'no_key') return this.#closed(item, common);
		if (event.kind === 'message') return this.#message(item, common, removed);
		if (event.kind === 'rotate') return this.#rotation(item, common);
		if (event.kind === 'change') return this.#statement(item, common);
		if (event.kind === 'card') return this.#card(item, common);
		if (!isChange(event.kind)) return { ...common, type: 'newer' };
		if (opened && !opened.ok && event.kind !== 'delete') return unopened(item, event.kind, common);
		if (alarm === 'not_theirs') {
			return { ...common, type: 'unauthorised', kind: event.kind, target: event.target };
		}
		return common.alarm ? { ...common, type: 'alarm' } : null;
	}

	/** One divider stands for all that was said before a renewal and is not shared. @param {Item} item @param {Common} common @returns {Entry | null} */
	#closed({ event, epoch }, common) {
		if (common.alarm) return { ...common, type: 'alarm' };
		const { standing } = this.trust;
		const next = standing.epochs.find(({ epoch: later, seq }) => later > (epoch ?? 0) && seq > event.seq);
		// Of several that are closed, the last one says so for all.
		const isLast = next !== undefined && next.kept !== null && event.seq === next.seq - 1;
		return isLast ? { ...NOBODY, key: `unshared-${next.epoch}`, seq: event.seq, type: 'unshared' } : null;
	}

	/** @param {Item} item @param {Common} common @param {ReturnType<Trust['outcome']>['removed']} removed @returns {Entry | null} */
	#message(item, common, removed) {
		const { event, opened } = item;
		if (removed === 'time') return null;
		if (removed) return { ...common, type: 'removed', by: removed };
		if (event.body === '') {
			// Its deletion is still to come, or nobody made one.
			return this.trust.outcome(event.seq).alarm === 'blanked' ? { ...common, type: 'removed', by: 'server' } : null;
		}
		if (!opened?.ok) return unopened(item, 'message', common);

		const tally = this.#tallies.get(event.seq) ?? NO_TALLY;
		const pending = this.#unsent.filter(
			({ clientId, target, state }) => target === event.seq && state !== 'failed' && !this.#arrived.has(clientId),
		);
		const pendingEdit = common.own ? pending.findLast(({ kind }) => kind === 'edit') : undefined;
		const edit = this.#items.get(tally.lastEdit);
		const editContent = pendingEdit?.content ?? (edit?.opened?.ok ? edit.opened.content : undefined);
		const editedAt = pendingEdit ? pendingEdit.content.at_ms : edit?.event.sent_at_ms;
		const answered = event.target === null ? undefined : this.#items.get(event.target);
		return {
			...common,
			type: 'message',
			text: editContent?.text ?? opened.content.text ?? '',
			files: opened.content.files ?? [],
			replyTo: event.target === null ? null : { seq: event.target, clientId: opened.content.target_id ?? '' },
			replyBroken: answered !== undefined && answered.event.client_id !== opened.content.target_id,
			edited: editContent ? { atMs: editedAt ?? 0, pending: pendingEdit !== undefined } : null,
			...this.#reactions(tally, pending),
			pending: pending.some(({ kind }) => kind === 'edit' || kind === 'delete'),
		};
	}

	/** @param {Tally} tally @param {Unsent[]} pending @returns {Pick<MessageParts, 'reactions' | 'moreReactions'>} */
	#reactions(tally, pending) {
		const waiting = pending.flatMap(({ kind, content: { emoji = '', on = false } }) =>
			kind === 'react' ? [{ emoji, on }] : [],
		);
		const { given, more } = tally.given(this.#viewer.signer ?? '', waiting);
		const { standing } = this.trust;
		const reactions = given.map(({ signers, ...reaction }) => ({
			...reaction,
			names: signers.map((signer) => {
				const name = standing.nameOf(signer);
				return { name, taken: standing.isNameTaken(name, signer) };
			}),
		}));
		return { reactions, moreReactions: more };
	}

	/** @param {Item} item @param {Common} common @returns {Entry | null} */
	#rotation({ event }, common) {
		const rotation = parseRotationBody(event.body);
		const part = rotation && parsePublic(rotation.public);
		if (!part || common.alarm) return { ...common, type: 'alarm' };
		const { standing } = this.trust;
		// What an epoch began with that is closed to this reader is closed as well.
		if (standing.epochs.some(({ epoch, kept }) => epoch === part.epoch && kept === null)) return null;
		const removed = part.removed.map((author) => standing.nameOf(standing.signerOf(author) ?? ''));
		return { ...common, type: 'rotate', removed, sharedPast: part.past !== null };
	}

	/** @param {Item} item @param {Common} common @returns {Entry | null} */
	#statement({ event, opened }, common) {
		const { alarm } = this.trust.outcome(event.seq);
		if (!opened?.ok || alarm === 'not_owner' || alarm === 'epoch') return { ...common, type: 'alarm' };
		const before = this.#stateBefore(event.seq);
		const { state } = opened.content;
		const changes = state ? stateChanges(before, state) : {};
		return { ...common, type: 'change', doer: 'owner', changes };
	}

	/** What the owner had said before. @param {number} seq @returns {State | null} */
	#stateBefore(seq) {
		for (let at = seq - 1; at >= this.#first; at -= 1) {
			const item = this.#items.get(at);
			if (item?.event.kind !== 'change' && item?.event.kind !== 'rotate') continue;
			const said = item.event.kind === 'rotate' ? null : item.opened?.ok ? item.opened.content.state : null;
			const state = said ?? (item.epoch === null ? null : this.trust.standing.stateOf(item.epoch));
			if (state) return state;
		}
		const epoch = this.trust.standing.epochAt(Math.max(seq - 1, 0));
		return epoch === null ? null : this.trust.standing.stateOf(epoch);
	}

	/** @param {Item} item @param {Common} common @returns {Entry | null} */
	#card({ event, opened }, common) {
		if (!opened?.ok) return common.alarm ? { ...common, type: 'alarm' } : null;
		const before = this.trust.standing.nameBefore(opened.signer, event.seq);
		const name = cleanName(opened.content.name ?? '');
		// Who comes by another link in a later epoch is no news.
		if (before === name && !common.alarm) return null;
		return { ...common, name, type: 'card', before };
	}

	/** @param {Item} item @param {AlarmCode | null} alarm @returns {Common} */
	#common({ event, opened, signer = null }, alarm) {
		const { standing } = this.trust;
		const by = opened?.ok ? opened.signer : (signer ?? (event.author && standing.signerOf(event.author)) ?? null);
		const name = by ? standing.nameOf(by, event.seq) : '';
		return {
			key: event.client_id || `#${event.seq}`,
			seq: event.seq,
			clientId: event.client_id,
			author: event.author,
			signer: by,
			own: by === null ? event.author !== null && event.author === this.#viewer.author : by === this.#viewer.signer,
			byOwner: by !== null && by === standing.owner,
			name,
			nameTaken: name !== '' && standing.isNameTaken(name, by),
			// What is of unknown shape tells no time.
			sentAtMs: event.sent_at_ms || null,
			writtenAtMs: (opened?.ok ? opened.content.at_ms : null) ?? null,
			state: 'sent',
			error: null,
			alarm: (alarm && SHOWN[alarm]) ?? null,
		};
	}

	/** @returns {Entry[]} */
	#unsentEntries() {
		const { signer, author } = this.#viewer;
		const { standing } = this.trust;
		const name = signer ? standing.nameOf(signer) : '';
		/** @type {Entry[]} */
		const entries = [];
		for (const { clientId, kind, target, content, state, error } of this.#unsent) {
			if (this.#arrived.has(clientId) || kind === 'card') continue;
			const common = {
				...NOBODY,
				key: clientId,
				clientId,
				author,
				signer,
				own: true,
				byOwner: signer !== null && signer === standing.owner,
				name,
				nameTaken: name !== '' && standing.isNameTaken(name, signer),
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
				files: content.files ?? [],
				replyTo: target === null ? null : { seq: target, clientId: content.target_id ?? '' },
				replyBroken: false,
				edited: null,
				reactions: [],
				moreReactions: 0,
				pending: false,
			});
		}
		return entries;
	}
}

/** Of a message that nobody changed. */
const NO_TALLY = new Tally();

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
	alarm: null,
};

/** @param {string} kind @returns {kind is ChangeKind} */
function isChange(kind) {
	return kind === 'edit' || kind === 'delete' || kind === 'react';
}

/** @param {Item} item @param {ChangeKind | 'message'} kind @param {Common} common @returns {Entry} */
function unopened({ opened }, kind, common) {
	const reason = opened && !opened.ok ? opened.fault : 'malformed';
	if (reason === 'newer' || reason === 'no_key') return { ...common, type: 'newer' };
	return { ...common, type: 'unreadable', reason, kind };
}

/** @param {State | null} before @param {State} after @returns {StateChanges} */
function stateChanges(before, after) {
	const [pinned, pins] = [before?.pins ?? [], after.pins ?? []];
	return {
		...(before?.name === after.name ? {} : { title: cleanName(after.name) }),
		...(before?.locked === after.locked ? {} : { locked: after.locked }),
		...(before?.message_ttl_s === after.message_ttl_s ? {} : { messageTtlS: after.message_ttl_s }),
		...(before?.expires_in_s === after.expires_in_s ? {} : { expiresInS: after.expires_in_s }),
		...(pinned.map(({ seq }) => seq).join() === pins.map(({ seq }) => seq).join()
			? {}
			: { pinned: pins.some(({ seq }) => pinned.every((pin) => pin.seq !== seq)) }),
	};
}

/** What a server says that it changed by itself. @param {string} body @returns {StateChanges} */
function serverChanges(body) {
	const { locked, message_ttl_s: ttl, expires_in_s: expires } = parseObject(body);
	return {
		...(typeof locked === 'boolean' ? { locked } : {}),
		...(ttl === null || Number.isSafeInteger(ttl) ? { messageTtlS: ttl } : {}),
		...(Number.isSafeInteger(expires) ? { expiresInS: expires } : {}),
	};
}
