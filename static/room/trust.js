/**
 * What readers believe of a room's log (docs/protocol.md, "Windows"): for each event an outcome, believed or an
 * alarm. What is shown and what is stored both ask here, so that nothing is erased for a deletion that does not
 * count. Pure but for hashing: what it is given has been decrypted and its signatures checked.
 *
 * @import { Content, State, Window } from '../crypto/content.js'
 * @import { Opened } from '../crypto/envelope.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Belief, Standing } from './standing.js'
 */

import { WINDOW_LINES } from '../crypto/content.js';
import { Lines, lineOf } from './lines.js';

/**
 * An event and what its body turned out to be.
 *
 * @typedef {object} Item
 * @property {LogEvent} event
 * @property {Opened | { ok: false, fault: 'no_key' } | null} opened Null if there is nothing to open: blanked, or of an
 *   unknown kind. `no_key`: of an epoch whose key is not at hand.
 * @property {number | null} epoch The one that the body names.
 * @property {string | null} hash SHA-256 of the body as it was appended, in hex; null where a blanked body hides it.
 * @property {string | null} [signer] Who signed a body that was blanked since, if that is remembered.
 *
 * Why something is not believed:
 * - `window`: its writer had seen something else than is shown here.
 * - `after`: an earlier post of its writer is not where the server had acknowledged it.
 * - `repeated`, `reused`: an id that came before, with the same content or with another.
 * - `blanked`: erased, and nobody who might do that did.
 * - `epoch`: of an epoch that is not the one in force there.
 * - `signer`: signed by somebody who was never let in.
 * - `not_owner`: an owner's change that the owner did not sign.
 * - `unreadable`: it does not open, though its key is at hand.
 * - `server`: of a kind that a server has no business to append here.
 * - `not_theirs`: changes what somebody else wrote.
 *
 * @typedef {'window' | 'after' | 'repeated' | 'reused' | 'blanked' | 'epoch' | 'signer' | 'not_owner' | 'unreadable'
 *   | 'server' | 'not_theirs'} AlarmCode
 *
 * @typedef {object} Outcome
 * @property {AlarmCode | null} alarm The gravest one; null: believed, or nothing can be said.
 * @property {Belief} believed Whether its signer is.
 * @property {boolean} counts Whether it does what its kind does. Of an edit, deletion or reaction: to its target.
 * @property {'repeat' | 'again' | null} hidden A repetition, or the later of two that stand for one post.
 * @property {'author' | 'owner' | 'time' | null} removed Of a message, who believably erased it.
 *
 * What is kept of an item.
 *
 * @typedef {object} Fact
 * @property {LogEvent} event
 * @property {string | null} hash
 * @property {number | null} epoch
 * @property {string | null} signer
 * @property {Content | null} content
 * @property {string | null} fault
 * @property {boolean} blank
 * @property {boolean} differs Its window, or what it says of its writer's last post, does not fit, and it is the one to tell.
 *
 * A stretch of events whose writers saw another log. One notice stands for all of it.
 *
 * @typedef {object} Divergence
 * @property {number} upto The highest sequence that one of them had seen.
 * @property {Set<string>} apart Who still sees another log.
 * @property {Set<string>} joined Who has seen this one since.
 * @property {Lost | null} lost Of a log that this device knows to be another one now.
 *
 * `base`: what both logs have in common. `untilMs`: what was written by then may be of the other one. `lines`, `ids`: what
 * this device itself had seen of it.
 *
 * @typedef {{ base: number, untilMs: number, lines: Lines, ids: Map<number, string> }} Lost
 *
 * @typedef {'fits' | 'differs' | 'known' | 'wait' | 'skip'} SignalOutcome `known`: of a divergence that was told already.
 */

const SEALED = new Set(['message', 'edit', 'delete', 'react', 'card', 'change', 'rotate']);
const CHANGES = new Set(['edit', 'delete', 'react']);
/** Made by the server itself, which it does in rooms without keys only. */
const SERVERS = 'room';
/** Clocks differ by less. */
const GRACE_MS = 600_000;
/** Lines of what has expired that windows may still need. */
const LINES_KEPT = 1_000;
/** Windows hashed at once. */
const AT_ONCE = 64;

