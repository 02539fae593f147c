// Registers the service worker, and tells when a newer page waits to be used.

const ADDRESS = '/sw.js';

class Updates extends EventTarget {
	/** @type {ServiceWorkerRegistration | null} */
	#registration = null;

	/** Whether a newer deployment is loaded and waits. */
	get waiting() {
		return Boolean(this.#registration?.waiting && navigator.serviceWorker.controller);
	}

	/** @param {ServiceWorkerRegistration} registration */
	watch(registration) {
		this.#registration = registration;
		const tell = () => this.dispatchEvent(new Event('change'));
		const follow = () => registration.installing?.addEventListener('statechange', tell);
		registration.addEventListener('updatefound', follow);
		follow();
		tell();
	}

	/** Lets the newer page take over, here and in every other tab. */
	use() {
		navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
		this.#registration?.waiting?.postMessage('use');
	}
}

/** Its event `change` says that `waiting` may have changed. */
export const updates = new Updates();

/** Without a worker the page works all the same, only not offline. */
export async function registerWorker() {
	try {
		if (navigator.serviceWorker) updates.watch(await navigator.serviceWorker.register(trustedAddress()));
	} catch (error) {
		console.warn('No service worker:', /** @type {Error} */ (error).message);
	}
}

/**
 * The one string that this page may turn into code: the service worker's address.
 *
 * @returns {string}
 */
function trustedAddress() {
	const { trustedTypes } = /** @type {{ trustedTypes?: { createPolicy: Function } }} */ (globalThis);
	if (!trustedTypes) return ADDRESS;
	const policy = trustedTypes.createPolicy('buddy', {
		/** @param {string} address */
		createScriptURL(address) {
			if (address !== ADDRESS) throw new TypeError('Only the service worker may be loaded.');
			return address;
		},
	});
	return policy.createScriptURL(ADDRESS);
}
