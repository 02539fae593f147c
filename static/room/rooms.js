/**
 * The rooms of this browser: made, admitted from links, listed, forgotten. No DOM.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { RoomLink } from '../values/link.js'
 * @import { RoomRecord, Store } from '../storage/store.js'
 */

import { Api } from '../wire/api.js';
import { equalBytes } from '../values/bytes.js';
import { hashToken, newSecret, openIdentity, openKeys, ownerIdentity, sameRoom } from '../crypto/secrets.js';
import { formatLink } from '../values/link.js';
import { cleanName } from '../values/text.js';
import { Bodies } from './bodies.js';

/**
 * @typedef {object} Admitted
 * @property {RoomRecord} record
 * @property {string} address What the address bar may show: path and fragment.
 * @property {Bytes} [otherIdentity] The link brought another identity than the one that this browser has there.
 *   It is for a person to say whether it is theirs: whoever made it can speak as whoever takes it.
 */

/** The roles by what they may do. */
const RANK = { reader: 0, member: 1, owner: 2 };

/** The name of the setting that holds the name last used. */
const NAME = 'name';

/**
 * Makes a room on the server; its secret never leaves this browser.
 *
 * @param {Store} store
 * @param {{ name?: string, expiresInS?: number | null, messageTtlS?: number | null }} [settings]
 * @param {Api} [api]
 * @returns {Promise<Admitted>}
 * @throws {import('../wire/api.js').ApiError}
 */
export async function createRoom(store, { name = '', expiresInS = null, messageTtlS = null } = {}, api = new Api()) {
	const secret = newSecret();
	// The room's id comes with the answer; no key depends on it.
	const keys = await openKeys('', 'owner', secret);
	const identity = await openIdentity(await ownerIdentity(secret));
	const title = cleanName(name);
	const made = await api.createRoom({
		read_token_hash: await hashToken(keys.readToken),
		post_token_hash: await hashToken(keys.postToken ?? ''),
		owner_token_hash: await hashToken(keys.ownerToken ?? ''),
		about: await new Bodies(keys, identity).sealTitle(title),
		...(expiresInS === null ? {} : { expires_in_s: expiresInS }),
		...(messageTtlS === null ? {} : { message_ttl_s: messageTtlS }),
	});
	const record = {
		...newRecord({ room: made.room, role: 'owner', secret, identity: identity.secret }),
		joined: true,
		title,
		ownerSigner: identity.signer,
		createdAtMs: made.created_at_ms,
		expiresAtMs: made.expires_at_ms,
		messageTtlS: made.message_ttl_s,
		mayExpire: made.message_ttl_s !== null,
	};
	await keep(store, record);
	return { record, address: await roomAddress(record) };
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
		await store.putRoom(record);
	} catch {
		store.persistent = false;
	}
}

/**
 * Takes in a link: what is already known of the room stays, a stronger link makes it stronger. What
 * may not stay in the address bar is stored before this resolves.
 *
 * @param {Store} store
 * @param {RoomLink} link
 * @returns {Promise<Admitted>}
 * @throws {WrongKey} if the room is known here by another secret, which stays
 */
export async function admit(store, { room, role, secret, identity }) {
	const known = await store.room(room).catch(() => undefined);
	if (known && !(await sameRoom(known, { room, role, secret }))) throw new WrongKey();
	const stronger = !known || RANK[role] > RANK[known.role];
	const strongest = stronger ? { role, secret } : { role: known.role, secret: known.secret };
	const owns = strongest.role === 'owner';
	const other = !owns && identity && known?.joined && !equalBytes(identity, known.identity) ? identity : null;
	const given = other ? null : identity;
	const mine = owns ? await ownerIdentity(strongest.secret) : (given ?? known?.identity ?? newSecret());
	const record = { ...(known ?? newRecord({ room, role, secret, identity: mine })), ...strongest, identity: mine };
	if (given && !owns && !record.joined) record.carriesIdentity = true;
	if (record.role === 'owner') record.ownerSigner = (await openIdentity(mine)).signer;
	// A newcomer who only looks leaves no trace here, unless the address bar must give something up.
	if (known || role === 'owner' || identity) await keep(store, record);
	return { record, address: await roomAddress(record), ...(other ? { otherIdentity: other } : {}) };
}

/**
 * Becomes the person of one's other device. What was sealed before stays whose it was.
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

/**
 * Where a room is opened; never with an owner's or identity's part.
 *
 * @param {RoomRecord} record
 * @returns {Promise<string>} path and fragment
 */
export async function roomAddress({ room, role, secret }) {
	const { member, reader } = await openKeys(room, role, secret);
	return member ? formatLink(room, 'member', member) : formatLink(room, 'reader', reader);
}

/**
 * Asks the server which rooms hold something unread. One that does not answer is taken by what is
 * known here.
 *
 * @param {Store} store
 * @param {Api} [api]
 * @returns {Promise<Set<string>>}
 */
export async function checkNews(store, api = new Api()) {
	const rooms = (await listRooms(store)).filter(({ closed }) => closed === null);
	const news = await Promise.all(
		rooms.map(async ({ room, role, secret, lastSeq, readSeq }) => {
			const { readToken } = await openKeys(room, role, secret);
			const last = await api.room(room, { token: readToken }).then(
				({ last_seq }) => last_seq,
				() => lastSeq,
			);
			return last > readSeq ? [room] : [];
		}),
	);
	return new Set(news.flat());
}

/** @param {Store} store @param {string} room @param {string} label @returns {Promise<void>} */
export function renameRoom(store, room, label) {
	return store.changeRoom(room, { label: cleanName(label) });
}

/**
 * Wipes what has ended in rooms that may not be opened again for long.
 *
 * @param {Store} store
 * @returns {Promise<void>}
 */
export async function sweepRooms(store) {
	for (const { room, messageTtlS } of await store.rooms().catch(() => [])) {
		if (messageTtlS !== null) await store.dropEnded(room, Date.now() - messageTtlS * 1000).catch(() => {});
	}
}

/** Where tabs tell each other which room was forgotten. */
const FORGOTTEN = 'buddy/forgotten';

/**
 * Wipes everything of a room from this browser; other tabs that show it leave it.
 *
 * @param {Store} store
 * @param {string} room
 * @returns {Promise<void>}
 */
export async function forgetRoom(store, room) {
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

/** @param {Pick<RoomRecord, 'room' | 'role' | 'secret' | 'identity'>} known @returns {RoomRecord} */
function newRecord(known) {
	return {
		...known,
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
		messageTtlS: null,
		mayExpire: false,
		locked: false,
		closed: null,
		lost: [],
		names: [],
		namesFrom: null,
	};
}
