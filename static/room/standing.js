/**
 * Who may be believed in which epoch, and whose a name is (docs/protocol.md, "Cards"): the owner, who was kept
 * at a renewal, and whose card the epoch's admit key signed. Pure.
 *
 * @import { Kept, State } from '../crypto/content.js'
 */

import { isAdmitted } from '../crypto/card.js';
import { cleanName, foldName } from '../values/text.js';

/**
 * An epoch as readers know it. `seq`: of the event that began it; 0 for the first. `kept`: null where its private
 * part cannot be read.
 *
 * @typedef {object} Epoch
 * @property {number} epoch
 * @property {number} seq
 * @property {string} admit
 * @property {Kept[] | null} kept
 * @property {State | null} [state] As its private part states it.
 *
 * A card whose signature by the admit key of its epoch holds.
 *
 * @typedef {{ seq: number, epoch: number, signer: string, author: string | null, name: string, box: string, via: string | null }} Card
 *
 * `unknown`: nothing can be said, since cards or what was kept are not at hand.
 *
 * @typedef {'yes' | 'no' | 'unknown'} Belief
 */

export class Standing {
	#room;
	/** Ascending, without gaps once all are known. @type {Epoch[]} */
	#epochs = [];
	/** By signer and epoch, whom the owner kept. @type {Map<number, Map<string, Kept>>} */
	#kept = new Map();
	/** By signer, ascending by sequence. @type {Map<string, Card[]>} */
	#cards = new Map();
	/** Who first used a name, by the name folded. @type {Map<string, { seq: number, signer: string }>} */
	#names = new Map();
	/** @type {Map<string, string>} */
	#folded = new Map();
	/** Whose a member id is: both are derived from one secret. @type {Map<string, string>} */
	#signers = new Map();

	/** @param {string} room @param {string} owner The owner's signer, which the room's id names. */
	constructor(room, owner) {
		this.#room = room;
		this.owner = owner;
		/** Whether every author's newest card is known, up to what is read. */
		this.complete = false;
	}

	/** @returns {readonly Epoch[]} ascending */
	get epochs() {
		return this.#epochs;
	}

	/** @param {Epoch} epoch */
	addEpoch(epoch) {
		this.#epochs = [...this.#epochs.filter((held) => held.epoch !== epoch.epoch), epoch];
		this.#epochs.sort((one, other) => one.epoch - other.epoch);
		if (!epoch.kept) return;
		this.#kept.set(epoch.epoch, new Map(epoch.kept.map((kept) => [kept.signer, kept])));
		for (const { signer, author, name } of epoch.kept) {
			this.#signers.set(author, signer);
			this.#claim(name, epoch.seq, signer);
		}
	}

