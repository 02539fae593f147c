// The worker of a room that is told of while no tab of it is looked at: each room that wants it has one of its own, at
// `/push/<room>/`, so that nothing that leaves the browser ties its rooms together.
//
// What comes says that something was written, and no more. What a notice says besides, the room's name in the language
// of its person, lies in this browser's storage, which is only read here. The tag is that of the notices which tabs
// show, through this same worker, so that a message has one at most.

/** @typedef {{ label: string, title: string, push?: { unnamed: string, news: string } | null }} Known */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const room = new URL(worker.registration.scope).pathname.split('/')[2] ?? '';
const path = `/r/${room}`;
const tag = `buddy/${room}`;

/** A notice that a tab showed a moment ago is of the same message. */
const SAME_MS = 30_000;
/** This browser takes leave away from whoever shows nothing, looked at or not. */
const MUST_SHOW = /^(?!.*Chrom).*Safari/.test(navigator.userAgent);

worker.addEventListener('push', (event) => event.waitUntil(tell(event.data)));
worker.addEventListener('notificationclick', (event) => {
	event.notification.close();
	event.waitUntil(showRoom());
});
// The server is told when the room is opened next, by its page, which alone can ask it.
worker.addEventListener('pushsubscriptionchange', (event) => {
	const { oldSubscription } = /** @type {{ oldSubscription?: PushSubscription | null }} */ (
		/** @type {unknown} */ (event)
	);
	if (oldSubscription) event.waitUntil(worker.registration.pushManager.subscribe(oldSubscription.options));
});

/** @param {PushMessageData | null} data */
async function tell(data) {
	if (!MUST_SHOW && (await isLookedAt())) return;
	const [shown] = await worker.registration.getNotifications({ tag });
	if (shown && Date.now() - (shown.data?.atMs ?? 0) < SAME_MS) {
		const { title, body, icon, data: held } = shown;
		// Shown anew and not heard again: a browser may want to see one for each message.
		return worker.registration.showNotification(title, { body, icon, tag, data: held, silent: true });
	}
	const known = await readRoom().catch(() => undefined);
	const { title, body } = wordsOf(known, data);
	const options = { body, tag, renotify: true, icon: '/icon-512.png', data: { room, atMs: Date.now(), by: 'push' } };
	return worker.registration.showNotification(title, options);
}

/** A tab in which a room is looked at holds a lock. */
async function isLookedAt() {
	const { held = [] } = await navigator.locks.query();
	return held.some(({ name }) => name === `buddy/looking/${room}`);
}

/** Of a room that this browser does not know, what was sent says it plainly. @param {Known | undefined} known @param {PushMessageData | null} data */
function wordsOf(known, data) {
	if (known?.push) return { title: known.label || known.title || known.push.unnamed, body: known.push.news };
	try {
		const { notification } = data?.json() ?? {};
		return { title: String(notification.title), body: String(notification.body) };
	} catch {
		return { title: 'Buddy', body: '' };
	}
}

/** What the page has stored of the room. @returns {Promise<Known | undefined>} */
function readRoom() {
	return new Promise((resolve, reject) => {
		const opening = indexedDB.open('buddy');
		// There is none, and none is made here.
		opening.onupgradeneeded = () => opening.transaction?.abort();
		opening.onerror = () => reject(opening.error);
		opening.onsuccess = () => {
			const database = opening.result;
			// A later version in a tab must not wait for this.
			database.onversionchange = () => database.close();
			const transaction = database.transaction('rooms', 'readonly');
			const asked = transaction.objectStore('rooms').get(room);
			transaction.oncomplete = () => (database.close(), resolve(asked.result));
			transaction.onabort = () => (database.close(), reject(transaction.error));
		};
	});
}

/** Goes to the tab that shows the room, or opens one. */
async function showRoom() {
	const windows = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
	const shown = windows.find(({ url }) => new URL(url).pathname === path);
	await (shown ? shown.focus() : worker.clients.openWindow(path));
}
