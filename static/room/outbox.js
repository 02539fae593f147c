/**
 * Sends what waits, in order, until it has arrived: sealed just before its first attempt, then the same bytes under
 * the same id on every attempt, across reloads and renewals, and from one tab at a time. What is refused for an epoch
 * that is over is sealed anew under another id (docs/protocol.md, "Sending across a renewal"). No DOM.
 *
 * @import { ApiError } from '../wire/api.js'
 * @import { OutboxEntry, Store } from '../storage/store.js'
 */

/**
 * @typedef {object} Sending
 * @property {number} count What is still to be sent.
 * @property {string | null} code Why it waits, as an {@link ApiError}'s code, or `storage`.
 * @property {number | null} waitingUntilMs
 * @property {boolean} unkept Some of it is in memory only, for the storage refused it.
 */

/** Faults that pass by themselves. Anything else is for a person to decide. */
const PASSING = new Set([
	'network',
	'timeout',
	'aborted',
	'unavailable',
	'rate_limited',
	'bad_answer',
	'storage_full',
	'renewed',
	'no_key',
]);

const RETRY_MS = 1_000;
const RETRY_MOST_MS = 30_000;
/** New keys are followed so often without a pause. */
const MOST_AT_ONCE = 5;
/**
 * A tab that is frozen while it sends must not hold up the others. Two who send do no harm: each goes on to the
 * next only when the one before has arrived, under whichever of its attempts.
 */
const STEAL_AFTER_MS = 5_000;

/** @typedef {{ body: string, epoch: number }} Sealed */

export class Outbox {
	/** In order; `sent` ones stay until the log shows them. @type {OutboxEntry[]} */
	entries = [];
	/** @type {Sending} */
	sending = { count: 0, code: null, waitingUntilMs: null, unkept: false };

	#room;
	#store;
	#seal;
	#send;
	#renewed;
	#holds;
	#lost;
	#done;
	#anew;
	#changed;
	#locks;
	#channel;
	#random;
	#stealAfterMs;
	/** What the storage refused. @type {OutboxEntry[]} */
	#unstored = [];
	/** What the storage has not noted yet, by id; null: removed. @type {Map<string, Partial<OutboxEntry> | null>} */
	#unnoted = new Map();
	#lastOrder = 0;
	/** When another tab said last that it is at work. */
	#heardAtMs = -Infinity;
	#failures = 0;
	/** The log shows everything up to here. */
	#seen = 0;
	#notBefore = 0;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;
	#draining = false;
	#again = false;
	#finishing = false;
	#stopped = false;

	/**
	 * @param {object} parts
	 * @param {string} parts.room
	 * @param {Store} parts.store
	 * @param {(entry: OutboxEntry) => Promise<Sealed | { before: Pick<OutboxEntry, 'kind' | 'said'> }>} parts.seal Its bytes,
	 *   or what must go out before it. Rejects with `no_key` where no key is at hand.
	 * @param {(entry: OutboxEntry) => Promise<{ seq: number }>} parts.send
	 * @param {() => Promise<boolean>} parts.renewed The keys are new; resolves with whether they are here now.
	 * @param {(entry: OutboxEntry, seq: number) => Promise<boolean | null>} parts.holds Whether the log has at a sequence exactly
	 *   this; null: that sequence is above what is read here. Rejects where that is found out later.
	 * @param {(seq: number) => void} parts.lost Something acknowledged is not where it was acknowledged.
	 * @param {() => void} parts.changed `entries` or `sending` did.
	 * @param {(entry: OutboxEntry) => void} [parts.done] It waits no more: it is in the log, or was discarded.
	 * @param {(entry: OutboxEntry) => Promise<OutboxEntry['said']>} [parts.anew] The same words, whose files the server has
	 *   no more, with files that it never had.
	 * @param {LockManager | undefined} [parts.locks]
	 * @param {BroadcastChannel | null} [parts.channel] To the other tabs of the room; is closed with this.
	 * @param {() => number} [parts.random]
	 * @param {number} [parts.stealAfterMs]
	 */
	constructor({
		room,
		store,
		seal,
		send,
		renewed,
		holds,
		lost,
		changed,
		done = () => {},
		anew = async ({ said }) => said,
		locks,
		channel = null,
		random = Math.random,
		stealAfterMs = STEAL_AFTER_MS,
	}) {
		this.#room = room;
		this.#store = store;
		this.#seal = seal;
		this.#send = send;
		this.#renewed = renewed;
		this.#holds = holds;
		this.#lost = lost;
		this.#changed = changed;
		this.#done = done;
		this.#anew = anew;
		this.#locks = locks;
		this.#channel = channel;
		this.#random = random;
		this.#stealAfterMs = stealAfterMs;
		channel?.addEventListener('message', (event) => {
			if (event.data === 'busy') this.#heardAtMs = Date.now();
			else void this.#refresh();
		});
	}