export class Trust {
	/** @type {Map<number, Fact>} */
	#facts = new Map();
	/** Where each id first stood. @type {Map<string, number>} */
	#ids = new Map();
	/** Changes and answers by what they point at. @type {Map<number, Set<number>>} */
	#pointing = new Map();
	/** Deletions by what they erase: of all that points at a message, the few that decide whether it is there. @type {Map<number, Set<number>>} */
	#deletions = new Map();
	/** Posts that replace others, by the id of the replaced. @type {Map<string, Set<number>>} */
	#again = new Map();
	/** Whose windows need lines that are not held yet. @type {Set<number>} */
	#unjudged = new Set();
	/** What somebody else may still explain: blanked, or of an epoch that is not known. @type {Set<number>} */
	#open = new Set();
	/** @type {Divergence[]} */
	#divergences = [];
	#newestMs = 0;
	/** Up to here, all that may explain something has been read. */
	#settled = 0;
	/** @type {State | null} */
	#state = null;
	#now;

	/** @param {string} room @param {Standing} standing @param {() => number} [now] Unix milliseconds. */
	constructor(room, standing, now = Date.now) {
		this.standing = standing;
		this.lines = new Lines(room);
		this.#now = now;
	}

	/** What the owner said last: lifetimes explain what is missing. @param {State} state */
	setState(state) {
		this.#state = state;
	}

