/**
 * The only strings that this page may turn into code: the addresses of its workers. No DOM.
 */

/** The one that keeps the page. */
export const PAGE_WORKER = '/sw.js';
/** The one that is told of a room's news by the browser's push service. */
export const PUSH_WORKER = '/push.js';

/** @type {{ createScriptURL: (address: string) => string } | null} */
let policy = null;

/**
 * @param {string} address
 * @returns {string} what the browser takes for a worker's address
 */
export function trusted(address) {
	const { trustedTypes } = /** @type {{ trustedTypes?: { createPolicy: Function } }} */ (globalThis);
	if (!trustedTypes) return address;
	policy ??= trustedTypes.createPolicy('buddy', {
		/** @param {string} asked */
		createScriptURL(asked) {
			if (asked !== PAGE_WORKER && asked !== PUSH_WORKER) throw new TypeError('Only the page’s workers may be loaded.');
			return asked;
		},
	});
	return /** @type {NonNullable<typeof policy>} */ (policy).createScriptURL(address);
}
