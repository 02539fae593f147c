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
	rotations: ['room', 'epoch'],
	cards: ['room', 'seq'],
	events: ['room', 'seq'],
	outbox: ['room', 'order'],
	uploads: ['room', 'file'],
	drafts: ['room'],
	settings: ['name'],
};

/** @typedef {keyof typeof KEYS} Table */

/** By what else rows are found: a table and the paths of its fields. A row that has not all of them is not found. */
const INDEXES = {
	client: { table: /** @type {Table} */ ('events'), path: ['room', 'event.client_id'] },
	target: { table: /** @type {Table} */ ('events'), path: ['room', 'event.target'] },
};

/** @typedef {keyof typeof INDEXES} Index */

const VERSION = 4;
/** Some browsers never answer where storage is blocked. */
const OPEN_TIMEOUT_MS = 3_000;
/** A tab that is frozen amid a transaction holds up all others; they must go on without storage. */
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * @param {IDBFactory | null | undefined} factory
 * @returns {Promise<IndexedTables>} rejects where there is no storage to be had
 */
export async function openIndexedTables(factory) {
	const open = () => openDatabase(factory);
	return new IndexedTables(await open(), open);
}

/** @param {IDBFactory | null | undefined} factory @returns {Promise<IDBDatabase>} */
function openDatabase(factory) {
	return new Promise((resolve, reject) => {
		if (!factory) throw new Error('this browser has no IndexedDB');
		setTimeout(() => reject(new Error('IndexedDB does not answer')), OPEN_TIMEOUT_MS);
		const opening = factory.open('buddy', VERSION);
		opening.onupgradeneeded = () => upgrade(opening.result, /** @type {IDBTransaction} */ (opening.transaction));
		opening.onerror = () => reject(opening.error);
		opening.onsuccess = () => {
			const database = opening.result;
			// A later version in another tab must not wait for this one.
			database.onversionchange = () => database.close();
			resolve(database);
		};
	});
}

/** Makes what is missing, whatever version was there. @param {IDBDatabase} database @param {IDBTransaction} transaction */
function upgrade(database, transaction) {
	for (const [table, path] of Object.entries(KEYS)) {
		if (database.objectStoreNames.contains(table)) continue;
		database.createObjectStore(table, { keyPath: path.length === 1 ? path[0] : path });
	}
	for (const [index, { table, path }] of Object.entries(INDEXES)) {
		const rows = transaction.objectStore(table);
		if (!rows.indexNames.contains(index)) rows.createIndex(index, path);
	}
}

class IndexedTables {
	#database;
	#reopen;
	/** @type {Promise<unknown> | null} */
	#reopening = null;

	/** @param {IDBDatabase} database @param {() => Promise<IDBDatabase>} reopen */
	constructor(database, reopen) {
		this.#database = database;
		this.#reopen = reopen;
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
	 * The keys of the rows that an index finds, ascending, for each of several values.
	 *
	 * @param {Index} index
	 * @param {(string | number)[][]} values
	 * @returns {Promise<Key[][]>}
	 */
	async find(index, values) {
		/** @type {IDBRequest<any>[]} */
		const requests = [];
		await this.#run(INDEXES[index].table, 'readonly', (rows) => {
			for (const value of values) requests.push(rows.index(index).getAllKeys(value));
			return requests[0];
		});
		return requests.map(({ result }) => result);
	}

	/**
	 * Changes one row in one transaction; null leaves it as it is.
	 *
	 * @param {Table} table
	 * @param {Key} key
	 * @param {(row: any) => object | null} change
	 * @param {boolean} [lasting] Whether it must survive the machine losing power.
	 * @returns {Promise<void>}
	 */
	async update(table, key, change, lasting = isLasting(table)) {
		const work = (/** @type {IDBObjectStore} */ rows) => {
			const held = rows.get(key);
			held.onsuccess = () => {
				const changed = change(held.result);
				if (changed) rows.put(changed);
			};
			return held;
		};
		await this.#run(table, 'readwrite', work, lasting);
	}

	/**
	 * @param {Table} table
	 * @param {IDBTransactionMode} mode
	 * @param {(rows: IDBObjectStore) => IDBRequest | undefined} work
	 * @param {boolean} [lasting]
	 * @returns {Promise<any>} the result of the request, once all is stored
	 */
	async #run(table, mode, work, lasting = isLasting(table)) {
		const options = /** @type {const} */ ({ durability: lasting ? 'strict' : 'relaxed' });
		let transaction;
		try {
			transaction = this.#database.transaction(table, mode, options);
		} catch {
			// The browser has closed the connection, as Safari does to pages that were set aside.
			this.#reopening ??= this.#reopen()
				.then((database) => (this.#database = database))
				.finally(() => (this.#reopening = null));
			await this.#reopening;
			transaction = this.#database.transaction(table, mode, options);
		}
		return finished(transaction, work(transaction.objectStore(table)));
	}
}

/** Events can be fetched again; all else must survive the machine losing power. @param {Table} table */
function isLasting(table) {
	return table !== 'events';
}

/** @param {IDBTransaction} transaction @param {IDBRequest | undefined} request @returns {Promise<any>} its result, once all is stored */
function finished(transaction, request) {
	return new Promise((resolve, reject) => {
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

export class MemoryTables {
	/** @type {Record<Table, Map<string, any>>} */
	#tables = {
		rooms: new Map(),
		rotations: new Map(),
		cards: new Map(),
		events: new Map(),
		outbox: new Map(),
		uploads: new Map(),
		drafts: new Map(),
		settings: new Map(),
	};

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

	/** @param {Index} index @param {(string | number)[][]} values @returns {Promise<Key[][]>} */
	async find(index, values) {
		const { table, path } = INDEXES[index];
		/** @type {Map<string, Key[]>} */
		const found = new Map(values.map((value) => [JSON.stringify(value), []]));
		for (const row of await this.select(table, null)) {
			found.get(JSON.stringify(path.map((field) => at(row, field))))?.push(keyOf(table, row));
		}
		return values.map((value) => found.get(JSON.stringify(value)) ?? []);
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

/** @param {any} row @param {string} path Names with dots between them. @returns {any} */
function at(row, path) {
	return path.split('.').reduce((value, name) => value?.[name], row);
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
