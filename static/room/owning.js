/**
 * What only the owner's browser does: links, statements and renewals (docs/protocol.md, "Links", "Renewing" and
 * "Statements"). What the server tells of links is believed only as far as the owner's own notes bear it out.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { State, Window } from '../crypto/content.js'
 * @import { Identity } from '../crypto/identity.js'
 * @import { LinkKeys, Note } from '../crypto/links.js'
 * @import { StoredRotation } from '../storage/store.js'
 * @import { Api, LinkRow } from '../wire/api.js'
 * @import { NewLink, Renewal } from './facade.js'
 * @import { Keyring } from './keyring.js'
 * @import { Standing } from './standing.js'
 */

import { signFarewell } from '../crypto/card.js';
import { seal } from '../crypto/envelope.js';
import {
	SALT_BYTES,
	freshSecret,
	hashToken,
	linkSecret,
	memberSecret,
	noteKey,
	openMember,
	ownerToken,
} from '../crypto/keys.js';
import { openLink, openNote, sealGift, sealInvite, sealNote } from '../crypto/links.js';
import { hashPeople, hashPublic, sealGrant, sealPast, sealPrivate, signPublic } from '../crypto/rotation.js';
import { encodeBase64url, randomBytes } from '../values/bytes.js';
import { ApiError } from '../wire/api.js';
import { isLimited, newLink } from './founding.js';
import { requestId } from './keyring.js';

/**
 * A link as the server keeps it, and as the owner's note bears it out. `made`: null where it does not.
 *
 * @typedef {{ row: LinkRow, made: { note: Note, secret: Bytes, keys: LinkKeys } | null }} OwnLink
 *
 * What a renewal needs of the room as its owner sees it now.
 *
 * @typedef {object} Before
 * @property {State} state
 * @property {Window | null} head
 * @property {string | null} roomLink The id of the link that members pass on.
 * @property {number} cardsSeen The last card that is known.
 */

/** Others may renew, open and join meanwhile: a renewal is tried so often. */
const MOST_TRIES = 8;
/** Whoever makes cards without end keeps nobody from renewing. */
const PEOPLE_TRIES = 3;

const NONCE_BYTES = 12;

export class Owning {
	#room;
	#owner;
	#identity;
	#keyring;
	#api;
	/** @type {Promise<string> | null} */
	#token = null;

	/**
	 * @param {string} room
	 * @param {Bytes} owner
	 * @param {Identity} identity The owner's.
	 * @param {Keyring} keyring
	 * @param {Api} api
	 */
	constructor(room, owner, identity, keyring, api) {
		this.#room = room;
		this.#owner = owner;
		this.#identity = identity;
		this.#keyring = keyring;
		this.#api = api;
	}

