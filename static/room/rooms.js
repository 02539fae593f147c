/**
 * The rooms of this browser: made, admitted from links, listed, forgotten. No DOM.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { RoomLink } from '../values/link.js'
 * @import { RoomRecord, Store } from '../storage/store.js'
 */

import { openIdentity, roomOf } from '../crypto/identity.js';
import { newSecret, openMember, openReader, ownerIdentity } from '../crypto/keys.js';
import { equalBytes } from '../values/bytes.js';
import { formatLink } from '../values/link.js';
import { cleanName } from '../values/names.js';
import { t } from '../values/words.js';
import { Api, ApiError } from '../wire/api.js';

/**
 * @typedef {object} Admitted
 * @property {RoomRecord} record
 * @property {string} address What the address bar may show: path and fragment.
 * @property {Bytes} [otherIdentity] The link brought another identity than the one that this browser has there.
 *   It is for a person to say whether it is theirs: whoever made it can speak as whoever takes it.
 */

/** The roles by what they may do. */
const RANK = { reader: 0, member: 1, owner: 2 };

/** Between two questions after rooms, on average. */
const PAUSE_MS = 1_000;
/** A room that is no more is listed for so long, to say so. */
const KEPT_CLOSED_MS = 7 * 86_400_000;

/** The name of the setting that holds the name last used. */
const NAME = 'name';

/** A room is made once, though its answer be lost so often. */
const MOST_TRIES = 3;

/**
 * Makes a room on the server; its secret never leaves this browser.
 *
 * @param {Store} store
 * @param {{ name?: string, expiresInS?: number | null, messageTtlS?: number | null }} [settings]
 * @param {Api} [api]
 * @returns {Promise<Admitted>}
 * @throws {ApiError}
 */
export async function createRoom(store, { name = '', expiresInS = null, messageTtlS = null } = {}, api = new Api()) {
	const owner = newSecret();
	const { found } = await loadFounding();
	const { room, identity, request, rotation, state, link } = await found(owner, {
		name: cleanName(name),
		expiresInS,
		messageTtlS,
	});
	const made = await create(api, request);
	const record = {
		...newRecord({ room, role: 'owner', owner, link, identity: identity.secret }),
		joined: true,
		title: state.name,
		ownerSigner: identity.signer,
		createdAtMs: made.created_at_ms,
		expiresAtMs: made.expires_at_ms,
		state: { seq: 0, state },
		founding: rotation,
	};
	await keep(store, record);
	return { record, address: await roomAddress(record) };
}

/** Who only looks at the list needs nothing of what it takes to make a room. */
function loadFounding() {
	return import('./founding.js').catch(() => {
		throw new ApiError('network', 'the rest of the page did not arrive');
	});
}

/** The same request again where its answer was lost: it makes one room. @param {Api} api @param {import('../wire/api.js').NewRoom} request */
async function create(api, request) {
	for (let tries = 1; ; tries += 1) {
		try {
			return await api.createRoom(request);
		} catch (cause) {
			const lost = cause instanceof ApiError && (cause.code === 'network' || cause.code === 'timeout');
			if (!lost || tries >= MOST_TRIES) throw cause;
		}
	}
}

/**
 * A room that cannot be stored is there all the same, as long as the page: its secret is in no address any more.
 *
 * @param {Store} store
 * @param {RoomRecord} record
 * @returns {Promise<void>}
 */
async function keep(store, record) {
	try {
		if (record.founding) await store.putRotations([record.founding]);
		await store.putRoom(record);
	} catch {
		store.persistent = false;
	}
}

/**
 * Takes in a link: what is already known of the room stays, a stronger link makes it stronger, and one who was left
 * out comes in again. What may not stay in the address bar is stored before this resolves.
 *
 * @param {Store} store
 * @param {RoomLink} link
 * @returns {Promise<Admitted>}
 * @throws {WrongKey} if an owner's secret is not that of the room
 */
