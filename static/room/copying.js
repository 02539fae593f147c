/**
 * Makes a signed copy of a room (docs/protocol.md, "Signed copies"): what its log says as the server has it, and all
 * that it takes to open and to check it. Whoever has the copy can read all that is in it, and can neither write nor
 * read on by it: no token, no secret that tokens come of, no link. No DOM.
 *
 * @import { SentFile, Window } from '../crypto/content.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { StoredCard } from '../storage/store.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Alarm } from './facade.js'
 * @import { Files } from './files.js'
 * @import { Keyring } from './keyring.js'
 * @import { Log } from './log.js'
 * @import { Item } from './trust.js'
 */

import { partsOf } from '../crypto/chunked.js';
import { WINDOW_LINES } from '../crypto/content.js';
import { contentSecret } from '../crypto/keys.js';
import { encodeBase64url } from '../values/bytes.js';
import { ApiError } from '../wire/api.js';
import { CopyWriter } from './copy.js';

/**
 * What a copy is made of.
 *
 * @typedef {object} Kept
 * @property {string} room
 * @property {string | null} logName The incarnation of the log.
 * @property {number} firstSeq The first event that the server keeps.
 * @property {Log} log All of it that is loaded.
 * @property {Keyring} keyring
 * @property {StoredCard[]} cards
 * @property {{ seq: number, body: string } | null} statement The owner's newest; null before the first, or where it is not known.
 * @property {readonly Alarm[]} alarms What this page raised for the whole room.
 * @property {Identity} identity Who makes the copy.
 * @property {Files | null} files Null: without them.
 */

/**
 * @param {Kept} kept
 * @param {{ signal: AbortSignal, progress: (share: number) => void, now?: number }} more `share`: 0 to 1
 * @returns {Promise<{ copy: Blob, missing: number }>} `missing`: files that the server has no more
 * @throws {ApiError} A file could not be fetched.
 */
export async function makeCopy(kept, { signal, progress, now = Date.now() }) {
	const { room, logName, firstSeq, log, keyring, cards, statement, alarms, identity } = kept;
	const items = log.itemsAfter(0).sort((one, other) => one.event.seq - other.event.seq);
	const head = await headOf(log);
	const writer = new CopyWriter();
	await writer.begin({
		room,
		log: logName,
		made_at_ms: now,
		first_seq: firstSeq,
		head,
		statement,
		alarms: alarms.map(({ code, by, detail, atMs }) => ({ code, by, detail, at_ms: atMs })),
	});
	await writer.section('rotations', keyring.epochs.map(rotationOf));
	await writer.section('keys', await keysOf(keyring));
	const inLog = new Set(items.map(({ event }) => event.seq));
	const beside = cards.filter(({ seq }) => !inLog.has(seq));
	await writer.section(
		'cards',
		beside.map(({ event, epoch }) => ({ ...eventOf(event), epoch })),
	);
	await writer.section('events', eventsOf(items, log));
	let missing = 0;
	const sent = kept.files ? filesOf(items, log) : [];
	const of = sent.reduce((sum, { size }) => sum + partsOf(size), 0);
	let done = 0;
	const parts = async function* () {
		for (const file of sent) {
			try {
				let part = 0;
				for await (const sealed of /** @type {Files} */ (kept.files).sealedParts(file, signal)) {
					yield { id: file.id, part, sealed: encodeBase64url(sealed) };
					part += 1;
					done += 1;
					progress(done / of);
				}
			} catch (cause) {
				if (!(cause instanceof ApiError) || cause.code !== 'file_not_found') throw cause;
				missing += 1;
			}
		}
	};
	await writer.section('files', parts());
	signal.throwIfAborted();
	return { copy: await writer.sign(identity), missing };
}

/** @param {Keyring['epochs'][number]} epoch */
function rotationOf({ row: { epoch, seq, public: part, signature, private: sealed, client_id, author } }) {
	return { epoch, seq, public: part, signature, private: sealed, client_id: client_id ?? null, author: author ?? null };
}

/** What this page had seen up to the last event that it shows. @param {Log} log @returns {Promise<Window | null>} */
async function headOf(log) {
	const { lines } = log.trust;
	const seq = log.last;
	let from = seq;
	while (from > seq - WINDOW_LINES + 1 && log.item(from - 1)) from -= 1;
	return seq > 0 && lines.covers({ seq, from }) ? { seq, from, digest: await lines.digest({ seq, from }) } : null;
}

/** Content keys alone: what else follows from a reader's secret is a token. @param {Keyring} keyring */
async function keysOf(keyring) {
	const held = keyring.epochs.flatMap(({ part, keys }) => (keys ? [{ epoch: part.epoch, keys }] : []));
	return Promise.all(
		held.map(async ({ epoch, keys }) => ({ epoch, content: encodeBase64url(await contentSecret(keys.reader)) })),
	);
}

/** What was deleted is in no copy, though this page still has it. @param {Item[]} items @param {Log} log */
function* eventsOf(items, log) {
	for (const { event, hash } of items) {
		const isGone = hash !== null && (event.body === '' || isErased(event, log));
		yield eventOf(isGone ? { ...event, body: '', erased: hash } : event);
	}
}

/** Whether a message, or an edit of one, was believably deleted. @param {LogEvent} event @param {Log} log */
function isErased({ kind, seq, target }, log) {
	const message = kind === 'message' ? seq : kind === 'edit' ? target : null;
	return message !== null && log.trust.outcome(message).removed !== null;
}

/** Nothing but what an event is. @param {LogEvent} event @returns {LogEvent} */
function eventOf({ seq, kind, client_id, author, target, body, sent_at_ms, erased }) {
	return { seq, kind, client_id, author, target, body, sent_at_ms, ...(erased === undefined ? {} : { erased }) };
}

/** The files of what is shown, each once. @param {Item[]} items @param {Log} log @returns {SentFile[]} */
function filesOf(items, log) {
	/** @type {Map<string, SentFile>} */
	const sent = new Map();
	for (const { event } of items) {
		const entry = log.entry(event.seq);
		if (entry?.type === 'message') for (const file of entry.files) sent.set(file.id, file);
	}
	return Array.from(sent.values());
}
