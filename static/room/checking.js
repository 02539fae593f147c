/**
 * Checks a signed copy of a room (docs/protocol.md, "Signed copies") as the page checks what a server tells: the
 * owner's rotations, cards, envelopes, windows, and whether nothing is missing. What comes out can be shown. Asks
 * nobody. No DOM.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { SentFile, State, Window } from '../crypto/content.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { KeysRow } from '../wire/api.js'
 * @import { CopyReader as Reader, Item as Line } from './copy.js'
 * @import { Alarm } from './facade.js'
 * @import { Entry } from './log.js'
 * @import { Item } from './trust.js'
 */

import { Damaged, PART_BYTES, SealedFile, filledUp, partsOf } from '../crypto/chunked.js';
import { isEncoded, isWindow } from '../crypto/content.js';
import { epochOf, open } from '../crypto/envelope.js';
import { isHex32 } from '../crypto/json.js';
import { RotationError, parseRotationBody } from '../crypto/rotation.js';
import { fingerprint } from '../crypto/words.js';
import { decodeBase64url } from '../values/bytes.js';
import { isLogEvent, isSeq, isTime } from '../values/event.js';
import { cleanName } from '../values/text.js';
import { Bodies } from './bodies.js';
import { CopyError, CopyReader } from './copy.js';
import { Keyring, statementId } from './keyring.js';
import { Log } from './log.js';
import { Standing } from './standing.js';
import { Trust } from './trust.js';

/** What a page raises for a whole room. */
const ALARMS = /** @type {unknown[]} */ (
	/** @type {Alarm['code'][]} */ ([
		'bad_rotation',
		'two_rotations',
		'claims_gone',
		'fork',
		'server_state',
		'set_back',
		'left_waiting',
	])
);

/** What a server does otherwise, or what is wrong with a rotation. */
const DETAILS = [null, 'lock', 'lifetime', 'expiry', 'malformed', 'other_room', 'forged', 'not_next', 'wrong_keys'];

/** Events that are opened at once. */
const BATCH = 200;

/**
 * What is wrong with the copy as a whole; what is wrong with one event stands with its entry.
 *
 * - `changed`: the signature of whoever made it does not fit: something was changed since.
 * - `stranger`: it is signed by somebody who is nobody in this room, such as one who only reads.
 * - `rotation`: what should begin an epoch is not of the owner, or does not follow the one before.
 * - `key`: a key that opens nothing, of an epoch.
 * - `card`: a card that is none, in a line.
 * - `head`: what its maker had seen last is not what stands here.
 * - `event`: something of the log that does not hold and shows nowhere else, such as a card that does not open.
 * - `file`: a part of a file that no message names, in a line.
 *
 * @typedef {{ code: 'changed' | 'stranger' | 'rotation' | 'key' | 'card' | 'head' | 'event' | 'file', at: number }} Fault
 *   `at`: of a rotation or a key its epoch, of an event its sequence, else the line.
 *
 * @typedef {{ signer: string, name: string, taken: boolean, owner: boolean, said: number, words: string[] }} Somebody
 *   `said`: how many messages are theirs.
 *
 * `fits`: it opens whole by the key in its message.
 *
 * @typedef {'fits' | 'missing' | 'damaged'} FileState
 *
 * @typedef {object} Checked
 * @property {string} room
 * @property {string} title
 * @property {number} madeAtMs By its maker's clock.
 * @property {Somebody} maker Who signed it.
 * @property {Fault[]} faults
 * @property {Alarm[]} alarms What its maker's page had raised for the whole room: their word.
 * @property {readonly Entry[]} entries
 * @property {(seq: number) => Entry | undefined} entry
 * @property {Somebody[]} people The owner first.
 * @property {{ first: number, last: number, events: number, signatures: number, erased: number }} log `signatures`: that hold.
 * @property {boolean} whole Whether it begins where the server's log began then.
 * @property {Map<string, FileState>} files By id.
 * @property {(file: SentFile) => Promise<Blob>} readFile Without a type. Throws {@link Damaged}.
 */

/**
 * @param {Blob} file
 * @param {(share: number) => void} [told] How much was read, 0 to 1.
 * @returns {Promise<Checked>}
 * @throws {CopyError}
 */
export async function checkCopy(file, told = () => {}) {
	return new Check(file, told).run();
}

class Check {
	#file;
	#told;
	#reader;
	/** @type {Fault[]} */
	#faults = [];

	/** @param {Blob} file @param {(share: number) => void} told */
	constructor(file, told) {
		this.#file = file;
		this.#told = told;
		this.#reader = new CopyReader(file);
	}