	/** Forgets epochs that began, and cards that stood, after a sequence of a log that is another one now. @param {number} seq */
	forgetAfter(seq) {
		this.#epochs = this.#epochs.filter((epoch) => epoch.seq <= seq);
		for (const [signer, cards] of this.#cards) {
			this.#cards.set(
				signer,
				cards.filter((card) => card.seq <= seq),
			);
		}
	}

	/** Forgets what came of renewals after an epoch that are not followed any more. @param {number} epoch */
	forgetEpochsAfter(epoch) {
		this.#epochs = this.#epochs.filter((held) => held.epoch <= epoch);
		for (const held of this.#kept.keys()) if (held > epoch) this.#kept.delete(held);
	}

	/** @param {number} seq @returns {number | null} the epoch in force for an event at a sequence; null: not known */
	epochAt(seq) {
		for (let at = this.#epochs.length - 1; at >= 0; at -= 1) {
			const epoch = this.#epochs[at];
			if (epoch && epoch.seq <= seq) return epoch.epoch;
		}
		return null;
	}

	/**
	 * @param {{ seq: number, author: string | null }} event
	 * @param {number} epoch
	 * @param {string} signer
	 * @param {{ name?: string, box?: string, admit?: string, via?: string }} content
	 * @returns {Promise<boolean | null>} whether it is a card of the epoch; null: the epoch is not known yet
	 */
	async addCard({ seq, author }, epoch, signer, content) {
		const admit = this.#epochs.find((held) => held.epoch === epoch)?.admit;
		if (admit === undefined) return null;
		if (!(await isAdmitted(admit, this.#room, epoch, signer, content)) && signer !== this.owner) return false;
		const { name = '', box = '', via = null } = content;
		this.#remember({ seq, epoch, signer, author, name, box, via });
		return true;
	}

	/** @param {string} signer @param {number} epoch @returns {Belief} */
	believes(signer, epoch) {
		if (signer === this.owner) return 'yes';
		const kept = this.#kept.get(epoch);
		if (kept?.has(signer)) return 'yes';
		const cards = this.#cards.get(signer) ?? [];
		if (cards.some((card) => card.epoch === epoch)) return 'yes';
		// Whom the owner kept at the end of an epoch, they had believed in it.
		if (this.#kept.get(epoch + 1)?.has(signer)) return 'yes';
		// Only each author's newest card is to be had, and it stands for all before.
		if (cards.some((card) => card.epoch > epoch)) return 'unknown';
		const known = this.complete && kept !== undefined;
		return known ? 'no' : 'unknown';
	}

	/** @param {string} author @returns {string | undefined} the key that belongs to a member id */
	signerOf(author) {
		return this.#signers.get(author);
	}

	/** How somebody was called at a sequence. @param {string} signer @param {number} [seq] @returns {string} cleaned; empty: not known */
	nameOf(signer, seq = Infinity) {
		const cards = this.#cards.get(signer) ?? [];
		const card = cards.findLast((held) => held.seq <= seq);
		let name = card?.name;
		let since = card?.seq ?? -1;
		for (const { epoch, seq: began } of this.#epochs) {
			const kept = this.#kept.get(epoch)?.get(signer);
			if (!kept || began > seq || began <= since) continue;
			name = kept.name;
			since = began;
		}
		// Before its first card nothing is known but what came later.
		return cleanName(name ?? cards[0]?.name ?? this.#firstKept(signer)?.name ?? '');
	}

	/** How somebody was called before a card of theirs. @param {string} signer @param {number} seq @returns {string | null} null: not known to have been here */
	nameBefore(signer, seq) {
		const cards = this.#cards.get(signer) ?? [];
		const known =
			cards.some((card) => card.seq < seq) ||
			this.#epochs.some((epoch) => epoch.seq < seq && this.#kept.get(epoch.epoch)?.has(signer));
		return known ? this.nameOf(signer, seq - 1) : null;
	}

	/** @param {number} epoch @returns {State | null} */
	stateOf(epoch) {
		return this.#epochs.find((held) => held.epoch === epoch)?.state ?? null;
	}

	/** @param {string} name @param {string | null} signer @returns {boolean} whether another key used it first */
	isNameTaken(name, signer) {
		const folded = this.#fold(name);
		const first = folded === '' ? undefined : this.#names.get(folded);
		return first !== undefined && first.signer !== signer;
	}

	/** @returns {{ signer: string, author: string | null, box: string, name: string, seq: number, via: string | null, epoch: number }[]} believed in an epoch, the owner left out */
	peopleOf(/** @type {number} */ epoch) {
		/** @type {Map<string, { signer: string, author: string | null, box: string, name: string, seq: number, via: string | null, epoch: number }>} */
		const people = new Map();
		for (const { signer, author, box, name } of this.#kept.get(epoch)?.values() ?? []) {
			people.set(signer, { signer, author, box, name, seq: 0, via: null, epoch });
		}
		for (const [signer, cards] of this.#cards) {
			const card = cards.at(-1);
			if (!card || (!people.has(signer) && !cards.some((held) => held.epoch === epoch))) continue;
			people.set(signer, { ...card, seq: cards[0]?.seq ?? card.seq });
		}
		people.delete(this.owner);
		return Array.from(people.values(), (person) => ({ ...person, name: this.nameOf(person.signer) || person.name }));
	}

	/** @returns {readonly string[]} keys of whom anything is known */
	get signers() {
		const kept = Array.from(this.#kept.values(), (people) => Array.from(people.keys())).flat();
		return Array.from(new Set([...this.#cards.keys(), ...kept]));
	}

	/** @param {string} signer @param {number} seq @returns {boolean} whether their card at a sequence is known */
	holdsCard(signer, seq) {
		return this.#cards.get(signer)?.some((card) => card.seq === seq) ?? false;
	}

	/** @param {string} signer @returns {Card | undefined} the newest */
	cardOf(signer) {
		return this.#cards.get(signer)?.at(-1);
	}

	/** @param {string} signer @returns {Kept | undefined} */
	#firstKept(signer) {
		for (const people of this.#kept.values()) if (people.has(signer)) return people.get(signer);
		return undefined;
	}

	/** @param {Card} card */
	#remember(card) {
		const cards = this.#cards.get(card.signer) ?? [];
		if (cards.some(({ seq }) => seq === card.seq)) return;
		cards.push(card);
		cards.sort((one, other) => one.seq - other.seq);
		this.#cards.set(card.signer, cards);
		if (card.author !== null) this.#signers.set(card.author, card.signer);
		this.#claim(card.name, card.seq, card.signer);
	}

	/** @param {string} name @param {number} seq @param {string} signer */
	#claim(name, seq, signer) {
		const folded = this.#fold(name);
		const first = this.#names.get(folded);
		if (folded !== '' && (!first || seq < first.seq)) this.#names.set(folded, { seq, signer });
	}

	/** How a name reads. It is asked for with every message of theirs. @param {string} name */
	#fold(name) {
		let folded = this.#folded.get(name);
		if (folded === undefined) this.#folded.set(name, (folded = foldName(cleanName(name))));
		return folded;
	}
}
