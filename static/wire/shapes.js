/**
 * Whether what a server says has the form of the contract (docs/protocol.md, "API" and "Stream"). Behind this line
 * nobody has to ask again: a number is one, a time is a date. Pure.
 *
 * @import { Page, RoomAnswer } from './api.js'
 * @import { Mark } from './sequencer.js'
 * @import { SignalEvent } from './stream.js'
 */

import { isSeq, isTime, toLogEvent } from '../values/event.js';

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

/** @param {any} value @returns {RoomAnswer | null} */
export function toRoomAnswer(value) {
	const fits =
		isRange(value) &&
		isKept(value) &&
		typeof value.locked === 'boolean' &&
		(value.about === null || typeof value.about === 'string');
	return fits ? value : null;
}

/** @param {any} value @returns {{ seq: number, sent_at_ms: number } | null} */
export function toReceipt(value) {
	return isSeq(value?.seq) && isTime(value.sent_at_ms) ? value : null;
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
