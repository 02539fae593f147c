/**
 * What envelopes hold: the JSON of each kind, read (docs/protocol.md, "Envelopes"). Members of the JSON that are
 * not listed are ignored, one of the wrong form makes all of it malformed. Pure.
 */

import { decodeBase64url } from '../values/bytes.js';
import { toObject } from '../values/json.js';
import { isCount, isId, isText } from './json.js';

/**
 * What a device had seen: the events `from` to `seq`, at most 64 of them. `digest`: base64url.
 *
 * @typedef {{ seq: number, from: number, digest: string }} Window
 *
 * The whole of what the owner set. `message_ttl_s`: null for none. `ever_ttl`: the shortest lifetime that was ever
 * in force, or null. `invite`: the room's link, sealed for members, or null. `pins`: absent for none.
 *
 * @typedef {object} State
 * @property {string} name
 * @property {boolean} locked
 * @property {number | null} message_ttl_s
 * @property {number} expires_in_s
 * @property {number | null} ever_ttl
 * @property {string | null} invite
 * @property {Pin[]} [pins] At most {@link MOST_PINS}.
 *
 * A message that the owner pinned. `id`: its `client_id`.
 *
 * @typedef {{ seq: number, id: string }} Pin
 *
 * @typedef {{ signer: string, author: string, box: string, name: string }} Kept Somebody who stays at a renewal.
 *
 * A file of a message. `key`, `thumb` and `waveform`: base64url; `size` before it was filled up; `thumb` a small picture.
 * What has `duration_ms`, 1 to {@link MOST_PLAYED_MS}, and `waveform`, {@link WAVEFORM_BYTES} heights, is a voice message.
 *
 * @typedef {object} SentFile
 * @property {string} id
 * @property {string} key
 * @property {string} name
 * @property {string} type
 * @property {number} size
 * @property {number} [width]
 * @property {number} [height]
 * @property {string} [thumb]
 * @property {number} [duration_ms] Never without `waveform`.
 * @property {string} [waveform] Never without `duration_ms`.
 *
 * @typedef {object} Content
 * @property {number} [at_ms] When it was written, by the writer's clock.
 * @property {string} [text]
 * @property {string} [emoji]
 * @property {boolean} [on]
 * @property {string} [name] Of a card.
 * @property {string} [box] Of a card: an X25519 key.
 * @property {string} [admit] Of a card: a signature by the epoch's admit key.
 * @property {string} [via] Of a card: the link's id.
 * @property {string} [target_id] The target's `client_id`.
 * @property {Window | null} [prev]
 * @property {Window | null} [head] Of a signal.
 * @property {{ client_id: string, seq: number }} [after] This device's last acknowledged post.
 * @property {string} [again] The `client_id` of the own post that this one replaces.
 * @property {State} [state]
 * @property {SentFile[]} [files] Of a message.
 * @property {string[]} [links] Of a rotation: ids that stay.
 * @property {Kept[]} [kept] Of a rotation.
 */

/** The most events that one window covers. */
export const WINDOW_LINES = 64;

/** Messages that are pinned at once. */
export const MOST_PINS = 5;

/** Files of a message. */
const MOST_FILES = 10;

/** The longest voice message: a day. */
const MOST_PLAYED_MS = 86_400_000;
/** As many as a waveform has bars (values/waveform.js, which is loaded with the first one). */
const WAVEFORM_BYTES = 48;

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @type {Record<string, (value: any) => boolean>} */
const FIELDS = {
	at_ms: isCount,
	text: isText,
	emoji: isText,
	on: isBoolean,
	name: isText,
	box: isKey,
	admit: (value) => isEncoded(value, 64),
	via: isId,
	target_id: isText,
	prev: isSeen,
	head: isSeen,
	after: (value) => isText(value?.client_id) && isSeq(value.seq),
	again: isText,
	state: isState,
	files: (value) => Array.isArray(value) && value.length <= MOST_FILES && value.every(isFile),
	links: (value) => Array.isArray(value) && value.every(isId),
	kept: (value) => Array.isArray(value) && value.every(isKept),
};

