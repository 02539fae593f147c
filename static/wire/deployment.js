/**
 * What the page in use finds out about a newer one before anybody switches to it (docs/protocol.md, "The page's own
 * code"). Computed here, by the page that is trusted so far, from what the new one consists of, not taken from what it
 * says of itself.
 */

import { hex, sha256, utf8 } from '../values/bytes.js';
import { parseObject } from '../values/json.js';

/** @typedef {{ used: string, offered: string, number: string }} Offer The names of two pages, 64 hex digits each; and what people compare of the newer one's. */

const WORKER = '/sw.js';
const NOT_FOUND = '/404.html';
/** The worker's first line: what belongs to its page. */
const FIRST_LINE = /^self\.deployment = (\{.*\});\n/;

/**
 * @returns {Promise<Offer | null>} null: there is no other page here, or not one that is whole and just what the server
 *   gives out now
 * @throws {TypeError} without a network
 */
export async function readOffer() {
	const used = await (await (await caches.open('buddy-pin')).match('/page'))?.text();
	const response = await fetch(WORKER, { cache: 'no-store', credentials: 'omit', redirect: 'error' });
	if (!used || !response.ok) return null;
	const source = await response.text();
	const [line = '', list = ''] = FIRST_LINE.exec(source) ?? [];
	const { files } = parseObject(list);
	if (typeof files !== 'object' || files === null) return null;
	const hashes = { ...files, [WORKER]: await hashOf(utf8(source.slice(line.length))) };
	const offered = await nameOf(hashes);
	if (offered === used || !(await isKept(offered, hashes))) return null;
	return { used, offered, number: spoken(offered) };
}

/**
 * A page's name is the hash of its manifest.
 *
 * @param {Record<string, string>} hashes SHA-256 in hex by address; the worker's without its first line.
 * @returns {Promise<string>} 64 hex digits
 */
export function nameOf(hashes) {
	const lines = Object.keys(hashes)
		.sort()
		.map((address) => `${hashes[address]}  ${address}\n`);
	return hashOf(utf8(lines.join('')));
}

/** The part of a name that people compare: 80 bits. @param {string} name @returns {string} */
export function spoken(name) {
	return (name.slice(0, 20).match(/.{4}/g) ?? []).join(' ');
}

/** Whether all files of a page are here, each as it should be. @param {string} name @param {Record<string, string>} hashes */
async function isKept(name, hashes) {
	if (!(await caches.has(`buddy-${name}`))) return false;
	const cache = await caches.open(`buddy-${name}`);
	const fits = Object.keys(hashes).map(async (address) => {
		if (address === WORKER || address === NOT_FOUND) return true;
		const kept = await cache.match(address);
		return kept !== undefined && (await hashOf(new Uint8Array(await kept.arrayBuffer()))) === hashes[address];
	});
	return (await Promise.all(fits)).every(Boolean);
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function hashOf(bytes) {
	return hex(await sha256(bytes));
}