	/**
	 * Takes in events in any order.
	 *
	 * @param {Item[]} items
	 * @returns {Promise<Set<number>>} whose outcome is new or may have changed
	 */
	async add(items) {
		/** @type {Set<number>} */
		const stale = new Set();
		const fresh = items.filter(({ event }) => !this.#facts.has(event.seq));
		for (const item of fresh) this.#take(item, stale);
		for (const { event, opened, epoch } of fresh) {
			if (event.kind !== 'card' || epoch === null || !opened?.ok) continue;
			const { signer } = opened;
			// What was told of people before the log was read is no news to what they said.
			const isNews = !this.standing.holdsCard(signer, event.seq);
			const isCard = await this.standing.addCard(event, epoch, signer, opened.content);
			if (isNews && isCard) this.#staleOf(signer, stale);
		}
		await this.#judgeWindows(stale);
		return stale;
	}

	/**
	 * What did not open before, for want of its key, does now.
	 *
	 * @param {Item[]} items
	 * @returns {Promise<Set<number>>} whose outcome may have changed
	 */
	replace(items) {
		for (const { event } of items) this.#facts.delete(event.seq);
		return this.add(items);
	}

	/** All that is held, to be judged anew when cards, rotations or the owner's word were learnt. @returns {Set<number>} */
	get held() {
		return new Set(this.#facts.keys());
	}

	/**
	 * All that may explain an event up to here has been read: deletions, cards, rotations.
	 *
	 * @param {number} seq
	 * @returns {Set<number>} whose outcome may have changed
	 */
	settle(seq) {
		this.#settled = Math.max(this.#settled, seq);
		/** @type {Set<number>} */
		const stale = new Set();
		for (const held of this.#open) {
			if (held > seq) continue;
			stale.add(held);
			this.#open.delete(held);
		}
		return stale;
	}

	/** @param {number} seq @returns {Fact | undefined} */
	fact(seq) {
		return this.#facts.get(seq);
	}

	/** Where ids first stood, beyond what is held. @param {[string, number][]} uses @returns {Set<number>} */
	rememberUses(uses) {
		/** @type {Set<number>} */
		const stale = new Set();
		for (const [clientId, seq] of uses) this.#noteUse(clientId, seq, stale);
		return stale;
	}

	/** @param {number} seq @returns {Outcome} */
	outcome(seq) {
		const fact = this.#facts.get(seq);
		if (!fact) return { alarm: null, believed: 'unknown', counts: false, hidden: null, removed: null };
		const believed = this.#belief(fact);
		const hidden = this.#hidden(fact);
		const removed = fact.event.kind === 'message' ? this.#removed(fact) : null;
		const alarm = this.#alarm(fact, believed, hidden);
		const sound = alarm === null || alarm === 'window' || alarm === 'after';
		const counts = sound && believed !== 'no' && hidden === null && this.#applies(fact);
		return { alarm, believed, counts, hidden, removed };
	}

	/**
	 * Whether a lifetime that the owner set explains that everything up to a sequence is gone.
	 *
	 * @param {number} seq
	 * @returns {boolean} true also while the owner's word is not known
	 */
	explainsMissing(seq) {
		if (!this.#state) return true;
		const lifetime = this.#shortestLifetime();
		if (lifetime === null) return false;
		const sentAtMs = this.#facts.get(seq)?.event.sent_at_ms;
		return sentAtMs === undefined || this.#hasEnded(sentAtMs, lifetime);
	}

	/** The time by which to judge what has ended: the later of the own clock and the newest event's. */
	get nowMs() {
		return Math.max(this.#now(), this.#newestMs);
	}

	/**
	 * Whether the log holds at a sequence exactly what was sent.
	 *
	 * @param {number} seq
	 * @param {{ client_id: string, kind: string, target: number | null, hash: string }} sent
	 * @returns {boolean | null} null: that sequence is not held
	 */
	holds(seq, { client_id, kind, target, hash }) {
		const fact = this.#facts.get(seq);
		if (!fact) return null;
		const { event } = fact;
		return event.client_id === client_id && event.kind === kind && event.target === target && fact.hash === hash;
	}

	/**
	 * Judges what somebody who is here had seen.
	 *
	 * @param {string} signer
	 * @param {Window | null | undefined} head
	 * @returns {Promise<SignalOutcome>}
	 */
	async signal(signer, head) {
		if (!head) return 'skip';
		if (head.seq > this.lines.last) return 'wait';
		if (!this.lines.covers(head)) return 'skip';
		if ((await this.lines.digest(head)) === head.digest) {
			this.#joins(signer);
			return 'fits';
		}
		if (await this.#wasLost(head, undefined)) return 'known';
		return this.#diverges(signer, head.seq) ? 'differs' : 'known';
	}

	/**
	 * The server's log is another one after a sequence. What was sealed before that was known is of one divergence,
	 * told by whoever calls this.
	 *
	 * @param {number} seq
	 */
	forgetAfter(seq) {
		/** @type {Map<number, string>} */
		const ids = new Map();
		for (const { event } of this.#facts.values()) if (event.seq > seq) ids.set(event.seq, event.client_id);
		const upto = Math.max(this.lines.last, seq);
		const lost = { base: seq, untilMs: this.nowMs + GRACE_MS, lines: this.lines.since(seq), ids };
		this.#divergences.push({ upto, apart: new Set(), joined: new Set(), lost });
		for (const held of this.#facts.keys()) if (held > seq) this.#forget(held);
		this.lines.forgetAfter(seq);
		this.standing.forgetAfter(seq);
		this.#settled = Math.min(this.#settled, seq);
		this.#newestMs = this.#facts.get(this.lines.last)?.event.sent_at_ms ?? 0;
	}

	/** Lets go what has expired; its ids stay known, and lines that windows may need. @param {number} seq */
	forgetBefore(seq) {
		for (const held of this.#facts.keys()) if (held < seq) this.#facts.delete(held);
		this.lines.forgetBefore(seq - LINES_KEPT);
	}

	/** @param {Item} item @param {Set<number>} stale */
	#take({ event, opened, epoch, hash, signer = null }, stale) {
		const { seq, client_id, target } = event;
		const said = opened?.ok ? opened.content : null;
		this.#facts.set(seq, {
			event,
			hash,
			epoch,
			signer: opened?.ok ? opened.signer : signer,
			content: said,
			fault: opened && !opened.ok ? opened.fault : null,
			blank: event.body === '',
			differs: false,
		});
		stale.add(seq);
		if (event.body === '' || (epoch ?? 0) > (this.standing.epochs.at(-1)?.epoch ?? 0)) this.#open.add(seq);
		if (hash !== null) this.lines.set(seq, lineOf(event, hash));
		if (event.sent_at_ms > this.#newestMs) this.#newestMs = event.sent_at_ms;
		this.#noteUse(client_id, seq, stale);
		if (said?.again !== undefined) index(this.#again, said.again, seq);
		if (said?.prev || said?.after) this.#unjudged.add(seq);
		if (target !== null) {
			index(this.#pointing, target, seq);
			if (event.kind === 'delete') index(this.#deletions, target, seq);
			if (CHANGES.has(event.kind)) stale.add(target);
		}
		for (const pointing of this.#pointing.get(seq) ?? []) stale.add(pointing);
		this.#staleTwins(this.#root(client_id, said?.again), stale);
	}

	/** Whatever stands for one post: which of them is shown hangs on all. @param {string} root @param {Set<number>} stale */
	#staleTwins(root, stale) {
		// A set is walked with what is added meanwhile.
		const ids = new Set([root]);
		for (const id of ids) {
			for (const twin of this.#again.get(id) ?? []) {
				stale.add(twin);
				ids.add(this.#facts.get(twin)?.event.client_id ?? '');
			}
		}
	}

	/** @param {number} seq */
	#forget(seq) {
		const fact = this.#facts.get(seq);
		if (!fact) return;
		const { client_id, target } = fact.event;
		this.#facts.delete(seq);
		this.#unjudged.delete(seq);
		this.#open.delete(seq);
		if (this.#ids.get(client_id) === seq) this.#ids.delete(client_id);
		if (target !== null) {
			this.#pointing.get(target)?.delete(seq);
			this.#deletions.get(target)?.delete(seq);
		}
		if (fact.content?.again !== undefined) this.#again.get(fact.content.again)?.delete(seq);
	}

	/** @param {string} clientId @param {number} seq @param {Set<number>} stale */
	#noteUse(clientId, seq, stale) {
		if (clientId === '') return;
		const first = this.#ids.get(clientId);
		if (first !== undefined && first <= seq) return;
		this.#ids.set(clientId, seq);
		if (first !== undefined) stale.add(first);
	}

	/** @param {string} signer @param {Set<number>} stale */
	#staleOf(signer, stale) {
		for (const { signer: known, event } of this.#facts.values()) {
			// Of what was erased, only its author's card says whose it was.
			const by = known ?? (event.author === null ? undefined : this.standing.signerOf(event.author));
			if (by === signer) stale.add(event.seq);
		}
	}

	/** @param {Set<number>} stale */
	async #judgeWindows(stale) {
		/** @type {Fact[]} */
		const ready = [];
		for (const seq of this.#unjudged) {
			const fact = /** @type {Fact} */ (this.#facts.get(seq));
			if (!fact) this.#unjudged.delete(seq);
			else if (this.#canJudge(fact)) ready.push(fact);
		}
		ready.sort((one, other) => one.event.seq - other.event.seq);
		for (let at = 0; at < ready.length; at += AT_ONCE) {
			const batch = ready.slice(at, at + AT_ONCE);
			const fits = await Promise.all(batch.map((fact) => this.#fits(fact)));
			for (const [index, fact] of batch.entries()) {
				this.#unjudged.delete(fact.event.seq);
				const signer = /** @type {string} */ (fact.signer);
				if (fits[index]) {
					this.#joins(signer);
					continue;
				}
				const { prev, after } = fact.content ?? {};
				if (await this.#wasLost(prev, after)) continue;
				fact.differs = this.#diverges(
					signer,
					Math.max(prev?.seq ?? 0, after?.seq ?? 0),
					fact.content?.at_ms ?? Infinity,
				);
				if (fact.differs) stale.add(fact.event.seq);
			}
		}
	}

	/** Whether all that its writer names is held, or cannot be. @param {Fact} fact */
	#canJudge({ event, content }) {
		const { prev, after } = content ?? {};
		if (prev) {
			// Who had seen more than there is here is told by who holds all that a window may hold.
			const ahead = prev.seq >= event.seq;
			const { seq } = event;
			const needed = ahead ? { from: Math.max(1, seq - WINDOW_LINES + 1), seq: seq - 1 } : prev;
			if (needed.from <= needed.seq && !this.lines.covers(needed)) return false;
		}
		return !after || after.seq >= event.seq || this.lines.has(after.seq);
	}

	/** Waits for a hash only. @param {Fact} fact @returns {boolean | Promise<boolean>} */
	#fits({ event, content }) {
		const { prev, after } = content ?? {};
		if ((prev && prev.seq >= event.seq) || !this.#hasAfter(event.seq, after)) return false;
		return prev ? this.lines.digest(prev).then((digest) => digest === prev.digest) : true;
	}

	/** @param {number} seq @param {Content['after']} after */
	#hasAfter(seq, after) {
		if (!after) return true;
		const fact = this.#facts.get(after.seq);
		return after.seq < seq && (fact === undefined || fact.event.client_id === after.client_id);
	}

	/** Whether it fits a log that this device has seen being lost. @param {Window | null | undefined} prev @param {Content['after']} after */
	async #wasLost(prev, after) {
		for (const { lost } of this.#divergences) {
			if (!lost) continue;
			if (prev && lost.lines.covers(prev) && (await lost.lines.digest(prev)) === prev.digest) return true;
			if (after && lost.ids.get(after.seq) === after.client_id) return true;
		}
		return false;
	}

	/** Somebody saw this log. @param {string} signer */
	#joins(signer) {
		for (const divergence of this.#divergences) {
			divergence.apart.delete(signer);
			divergence.joined.add(signer);
		}
	}

	/**
	 * Somebody saw another log.
	 *
	 * @param {string} signer
	 * @param {number} upto The last that they had seen.
	 * @param {number} [atMs] When they wrote; by default, now.
	 * @returns {boolean} whether that is news
	 */
	#diverges(signer, upto, atMs = Infinity) {
		const known = this.#divergences.findLast(
			({ upto: seen, apart, joined, lost }) =>
				joined.size === 0 ||
				apart.has(signer) ||
				(upto <= seen && !joined.has(signer)) ||
				(lost !== null && upto > lost.base && atMs <= lost.untilMs),
		);
		if (known) {
			known.upto = Math.max(known.upto, upto);
			known.apart.add(signer);
			return false;
		}
		this.#divergences.push({ upto, apart: new Set([signer]), joined: new Set(), lost: null });
		return true;
	}

	/** @param {Fact} fact @returns {Belief} */
	#belief({ signer, epoch }) {
		if (signer === null) return 'unknown';
		if (signer === this.standing.owner) return 'yes';
		return epoch === null ? 'unknown' : this.standing.believes(signer, epoch);
	}

	/** @param {Fact} fact @param {Belief} believed @param {Outcome['hidden']} hidden @returns {AlarmCode | null} */
	#alarm(fact, believed, hidden) {
		const { event, fault, blank } = fact;
		if (event.kind === SERVERS) return 'server';
		if (!SEALED.has(event.kind)) return null;
		const repeated = this.#repeats(fact);
		if (repeated) return repeated;
		if (blank) return this.#isExplained(fact) ? null : 'blanked';
		if (fault !== null) return this.#unopened(fact, fault);
		if (this.#isWrongEpoch(fact)) return 'epoch';
		if ((event.kind === 'change' || event.kind === 'rotate') && fact.signer !== this.standing.owner) return 'not_owner';
		if (believed === 'no') return 'signer';
		if (fact.differs) return this.#hasAfter(event.seq, fact.content?.after) ? 'window' : 'after';
		if (hidden === null && CHANGES.has(event.kind) && this.#isNotTheirs(fact)) return 'not_theirs';
		return null;
	}

	/** @param {Fact} fact @param {string} fault @returns {AlarmCode | null} */
	#unopened({ event, epoch }, fault) {
		if (fault === 'newer') return null;
		if (fault !== 'no_key') return 'unreadable';
		// What was said before a renewal may be closed to newcomers; nobody can speak in an epoch that has not begun.
		const begun = this.standing.epochs.at(-1)?.epoch ?? 0;
		return epoch !== null && epoch > begun && event.seq <= this.#settled ? 'epoch' : null;
	}

	/** @param {Fact} fact */
	#isWrongEpoch({ event, epoch }) {
		const inForce = this.standing.epochAt(event.seq);
		const begun = this.standing.epochs.at(-1)?.epoch;
		if (epoch === null || inForce === null || begun === undefined || epoch === inForce) return false;
		// A renewal that is still to be read.
		return epoch <= begun || event.seq <= this.#settled;
	}

	/** @param {Fact} fact @returns {'repeated' | 'reused' | null} */
	#repeats({ event, hash }) {
		const first = this.#ids.get(event.client_id);
		if (first === undefined || first >= event.seq) return null;
		const fact = this.#facts.get(first);
		if (!fact) {
			// Remembered from this browser's cache; or it has expired, and a late attempt came through once more.
			return this.#shortestLifetime() === null ? 'repeated' : null;
		}
		const one = fact.event;
		const same =
			one.kind === event.kind && one.author === event.author && one.target === event.target && fact.hash === hash;
		if (!same) return 'reused';
		const lifetime = this.#shortestLifetime();
		return lifetime !== null && this.#hasEnded(one.sent_at_ms, lifetime) ? null : 'repeated';
	}

	/** @param {Fact} fact @returns {Outcome['hidden']} */
	#hidden({ event, signer, content }) {
		const first = this.#ids.get(event.client_id);
		if (first !== undefined && first < event.seq) return 'repeat';
		const root = this.#root(event.client_id, content?.again);
		// The post itself, and all that stand for it.
		const others = [this.#ids.get(root), ...(this.#again.get(root) ?? [])];
		const earlier = others.some((seq) => {
			if (seq === undefined || seq >= event.seq) return false;
			const other = this.#facts.get(seq);
			return other !== undefined && (other.signer === null || other.signer === signer) && other.fault === null;
		});
		return earlier ? 'again' : null;
	}

	/** The first of a chain of posts that replace each other. @param {string} id @param {string | undefined} again */
	#root(id, again) {
		let root = id;
		for (let next = again, steps = 0; next !== undefined && steps < 16; steps += 1) {
			root = next;
			next = this.#facts.get(this.#ids.get(root) ?? 0)?.content?.again;
		}
		return root;
	}

	/** Whether somebody who may erase a blanked body did so, or may still have. @param {Fact} fact */
	#isExplained({ event, hash }) {
		const { kind, seq, target } = event;
		if (hash === null || (kind !== 'message' && kind !== 'edit')) return false;
		if (seq > this.#settled) return true;
		const message = kind === 'message' ? seq : (target ?? 0);
		const held = this.#facts.get(message);
		if (kind === 'edit' && !held) {
			// What it changed is not loaded, or has expired.
			return true;
		}
		return held !== undefined && this.#removed(held) !== null;
	}

	/** @param {Fact} message @returns {Outcome['removed']} */
	#removed(message) {
		/** Of several, the first one in the log. @type {Fact | undefined} */
		let deletion;
		for (const seq of this.#deletions.get(message.event.seq) ?? []) {
			if (seq < (deletion?.event.seq ?? Infinity) && this.outcome(seq).counts) deletion = this.#facts.get(seq);
		}
		if (deletion) {
			const own = deletion.event.author !== null && deletion.event.author === message.event.author;
			return deletion.signer === this.standing.owner && !own ? 'owner' : 'author';
		}
		const lifetime = message.blank ? this.#shortestLifetime() : null;
		return lifetime !== null && this.#hasEnded(message.event.sent_at_ms, lifetime) ? 'time' : null;
	}

