// The service worker: the page without a network.
//
// It keeps the files of one deployment, whole or not at all, and answers every navigation with
// the one shell, so it need not know which room is meant. It never stores an address that was
// asked for nor an answer of the API, and does not touch those requests.
//
// The server writes `self.deployment` at the top of this file: a version and, for every file, the
// first half of its SHA-256. A new deployment therefore changes this file, which is how browsers
// notice.

/** @typedef {{ version: string, files: Record<string, string> }} Deployment */

const worker = /** @type {ServiceWorkerGlobalScope & { deployment: Deployment }} */ (/** @type {unknown} */ (self));
const { version, files } = worker.deployment;
const CACHE = `buddy-${version}`;

worker.addEventListener('install', (event) => event.waitUntil(keep()));
worker.addEventListener('activate', (event) => event.waitUntil(dropOthers()));
worker.addEventListener('message', (event) => {
	if (event.data === 'use') worker.skipWaiting();
});
worker.addEventListener('fetch', (event) => {
	const { origin, pathname } = new URL(event.request.url);
	if (event.request.method !== 'GET' || origin !== location.origin) return;
	const isPage = pathname === '/' || pathname === '/r' || pathname.startsWith('/r/');
	if (event.request.mode === 'navigate') {
		if (isPage) event.respondWith(kept('/', event.request));
	} else if (Object.hasOwn(files, pathname)) event.respondWith(kept(pathname, event.request));
});

/** Fetches every file and keeps them if each is the one that belongs to this deployment. */
async function keep() {
	const cache = await caches.open(CACHE);
	await Promise.all(
		Object.entries(files).map(async ([path, hash]) => {
			const response = await fetch(path, { cache: 'no-cache', credentials: 'omit' });
			if (!response.ok) throw new Error(`${path}: ${response.status}`);
			const digest = await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer());
			if (!hex(digest).startsWith(hash)) throw new Error(`${path} belongs to another deployment`);
			await cache.put(path, response);
		}),
	);
}

async function dropOthers() {
	for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
	// A page that was loaded without a worker has just these files, so it can be served by this one.
	await worker.clients.claim();
}

/**
 * The kept file, or the network's if the browser has thrown ours away.
 *
 * @param {string} path
 * @param {Request} request
 */
async function kept(path, request) {
	const cache = await caches.open(CACHE);
	return (await cache.match(path)) ?? fetch(request);
}

/** @param {ArrayBuffer} buffer */
function hex(buffer) {
	return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
