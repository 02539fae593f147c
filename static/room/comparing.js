/**
 * With whom a person has compared words, so that a mark may stand beside a name. What was compared is a key under a
 * name: neither another key nor another name has the mark. Pure.
 *
 * @import { Compared } from '../storage/store.js'
 */

import { foldName } from '../values/text.js';

/**
 * `same`: this key and this name; `renamed`: this key, which went by another name; `other_key`: this name, which was
 * another key's.
 *
 * @typedef {{ how: 'same' | 'renamed' | 'other_key', name: string, atMs: number }} Comparison
 */

/**
 * @param {readonly Compared[]} compared the newest last
 * @param {{ signer: string, name: string }} person
 * @returns {Comparison | null} null: nothing that concerns them
 */
export function comparisonWith(compared, { signer, name }) {
	if (compared.length === 0) return null;
	const own = compared.find((one) => one.signer === signer);
	const folded = foldName(name);
	if (own) return { how: foldName(own.name) === folded ? 'same' : 'renamed', name: own.name, atMs: own.atMs };
	const other = compared.findLast((one) => foldName(one.name) === folded);
	return other ? { how: 'other_key', name: other.name, atMs: other.atMs } : null;
}
