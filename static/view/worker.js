// Registers the service worker, and tells when a newer page may be used.

import { PAGE_WORKER, trusted } from '../wire/workers.js';
import { openLater } from './dialogs.js';

/** What the caches of pages are called. */
const PAGES = /^buddy-[0-9a-f]{64}$/;

/** @typedef {import('../wire/deployment.js').Offer} Offer */

class Updates extends EventTarget {
	/** @type {ServiceWorkerRegistration | null} */
	#registration = null;
	/** The page in use and the newer one that is kept here, if there is one. @type {Offer | null} */
	offer = null;

	/** Whether a newer deployment is loaded and waits. */
	get waiting() {
		return this.offer !== null;
	}

	/** What of the newer one's name people compare. */
	get number() {
		return this.offer?.number ?? '';
	}

	/** @param {ServiceWorkerRegistration} registration */
	watch(registration) {
		this.#registration = registration;
		const look = () => void this.#look();
		const follow = () => registration.installing?.addEventListener('statechange', look);
		registration.addEventListener('updatefound', follow);
		navigator.serviceWorker.addEventListener('controllerchange', look);
		navigator.serviceWorker.addEventListener('message', ({ data }) => {
			if (data === 'switched') location.reload();
		});
		follow();
		look();
	}

	/** Lets the newer page take over, here and in every other tab: each loads anew. */
	use() {
		const { waiting, active } = this.#registration ?? {};
		if (waiting) waiting.postMessage('take over');
		else active?.postMessage('use');
	}

	/** Shows by what the two can be told apart. */
	async compare() {
		const { offer } = this;
		if (offer) await openLater(import('./versions.js'), ({ showVersions }) => showVersions(offer, () => this.use()));
	}

	async #look() {
		try {
			this.offer = await findOffer();
		} catch (error) {
			console.warn('No newer page:', /** @type {Error} */ (error).message);
			return;
		}
		this.dispatchEvent(new Event('change'));
	}
}

/** Its event `change` says that `waiting` may have changed. */
export const updates = new Updates();

let isRegistered = false;

/**
 * Without a worker the page works all the same, only not offline. It loads every file of the page, so that a slow line
 * should be free when it begins.
 */
export async function registerWorker() {
	if (isRegistered) return;
	isRegistered = true;
	try {
		if (navigator.serviceWorker) updates.watch(await navigator.serviceWorker.register(trusted(PAGE_WORKER)));
	} catch (error) {
		console.warn('No service worker:', /** @type {Error} */ (error).message);
	}
}

/** @returns {Promise<Offer | null>} */
async function findOffer() {
	// Whoever came without a worker has what the server gives out now.
	if (!navigator.serviceWorker.controller) return null;
	const pages = (await caches.keys()).filter((name) => PAGES.test(name));
	return pages.length < 2 ? null : (await import('../wire/deployment.js')).readOffer();
}