	/** @returns {Promise<{ token: string, author: string }>} */
	async access() {
		this.#token ??= ownerToken(this.#owner);
		return { token: await this.#token, author: this.#identity.authorSecret };
	}

	/** @returns {Promise<OwnLink[]>} @throws {ApiError} */
	async links() {
		const { links } = await this.#api.links(this.#room, await this.access());
		return Promise.all(links.map((row) => this.#ownLink(row)));
	}

	/** @param {NewLink} wanted @returns {Promise<OwnLink>} @throws {ApiError} */
	async makeLink({ name, role, openings, expiresInS }) {
		const { seed, secret } = await newLink(this.#owner, openings !== null);
		const keys = await openLink(secret);
		const { epoch, member, reader } = this.#keyring.keys;
		if (!member) throw new ApiError('renewed', 'the keys are not at hand');
		const gift = { role, epoch, secret: role === 'member' ? member : reader };
		/** @type {Note} */
		const note = { seed, name, role, epoch };
		const sealedNote = await sealNote(await noteKey(this.#owner), this.#room, keys.id, note);
		const made = await this.#api.makeLink(this.#room, await this.access(), {
			id: keys.id,
			token_hash: await hashToken(keys.token),
			sealed: await sealGift(keys, this.#room, gift),
			note: sealedNote,
			epoch,
			...(openings === null ? {} : { openings }),
			...(expiresInS === null ? {} : { expires_in_s: expiresInS }),
		});
		const row = {
			id: keys.id,
			epoch,
			note: sealedNote,
			opened: 0,
			openings,
			created_at_ms: made.created_at_ms,
			opened_at_ms: null,
			expires_at_ms: expiresInS === null ? null : made.created_at_ms + expiresInS * 1000,
		};
		return { row, made: { note, secret, keys } };
	}

	/**
	 * Tells everybody what the room is from now on, and makes the server do the same.
	 *
	 * @param {State} state
	 * @param {number} stateSeq The statement that it goes on from.
	 * @param {{ prev: Window | null, changed: Partial<State> }} more `changed`: what the server is to do.
	 * @returns {Promise<import('../wire/api.js').RoomAnswer>}
	 * @throws {ApiError}
	 */
	async state(state, stateSeq, { prev, changed }) {
		const { epoch, content: key } = this.#keyring.keys;
		const nonce = randomBytes(NONCE_BYTES);
		const client_id = await requestId(encodeBase64url(nonce));
		const place = { room: this.#room, epoch, kind: 'change', client_id, author: this.#identity.author, target: null };
		const statement = await seal(key, this.#identity, place, { at_ms: Date.now(), state, prev }, { nonce });
		const { locked, expires_in_s, message_ttl_s } = changed;
		return this.#api.changeRoom(this.#room, await this.access(), {
			client_id,
			epoch,
			state_seq: stateSeq,
			statement,
			...(locked === undefined ? {} : { locked }),
			...(expires_in_s === undefined ? {} : { expires_in_s }),
			...(message_ttl_s === undefined ? {} : { message_ttl_s }),
		});
	}

	/** Deletes the room for all, with what proves to them that the owner did. @returns {Promise<void>} @throws {ApiError} */
	async destroy() {
		await this.#api.deleteRoom(this.#room, await this.access(), await signFarewell(this.#identity, this.#room));
	}

	/**
	 * Begins the next epoch.
	 *
	 * @param {Renewal} renewal
	 * @param {Standing} standing
	 * @param {object} tools
	 * @param {() => Promise<Before>} tools.look How the room is now; reads keys and cards anew.
	 * @param {(row: StoredRotation) => Promise<void>} tools.begun
	 * @returns {Promise<{ leftOut: string[], roomLink: Bytes }>} names of whom nothing can be boxed to
	 * @throws {ApiError}
	 */
	async renew(renewal, standing, { look, begun }) {
		/** The room's new link, made once. @type {OwnLink | null} */
		let fresh = null;
		for (let tries = 1; ; tries += 1) {
			try {
				const before = await look();
				const links = await this.links();
				const staying = links.filter((link) => renewal.links.includes(link.row.id) && this.#isOurs(link));
				let roomLink = staying.find(({ row }) => row.id === before.roomLink) ?? null;
				if (!roomLink) {
					const { epoch } = this.#keyring.keys;
					if (fresh?.row.epoch !== epoch) {
						fresh = await this.makeLink({ name: '', role: 'member', openings: null, expiresInS: null });
					}
					roomLink = fresh;
					staying.push(roomLink);
				}
				const ids = new Set(staying.map(({ row }) => row.id));
				const takenBack = links.map(({ row }) => row.id).filter((id) => !ids.has(id));
				return await this.#begin(renewal, standing, before, { staying, takenBack, roomLink, tries, begun });
			} catch (cause) {
				const code = cause instanceof ApiError ? cause.code : null;
				// Another device of the owner may renew while this one looks, too.
				const again = ['stale_epoch', 'renewed', 'links_changed', 'people_changed'].includes(code ?? '');
				if (!again || tries >= MOST_TRIES) throw cause;
			}
		}
	}

	/**
	 * @param {Renewal} renewal
	 * @param {Standing} standing
	 * @param {Before} before
	 * @param {object} now
	 * @param {OwnLink[]} now.staying
	 * @param {string[]} now.takenBack
	 * @param {OwnLink} now.roomLink
	 * @param {number} now.tries
	 * @param {(row: StoredRotation) => Promise<void>} now.begun
	 */
	async #begin(renewal, standing, before, { staying, takenBack, roomLink, tries, begun }) {
		const { current } = this.#keyring;
		if (!current?.keys.member || !roomLink.made) throw new ApiError('renewed', 'the keys are not at hand');
		const room = this.#room;
		const epoch = current.part.epoch + 1;
		const salt = randomBytes(SALT_BYTES);
		const freshOne = await freshSecret(this.#owner, epoch, salt);
		const member = await memberSecret(room, epoch, freshOne, current.keys.member);
		const keys = await openMember(epoch, member);

		const people = standing.peopleOf(current.part.epoch);
		const stay = new Set(renewal.stay.filter((signer) => !renewal.remove.includes(signer)));
		const boxed = await Promise.all(
			people
				.filter(({ signer, author }) => stay.has(signer) && author !== null)
				.map(async (person) => ({ person, sealed: await sealGrant(room, epoch, person, freshOne) })),
		);
		const kept = boxed.flatMap(({ person: { signer, author, box, name }, sealed }) =>
			sealed === null || author === null ? [] : [{ signer, author, box, name, sealed }],
		);
		const leftOut = boxed.filter(({ sealed }) => sealed === null).map(({ person }) => person.name);

		const signed = await signPublic(
			{
				room,
				epoch,
				owner: this.#identity.signer,
				owner_token_hash: current.part.owner_token_hash,
				salt: encodeBase64url(salt),
				previous: await hashPublic(current.row.public),
				head: before.head,
				read_token_hash: await hashToken(keys.readToken),
				post_token_hash: await hashToken(keys.postToken),
				admit: encodeBase64url(keys.admit.publicKey),
				people: await hashPeople(kept.map(({ author }) => author)),
				removed: people.flatMap(({ signer, author }) => (renewal.remove.includes(signer) && author ? [author] : [])),
				past: renewal.sharePast ? await sealPast(keys.past, room, epoch, current.keys.reader) : null,
			},
			this.#identity,
		);
		const client_id = await requestId(signed.public);
		const state = { ...before.state, invite: await sealInvite(keys.invite, room, epoch, roomLink.made.secret) };
		const said = {
			at_ms: Date.now(),
			state,
			links: staying.map(({ row }) => row.id),
			kept: kept.map(({ sealed, ...person }) => person),
		};
		const rotation = {
			...signed,
			private: await sealPrivate(keys.content, this.#identity, { room, epoch, client_id }, said),
		};
		const key = await noteKey(this.#owner);
		const links = await Promise.all(
			staying.flatMap(({ made }) => (made ? [this.#sealAnew(made, key, { epoch, member, reader: keys.reader })] : [])),
		);
		const request = {
			client_id,
			...rotation,
			grants: kept.map(({ author, sealed }) => ({ author, sealed })),
			links,
			taken_back: takenBack,
			...(tries > PEOPLE_TRIES ? {} : { cards_seen: before.cardsSeen }),
		};
		const { seq } = await this.#send(request);
		await begun({
			room,
			epoch,
			seq,
			...rotation,
			role: 'member',
			secret: member,
			client_id,
			author: this.#identity.author,
			request: JSON.stringify(request),
		});
		return { leftOut, roomLink: roomLink.made.secret };
	}

	/** The same bytes again where the answer was lost. @param {import('../wire/api.js').Renewal} request */
	async #send(request) {
		for (let tries = 1; ; tries += 1) {
			try {
				return await this.#api.renew(this.#room, await this.access(), request);
			} catch (cause) {
				const lost =
					cause instanceof ApiError && ['network', 'timeout', 'bad_answer', 'unavailable'].includes(cause.code);
				if (!lost || tries >= PEOPLE_TRIES) throw cause;
			}
		}
	}

	/**
	 * Puts back rotations that a server lost, as they were. Links that were made for them are lost, too, and made once
	 * more; those that the server has again beside them are taken back again.
	 *
	 * @param {number} epoch The one that it has.
	 * @returns {Promise<boolean>} whether it has all of them now: another device may have made them
	 * @throws {ApiError}
	 */
	async putBack(epoch) {
		for (const { row, part } of this.#keyring.epochs) {
			if (part.epoch <= epoch) continue;
			if (!row.request) return false;
			/** @type {import('../wire/api.js').Renewal} */
			const request = JSON.parse(row.request);
			try {
				// One that is there all the same, and was told of late, is a repeat.
				await this.#send(request);
				continue;
			} catch (cause) {
				if (!(cause instanceof ApiError) || cause.code !== 'links_changed') throw cause;
			}
			const there = new Set((await this.#api.links(this.#room, await this.access())).links.map(({ id }) => id));
			for (const { id, note } of request.links) if (!there.has(id)) await this.#makeAgain(id, note, part.epoch - 1);
			const staying = new Set(request.links.map(({ id }) => id));
			await this.#send({ ...request, taken_back: Array.from(there).filter((id) => !staying.has(id)) });
		}
		return true;
	}

	/** @param {string} id @param {string} sealedNote @param {number} epoch In which it is made. */
	async #makeAgain(id, sealedNote, epoch) {
		const key = await noteKey(this.#owner);
		const noted = await openNote(key, this.#room, id, sealedNote);
		const { member, reader } = this.#keyring.get(epoch)?.keys ?? {};
		if (!noted || !member || !reader) throw new ApiError('renewed', 'the keys are not at hand');
		const note = { ...noted, epoch };
		const secret = await linkSecret(this.#owner, note.seed);
		const keys = await openLink(secret);
		await this.#api.makeLink(this.#room, await this.access(), {
			...(await this.#sealAnew({ note, keys }, key, { epoch, member, reader })),
			token_hash: await hashToken(keys.token),
			epoch,
			// How often it was opened is lost with it.
			...(isLimited(secret) ? { openings: 1 } : {}),
		});
	}

	/** @param {{ note: Note, keys: LinkKeys }} made @param {CryptoKey} key @param {{ epoch: number, member: Bytes, reader: Bytes }} now */
	async #sealAnew({ note, keys }, key, { epoch, member, reader }) {
		const gift = { role: note.role, epoch, secret: note.role === 'member' ? member : reader };
		return {
			id: keys.id,
			sealed: await sealGift(keys, this.#room, gift),
			note: await sealNote(key, this.#room, keys.id, note),
		};
	}

	/** A server cannot bring a link back: it stays only if it stayed before, or was made since. @param {OwnLink} link */
	#isOurs({ row, made }) {
		const { current } = this.#keyring;
		const listed = current?.content?.links?.includes(row.id) ?? false;
		return made !== null && (listed || made.note.epoch === current?.part.epoch);
	}

	/** @param {LinkRow} row @returns {Promise<OwnLink>} */
	async #ownLink(row) {
		const note = await openNote(await noteKey(this.#owner), this.#room, row.id, row.note);
		if (!note) return { row, made: null };
		const secret = await linkSecret(this.#owner, note.seed);
		const keys = await openLink(secret);
		const link = { row, made: keys.id === row.id ? { note, secret, keys } : null };
		return this.#isOurs(link) ? link : { row, made: null };
	}
}