/** What each kind cannot be without. @type {Record<string, string[]>} */
const NEEDED = {
	message: ['text'],
	edit: ['text', 'target_id'],
	delete: ['target_id'],
	react: ['emoji', 'on', 'target_id'],
	card: ['name', 'box', 'admit'],
	change: ['state'],
	rotate: ['state', 'links', 'kept'],
};

/** @param {string} kind @param {Uint8Array} bytes @returns {Content | null} */
export function parseContent(kind, bytes) {
	let text;
	try {
		text = DECODER.decode(bytes);
	} catch {
		return null;
	}
	const parsed = toObject(text);
	if (!parsed) return null;
	/** @type {Record<string, unknown>} */
	const content = {};
	for (const [field, fits] of Object.entries(FIELDS)) {
		if (!Object.hasOwn(parsed, field)) continue;
		if (!fits(parsed[field])) return null;
		content[field] = parsed[field];
	}
	const needed = Object.hasOwn(NEEDED, kind) ? (NEEDED[kind] ?? []) : [];
	return needed.every((field) => Object.hasOwn(content, field)) ? content : null;
}

/** @param {any} value @returns {value is Window} */
export function isWindow(value) {
	const { seq, from, digest } = value ?? {};
	return isSeq(seq) && isSeq(from) && from <= seq && seq - from < WINDOW_LINES && isEncoded(digest, 32);
}

/** @param {any} value */
function isSeen(value) {
	return value === null || isWindow(value);
}

/** @param {any} value @returns {value is State} */
export function isState(value) {
	return (
		isText(value?.name) &&
		isBoolean(value.locked) &&
		isLifetime(value.message_ttl_s) &&
		isSeq(value.expires_in_s) &&
		isLifetime(value.ever_ttl) &&
		(value.invite === null || isText(value.invite)) &&
		(value.pins === undefined || isPins(value.pins))
	);
}

/** @param {any} value @returns {value is Pin[]} */
function isPins(value) {
	const isPin = (/** @type {any} */ pin) => isSeq(pin?.seq) && isText(pin.id);
	return Array.isArray(value) && value.length <= MOST_PINS && value.every(isPin);
}

/** @param {any} value @returns {value is Kept} */
function isKept(value) {
	return isKey(value?.signer) && isId(value.author) && isKey(value.box) && isText(value.name);
}

/** @param {any} value @returns {value is SentFile} */
function isFile(value) {
	const { id, key, name, type, size, width, height, thumb, duration_ms, waveform } = value ?? {};
	const isSide = (/** @type {unknown} */ side) => side === undefined || isSeq(side);
	return (
		isId(id) &&
		isKey(key) &&
		isText(name) &&
		isText(type) &&
		isCount(size) &&
		isSide(width) &&
		isSide(height) &&
		(thumb === undefined || (isText(thumb) && decodeBase64url(thumb) !== null)) &&
		((duration_ms === undefined && waveform === undefined) || isVoice(duration_ms, waveform))
	);
}

/** @param {unknown} duration_ms @param {unknown} waveform */
function isVoice(duration_ms, waveform) {
	return isSeq(duration_ms) && duration_ms <= MOST_PLAYED_MS && isEncoded(waveform, WAVEFORM_BYTES);
}

/** @param {unknown} value */
function isLifetime(value) {
	return value === null || isSeq(value);
}

/** @param {unknown} value */
function isBoolean(value) {
	return typeof value === 'boolean';
}

/** @param {unknown} value @returns {value is number} */
function isSeq(value) {
	return isCount(value) && value > 0;
}

/** @param {unknown} value @returns {value is string} */
function isKey(value) {
	return isEncoded(value, 32);
}

/** @param {unknown} value @param {number} length In bytes. */
export function isEncoded(value, length) {
	return typeof value === 'string' && decodeBase64url(value)?.length === length;
}
