/**
 * Making a room: all that the request which makes it says, worked out by the owner's browser (docs/protocol.md,
 * "Keys" and "Links").
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { State } from '../crypto/content.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { StoredRotation } from '../storage/store.js'
 * @import { NewRoom } from '../wire/api.js'
 */

import { openIdentity, roomOf } from '../crypto/identity.js';
import {
	SALT_BYTES,
	freshSecret,
	hashToken,
	linkSecret,
	memberSecret,
	noteKey,
	openMember,
	ownerIdentity,
	ownerToken,
} from '../crypto/keys.js';
import { openLink, sealGift, sealInvite, sealNote } from '../crypto/links.js';
import { hashPeople, sealPrivate, signPublic } from '../crypto/rotation.js';
import { encodeBase64url, randomBytes } from '../values/bytes.js';

/**
 * @typedef {object} Founding
 * @property {string} room
 * @property {Identity} identity The owner's.
 * @property {NewRoom} request
 * @property {StoredRotation} rotation
 * @property {State} state
 * @property {Bytes} link The room's link's secret.
 */

/** A room that the owner gives no other time is kept so long after its last event. */
export const EXPIRES_IN_S = 2_592_000;

/** A link that may not be opened without being asked begins with this byte, which its secret would by chance once in 256 times. */
const LIMITED = 0xff;

/**
 * Previews that run scripts must not spend a link that may be opened a few times only; so that whoever gets one knows
 * which it is, its secret says so.
 *
 * @param {Bytes} secret
 * @returns {boolean} whether only a click may open it
 */
export function isLimited(secret) {
	return secret[0] === LIMITED;
}

/** @param {Bytes} owner @param {boolean} limited @returns {Promise<{ seed: Bytes, secret: Bytes }>} of a new link */
export async function newLink(owner, limited) {
	for (;;) {
		const seed = randomBytes(SALT_BYTES);
		const secret = await linkSecret(owner, seed);
		if (isLimited(secret) === limited) return { seed, secret };
	}
}

/**
 * @param {Bytes} owner A new owner secret.
 * @param {{ name: string, expiresInS: number | null, messageTtlS: number | null }} settings
 * @returns {Promise<Founding>}
 */
export async function found(owner, { name, expiresInS, messageTtlS }) {
	const identity = await openIdentity(await ownerIdentity(owner));
	const room = await roomOf(identity.publicKey);
	const salt = randomBytes(SALT_BYTES);
	const member = await memberSecret(room, 0, await freshSecret(owner, 0, salt));
	const keys = await openMember(0, member);
	const { seed, secret } = await newLink(owner, false);
	const link = await openLink(secret);
	/** @type {State} */
	const state = {
		name,
		locked: false,
		message_ttl_s: messageTtlS,
		expires_in_s: expiresInS ?? EXPIRES_IN_S,
		ever_ttl: messageTtlS,
		invite: await sealInvite(keys.invite, room, 0, secret),
	};
	const signed = await signPublic(
		{
			room,
			epoch: 0,
			owner: identity.signer,
			owner_token_hash: await hashToken(await ownerToken(owner)),
			salt: encodeBase64url(salt),
			previous: null,
			head: null,
			read_token_hash: await hashToken(keys.readToken),
			post_token_hash: await hashToken(keys.postToken),
			admit: encodeBase64url(keys.admit.publicKey),
			people: await hashPeople([]),
			removed: [],
			past: null,
		},
		identity,
	);
	const said = { at_ms: Date.now(), state, links: [link.id], kept: [] };
	const rotation = {
		...signed,
		private: await sealPrivate(keys.content, identity, { room, epoch: 0, client_id: null }, said),
	};
	const note = { seed, name: '', role: /** @type {const} */ ('member'), epoch: 0 };
	return {
		room,
		identity,
		request: {
			room,
			rotation,
			link: {
				id: link.id,
				token_hash: await hashToken(link.token),
				sealed: await sealGift(link, room, { role: 'member', epoch: 0, secret: member }),
				note: await sealNote(await noteKey(owner), room, link.id, note),
			},
			expires_in_s: state.expires_in_s,
			...(messageTtlS === null ? {} : { message_ttl_s: messageTtlS }),
		},
		rotation: { room, epoch: 0, seq: 0, ...rotation, role: 'member', secret: member, client_id: null, author: null },
		state,
		link: secret,
	};
}
