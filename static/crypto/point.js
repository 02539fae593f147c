/**
 * Public keys that are refused before a browser sees them. Web Crypto in some engines takes keys of small
 * order, under which anything verifies or everybody shares one secret, and keys spelled in more than one way
 * (RFC 7748, section 5; RFC 8032, section 5.1.3). Pure.
 */

/** 2^255 − 19, which coordinates are smaller than. */
const PRIME = 2n ** 255n - 19n;

/** The u-coordinates of points whose order divides 8, on the curve and on its twist. */
const SMALL_U = new Set([
	0n,
	1n,
	PRIME - 1n,
	325606250916557431795983626356110631294008115727848805560023387167927233504n,
	39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);

/** The y-coordinates of the eight points whose order divides 8: ±1, 0 and two that are each other's negative. */
const SMALL_Y = new Set([
	0n,
	1n,
	PRIME - 1n,
	2707385501144840649318225287225658788936804267575313519463743609750303402022n,
	PRIME - 2707385501144840649318225287225658788936804267575313519463743609750303402022n,
]);

/** @param {Uint8Array} bytes @returns {boolean} whether they are the one spelling of an Ed25519 key that is of use */
export function isSigner(bytes) {
	if (bytes.length !== 32) return false;
	const y = number(bytes) & (2n ** 255n - 1n);
	return y < PRIME && !SMALL_Y.has(y);
}

/** @param {Uint8Array} bytes @returns {boolean} whether they are the one spelling of an X25519 key that is of use */
export function isBoxKey(bytes) {
	if (bytes.length !== 32) return false;
	const u = number(bytes);
	return u < PRIME && !SMALL_U.has(u);
}

/** @param {Uint8Array} bytes Least significant first. */
function number(bytes) {
	let value = 0n;
	for (let at = bytes.length - 1; at >= 0; at -= 1) value = (value << 8n) | BigInt(bytes[at] ?? 0);
	return value;
}