	/** @returns {Promise<Checked>} */
	async run() {
		const about = aboutOf(await this.#reader.begin(), this.#reader);
		const { room } = about;
		const keyring = new Keyring(room, null, null);
		const authors = await this.#followRotations(keyring);
		const { owner } = keyring;
		if (owner === null) throw new CopyError('no_room', this.#reader.line);
		await this.#lendKeys(keyring);
		const standing = new Standing(room, owner);
		const trust = new Trust(room, standing, () => about.madeAtMs);
		const log = new Log({ signer: null, author: null }, trust);
		tell(standing, keyring);
		await this.#takeCards(keyring, standing);
		standing.complete = true;
		const items = await this.#takeEvents(new Bodies(room, keyring), keyring, trust, log);
		for (const { event } of items) if (event.kind === 'change' && event.author) authors.add(event.author);
		const ownerAuthor = standing.cardOf(owner)?.author;
		if (ownerAuthor) authors.add(ownerAuthor);
		const state = await newestState(about, keyring, items, trust, authors);
		if (state) trust.setState(state);
		const last = items.at(-1)?.event.seq ?? 0;
		trust.settle(last);
		noteGaps(items, log);
		log.refresh(trust.held);
		for (const { event } of items) if (isUnshown(event.seq, log)) this.#note('event', event.seq);
		if (about.head && !(await seen(about.head, trust))) this.#note('head');

		const parts = new Parts(this.#file, room, sentIn(log));
		for await (const line of this.#reader.items('files')) {
			if (!(await parts.take(line))) this.#note('file');
			this.#told(line.end / this.#file.size);
		}
		parts.end();
		const { by, fits } = await this.#reader.end();
		if (!fits) this.#note('changed');
		const epoch = standing.epochs.at(-1)?.epoch ?? 0;
		if (standing.believes(by, epoch) !== 'yes') this.#note('stranger');

		const spoken = countBy(log.entries);
		const first = items[0]?.event.seq ?? 0;
		const somebody = async (/** @type {string} */ signer) => {
			const name = standing.nameOf(signer);
			const taken = name !== '' && standing.isNameTaken(name, signer);
			const words = await fingerprint(signer);
			return { signer, name, taken, owner: signer === owner, said: spoken.get(signer) ?? 0, words };
		};
		const signers = new Set([owner, ...standing.signers, ...spoken.keys()]);
		return {
			...about,
			title: cleanName(state?.name ?? ''),
			maker: await somebody(by),
			faults: this.#faults,
			entries: log.entries,
			entry: (seq) => log.entry(seq),
			people: await Promise.all(Array.from(signers, somebody)),
			log: {
				first,
				last,
				events: items.length,
				signatures: items.filter(({ opened }) => opened?.ok).length,
				erased: items.filter(({ event }) => event.body === '').length,
			},
			whole: first <= about.firstSeq,
			files: parts.states,
			readFile: (file) => parts.read(file),
		};
	}

	/** @param {Fault['code']} code @param {number} [at] */
	#note(code, at = this.#reader.line) {
		this.#faults.push({ code, at });
	}

	/** @param {Keyring} keyring @returns {Promise<Set<string>>} member ids under which the owner may have made requests */
	async #followRotations(keyring) {
		/** @type {Set<string>} */
		const authors = new Set();
		let next = 0;
		for await (const { value } of this.#reader.items('rotations')) {
			if (!isRotation(value)) throw this.#reader.fault();
			const { epoch, seq, client_id, author } = value;
			try {
				if (epoch !== next) throw new RotationError('not_next');
				await keyring.follow([{ ...value, grant: null }]);
				next += 1;
				if (client_id !== null) await keyring.locate(epoch, { client_id, author, seq });
				if (author !== null) authors.add(author);
			} catch (cause) {
				if (!(cause instanceof RotationError)) throw cause;
				if (epoch === 0) throw new CopyError('no_room', this.#reader.line);
				this.#note('rotation', epoch);
			}
		}
		return authors;
	}

	/** @param {Keyring} keyring */
	async #lendKeys(keyring) {
		for await (const { value } of this.#reader.items('keys')) {
			const { epoch, content } = value;
			if (!isEncoded(content, 32) || !Number.isSafeInteger(epoch)) throw this.#reader.fault();
			const lent = await keyring.lend(epoch, /** @type {Bytes} */ (decodeBase64url(content)));
			const { row, content: said } = keyring.get(epoch) ?? {};
			const shouldOpen = row && row.private !== null && (epoch === 0 || row.client_id);
			if (!lent || (shouldOpen && !said)) this.#note('key', epoch);
		}
	}

	/** @param {Keyring} keyring @param {Standing} standing */
	async #takeCards(keyring, standing) {
		for await (const { value } of this.#reader.items('cards')) {
			const { epoch, ...event } = value;
			if (!isLogEvent(event) || event.kind !== 'card' || !Number.isSafeInteger(epoch)) throw this.#reader.fault();
			const opened = await keyring.openCard({ event, epoch });
			// Of an epoch that is closed to whoever made the copy nothing can be said.
			if (opened === null && keyring.get(epoch)?.keys === null) continue;
			const isCard = opened?.ok && (await standing.addCard(event, epoch, opened.signer, opened.content));
			if (!isCard) this.#note('card');
		}
	}

