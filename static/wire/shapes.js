/**
 * Whether what a server says has the form of the contract (docs/protocol.md, "API" and "Stream"). Behind this line
 * nobody has to ask again: a number is one, a time is a date. Pure.
 *
 * @import { CardsPage, KeysAnswer, LinkRow, OpenedLink, Page, RoomAnswer, Told } from './api.js'
 * @import { Mark } from './sequencer.js'
 * @import { SignalEvent } from './stream.js'
 */

import { isLogEvent, isSeq, isTime, toLogEvent } from '../values/event.js';

/** @param {any} value @returns {Page | null} null: it is none, or its events do not ascend */
export function toPage(value) {
	if (!Array.isArray(value?.messages) || !isRange(value)) return null;
	const { first_seq, last_seq } = value;
	/** @type {any[]} */
	const messages = value.messages;
	const ascends = messages.every((event, at) => isSeq(event?.seq) && (at === 0 || event.seq > messages[at - 1].seq));
	return ascends ? { messages: messages.map((event) => toLogEvent(event, event.seq, '')), first_seq, last_seq } : null;
}

/** @param {any} value @returns {Pick<RoomAnswer, 'room' | 'created_at_ms' | 'expires_at_ms' | 'message_ttl_s'> | null} */
export function toNewRoom(value) {
	const fits = /^[0-9a-f]{64}$/.test(value?.room) && isKept(value);
	return fits ? value : null;
}

/** Of a room with keys. @param {any} value @returns {RoomAnswer | null} */
export function toRoomAnswer(value) {
	const fits =
		isRange(value) &&
		isKept(value) &&
		typeof value.locked === 'boolean' &&
		isCount(value.epoch) &&
		typeof value.state === 'string' &&
		isCount(value.state_seq);
	return fits ? value : null;
}

/** @param {any} value @returns {KeysAnswer | null} */
export function toKeys(value) {
	const fits =
		isCount(value?.epoch) &&
		Array.isArray(value.rotations) &&
		value.rotations.every(
			(/** @type {any} */ one) =>
				isCount(one?.epoch) &&
				isCount(one.seq) &&
				typeof one.public === 'string' &&
				typeof one.signature === 'string' &&
				isTextOrNull(one.private) &&
				isTextOrNull(one.grant),
		);
	return fits ? value : null;
}

/** @param {any} value @returns {CardsPage | null} */
export function toCards(value) {
	if (!Array.isArray(value?.cards) || typeof value.more !== 'boolean') return null;
	const fits = value.cards.every((/** @type {any} */ card) => isLogEvent(card) && isCount(Reflect.get(card, 'epoch')));
	return fits ? value : null;
}

/** @param {any} value @returns {{ links: LinkRow[] } | null} */
export function toLinks(value) {
	const fits =
		Array.isArray(value?.links) &&
		value.links.every(
			(/** @type {any} */ one) =>
				/^[0-9a-f]{32}$/.test(one?.id) &&
				isCount(one.epoch) &&
				typeof one.note === 'string' &&
				isCount(one.opened) &&
				(one.openings === null || isCount(one.openings)) &&
				isTime(one.created_at_ms) &&
				(one.opened_at_ms === null || isTime(one.opened_at_ms)) &&
				(one.expires_at_ms === null || isTime(one.expires_at_ms)),
		);
	return fits ? value : null;
}

/** @param {any} value @returns {OpenedLink | null} */
export function toOpenedLink(value) {
	const { sealed, public: part, signature } = value ?? {};
	const fits = typeof sealed === 'string' && typeof part === 'string' && typeof signature === 'string';
	return fits ? value : null;
}

/** @param {any} value @returns {{ epoch: number, seq: number, sent_at_ms: number } | null} */
export function toRenewed(value) {
	return isCount(value?.epoch) && isSeq(value.seq) && isTime(value.sent_at_ms) ? value : null;
}

/** @param {any} value @returns {{ id: string, created_at_ms: number } | null} */
export function toMadeLink(value) {
	return typeof value?.id === 'string' && isTime(value.created_at_ms) ? value : null;
}

/** @param {any} value @returns {{ seq: number, sent_at_ms: number } | null} */
export function toReceipt(value) {
	return isSeq(value?.seq) && isTime(value.sent_at_ms) ? value : null;
}

/** @param {any} value @returns {{ part: number, bytes: number } | null} */
export function toPart(value) {
	return isCount(value?.part) && isSeq(value.bytes) ? value : null;
}

/** @param {any} value @returns {{ parts: { part: number, bytes: number }[], seq: number | null } | null} */
export function toParts(value) {
	const { parts, seq } = value ?? {};
	const fits = Array.isArray(parts) && parts.every((part) => toPart(part) !== null);
	return fits && (seq === null || isSeq(seq)) ? value : null;
}

/** @param {any} value @returns {string | null} */
export function toPushKey(value) {
	return typeof value?.key === 'string' ? value.key : null;
}

/** @param {any} value @returns {Told | null} */
export function toTold(value) {
	return isCount(value?.again_in_s) && isCount(value.registrations) ? value : null;
}

/** @param {any} value @returns {value is Mark} */
export function isMark(value) {
	return typeof value?.log === 'string' && isRange(value);
}

/** @param {any} value @returns {value is SignalEvent} */
export function isSignal(value) {
	return (
		typeof value?.kind === 'string' &&
		(value.author === null || typeof value.author === 'string') &&
		typeof value.body === 'string' &&
		Number.isFinite(value.expires_at_ms)
	);
}

/** Of an empty log the first sequence is the one after the last. @param {any} value */
function isRange(value) {
	const { first_seq, last_seq } = value ?? {};
	return isSeq(first_seq) && Number.isSafeInteger(last_seq) && last_seq >= 0 && first_seq <= last_seq + 1;
}

/** How long a room and what is said in it are kept. @param {any} value */
function isKept({ created_at_ms, expires_at_ms, message_ttl_s }) {
	const lifetime = message_ttl_s === null || (isSeq(message_ttl_s) && isTime(message_ttl_s * 1000));
	return isTime(created_at_ms) && isTime(expires_at_ms) && lifetime;
}

/** @param {unknown} value */
function isTextOrNull(value) {
	return value === null || typeof value === 'string';
}

/** @param {unknown} value */
function isCount(value) {
	return Number.isSafeInteger(value) && Number(value) >= 0;
}
