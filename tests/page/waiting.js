/**
 * Waits until a condition holds; no test sleeps for a fixed time and hopes.
 *
 * @template T
 * @param {() => T | Promise<T>} condition
 * @param {string} what
 * @returns {Promise<NonNullable<T>>} what it was in the end
 */
export async function until(condition, what, withinMs = 30_000) {
	const end = Date.now() + withinMs;
	for (;;) {
		const value = await condition();
		if (value) return value;
		if (Date.now() > end) throw new Error(`did not happen within ${withinMs} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}