	/**
	 * @param {Bodies} bodies
	 * @param {Keyring} keyring
	 * @param {Trust} trust
	 * @param {Log} log
	 * @returns {Promise<Item[]>} ascending
	 */
	async #takeEvents(bodies, keyring, trust, log) {
		/** @type {Item[]} */
		const all = [];
		/** @type {LogEvent[]} */
		let events = [];
		const take = async () => {
			const items = await bodies.readEvents(events);
			for (const { event, epoch, opened } of items) {
				// A renewal's event says where its epoch begins, whatever else the copy says.
				if (event.kind === 'rotate' && opened?.ok && epoch !== null) await began(keyring, epoch, event);
			}
			tell(trust.standing, keyring);
			log.add(items, await trust.add(items));
			all.push(...items);
			events = [];
		};
		let before = 0;
		for await (const { value, line, end } of this.#reader.items('events')) {
			if (!isLogEvent(value)) throw this.#reader.fault();
			if (value.seq <= before) throw new CopyError('order', line);
			before = value.seq;
			events.push(value);
			if (events.length < BATCH) continue;
			await take();
			this.#told(end / this.#file.size);
		}
		await take();
		return all;
	}
}

/** The files of a copy: each part is opened as it comes, and where it stands is kept. */
class Parts {
	/** @type {Map<string, FileState>} */
	states = new Map();
	#file;
	#room;
	#sent;
	/** Where the lines of a file's parts stand. @type {Map<string, { start: number, end: number }[]>} */
	#places = new Map();
	/** @type {{ id: string, opener: SealedFile } | null} */
	#opened = null;

	/** @param {Blob} file @param {string} room @param {Map<string, SentFile>} sent */
	constructor(file, room, sent) {
		this.#file = file;
		this.#room = room;
		this.#sent = sent;
	}

	/** @param {Line} line @returns {Promise<boolean>} false: it is of no file that a message names */
	async take({ value, start, end }) {
		const { id } = value;
		const sent = this.#sent.get(id);
		if (!sent) return false;
		const places = this.#places.get(id) ?? [];
		this.#places.set(id, places);
		try {
			if (value['part'] !== places.length || this.states.get(id) === 'damaged') throw new Damaged('not the next part');
			await this.#open(sent, places.length, value);
			places.push({ start, end });
		} catch (cause) {
			if (!(cause instanceof Damaged)) throw cause;
			this.states.set(id, 'damaged');
		}
		return true;
	}

	/** What has not come by now does not. */
	end() {
		for (const [id, { size }] of this.#sent) {
			if (this.states.has(id)) continue;
			const held = this.#places.get(id)?.length ?? 0;
			this.states.set(id, held === 0 ? 'missing' : held === partsOf(size) ? 'fits' : 'damaged');
		}
	}

	/** @param {SentFile} sent @returns {Promise<Blob>} @throws {Damaged} */
	async read(sent) {
		if (this.states.get(sent.id) !== 'fits') throw new Damaged('the copy does not hold it');
		/** @type {Blob[]} */
		const pieces = [];
		for (const { start, end } of this.#places.get(sent.id) ?? []) {
			const text = await this.#file.slice(start, end).text();
			const plain = await this.#open(sent, pieces.length, JSON.parse(text.replace(/^,/, '')));
			pieces.push(new Blob([plain.subarray(0, Math.max(0, sent.size - pieces.length * PART_BYTES))]));
		}
		return new Blob(pieces);
	}

	/** @param {SentFile} sent @param {number} number @param {Record<string, any>} value @returns {Promise<Bytes>} */
	async #open({ id, key, size }, number, { sealed }) {
		const part = typeof sealed === 'string' ? decodeBase64url(sealed) : null;
		if (!part) throw new Damaged('not in the form of a part');
		if (number === 0) {
			const secret = /** @type {Bytes} */ (decodeBase64url(key));
			this.#opened = { id, opener: await SealedFile.open({ room: this.#room, id, key: secret }, part) };
		}
		const from = number * PART_BYTES;
		if (this.#opened?.id !== id || number >= partsOf(size)) throw new Damaged('a part too many');
		return this.#opened.opener.openPart(number, part, Math.min(PART_BYTES, filledUp(size) - from));
	}
}

