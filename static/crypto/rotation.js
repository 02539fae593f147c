/**
 * Rotations: what begins an epoch (docs/protocol.md, "Renewing"). Makes them for the owner, and reads them for
 * everybody: a public part that is hashed and signed as sent, its signature, a private part, and a grant for
 * each person who stays.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Kept, State, Window } from './content.js'
 * @import { Opened } from './envelope.js'
 * @import { Identity } from './identity.js'
 * @import { EpochKeys } from './keys.js'
 */

import { concat, decodeBase64url, encodeBase64url, sha256, utf8 } from '../values/bytes.js';
import { BoxError, openBox, sealBox } from './box.js';
import { isEncoded, isWindow } from './content.js';
import { open, seal } from './envelope.js';
import { roomOf, verify } from './identity.js';
import { isCount, isHex32, isId, parseStrict } from './json.js';
import { SALT_BYTES, SECRET_BYTES, hashToken, memberSecret } from './keys.js';
import { openBytes, sealBytes } from './sealed.js';

/**
 * The public part, read. `previous`, `salt`, `admit`, `people`, `past` and `owner` are base64url.
 *
 * @typedef {object} PublicPart
 * @property {string} room
 * @property {number} epoch
 * @property {string} owner
 * @property {string} owner_token_hash
 * @property {string} salt
 * @property {string | null} previous
 * @property {Window | null} head
 * @property {string} read_token_hash
 * @property {string} post_token_hash
 * @property {string} admit
 * @property {string} people
 * @property {string[]} removed
 * @property {string | null} past
 *
 * @typedef {{ public: string, signature: string }} SignedPart
 * @typedef {SignedPart & { private: string }} Rotation As it is sent: JSON text, base64url, envelope.
 *
 * Why something is no rotation: not in the form; of another room or owner; wrongly signed; not the next one after
 * what is known; its keys are not those it names.
 *
 * @typedef {'malformed' | 'other_room' | 'forged' | 'not_next' | 'wrong_keys'} RotationFault
 */

/** Whoever made this is not the owner, or it does not follow what is known. It is shown, never followed. */
export class RotationError extends Error {
	/** @param {RotationFault} code */
	constructor(code) {
		super(`this is no rotation: ${code}`);
		this.code = code;
	}
}

/** The most content of a private part, by far more than 500 people take. */
const MAX_PRIVATE_BYTES = 380_000;

/** @type {Record<keyof PublicPart, (value: any) => boolean>} */
const FIELDS = {
	room: isHex32,
	epoch: isCount,
	owner: isKey,
	owner_token_hash: isHex32,
	salt: (value) => isEncoded(value, SALT_BYTES),
	previous: (value) => value === null || isKey(value),
	head: (value) => value === null || (isWindow(value) && Object.keys(value).length === 3),
	read_token_hash: isHex32,
	post_token_hash: isHex32,
	admit: isKey,
	people: isKey,
	removed: (value) => Array.isArray(value) && value.every(isId),
	past: (value) => value === null || (typeof value === 'string' && decodeBase64url(value) !== null),
};

/** @param {string} text @returns {PublicPart | null} null: unknown, missing or repeated fields, or ones of another form */
export function parsePublic(text) {
	const parsed = parseStrict(text);
	const names = Object.keys(FIELDS);
	if (!parsed || Object.keys(parsed).length !== names.length) return null;
	const fits = Object.entries(FIELDS).every(([name, fits]) => Object.hasOwn(parsed, name) && fits(parsed[name]));
	return fits ? /** @type {any} */ (parsed) : null;
}

/**
 * Reads the public part and checks whose it is.
 *
 * @param {string} room
 * @param {SignedPart} signed
 * @returns {Promise<PublicPart>}
 * @throws {RotationError}
 */
export async function verifyPublic(room, signed) {
	const part = parsePublic(signed.public);
	if (!part) throw new RotationError('malformed');
	const ownerKey = /** @type {Bytes} */ (decodeBase64url(part.owner));
	if (part.room !== room || (await roomOf(ownerKey)) !== room) throw new RotationError('other_room');
	const signature = decodeBase64url(signed.signature);
	const first = part.epoch === 0;
	const { previous, head, past, removed } = part;
	if (first && (previous !== null || head !== null || past !== null || removed.length > 0)) {
		throw new RotationError('malformed');
	}
	if (!first && previous === null) throw new RotationError('malformed');
	if (signature === null || !(await verify(part.owner, signature, rotationBytes(signed.public)))) {
		throw new RotationError('forged');
	}
	return part;
}

/**
 * Checks that one rotation is the next after another.
 *
 * @param {{ part: PublicPart, public: string }} known
 * @param {PublicPart} next
 * @throws {RotationError}
 */
export async function checkNext(known, next) {
	const follows =
		next.epoch === known.part.epoch + 1 &&
		next.owner_token_hash === known.part.owner_token_hash &&
		next.previous === (await hashPublic(known.public));
	if (!follows) throw new RotationError('not_next');
}

/**
 * Checks that keys are those that a rotation names.
 *
 * @param {PublicPart} part
 * @param {EpochKeys} keys
 * @throws {RotationError}
 */
export async function checkKeys(part, { epoch, readToken, postToken, admit }) {
	const fits =
		part.epoch === epoch &&
		part.read_token_hash === (await hashToken(readToken)) &&
		(postToken === undefined || part.post_token_hash === (await hashToken(postToken))) &&
		(admit === undefined || part.admit === encodeBase64url(admit.publicKey));
	if (!fits) throw new RotationError('wrong_keys');
}

