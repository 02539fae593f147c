/**
 * Being told of a room while no tab of it is open: what the browser's push service and the server hold of that is kept
 * in step with what a person wants (docs/protocol.md, "Push"). One registration for each room, under the keys in force:
 * a renewal ends it, and it is made again. No DOM.
 *
 * @import { Push, RoomRecord, Store } from '../storage/store.js'
 * @import { Api } from '../wire/api.js'
 */

import { openMember, openReader } from '../crypto/keys.js';
import { decodeBase64url } from '../values/bytes.js';
import { t } from '../values/words.js';
import { ApiError } from '../wire/api.js';
import { subscribe, unsubscribe } from '../wire/push.js';

/** A point of P-256, uncompressed. */
const KEY_BYTES = 65;

/** What a room needs to be told of, in the person's language. @returns {Push} of which nothing is registered yet */
export function wantedPush() {
	return { endpoint: null, epoch: 0, unnamed: t('unnamedRoom'), news: t('pushNews') };
}

/** @param {RoomRecord} record @returns {boolean} whether messages of it are to be pushed now */
export function isPushed({ push, notify, muted = false, closed, removal }) {
	return Boolean(push) && notify === 'all' && !muted && closed === null && !removal;
}

/**
 * Registers a room, or ends that, as it is wanted by now. Two tabs do no harm: what one has done, the other finds.
 *
 * @param {Store} store
 * @param {string} room
 * @param {Api} api
 * @param {{ anew?: boolean }} [how] `anew`: the server hears of it though nothing is known to have changed.
 * @returns {Promise<void>}
 * @throws {ApiError | import('../wire/push.js').PushError} it is not registered
 */
export async function settlePush(store, room, api, { anew = false } = {}) {
	const record = await store.room(room);
	if (!record?.push) return;
	const { push } = record;
	if (!isPushed(record)) {
		await endPush(store, record, api);
		await store.changePush(room, { endpoint: null });
		return;
	}
	const access = await accessTo(store, room);
	if (!access || (!anew && push.endpoint !== null && push.epoch === access.epoch)) return;
	const key = decodeBase64url(await api.pushKey(room, access));
	if (key?.length !== KEY_BYTES) throw new ApiError('bad_answer', 'this is no key of a server that pushes');
	const registration = await subscribe(room, key);
	await api.push(room, access, registration);
	// Under the keys of before it is gone, and under these it would be told of twice.
	if (push.endpoint !== null && push.endpoint !== registration.endpoint)
		await api.unpush(room, access, push.endpoint).catch(() => {});
	await store.changePush(room, { endpoint: registration.endpoint, epoch: access.epoch });
	// It may have been taken back meanwhile.
	const now = await store.room(room);
	if (!now || !isPushed(now))
		await endPush(store, { ...record, push: { ...push, endpoint: registration.endpoint } }, api);
}

/**
 * Ends what is registered of a room: here for certain, at the server if it answers. What it does not hear, the push
 * service tells it.
 *
 * @param {Store} store
 * @param {Pick<RoomRecord, 'room' | 'push'>} record
 * @param {Api} api
 * @returns {Promise<void>} never rejects
 */
export async function endPush(store, { room, push }, api) {
	const access = push?.endpoint ? await accessTo(store, room).catch(() => null) : null;
	await unsubscribe(room).catch(() => {});
	if (push?.endpoint && access) await api.unpush(room, access, push.endpoint).catch(() => {});
}

/** The weakest token of a room's newest keys. @param {Store} store @param {string} room */
async function accessTo(store, room) {
	const held = (await store.rotations(room)).findLast(({ secret }) => secret !== null);
	if (!held?.secret) return null;
	const { readToken: token, epoch } = await (held.role === 'member' ? openMember : openReader)(held.epoch, held.secret);
	return { token, epoch };
}
