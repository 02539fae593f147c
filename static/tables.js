/**
 * Keyed tables, in IndexedDB or, where the browser allows none, in memory. Knows nothing of rooms.
 * A key is a text or an array of texts and numbers; a range is two keys, both included.
 *
 * @typedef {string | (string | number)[]} Key
 * @typedef {[Key, Key]} Range
 * @typedef {{ last?: boolean, limit?: number }} Selection `last`: from the end, descending.
 * @typedef {IndexedTables | MemoryTables} Tables
 */

/** How each table finds its rows. */
const KEYS = {
	rooms: ['room'],
	events: ['room', 'seq'],
	outbox: ['room', 'order'],
	drafts: ['room'],
	settings: ['name'],
};

/** @typedef {keyof typeof KEYS} Table */

const VERSION = 1;
/** Some browsers never answer where storage is blocked. */
const OPEN_TIMEOUT_MS = 3_000;
/** A tab that is frozen amid a transaction holds up all others; they must go on without storage. */
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * @param {IDBFactory | null | undefined} factory
 * @returns {Promise<IndexedTables>} rejects where there is no storage to be had
 */
export function openIndexedTables(factory) {
	return new Promise((resolve, reject) => {
		if (!factory) throw new Error('this browser has no IndexedDB');
		setTimeout(() => reject(new Error('IndexedDB does not answer')), OPEN_TIMEOUT_MS);
		const opening = factory.open('buddy', VERSION);
		opening.onupgradeneeded = () => {
			for (const [table, path] of Object.entries(KEYS)) {
				opening.result.createObjectStore(table, { keyPath: path.length === 1 ? path[0] : path });
			}
		};
		opening.onerror = () => reject(opening.error);
		opening.onsuccess = () => {
			const database = opening.result;
			// A later version in another tab must not wait for this one.
			database.onversionchange = () => database.close();
			resolve(new IndexedTables(database));
		};
	});
}

class IndexedTables {
	/** @param {IDBDatabase} database */
	constructor(database) {
		this.database = database;
	}

	/** @param {Table} table @param {Key} key @returns {Promise<any>} */
	get(table, key) {
		return this.#run(table, 'readonly', (rows) => rows.get(key));
	}

	/** @param {Table} table @param {object[]} values @returns {Promise<void>} */
	async put(table, values) {
		await this.#run(table, 'readwrite', (rows) => values.map((value) => rows.put(value)).at(-1));
	}

	/** @param {Table} table @param {Range} range @returns {Promise<void>} */
	async delete(table, [from, to]) {
		await this.#run(table, 'readwrite', (rows) => rows.delete(IDBKeyRange.bound(from, to)));
	}

	/** @param {Table} table @param {Range | null} range @param {Selection} [selection] @returns {Promise<any[]>} */
	async select(table, range, { last = false, limit = Infinity } = {}) {
		/** @type {any[]} */
		const found = [];
		await this.#run(table, 'readonly', (rows) => {
			const bound = range && IDBKeyRange.bound(...range);
			// One request for all is many times as fast as a cursor.
			if (!last) {
				const all = rows.getAll(bound, Math.min(limit, 0xffffffff));
				all.onsuccess = () => found.push(...all.result);
				return all;
			}
			const cursor = rows.openCursor(bound, 'prev');
			cursor.onsuccess = () => {
				if (!cursor.result || found.length >= limit) return;
				found.push(cursor.result.value);
				cursor.result.continue();
			};
			return cursor;
		});
		return found;
	}

	/**
	 * Changes one row in one transaction; null leaves it as it is.
	 *
	 * @param {Table} table
	 * @param {Key} key
	 * @param {(row: any) => object | null} change
	 * @returns {Promise<void>}
	 */
	async update(table, key, change) {
		await this.#run(table, 'readwrite', (rows) => {
			const held = rows.get(key);
			held.onsuccess = () => {
				const changed = change(held.result);
				if (changed) rows.put(changed);
			};
			return held;
		});
	}

	/**
	 * @param {Table} table
	 * @param {IDBTransactionMode} mode
	 * @param {(rows: IDBObjectStore) => IDBRequest | undefined} work
	 * @returns {Promise<any>} the result of the request, once all is stored
	 */
	#run(table, mode, work) {
		return new Promise((resolve, reject) => {
			// Events can be fetched again; all else must survive the machine losing power.
			const durability = table === 'events' ? 'relaxed' : 'strict';
			const transaction = this.database.transaction(table, mode, { durability });
			const request = work(transaction.objectStore(table));
			const timer = setTimeout(() => transaction.abort(), ANSWER_TIMEOUT_MS);
			transaction.oncomplete = () => {
				clearTimeout(timer);
				resolve(request?.result);
			};
			transaction.onabort = () => {
				clearTimeout(timer);
				reject(transaction.error ?? new Error('the storage does not answer'));
			};
		});
	}
}

export class MemoryTables {
	/** @type {Record<Table, Map<string, any>>} */
	#tables = { rooms: new Map(), events: new Map(), outbox: new Map(), drafts: new Map(), settings: new Map() };

	/** @param {Table} table @param {Key} key @returns {Promise<any>} */
	async get(table, key) {
		return structuredClone(this.#tables[table].get(JSON.stringify(key)));
	}

	/** @param {Table} table @param {object[]} values @returns {Promise<void>} */
	async put(table, values) {
		for (const value of values) this.#tables[table].set(JSON.stringify(keyOf(table, value)), structuredClone(value));
	}

	/** @param {Table} table @param {Range} range @returns {Promise<void>} */
	async delete(table, range) {
		for (const row of await this.select(table, range)) this.#tables[table].delete(JSON.stringify(keyOf(table, row)));
	}

	/** @param {Table} table @param {Range | null} range @param {Selection} [selection] @returns {Promise<any[]>} */
	async select(table, range, { last = false, limit = Infinity } = {}) {
		const rows = Array.from(this.#tables[table].values())
			.filter(
				(row) => !range || (compare(range[0], keyOf(table, row)) <= 0 && compare(keyOf(table, row), range[1]) <= 0),
			)
			.sort((one, other) => compare(keyOf(table, one), keyOf(table, other)));
		if (last) rows.reverse();
		return structuredClone(rows.slice(0, limit));
	}

	/** @param {Table} table @param {Key} key @param {(row: any) => object | null} change @returns {Promise<void>} */
	async update(table, key, change) {
		const changed = change(await this.get(table, key));
		if (changed) await this.put(table, [changed]);
	}
}

/** @param {Table} table @param {any} row @returns {Key} */
function keyOf(table, row) {
	const path = KEYS[table];
	return path.length === 1 ? row[path[0] ?? ''] : path.map((field) => row[field]);
}

/** @param {Key} one @param {Key} other @returns {number} */
function compare(one, other) {
	const [left, right] = [[one].flat(), [other].flat()];
	for (const [at, value] of left.entries()) {
		const against = right[at];
		if (against === undefined || value > against) return 1;
		if (value < against) return -1;
	}
	return left.length - right.length;
}
