/**
 * An event of a room's log as the server tells it. Pure.
 *
 * @typedef {object} LogEvent
 * @property {number} seq
 * @property {string} kind
 * @property {string} client_id
 * @property {string | null} author
 * @property {number | null} target
 * @property {string} body Sealed; `""` once blanked.
 * @property {number} sent_at_ms
 * @property {string} [erased] Exactly where the body was blanked: SHA-256 of it as it was appended, in hex.
 */

/** No later moment has a date (ECMA-262, section 21.4.1.1). */
const LATEST_MS = 8.64e15;

/** @param {any} value @returns {value is LogEvent} */
export function isLogEvent(value) {
	return (
		isSeq(value?.seq) &&
		typeof value.kind === 'string' &&
		typeof value.client_id === 'string' &&
		(value.author === null || typeof value.author === 'string') &&
		(value.target === null || Number.isSafeInteger(value.target)) &&
		typeof value.body === 'string' &&
		isTime(value.sent_at_ms) &&
		(value.erased === undefined || /^[0-9a-f]{64}$/.test(value.erased))
	);
}

/**
 * An event, or what stands for one of unknown shape: it still counts in the sequence, without its content.
 *
 * @param {unknown} value
 * @param {number} seq
 * @param {string} kind What it is called where it does not say so itself.
 * @returns {LogEvent}
 */
export function toLogEvent(value, seq, kind) {
	if (isLogEvent(value) && value.seq === seq) return value;
	return { seq, kind: `unknown/${kind}`, client_id: '', author: null, target: null, body: '', sent_at_ms: 0 };
}

/** @param {any} value @returns {boolean} */
export function isSeq(value) {
	return Number.isSafeInteger(value) && value > 0;
}

/** Unix milliseconds. @param {any} value @returns {boolean} */
export function isTime(value) {
	return Number.isSafeInteger(value) && value >= 0 && value <= LATEST_MS;
}
