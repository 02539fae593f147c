// The service worker: the page without a network, and the same page until somebody wants another.
//
// It keeps the files of one deployment, whole or not at all, and answers every navigation with
// the one shell, so it need not know which room is meant. It never stores an address that was
// asked for nor an answer of the API, and does not touch those requests.
//
// The server writes `self.deployment` at the top of this file: the page's name and, for every file, its SHA-256
// (docs/protocol.md, "The page's own code"). A new deployment therefore changes this file, which is how browsers
// notice. What is in use is pinned: a newer worker gives out the files of the page before until it is told to switch,
// also where the browser put it in charge by itself.

/** @typedef {{ page: string, files: Record<string, string> }} Deployment */

const worker = /** @type {ServiceWorkerGlobalScope & { deployment: Deployment }} */ (/** @type {unknown} */ (self));
const own = worker.deployment;

/** Holds the name of the page that is in use. */
const PIN = 'buddy-pin';
/** In each page's cache, what belongs to it; written last, so that what has it is whole. */
const LIST = '/deployment';
/** What is of a deployment and never asked for here. */
const UNKEPT = ['/404.html', '/sw.js'];

/** @type {RequestInit} */
const FRESH = { cache: 'no-cache', credentials: 'omit', redirect: 'error' };

/** What to answer from, once it was asked for. @type {Promise<Deployment> | null} */
let inUse = null;
/** Somebody wants this deployment. */
let wanted = false;

worker.addEventListener('install', (event) => event.waitUntil(keep()));
worker.addEventListener('activate', (event) => event.waitUntil(begin()));
worker.addEventListener('message', (event) => {
	if (event.data === 'take over') {
		wanted = true;
		event.waitUntil(worker.skipWaiting());
	} else if (event.data === 'use') event.waitUntil(switchOver());
});
worker.addEventListener('fetch', (event) => {
	const { origin, pathname } = new URL(event.request.url);
	if (event.request.method !== 'GET' || origin !== location.origin || pathname.startsWith('/api/')) return;
	const isPage = pathname === '/' || pathname === '/r' || pathname.startsWith('/r/');
	if (event.request.mode !== 'navigate') event.respondWith(kept(pathname, event.request));
	else if (isPage) event.respondWith(kept('/', event.request));
});
worker.addEventListener('notificationclick', (event) => {
	event.notification.close();
	event.waitUntil(showRoom(event.notification.data?.room));
});

/** Goes to the tab that shows a room, or opens one. @param {string} room */
async function showRoom(room) {
	const path = `/r/${room}`;
	const windows = await worker.clients.matchAll({ type: 'window' });
	const shown = windows.find(({ url }) => new URL(url).pathname === path);
	await (shown ? shown.focus() : worker.clients.openWindow(path));
}

/** Fetches every file and keeps them if each is the one that belongs to this deployment. */
async function keep() {
	const cache = await caches.open(cacheOf(own));
	await Promise.all(
		Object.entries(own.files).map(async ([path, hash]) => {
			if (UNKEPT.includes(path)) return;
			const response = await fetch(path, FRESH);
			if (!response.ok) throw new Error(`${path}: ${response.status}`);
			if (!(await isOf(response, hash))) throw new Error(`${path} belongs to another deployment`);
			await cache.put(path, response);
		}),
	);
	await cache.put(LIST, Response.json(own));
}

/** Where nothing was in use before, this is: a page that was loaded without a worker has just these files. */
async function begin() {
	if (wanted || !(await pinned())) await pin();
	await dropOthers();
	await worker.clients.claim();
	if (wanted) await tellAll();
}

/** The browser put this worker in charge already; now its page is wanted as well. */
async function switchOver() {
	await pin();
	await dropOthers();
	await tellAll();
}

/** Every tab loads anew, so that none mixes the files of two pages. */
async function tellAll() {
	for (const client of await worker.clients.matchAll({ type: 'window' })) client.postMessage('switched');
}

async function dropOthers() {
	const held = [PIN, cacheOf(own), cacheOf(await findInUse())];
	for (const name of await caches.keys()) if (!held.includes(name)) await caches.delete(name);
}

/**
 * The kept file, if it still is what was installed. Where the browser has thrown it away, the server's, if that is
 * the same.
 *
 * @param {string} path
 * @param {Request} request
 */
async function kept(path, request) {
	inUse ??= findInUse();
	const deployment = await inUse;
	const hash = Object.hasOwn(deployment.files, path) && !UNKEPT.includes(path) ? deployment.files[path] : undefined;
	if (hash === undefined) return fetch(request);
	const cache = await caches.open(cacheOf(deployment));
	const held = await cache.match(path);
	if (held && (await isOf(held, hash))) return held;
	const fresh = await fetch(path, FRESH).catch(() => null);
	if (fresh?.ok && (await isOf(fresh, hash))) {
		await cache.put(path, fresh.clone());
		return fresh;
	}
	if (path !== '/' || !fresh) return Response.error();
	// Nothing is left of the page that was in use, and the server has another: as on a first visit.
	for (const name of await caches.keys()) await caches.delete(name);
	await worker.registration.unregister();
	return fetch(request);
}

/** @returns {Promise<Deployment>} */
async function findInUse() {
	const page = await pinned();
	if (!page || page === own.page) return own;
	const list = await (await caches.open(cacheOf({ page }))).match(LIST);
	return list ? list.json() : own;
}

/** @returns {Promise<string | undefined>} */
async function pinned() {
	return (await (await caches.open(PIN)).match('/page'))?.text();
}

async function pin() {
	await (await caches.open(PIN)).put('/page', new Response(own.page));
	inUse = null;
}

/** @param {{ page: string }} deployment */
function cacheOf({ page }) {
	return `buddy-${page}`;
}

/** @param {Response} response @param {string} hash */
async function isOf(response, hash) {
	const digest = await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer());
	return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('') === hash;
}