	/** Takes up what was left, and sends it. @returns {Promise<void>} */
	async load() {
		await this.#refresh();
		this.kick();
	}

	/**
	 * @param {Pick<OutboxEntry, 'client_id' | 'kind' | 'target' | 'said' | 'identity'>} post
	 * @returns {Promise<void>} when it is stored, or could not be: then it is sent from memory
	 */
	async add(post) {
		// Microseconds, of which the last three are drawn: no two tabs give the same. Nothing goes before what was
		// there already, though the clock was set back since.
		const last = Math.max(this.#lastOrder, ...this.entries.map(({ order }) => order));
		this.#lastOrder = Math.max(Date.now() * 1000 + Math.floor(this.#random() * 1000), last + 1);
		await this.#put(post, this.#lastOrder);
		this.kick();
		await this.#tell();
	}

	/** @param {Pick<OutboxEntry, 'client_id' | 'kind' | 'target' | 'said' | 'identity'>} post @param {number} order */
	async #put(post, order) {
		/** @type {OutboxEntry} */
		const entry = {
			room: this.#room,
			order,
			...post,
			body: null,
			epoch: null,
			again: null,
			state: 'waiting',
			seq: null,
			error: null,
		};
		await this.#store.putOutbox(entry).catch(() => this.#unstored.push(entry));
		this.entries = inOrder([...this.entries, entry]);
	}

	/** @param {string} clientId @returns {Promise<void>} */
	async retry(clientId) {
		const entry = this.entries.find(({ client_id }) => client_id === clientId);
		if (entry?.state !== 'failed') return;
		await this.#settle(entry, { state: 'waiting', error: null });
		await this.#tell();
		this.kick();
	}

	/** @param {string} clientId @returns {Promise<void>} */
	async discard(clientId) {
		const entry = this.entries.find(({ client_id }) => client_id === clientId);
		if (!entry) return;
		await this.#remove(entry);
		await this.#tell();
	}

	/**
	 * The log shows everything up to a sequence. What it holds exactly is done; what was acknowledged and is not
	 * there is said to be lost.
	 *
	 * @param {number} seq
	 * @param {Map<string, number>} [arrived] Ids that came, and where.
	 * @returns {Promise<void>}
	 */
	async seen(seq, arrived = new Map()) {
		this.#seen = Math.max(this.#seen, seq);
		let settled = false;
		for (const entry of this.entries) settled = (await this.#compare(entry, arrived.get(entry.client_id))) || settled;
		if (settled) await this.#tell();
	}

	/** @param {OutboxEntry} entry @param {number} [came] @returns {Promise<boolean>} whether it is done, one way or the other */
	async #compare(entry, came) {
		const at = entry.seq !== null && entry.seq <= this.#seen ? entry.seq : came;
		if (at === undefined || entry.body === null) return false;
		const held = await this.#holds(entry, at).catch(() => undefined);
		if (held === undefined) return false;
		// An id of ours with other content is not ours; it is told of where it stands.
		if (held === false && entry.seq === null) return false;
		if (held === false) {
			this.#lost(at);
			await this.#settle(entry, { state: 'failed', seq: null, error: 'lost' });
		} else {
			await this.#remove(entry);
		}
		return true;
	}

	/**
	 * The server's log is another one than before: what it had acknowledged and not yet shown may be lost. Sent
	 * again it does no harm where it is not.
	 *
	 * @returns {Promise<void>}
	 */
	async requeue() {
		this.#seen = 0;
		const sent = this.entries.filter(({ state }) => state === 'sent');
		// In the new log's order: an attempt that was under way, and these again, as the bytes that they were.
		for (const entry of sent) await this.#settle(entry, { state: 'waiting', seq: null });
		if (sent.length > 0) await this.#tell();
		this.kick();
	}

	/**
	 * The keys of an epoch are others now: what waits and was sealed with those of before is sealed anew.
	 *
	 * @param {number} epoch And those after it.
	 * @returns {Promise<void>}
	 */
	async reseal(epoch) {
		for (const entry of this.entries) {
			if (entry.body === null || entry.state === 'sent' || (entry.epoch ?? 0) < epoch) continue;
			const again = entry.again ?? entry.client_id;
			await this.#settle(entry, { client_id: crypto.randomUUID(), body: null, epoch: null, again });
		}
		await this.#tell();
	}