export async function admit(store, { room, role, secret, identity }) {
	const known = await store.room(room).catch(() => undefined);
	const owns = role === 'owner';
	if (owns && (await roomOf((await openIdentity(await ownerIdentity(secret))).publicKey)) !== room)
		throw new WrongKey();
	const stronger = !known || RANK[role] > RANK[known.role];
	// The link that the address bar still shows after a reload brings nobody back.
	const same = known?.link && equalBytes(known.link.secret, secret);
	const returns = !owns && known?.removal !== undefined && known.removal !== null && !same;
	// Who was removed comes back as somebody else, for what they were is shut out for good.
	const anew = returns && known?.removal?.how === 'removed' && !identity ? newSecret() : null;
	const isOwner = owns || known?.role === 'owner';
	const other =
		!isOwner && identity && known?.joined && !returns && !equalBytes(identity, known.identity) ? identity : null;
	const given = other ? null : identity;
	const ownersIdentity = owns ? await ownerIdentity(secret) : null;
	const mine = ownersIdentity ?? (isOwner ? known?.identity : (given ?? anew ?? known?.identity)) ?? newSecret();
	const fresh = newRecord({ room, role, owner: owns ? secret : null, link: owns ? null : secret, identity: mine });
	const taken = stronger || returns || !known?.joined;
	/** @type {RoomRecord} */
	const record = {
		...(known ?? fresh),
		...(taken && owns ? { role, owner: secret } : {}),
		...(taken && !owns ? { role, link: fresh.link, removal: null } : {}),
		...(anew ? { joined: false, yourName: '' } : {}),
		identity: mine,
	};
	if (given && !isOwner && !record.joined) record.carriesIdentity = true;
	if (owns) record.ownerSigner = (await openIdentity(mine)).signer;
	// A newcomer who only looks leaves no trace here, unless the address bar must give something up.
	if ((known && !taken) || owns || identity) await keep(store, record);
	return { record, address: await roomAddress(record), ...(other ? { otherIdentity: other } : {}) };
}

/**
 * Becomes the person of one's other device. What was written before stays whose it was.
 *
 * @param {Store} store
 * @param {RoomRecord} record
 * @param {Bytes} identity
 * @returns {Promise<RoomRecord>}
 */
export async function takeIdentity(store, record, identity) {
	const taken = { ...record, identity };
	await keep(store, taken);
	return taken;
}

/** A known room came with another key. It is not taken over, or any link could lock out its reader. */
class WrongKey extends Error {
	code = 'wrong_key';
}

/** @param {Store} store @returns {Promise<RoomRecord[]>} most recently opened first */
export async function listRooms(store) {
	const rooms = await store.rooms().catch(() => []);
	return rooms.filter(({ joined }) => joined).sort((one, other) => other.openedAtMs - one.openedAtMs);
}

/** What a room is called in this browser. @param {Pick<RoomRecord, 'label' | 'title'>} record @returns {string} */
export function nameOfRoom({ label, title }) {
	return label || title || t('unnamedRoom');
}

/**
 * Where a room is opened; never with an owner's or identity's part.
 *
 * @param {Pick<RoomRecord, 'room' | 'role' | 'link'>} record
 * @returns {Promise<string>} path and, where a link is known that may be passed on, fragment
 */
export async function roomAddress({ room, role, link }) {
	return link ? formatLink(room, role === 'reader' ? 'reader' : 'member', link.secret) : `/r/${room}`;
}

/**
 * Asks the server which rooms hold something unread: one after another and with pauses of no fixed length, so that
 * asking at once does not tell it that they are all of one browser. One that does not answer is taken by what is
 * known here, and one that has expired meanwhile is closed.
 *
 * @param {Store} store
 * @param {Api} [api]
 * @param {object} [how]
 * @param {() => boolean} [how.wanted] Asked before each room: whether anybody still wants to know.
 * @param {() => Promise<unknown>} [how.pause] Before each room but the first.
 * @param {(record: RoomRecord) => boolean} [how.only] Which of the rooms are asked after; all of them if left out.
 * @returns {AsyncGenerator<string>} the rooms with something unread
 */
export async function* checkNews(
	store,
	api = new Api(),
	{ wanted = () => true, pause = drawPause, only = () => true } = {},
) {
	const open = (await listRooms(store)).filter(({ closed, removal }) => closed === null && !removal);
	const rooms = open.filter(only);
	for (const [index, { room, lastSeq, readSeq, expiresAtMs }] of rooms.entries()) {
		if (index > 0) await pause();
		if (!wanted()) return;
		let last = lastSeq;
		try {
			last = await lastSeqOf(store, room, api);
		} catch (cause) {
			const gone = cause instanceof ApiError && cause.code === 'room_not_found';
			if (gone && expiresAtMs > 0 && expiresAtMs < Date.now()) await close(store, room);
		}
		if (last > readSeq) yield room;
	}
}