/** @param {Record<string, any>} value @param {Reader} reader */
function aboutOf({ room, log, made_at_ms, first_seq, head, statement, alarms }, reader) {
	const isStatement = statement === null || (isSeq(statement?.seq) && typeof statement.body === 'string');
	const isWhole =
		isHex32(room) &&
		(log === null || typeof log === 'string') &&
		isTime(made_at_ms) &&
		isSeq(first_seq) &&
		(head === null || isWindow(head)) &&
		isStatement &&
		Array.isArray(alarms) &&
		alarms.every(
			(alarm) => ALARMS.includes(alarm?.code) && isTime(alarm.at_ms) && DETAILS.includes(alarm.detail ?? null),
		);
	if (!isWhole) throw reader.fault();
	return {
		room,
		madeAtMs: made_at_ms,
		firstSeq: first_seq,
		head: /** @type {Window | null} */ (head),
		statement: /** @type {{ seq: number, body: string } | null} */ (statement),
		alarms: alarms.map(({ code, by, detail, at_ms }) => ({ id: code, code, by, detail, atMs: at_ms })),
	};
}

/** @param {Record<string, any>} value @returns {value is Omit<KeysRow, 'grant'> & { client_id: string | null, author: string | null }} */
function isRotation(value) {
	const { epoch, seq, public: part, signature, private: sealed, client_id, author } = value;
	const isText = (/** @type {unknown} */ one) => one === null || typeof one === 'string';
	return (
		Number.isSafeInteger(epoch) &&
		Number.isSafeInteger(seq) &&
		typeof part === 'string' &&
		typeof signature === 'string' &&
		[sealed, client_id, author].every(isText)
	);
}

/** The event of a renewal that is known: it stands where it does. @param {Keyring} keyring @param {number} epoch @param {LogEvent} event */
async function began(keyring, epoch, event) {
	const held = keyring.get(epoch);
	if (!held || parseRotationBody(event.body)?.public !== held.row.public) return;
	held.row = { ...held.row, seq: event.seq };
	await keyring.locate(epoch, event);
}

/** @param {Standing} standing @param {Keyring} keyring */
function tell(standing, keyring) {
	for (const { part, row, content } of keyring.epochs) {
		const kept = keyring.keptIn(part.epoch);
		standing.addEpoch({ epoch: part.epoch, seq: row.seq, admit: part.admit, kept, state: content?.state ?? null });
	}
}

/**
 * What the owner said last, of all that the copy holds.
 *
 * @param {{ room: string, statement: { seq: number, body: string } | null }} about
 * @param {Keyring} keyring
 * @param {Item[]} items
 * @param {Trust} trust
 * @param {Set<string>} authors
 * @returns {Promise<State | null>}
 */
async function newestState({ room, statement }, keyring, items, trust, authors) {
	const told = keyring.epochs.map(({ row, content }) => ({ seq: row.seq, state: content?.state }));
	for (const { event } of items) {
		if (event.kind !== 'change' || trust.outcome(event.seq).alarm !== null) continue;
		told.push({ seq: event.seq, state: trust.fact(event.seq)?.content?.state });
	}
	const epoch = statement ? epochOf(statement.body) : null;
	const key = typeof epoch === 'number' ? keyring.get(epoch)?.keys?.content : undefined;
	if (statement && key) {
		const client_id = await statementId(statement.body);
		for (const author of authors) {
			const opened = await open(key, { room, kind: 'change', target: null, client_id, author }, statement.body);
			if (!opened.ok || opened.signer !== keyring.owner) continue;
			told.push({ seq: statement.seq, state: opened.content.state });
			break;
		}
	}
	let newest = told[0];
	for (const one of told) if (one.state && (!newest?.state || one.seq >= newest.seq)) newest = one;
	return newest?.state ?? null;
}

/** Whether there is something wrong with an event that no entry tells of. @param {number} seq @param {Log} log */
function isUnshown(seq, log) {
	const { alarm } = log.trust.outcome(seq);
	return alarm !== null && log.entry(seq) === undefined;
}

/** What a server keeps has no gaps, for events expire from the oldest on. @param {Item[]} items @param {Log} log */
function noteGaps(items, log) {
	for (const [at, { event }] of items.entries()) {
		const before = items[at - 1]?.event.seq;
		if (before !== undefined && event.seq > before + 1) log.noteLost(event.seq - 1, 'gap');
	}
}

/** @param {Window} head @param {Trust} trust */
async function seen(head, { lines }) {
	return head.seq === lines.last && lines.covers(head) && (await lines.digest(head)) === head.digest;
}

/** @param {Log} log @returns {Map<string, SentFile>} the files of what is shown */
function sentIn(log) {
	const sent = log.entries.flatMap((entry) => (entry.type === 'message' ? entry.files : []));
	return new Map(sent.map((file) => [file.id, file]));
}

/** @param {readonly Entry[]} entries @returns {Map<string, number>} messages by whose they are */
function countBy(entries) {
	/** @type {Map<string, number>} */
	const counts = new Map();
	for (const { type, signer } of entries) {
		if (type === 'message' && signer) counts.set(signer, (counts.get(signer) ?? 0) + 1);
	}
	return counts;
}