	/** Whether it does what its kind does; of a change, to its target. @param {Fact} fact */
	#applies(fact) {
		if (fact.content === null || fact.signer === null) return false;
		if (!CHANGES.has(fact.event.kind)) return true;
		const target = this.#facts.get(fact.event.target ?? 0);
		return target !== undefined && mayChange(fact, target, this.standing);
	}

	/** Whether it changes a message that is held, and may not. @param {Fact} fact */
	#isNotTheirs(fact) {
		const target = this.#facts.get(fact.event.target ?? 0);
		return target !== undefined && !mayChange(fact, target, this.standing);
	}

	/** In seconds; null: none was ever set, or that is not known. */
	#shortestLifetime() {
		const { message_ttl_s = null, ever_ttl = null } = this.#state ?? {};
		if (message_ttl_s === null) return ever_ttl;
		return ever_ttl === null ? message_ttl_s : Math.min(message_ttl_s, ever_ttl);
	}

	/** @param {number} sentAtMs @param {number} lifetime In seconds. */
	#hasEnded(sentAtMs, lifetime) {
		return sentAtMs + lifetime * 1000 - GRACE_MS <= this.nowMs;
	}
}

/**
 * Whether a change is of one who may make it, and meant for this message. Anyone may react; an edit needs the key
 * that signed the message, a deletion that key or the owner's.
 *
 * @param {Pick<Fact, 'event' | 'signer' | 'content'>} change
 * @param {Pick<Fact, 'event' | 'signer' | 'blank'>} target
 * @param {Standing} standing
 * @returns {boolean}
 */
export function mayChange({ event, signer, content }, target, standing) {
	if (target.event.kind !== 'message' || content?.target_id !== target.event.client_id) return false;
	if (event.kind === 'react') return true;
	if (event.kind === 'delete' && signer === standing.owner) return true;
	if (target.signer !== null) return signer === target.signer;
	// Of a message blanked before it was read, the key is lost; what remains is the member id, and whose that is.
	if (!target.blank || event.author === null || event.author !== target.event.author) return false;
	const known = standing.signerOf(event.author);
	return known === undefined || known === signer;
}

/** @param {Map<any, Set<number>>} map @param {any} key @param {number} seq */
function index(map, key, seq) {
	const held = map.get(key);
	if (held) held.add(seq);
	else map.set(key, new Set([seq]));
}
