/**
 * The browser's push service. Each room has a worker of its own there, and with it an address that no other room has.
 * No DOM.
 *
 * @import { Bytes } from '../values/bytes.js'
 */

import { encodeBase64url, equalBytes } from '../values/bytes.js';
import { PUSH_WORKER, trusted } from './workers.js';

/**
 * Where the push service takes messages for a room of this browser, and what they are sealed with (RFC 8291).
 *
 * @typedef {{ endpoint: string, expirationTime: number | null, keys: { p256dh: string, auth: string } }} Registration
 */

/** Some browsers ask a service that they do not reach for ever. */
const PATIENCE_MS = 20_000;

/** The browser has no push service, or does not let this page use it. `code`: `push_denied` or `push_failed`. */
export class PushError extends Error {
	/** @param {'push_denied' | 'push_failed'} code @param {string} message */
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

/** Whether this browser can be told of anything while no tab is open. */
export function canPush() {
	return 'PushManager' in globalThis && globalThis.navigator?.serviceWorker !== undefined;
}

/**
 * The room's registration, made if there is none or one for another key of the server.
 *
 * @param {string} room
 * @param {Bytes} key The server's, an uncompressed point of P-256.
 * @returns {Promise<Registration>}
 * @throws {PushError}
 */
export async function subscribe(room, key) {
	try {
		const worker = await navigator.serviceWorker.register(trusted(PUSH_WORKER), { scope: scopeOf(room) });
		let held = await worker.pushManager.getSubscription();
		const sealedFor = held?.options.applicationServerKey;
		if (held && sealedFor && !equalBytes(new Uint8Array(sealedFor), key)) {
			await held.unsubscribe();
			held = null;
		}
		await isActive(worker);
		held ??= await inTime(worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
		return read(held);
	} catch (cause) {
		const { name = '', message = '' } = /** @type {Partial<Error>} */ (cause);
		throw new PushError(name === 'NotAllowedError' ? 'push_denied' : 'push_failed', message);
	}
}

/** Ends the room's registration, here and at the push service. @param {string} room @returns {Promise<void>} */
export async function unsubscribe(room) {
	const worker = await workerOf(room);
	if (!worker) return;
	const held = await worker.pushManager.getSubscription();
	await held?.unsubscribe();
	await worker.unregister();
}

/** The worker that is told of a room. @param {string} room @returns {Promise<ServiceWorkerRegistration | undefined>} */
export async function workerOf(room) {
	const worker = await globalThis.navigator?.serviceWorker?.getRegistration(scopeOf(room));
	// The one that keeps the page is in charge of every address that has none of its own.
	return worker && new URL(worker.scope).pathname === scopeOf(room) ? worker : undefined;
}

/** Where the worker of a room is registered. @param {string} room */
function scopeOf(room) {
	return `/push/${room}/`;
}

/** @param {PushSubscription} subscription @returns {Registration} */
function read(subscription) {
	const [p256dh, auth] = /** @type {const} */ (['p256dh', 'auth']).map((name) => subscription.getKey(name));
	if (!p256dh || !auth) throw new TypeError('a registration without keys');
	const keys = { p256dh: encodeBase64url(new Uint8Array(p256dh)), auth: encodeBase64url(new Uint8Array(auth)) };
	return { endpoint: subscription.endpoint, expirationTime: subscription.expirationTime ?? null, keys };
}

/** @template T @param {Promise<T>} answer @returns {Promise<T>} */
function inTime(answer) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new TypeError('the push service does not answer')), PATIENCE_MS);
		answer.then(resolve, reject).finally(() => clearTimeout(timer));
	});
}

/** Only a worker that is active may be told of anything. @param {ServiceWorkerRegistration} registration @returns {Promise<void>} */
function isActive({ active, waiting, installing }) {
	const coming = installing ?? waiting;
	if (active || !coming) return Promise.resolve();
	return new Promise((resolve, reject) => {
		const look = () => {
			if (coming.state === 'activated') resolve();
			else if (coming.state === 'redundant') reject(new TypeError('the worker was not installed'));
		};
		coming.addEventListener('statechange', look);
		look();
	});
}
