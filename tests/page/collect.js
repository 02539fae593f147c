/**
 * All that comes.
 *
 * @template Item
 * @param {AsyncIterable<Item>} items
 * @returns {Promise<Item[]>}
 */
export async function collect(items) {
	const all = [];
	for await (const item of items) all.push(item);
	return all;
}