	/** Tries now, unless the server asked to wait. */
	kick() {
		if (this.#stopped || Date.now() < this.#notBefore) return;
		clearTimeout(this.#timer);
		this.#again = true;
		if (this.#draining) return;
		// Storage that fails now may work later; nothing is lost that was stored.
		this.#drain().catch(() => this.#wait('storage', RETRY_MOST_MS));
	}

	/** Sends what waits, and then stops. */
	finish() {
		this.#finishing = true;
		if (!this.#draining && !this.entries.some(({ state }) => state === 'waiting')) this.stop();
		else this.kick();
	}

	stop() {
		this.#stopped = true;
		clearTimeout(this.#timer);
		this.#channel?.close();
	}

	async #drain() {
		this.#draining = true;
		try {
			while (this.#again && !this.#stopped) {
				this.#again = false;
				await this.#exclusively(() => this.#sendWaiting());
			}
		} finally {
			this.#draining = false;
		}
	}

	async #sendWaiting() {
		while (!this.#stopped) {
			await this.#refresh();
			const entry = this.entries.find(({ state }) => state === 'waiting');
			if (!entry) {
				this.#wait(null, 0);
				if (this.#finishing) this.stop();
				return;
			}
			try {
				const sealed = await this.#sealed(entry);
				// Another tab discarded it, or something goes before it.
				if (!sealed) continue;
				const { seq } = await this.#send(sealed);
				this.#failures = 0;
				await this.#settle(sealed, { state: 'sent', seq });
				// One that had arrived before its answer was lost is shown already.
				if (seq <= this.#seen) await this.#compare({ ...sealed, state: 'sent', seq }, undefined);
			} catch (cause) {
				if (!(await this.#refused(entry, cause))) return;
			}
			await this.#tell();
		}
	}

	/** @param {OutboxEntry} entry @returns {Promise<OutboxEntry | null>} with the bytes that every tab sends */
	async #sealed(entry) {
		if (entry.body !== null) return entry;
		// Bringing files to the server may take long, and who does that is not frozen.
		const busy = setInterval(() => this.#channel?.postMessage('busy'), this.#stealAfterMs / 3);
		const sealed = await this.#seal(entry).finally(() => clearInterval(busy));
		if ('before' in sealed) {
			await this.#put(
				{ ...sealed.before, client_id: crypto.randomUUID(), target: null, identity: entry.identity },
				entry.order - 0.5,
			);
			return null;
		}
		if (this.#unstored.some(({ client_id }) => client_id === entry.client_id)) {
			this.#note(entry.client_id, { ...this.#unnoted.get(entry.client_id), ...sealed });
			return { ...entry, ...sealed };
		}
		const kept = await this.#store.sealOutbox(entry, sealed).catch(() => ({ ...entry, ...sealed }));
		if (!kept || kept.client_id !== entry.client_id || kept.body === null) return null;
		const { body, epoch } = kept;
		this.entries = this.entries.map((held) => (held.client_id === kept.client_id ? { ...held, body, epoch } : held));
		return kept;
	}

	/** @param {OutboxEntry} entry @param {unknown} cause @returns {Promise<boolean>} whether to go on at once */
	async #refused(entry, cause) {
		const { code = 'network', retryAfterMs = null } = /** @type {Partial<ApiError>} */ (cause);
		const isNew = (code === 'renewed' || code === 'stale_epoch' || code === 'no_key') && (await this.#renewed());
		if (code === 'stale_epoch') {
			// Final: that post will never be in the log. The words are sealed anew.
			const again = entry.again ?? entry.client_id;
			await this.#settle(entry, { client_id: crypto.randomUUID(), body: null, epoch: null, again });
			return isNew || this.#waitFor('no_key', null);
		}
		if (code === 'file_missing' && this.#failures < MOST_AT_ONCE) {
			this.#failures += 1;
			const again = entry.again ?? entry.client_id;
			const said = await this.#anew(entry);
			await this.#settle(entry, { client_id: crypto.randomUUID(), body: null, epoch: null, again, said });
			return true;
		}
		// A server that always says so is not asked without a pause.
		if (isNew && this.#failures < MOST_AT_ONCE) {
			this.#failures += 1;
			return true;
		}
		if (PASSING.has(code)) return this.#waitFor(code, retryAfterMs);
		this.#failures = 0;
		if (entry.kind !== 'card') {
			await this.#settle(entry, { state: 'failed', error: code });
			return true;
		}
		// Nobody is told of a card: what it was to introduce has failed.
		await this.#remove(entry);
		const next = this.entries.find(({ state, kind }) => state === 'waiting' && kind !== 'card');
		if (next) await this.#settle(next, { state: 'failed', error: code });
		return true;
	}

	/** @param {string} code @param {number | null} asked By the server. @returns {false} */
	#waitFor(code, asked) {
		this.#failures += 1;
		const most = Math.min(RETRY_MS * 2 ** (this.#failures - 1), RETRY_MOST_MS);
		this.#wait(code, asked ?? most * (0.5 + this.#random() / 2), asked);
		return false;
	}

	/** @param {OutboxEntry} entry @param {Partial<OutboxEntry>} changes */
	async #settle(entry, changes) {
		this.#note(entry.client_id, { ...this.#unnoted.get(entry.client_id), ...changes });
		await this.#store.changeOutbox(entry, changes).then(
			() => this.#unnoted.delete(entry.client_id),
			() => {},
		);
	}

	/** @param {OutboxEntry} entry */
	async #remove(entry) {
		this.#unstored = this.#unstored.filter(({ client_id }) => client_id !== entry.client_id);
		this.#note(entry.client_id, null);
		this.#done(entry);
		await this.#store.removeOutbox(entry).then(
			() => this.#unnoted.delete(entry.client_id),
			() => {},
		);
	}

	/** @param {string} clientId @param {Partial<OutboxEntry> | null} changes */
	#note(clientId, changes) {
		this.#unnoted.set(clientId, changes);
		this.#unstored = this.#withNotes(this.#unstored);
		this.entries = this.#withNotes(this.entries);
	}

	/** What became of an entry holds here even while the storage fails to note it. @param {OutboxEntry[]} entries */
	#withNotes(entries) {
		return entries.flatMap((entry) => {
			const changes = this.#unnoted.get(entry.client_id);
			return changes === null ? [] : [{ ...entry, ...changes }];
		});
	}

	/** @param {string | null} code @param {number} delay @param {number | null} [asked] By the server. */
	#wait(code, delay, asked = null) {
		if (this.#stopped) return;
		this.#notBefore = Date.now() + (asked ?? 0);
		const count = this.entries.filter(({ state }) => state === 'waiting').length;
		const waitingUntilMs = code === null ? null : Date.now() + delay;
		this.sending = { ...this.sending, count, code, waitingUntilMs };
		if (code === null) return this.#changed();
		this.#timer = setTimeout(() => {
			// Timers may fire a moment early, and a kick before its time does nothing.
			this.#notBefore = 0;
			this.kick();
		}, delay);
		this.#changed();
	}

	/** @param {() => Promise<void>} work @returns {Promise<void>} */
	async #exclusively(work) {
		if (!this.#locks) return work();
		const name = `buddy/outbox/${this.#room}`;
		const patience = AbortSignal.timeout(this.#stealAfterMs);
		let held = false;
		const once = async () => {
			held = true;
			await work();
		};
		try {
			await this.#locks.request(name, { signal: patience }, once);
		} catch (cause) {
			const isBusy = Date.now() - this.#heardAtMs < this.#stealAfterMs;
			if (!held && patience.aborted && isBusy) return this.#exclusively(work);
			if (!held && patience.aborted) return this.#locks.request(name, { steal: true }, once);
			// Stolen from here while at it: the other tab goes on.
			if (!(cause instanceof DOMException && cause.name === 'AbortError')) throw cause;
		}
	}

	async #tell() {
		if (this.#stopped) return;
		this.#channel?.postMessage('changed');
		await this.#refresh();
	}

	/** Takes what is stored; storage that does not answer leaves what is known here. */
	#refresh = async () => {
		const stored = await this.#store.outbox(this.#room).catch(() => null);
		if (this.#stopped) return;
		if (stored) this.entries = this.#withNotes(inOrder([...stored, ...this.#unstored]));
		const { entries } = this;
		const count = entries.filter(({ state }) => state === 'waiting').length;
		const unkept = this.#unstored.some(({ state }) => state === 'waiting');
		this.sending = { ...this.sending, count, unkept, ...(count === 0 ? { code: null, waitingUntilMs: null } : {}) };
		this.#changed();
	};
}

/** @param {OutboxEntry[]} entries */
function inOrder(entries) {
	return entries.sort((one, other) => one.order - other.order);
}
