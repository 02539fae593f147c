/**
 * Being told of a room while no tab of it is open: what the browser's push service and the server hold of that is kept
 * in step with what a person wants (docs/protocol.md, "Push"). One registration for each room, under the keys in force:
 * a renewal ends it, and it is made again. No DOM.
 *
 * @import { Push, RoomRecord, Store } from '../storage/store.js'
 * @import { Access, Api } from '../wire/api.js'
 */

import { openMember, openReader } from '../crypto/keys.js';
import { decodeBase64url } from '../values/bytes.js';
import { t } from '../values/words.js';
import { ApiError } from '../wire/api.js';
import { subscribe, unsubscribe } from '../wire/push.js';

/** A point of P-256, uncompressed. */
const KEY_BYTES = 65;

/** What a notice says, in the person's language. */
function words() {
	return { unnamed: t('unnamedRoom'), news: t('pushNews') };
}

/**
 * Begins to have a room told of, or ends that.
 *
 * @param {Store} store
 * @param {string} room
 * @param {Api} api
 * @param {boolean} wanted
 * @param {(push: Push | null) => Promise<void>} change keeps what is wanted
 * @returns {Promise<void>}
 * @throws {ApiError | import('../wire/push.js').PushError} nothing will be pushed
 */
export async function wantPush(store, room, api, wanted, change) {
	const { push = null } = (await store.room(room)) ?? {};
	if (!wanted) {
		await change(null);
		await endPush(store, { room, push }, api);
		return;
	}
	await change({ endpoint: push?.endpoint ?? null, epoch: 0, ...words() });
	try {
		await settlePush(store, room, api, { anew: true });
	} catch (cause) {
		await wantPush(store, room, api, false, change);
		throw cause;
	}
}

/**
 * Keeps what is registered of a room in step with what holds by now.
 *
 * @param {Store} store
 * @param {string} room
 * @param {Api} api
 * @param {boolean} anew as far as that is not known
 * @returns {Promise<void>}
 * @throws {ApiError | import('../wire/push.js').PushError} it is not registered
 */
export async function keepPush(store, room, api, anew) {
	// The language may be another by now.
	if (anew) await store.changePush(room, words());
	await settlePush(store, room, api, { anew });
}

/** @param {RoomRecord} record @returns {boolean} whether messages of it are to be pushed now */
export function isPushed({ push, notify, muted = false, closed, removal }) {
	return Boolean(push) && notify === 'all' && !muted && closed === null && !removal;
}

/**
 * Registers a room, or ends that, as it is wanted by now.
 *
 * @param {Store} store
 * @param {string} room
 * @param {Api} api
 * @param {{ anew?: boolean }} [how] `anew`: the server hears of it though nothing is known to have changed.
 * @returns {Promise<void>}
 * @throws {ApiError | import('../wire/push.js').PushError} it is not registered
 */
export function settlePush(store, room, api, { anew = false } = {}) {
	return alone(room, () => settle(store, room, api, anew));
}

/** @param {Store} store @param {string} room @param {Api} api @param {boolean} anew */
async function settle(store, room, api, anew) {
	const record = await store.room(room);
	if (!record?.push) return;
	const { endpoint, epoch } = record.push;
	const access = await accessTo(store, room);
	const stop = async (/** @type {string | null} */ registered) => {
		await end(room, registered, access, api);
		await store.changePush(room, { endpoint: null });
	};
	if (!isPushed(record)) {
		await stop(endpoint);
		return;
	}
	if (!access || (!anew && endpoint !== null && epoch === access.epoch)) return;
	const key = decodeBase64url(await api.pushKey(room, access));
	if (key?.length !== KEY_BYTES) throw new ApiError('bad_answer', 'this is no key of a server that pushes');
	const registration = await subscribe(room, key);
	await api.push(room, access, registration);
	// Under the keys of before it is gone, and under these it would be told of twice.
	if (endpoint !== null && endpoint !== registration.endpoint) await api.unpush(room, access, endpoint).catch(() => {});
	await store.changePush(room, { endpoint: registration.endpoint, epoch: access.epoch });
	// It may have been taken back, or the room forgotten, meanwhile.
	const now = await store.room(room);
	if (!now || !isPushed(now)) await stop(registration.endpoint);
}

/**
 * Ends what is registered of a room: here for certain, at the server if it answers. What it does not hear, the push
 * service tells it. The room's keys are asked for first, so that it may be forgotten right away.
 *
 * @param {Store} store
 * @param {Pick<RoomRecord, 'room' | 'push'>} record
 * @param {Api} api
 * @returns {Promise<void>} never rejects
 */
export async function endPush(store, { room, push }, api) {
	const access = await accessTo(store, room).catch(() => null);
	await alone(room, () => end(room, push?.endpoint ?? null, access, api));
}

/** @param {string} room @param {string | null} endpoint @param {Access | null} access @param {Api} api */
async function end(room, endpoint, access, api) {
	await unsubscribe(room).catch(() => {});
	if (endpoint !== null && access) await api.unpush(room, access, endpoint).catch(() => {});
}

/**
 * One after the other, in all tabs: what one has done, the next finds.
 *
 * @param {string} room
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
async function alone(room, work) {
	const { locks } = globalThis.navigator ?? {};
	await (locks ? locks.request(`buddy/push/${room}`, {}, work) : work());
}

/** The weakest token of a room's newest keys. @param {Store} store @param {string} room */
async function accessTo(store, room) {
	const held = (await store.rotations(room)).findLast(({ secret }) => secret !== null);
	if (!held?.secret) return null;
	const { readToken: token, epoch } = await (held.role === 'member' ? openMember : openReader)(held.epoch, held.secret);
	return { token, epoch };
}