function drawPause() {
	const ms = PAUSE_MS * (0.5 + Math.random());
	return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What was said in a room that has expired goes; that it was known stays a while. @param {Store} store @param {string} room */
async function close(store, room) {
	await store.changeRoom(room, { closed: 'expired', lost: [] }).catch(() => {});
	await store.closeRoom(room).catch(() => {});
}

/** @param {Store} store @param {string} room @param {Api} api @returns {Promise<number>} */
async function lastSeqOf(store, room, api) {
	const held = (await store.rotations(room)).findLast(({ secret }) => secret !== null);
	if (!held?.secret) throw new ApiError('room_not_found', 'no key of this room is at hand');
	const { readToken } = await (held.role === 'member' ? openMember : openReader)(held.epoch, held.secret);
	return (await api.room(room, { token: readToken })).last_seq;
}

/** @param {Store} store @param {string} room @param {string} label @returns {Promise<void>} */
export function renameRoom(store, room, label) {
	return store.changeRoom(room, { label: cleanName(label) });
}

/**
 * Wipes what has ended in rooms that may not be opened again for long, and forgets rooms that have ended long ago.
 *
 * @param {Store} store
 * @returns {Promise<void>}
 */
export async function sweepRooms(store) {
	for (const { room, state, closed, expiresAtMs } of await store.rooms().catch(() => [])) {
		// It would have expired by now, deleted or not; until then it is there to say what became of it.
		if (closed !== null && expiresAtMs + KEPT_CLOSED_MS < Date.now()) {
			await forgetRoom(store, room).catch(() => {});
			continue;
		}
		const lifetime = state?.state.message_ttl_s ?? null;
		if (lifetime !== null) await store.dropEnded(room, Date.now() - lifetime * 1000).catch(() => {});
	}
}

/** Where tabs tell each other which room was forgotten. */
const FORGOTTEN = 'buddy/forgotten';

/**
 * Wipes everything of a room from this browser; other tabs that show it leave it.
 *
 * @param {Store} store
 * @param {string} room
 * @param {Api} [api]
 * @returns {Promise<void>}
 */
export async function forgetRoom(store, room, api = new Api()) {
	const record = await store.room(room).catch(() => undefined);
	// It asks for the keys before they are wiped, and is not waited for: the server may not answer.
	if (record?.push)
		await import('./pushing.js').then(
			({ endPush }) => void endPush(store, record, api),
			() => {},
		);
	await store.forgetRoom(room);
	if (!store.persistent || typeof BroadcastChannel === 'undefined') return;
	const channel = new BroadcastChannel(FORGOTTEN);
	channel.postMessage(room);
	channel.close();
}

/**
 * @param {Store} store
 * @param {(room: string) => void} forgotten A room was forgotten, here or in another tab.
 */
export function watchForgotten(store, forgotten) {
	if (!store.persistent || typeof BroadcastChannel === 'undefined') return;
	new BroadcastChannel(FORGOTTEN).addEventListener('message', ({ data }) => forgotten(data));
}

/** @param {Store} store @returns {Promise<string>} the name last used in any room */
export function suggestedName(store) {
	return store.setting(NAME).catch(() => '');
}

/** @param {Store} store @param {string} name @returns {Promise<void>} */
export function suggestName(store, name) {
	return store.putSetting(NAME, name);
}

/**
 * @param {Pick<RoomRecord, 'room' | 'role' | 'owner' | 'identity'> & { link: Bytes | null }} known
 * @returns {RoomRecord}
 */
function newRecord({ link, ...known }) {
	return {
		...known,
		link: link && { secret: link, clientId: crypto.randomUUID() },
		joined: false,
		label: '',
		title: '',
		yourName: '',
		openedAtMs: Date.now(),
		log: null,
		lastSeq: 0,
		readSeq: 0,
		ownerSigner: null,
		ownerLinkKept: false,
		createdAtMs: 0,
		expiresAtMs: 0,
		state: null,
		lastPost: null,
		closed: null,
		lost: [],
	};
}