/** @param {string} text The public part as sent. @returns {Promise<string>} base64url */
export async function hashPublic(text) {
	return encodeBase64url(await sha256(utf8(text)));
}

/** @param {string[]} authors The granted member ids. @returns {Promise<string>} base64url */
export async function hashPeople(authors) {
	return encodeBase64url(await sha256(utf8([...authors].sort().join('\n'))));
}

/** @param {PublicPart} part @param {Identity} owner @returns {Promise<SignedPart>} */
export async function signPublic(part, owner) {
	// The order of the fields is this one, so that vectors are the same on every machine.
	const text = JSON.stringify(Object.fromEntries(Object.keys(FIELDS).map((name) => [name, Reflect.get(part, name)])));
	return { public: text, signature: encodeBase64url(await owner.sign(rotationBytes(text))) };
}

/**
 * @param {CryptoKey} content The content key of the new epoch.
 * @param {Identity} owner
 * @param {{ room: string, epoch: number, client_id: string | null }} place `client_id`: the request's; null for rotation 0.
 * @param {{ at_ms: number, state: State, links: string[], kept: Kept[] }} said
 * @param {Bytes} [nonce] Only for test vectors.
 * @returns {Promise<string>}
 */
export function sealPrivate(content, owner, { room, epoch, client_id }, said, nonce) {
	const author = client_id === null ? null : owner.author;
	const place = { room, epoch, kind: 'rotate', client_id, author, target: null };
	return seal(content, owner, place, said, { nonce, most: MAX_PRIVATE_BYTES });
}

/**
 * @param {CryptoKey} content
 * @param {string} room
 * @param {{ client_id: string | null, author: string | null }} request Null for rotation 0.
 * @param {string} body
 * @returns {Promise<Opened>} its signer is still to be compared with the owner
 */
export function openPrivate(content, room, { client_id, author }, body) {
	return open(content, { room, kind: 'rotate', client_id, author, target: null }, body);
}

/**
 * @param {string} room
 * @param {number} epoch
 * @param {{ signer: string, box: string }} person
 * @param {Bytes} fresh
 * @returns {Promise<string | null>} base64url; null for a key that nothing may be boxed to
 */
export async function sealGrant(room, epoch, { signer, box }, fresh) {
	const key = decodeBase64url(box);
	if (!key) return null;
	try {
		return encodeBase64url(await sealBox(key, grantInfo(room, epoch, signer), fresh));
	} catch (cause) {
		if (cause instanceof BoxError) return null;
		throw cause;
	}
}

/**
 * @param {string} room
 * @param {number} epoch
 * @param {Pick<Identity, 'signer' | 'boxKey' | 'unbox'>} identity
 * @param {string} sealed
 * @param {Bytes} member The member secret of the epoch before.
 * @returns {Promise<Bytes>} the member secret of the epoch
 * @throws {RotationError} `wrong_keys`
 */
export async function openGrant(room, epoch, { signer, boxKey, unbox }, sealed, member) {
	const bytes = decodeBase64url(sealed);
	try {
		if (!bytes) throw new BoxError('malformed');
		const fresh = await openBox({ publicKey: boxKey, privateKey: unbox }, grantInfo(room, epoch, signer), bytes);
		if (fresh.length !== SECRET_BYTES) throw new BoxError('malformed');
		return await memberSecret(room, epoch, fresh, member);
	} catch (cause) {
		if (cause instanceof BoxError) throw new RotationError('wrong_keys');
		throw cause;
	}
}

/** @param {CryptoKey} past The past key of the epoch. @param {string} room @param {number} epoch @param {Bytes} reader Of the epoch before. @param {Bytes} [nonce] @returns {Promise<string>} */
export function sealPast(past, room, epoch, reader, nonce) {
	return sealBytes(past, `v2|past|${room}|${epoch}`, reader, nonce);
}

/** @param {CryptoKey} past @param {string} room @param {number} epoch @param {string} sealed @returns {Promise<Bytes | null>} the reader's secret of the epoch before */
export async function openPast(past, room, epoch, sealed) {
	const reader = await openBytes(past, `v2|past|${room}|${epoch}`, sealed);
	return reader?.length === SECRET_BYTES ? reader : null;
}

/** @param {Rotation} rotation @returns {string} the body of its event */
export function rotationBody({ public: part, signature, private: sealed }) {
	return [encodeBase64url(utf8(part)), signature, encodeBase64url(utf8(sealed))].join('.');
}

/** @param {string} body @returns {Rotation | null} */
export function parseRotationBody(body) {
	const [part, signature, sealed, ...rest] = body.split('.');
	if (part === undefined || signature === undefined || sealed === undefined || rest.length > 0) return null;
	const texts = [part, sealed].map(decodeText);
	const [publicText, privateText] = texts;
	if (typeof publicText !== 'string' || typeof privateText !== 'string' || !isEncoded(signature, 64)) return null;
	return { public: publicText, signature, private: privateText };
}

/** @param {string} encoded @returns {string | null} */
function decodeText(encoded) {
	const bytes = decodeBase64url(encoded);
	try {
		return bytes && new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		return null;
	}
}

/** @param {string} text @returns {Bytes} */
function rotationBytes(text) {
	return concat(utf8('buddy/v2/rotation\0'), utf8(text));
}

/** @param {string} room @param {number} epoch @param {string} signer @returns {Bytes} */
function grantInfo(room, epoch, signer) {
	return utf8(`buddy/v2/grant|${room}|${epoch}|${signer}`);
}

/** @param {unknown} value */
function isKey(value) {
	return isEncoded(value, 32);
}
