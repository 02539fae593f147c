/** Web Locks as a browser has them for all tabs of one origin; Node 20 has none. Exclusive locks only. */
/**
 * @typedef {{ name: string, work: () => unknown, resolve: (value: unknown) => void, reject: (reason: unknown) => void }} Request
 */

class TestLocks {
	/** @type {Map<string, Request>} */
	#held = new Map();
	/** @type {Request[]} */
	#waiting = [];

	/** @param {string} name @param {{ signal?: AbortSignal, steal?: boolean }} options @param {() => unknown} work */
	request(name, options, work) {
		return new Promise((resolve, reject) => {
			const request = { name, work, resolve, reject };
			const { signal, steal = false } = options;
			if (signal?.aborted) return reject(signal.reason);
			if (steal) {
				this.#held.get(name)?.reject(new DOMException('stolen', 'AbortError'));
				this.#held.delete(name);
				this.#waiting.unshift(request);
			} else {
				this.#waiting.push(request);
				signal?.addEventListener('abort', () => {
					const at = this.#waiting.indexOf(request);
					if (at < 0) return;
					this.#waiting.splice(at, 1);
					reject(signal.reason);
				});
			}
			this.#grant();
		});
	}

	/** @returns {Promise<LockManagerSnapshot>} */
	async query() {
		return { held: Array.from(this.#held.keys(), (name) => ({ name, mode: 'exclusive' })), pending: [] };
	}

	#grant() {
		for (const request of [...this.#waiting]) {
			if (this.#held.has(request.name)) continue;
			this.#waiting.splice(this.#waiting.indexOf(request), 1);
			this.#held.set(request.name, request);
			Promise.resolve()
				.then(request.work)
				.then(request.resolve, request.reject)
				.finally(() => {
					if (this.#held.get(request.name) === request) this.#held.delete(request.name);
					this.#grant();
				});
		}
	}
}

/** As the page takes them: it gives options with each request, and these take no request without. */
export function testLocks() {
	return /** @type {LockManager} */ (/** @type {unknown} */ (new TestLocks()));
}
