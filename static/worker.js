// Registers the service worker and offers a newer page when there is one.

const ADDRESS = '/sw.js';

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

export function registerWorker() {
	// Without a worker the page works all the same, only not offline.
	navigator.serviceWorker
		?.register(trustedAddress())
		.catch((error) => console.warn('No service worker:', error.message));
}

/**
 * Shows the start page's notice when a newer deployment waits.
 *
 * @param {HTMLElement} screen
 */
export async function offerUpdates(screen) {
	const registration = await navigator.serviceWorker?.getRegistration();
	if (!registration) return;
	const offer = () => {
		const notice = /** @type {HTMLElement | null} */ (screen.querySelector('[data-part="update"]'));
		if (!notice || !registration.waiting || !navigator.serviceWorker.controller) return;
		notice.hidden = false;
		notice.querySelector('button')?.addEventListener('click', () => {
			navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
			registration.waiting?.postMessage('use');
		});
	};
	offer();
	registration.addEventListener('updatefound', () => {
		registration.installing?.addEventListener('statechange', offer);
	});
}
