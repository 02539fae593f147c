/**
 * A person's fingerprint as words, to be compared aloud. Pure but for the hash.
 */

import { concat, decodeBase64url, sha256, utf8 } from '../values/bytes.js';

/** Eight bits each; common, and told apart by their first four letters. */
const WORDS = `
	able acid acorn actor alarm album alley amber angel ankle apple april apron arena armor arrow atlas attic
	autumn bacon badge bagel baker banjo basil beach beard beaver berry birch bishop blanket blossom bonus bottle
	bridge brook brush bucket button cabin cactus camel candle canoe canyon captain carbon carpet castle cedar
	cello chalk cherry circle citrus clover cobra coconut comet copper coral cotton cousin cradle crayon cricket
	crystal cube dancer denim desert diamond dinner doctor dolphin donkey dragon drum eagle early echo elbow
	elder ember engine envoy fabric falcon family farmer feather fiddle finger flame flute forest fossil fountain
	fox galaxy garden garlic ginger giraffe glacier glove goblin golden gravel guitar hammer harbor harvest hazel
	helmet hero hollow honey horizon hunter iceberg igloo indigo insect iron island ivory jacket jaguar jelly
	jewel jungle kangaroo kettle kitten koala ladder lagoon lantern lemon lily linen lizard lobster lotus lucky
	magnet mango maple marble meadow melon meteor mint mirror monkey mosaic motor mountain muffin music nectar
	needle noble noodle nutmeg oasis ocean olive onion opera orange orbit orchid otter oxygen oyster paddle panda
	panther paper parrot peach pebble pencil pepper piano pigeon pilot pirate planet plaza pocket poem polar
	poppy prairie puzzle quartz queen quilt rabbit raccoon radio rain raven ribbon river robot rocket rose ruby
	saddle saffron salmon sandal satin scarf scout shadow shell silver sketch sparrow spider sponge spruce squid
	statue summit sunset swan table tango temple thunder tiger timber tomato topaz tower trumpet tulip tunnel
	turtle umbrella unicorn valley vanilla velvet violin walnut whale willow zebra
`
	.trim()
	.split(/\s+/);

/**
 * Eight words, 64 bits: who wants another's words must try about 2^64 keys.
 *
 * @param {string} signer A public key as entries name it.
 * @returns {Promise<string[]>}
 */
export async function fingerprint(signer) {
	const key = decodeBase64url(signer) ?? new Uint8Array(0);
	const hash = await sha256(concat(utf8('buddy/v2/fingerprint\0'), key));
	return Array.from(hash.subarray(0, 8), (byte) => WORDS[byte] ?? '');
}

/**
 * A decoration beside a name; too short to prove anything.
 *
 * @param {string[]} words
 * @returns {string}
 */
export function shortTag(words) {
	return words.slice(0, 2).join(' ');
}
