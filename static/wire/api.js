/**
 * The server's API as functions: one request each, one error type. Tokens travel in headers only.
 * No DOM; nothing is kept between calls.
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { LogEvent } from '../values/event.js'
 * @import { Registration } from './push.js'
 *
 * @typedef {{ messages: LogEvent[], first_seq: number, last_seq: number }} Page Ascending.
 *
 * Of a room with keys. `state`: the newest statement, or rotation 0's private part, whose `state_seq` is 0.
 *
 * @typedef {object} RoomAnswer
 * @property {string} room
 * @property {number} created_at_ms
 * @property {number} expires_at_ms
 * @property {number | null} message_ttl_s
 * @property {boolean} locked
 * @property {number} first_seq
 * @property {number} last_seq
 * @property {number} epoch
 * @property {string} state
 * @property {number} state_seq
 *
 * @typedef {{ public: string, signature: string, private: string }} SentRotation
 *
 * @typedef {object} NewRoom
 * @property {string} room
 * @property {SentRotation} rotation
 * @property {{ id: string, token_hash: string, sealed: string, note: string }} link
 * @property {number} expires_in_s
 * @property {number | null} [message_ttl_s]
 *
 * @typedef {object} Post
 * @property {string} client_id
 * @property {string} kind
 * @property {number | null} target
 * @property {string} body
 * @property {number} epoch
 * @property {{ id: string, parts: number }[]} [files] That are the message's own from then on.
 *
 * @typedef {object} Statement
 * @property {string} client_id
 * @property {number} epoch
 * @property {number} state_seq The one that it goes on from.
 * @property {string} statement
 * @property {boolean} [locked]
 * @property {number} [expires_in_s]
 * @property {number | null} [message_ttl_s]
 *
 * @typedef {object} Renewal
 * @property {string} client_id
 * @property {string} public
 * @property {string} signature
 * @property {string} private
 * @property {{ author: string, sealed: string }[]} grants
 * @property {{ id: string, sealed: string, note: string }[]} links
 * @property {string[]} taken_back
 * @property {number} [cards_seen]
 *
 * @typedef {object} NewLink
 * @property {string} id
 * @property {string} token_hash
 * @property {string} sealed
 * @property {string} note
 * @property {number} epoch
 * @property {number} [openings]
 * @property {number} [expires_in_s]
 *
 * @typedef {object} LinkRow
 * @property {string} id
 * @property {number} epoch
 * @property {string} note
 * @property {number} opened
 * @property {number | null} openings
 * @property {number} created_at_ms
 * @property {number | null} opened_at_ms
 * @property {number | null} expires_at_ms
 *
 * @typedef {{ epoch: number, seq: number, public: string, signature: string, private: string | null, grant: string | null }} KeysRow
 * @typedef {{ epoch: number, rotations: KeysRow[] }} KeysAnswer
 * @typedef {{ cards: (LogEvent & { epoch: number })[], more: boolean }} CardsPage
 * @typedef {{ sealed: string, public: string, signature: string }} OpenedLink
 *
 * `registrations`: how many browsers want to be told, besides this one; `again_in_s`: none was told now, for they were a
 * moment ago; after so many seconds they are if one asks again.
 *
 * @typedef {{ again_in_s: number, registrations: number }} Told
 *
 * @typedef {{ token: string | null, author?: string | null }} Access The weakest token that suffices.
 *
 * @typedef {object} Call
 * @property {Access} [access]
 * @property {unknown} [json]
 * @property {Bytes} [bytes] Of no known form.
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {boolean} [keepalive] The request outlives the page.
 * @property {number} [timeoutMs]
 */

import {
	toCards,
	toKeys,
	toLinks,
	toMadeLink,
	toNewRoom,
	toOpenedLink,
	toPage,
	toPart,
	toParts,
	toPushKey,
	toReceipt,
	toRenewed,
	toRoomAnswer,
	toTold,
} from './shapes.js';

/** A whole request may take this long; a stream, until it answers. */
const REQUEST_TIMEOUT_MS = 20_000;
/** A part of a file, which the server waits 30 s for. */
const PART_TIMEOUT_MS = 35_000;

/**
 * A request that did not succeed. `code` is the server's stable code, or one of: `network` (no
 * answer), `timeout`, `aborted`, `bad_answer` (an answer, but not from this API).
 */
export class ApiError extends Error {
	/**
	 * @param {string} code
	 * @param {string} message
	 * @param {{ status?: number, retryAfterMs?: number | null, farewell?: string | null, reason?: string | null }} [more]
	 */
	constructor(code, message, { status = 0, retryAfterMs = null, farewell = null, reason = null } = {}) {
		super(message);
		this.name = 'ApiError';
		this.code = code;
		/** 0 if there was no answer. */
		this.status = status;
		this.retryAfterMs = retryAfterMs;
		/** Of `room_gone`: what proves that the owner deleted it. */
		this.farewell = farewell;
		/** Of `link_ended`: `expired` or `used_up`. */
		this.reason = reason;
	}
}

/** The API of one server. */
export class Api {
	/**
	 * @param {string} [base] An origin; empty for the page's own.
	 * @param {typeof fetch} [send]
	 */
	constructor(base = '', send = (input, init) => fetch(input, init)) {
		this.base = base;
		this.send = send;
	}

	/** @param {NewRoom} room @returns {Promise<Pick<RoomAnswer, 'room' | 'created_at_ms' | 'expires_at_ms' | 'message_ttl_s'>>} */
	createRoom(room) {
		return this.#json('POST', '/api/rooms', { json: room }, toNewRoom);
	}

	/** @param {string} room @param {Access} access @param {AbortSignal} [signal] @returns {Promise<RoomAnswer>} */
	room(room, access, signal) {
		return this.#json('GET', `/api/rooms/${room}`, { access, signal }, toRoomAnswer);
	}

	/** @param {string} room @param {Access} access @param {Statement} statement @returns {Promise<RoomAnswer>} */
	changeRoom(room, access, statement) {
		return this.#json('PATCH', `/api/rooms/${room}`, { access, json: statement }, toRoomAnswer);
	}

	/** @param {string} room @param {Access} access @param {string} farewell @returns {Promise<void>} */
	async deleteRoom(room, access, farewell) {
		const headers = { 'buddy-farewell': farewell };
		await this.#request('DELETE', `/api/rooms/${room}`, { access, headers }, discard);
	}

	/** @param {string} room @param {Access} access @param {Renewal} renewal @returns {Promise<{ epoch: number, seq: number, sent_at_ms: number }>} */
	renew(room, access, renewal) {
		return this.#json('POST', `/api/rooms/${room}/rotations`, { access, json: renewal }, toRenewed);
	}

	/**
	 * @param {string} room
	 * @param {Access} access Any token that the room ever had, and the author.
	 * @param {number | null} since Epochs above; null: from the first.
	 * @param {AbortSignal} [signal]
	 * @returns {Promise<KeysAnswer>}
	 */
	keys(room, access, since, signal) {
		const query = since === null ? '' : `?since=${since}`;
		return this.#json('GET', `/api/rooms/${room}/keys${query}`, { access, signal }, toKeys);
	}

	/** @param {string} room @param {Access} access @param {number} after @param {AbortSignal} [signal] @returns {Promise<CardsPage>} each author's newest card */
	cards(room, access, after, signal) {
		return this.#json('GET', `/api/rooms/${room}/members?after=${after}&limit=200`, { access, signal }, toCards);
	}

	/** @param {string} room @param {Access} access @returns {Promise<{ links: LinkRow[] }>} */
	links(room, access) {
		return this.#json('GET', `/api/rooms/${room}/links`, { access }, toLinks);
	}

	/** @param {string} room @param {Access} access @param {NewLink} link @returns {Promise<{ id: string, created_at_ms: number }>} */
	makeLink(room, access, link) {
		return this.#json('POST', `/api/rooms/${room}/links`, { access, json: link }, toMadeLink);
	}

	/**
	 * @param {string} room
	 * @param {string} id
	 * @param {string} token The link's.
	 * @param {string} client_id A known one is not counted again.
	 * @returns {Promise<OpenedLink>}
	 */
	openLink(room, id, token, client_id) {
		const call = { access: { token }, json: { client_id } };
		return this.#json('POST', `/api/rooms/${room}/links/${id}/open`, call, toOpenedLink);
	}

	/**
	 * @param {string} room
	 * @param {Access} access
	 * @param {Post} post
	 * @returns {Promise<{ seq: number, sent_at_ms: number }>}
	 */
	post(room, access, { client_id, kind, target, body, epoch, files = [] }) {
		const named = files.length === 0 ? {} : { files };
		const json = { client_id, kind, body, epoch, ...(target === null ? {} : { target }), ...named };
		return this.#json('POST', `/api/rooms/${room}/messages`, { access, json }, toReceipt);
	}

	/**
	 * @param {string} room
	 * @param {Access} access
	 * @param {{ after?: number, before?: number, limit?: number }} range Neither: the newest page.
	 * @param {AbortSignal} [signal]
	 * @returns {Promise<Page>}
	 */
	history(room, access, range, signal) {
		const query = Object.entries(range).map(([name, value]) => `${name}=${value}`);
		return this.#json('GET', `/api/rooms/${room}/messages?${query.join('&')}`, { access, signal }, toPage);
	}

	/**
	 * @param {string} room
	 * @param {Access} access
	 * @param {{ kind: 'here' | 'typing' | 'gone', body: string, epoch: number }} signal
	 * @returns {Promise<void>}
	 */
	async signal(room, access, signal) {
		const call = { access, json: signal, keepalive: signal.kind === 'gone' };
		await this.#request('POST', `/api/rooms/${room}/signals`, call, discard);
	}

	/** @param {string} room @param {Access} access @param {string} file @param {AbortSignal} [signal] @returns {Promise<{ parts: { part: number, bytes: number }[], seq: number | null }>} what is there of a file */
	parts(room, access, file, signal) {
		return this.#json('GET', `/api/rooms/${room}/files/${file}`, { access, signal }, toParts);
	}

	/**
	 * Stores a part of a file, once.
	 *
	 * @param {string} room
	 * @param {Access} access
	 * @param {string} file
	 * @param {number} part
	 * @param {Bytes} bytes
	 * @param {AbortSignal} [signal]
	 * @returns {Promise<{ part: number, bytes: number }>}
	 */
	putPart(room, access, file, part, bytes, signal) {
		const call = { access, bytes, signal, timeoutMs: PART_TIMEOUT_MS };
		return this.#json('PUT', `/api/rooms/${room}/files/${file}/${part}`, call, toPart);
	}

	/** @param {string} room @param {Access} access @param {string} file @param {number} part @param {AbortSignal} [signal] @returns {Promise<Bytes>} */
	part(room, access, file, part, signal) {
		const call = { access, signal, timeoutMs: PART_TIMEOUT_MS };
		return this.#request('GET', `/api/rooms/${room}/files/${file}/${part}`, call, async (response) => {
			return new Uint8Array(await response.arrayBuffer());
		});
	}

	/** @param {string} room @param {Access} access @returns {Promise<string>} the key that a registration is for; `push_off` where the server pushes nothing */
	pushKey(room, access) {
		return this.#json('GET', `/api/rooms/${room}/push`, { access }, toPushKey);
	}

	/** @param {string} room @param {Access} access @param {Registration} registration @returns {Promise<void>} */
	async push(room, access, registration) {
		await this.#request('POST', `/api/rooms/${room}/push`, { access, json: registration }, discard);
	}

	/** @param {string} room @param {Access} access @param {string} endpoint @returns {Promise<void>} */
	async unpush(room, access, endpoint) {
		await this.#request('DELETE', `/api/rooms/${room}/push`, { access, json: { endpoint }, keepalive: true }, discard);
	}

	/** Has those told who are not here. @param {string} room @param {Access} access @param {string | null} own What this browser has registered. @returns {Promise<Told>} */
	tellPushed(room, access, own) {
		const json = own === null ? {} : { endpoint: own };
		return this.#json('POST', `/api/rooms/${room}/push/notify`, { access, json }, toTold);
	}

	/**
	 * Opens the stream after a cursor, or at the live end without one.
	 *
	 * @param {string} room
	 * @param {Access} access
	 * @param {number | null} cursor
	 * @param {AbortSignal} signal Ends the stream, too.
	 * @returns {Promise<ReadableStream<Uint8Array<ArrayBuffer>>>}
	 */
	stream(room, access, cursor, signal) {
		/** @type {Record<string, string>} */
		const headers = { accept: 'text/event-stream' };
		if (cursor !== null) headers['last-event-id'] = String(cursor);
		return this.#request('GET', `/api/rooms/${room}/stream`, { access, headers, signal }, async (response) => {
			const type = response.headers.get('content-type') ?? '';
			if (response.status === 200 && response.body && /^text\/event-stream\b/i.test(type)) return response.body;
			await response.body?.cancel();
			throw new ApiError('bad_answer', 'this is not an event stream', { status: response.status });
		});
	}

	/**
	 * @template T
	 * @param {string} method
	 * @param {string} path
	 * @param {Call} call
	 * @param {(value: any) => T | null} read Null: it has not the form of the contract.
	 * @returns {Promise<T>}
	 */
	#json(method, path, call, read) {
		return this.#request(method, path, call, async (response) => {
			const text = await response.text();
			const { status } = response;
			let value;
			try {
				value = JSON.parse(text);
			} catch {
				throw new ApiError('bad_answer', 'the answer is no JSON', { status });
			}
			const answer = read(value);
			if (answer === null) throw new ApiError('bad_answer', 'the answer is not of this API', { status });
			return answer;
		});
	}

	/**
	 * @template T
	 * @param {string} method
	 * @param {string} path
	 * @param {Call} call
	 * @param {(response: Response) => T | Promise<T>} read What to take from a successful answer; the
	 *   time limit covers it.
	 * @returns {Promise<T>}
	 */
	async #request(method, path, call, read) {
		const { access, json, bytes, headers = {}, signal, keepalive = false, timeoutMs = REQUEST_TIMEOUT_MS } = call;
		/** @type {Record<string, string>} */
		const sent = { ...headers };
		if (access?.token) sent['authorization'] = `Bearer ${access.token}`;
		if (access?.author) sent['buddy-author'] = access.author;
		if (json !== undefined) sent['content-type'] = 'application/json';
		if (bytes !== undefined) sent['content-type'] = 'application/octet-stream';

		const limit = new AbortController();
		const timer = setTimeout(() => limit.abort(new DOMException('', 'TimeoutError')), timeoutMs);
		const signals = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
		try {
			const response = await this.send(`${this.base}${path}`, {
				method,
				headers: sent,
				body: bytes ?? (json === undefined ? undefined : JSON.stringify(json)),
				signal: signals,
				keepalive,
				cache: 'no-store',
				credentials: 'omit',
				redirect: 'error',
				referrerPolicy: 'no-referrer',
			});
			if (!response.ok) throw await refusal(response);
			return await read(response);
		} catch (cause) {
			if (cause instanceof ApiError) throw cause;
			if (limit.signal.aborted) throw new ApiError('timeout', 'the server took too long');
			if (signal?.aborted) throw new ApiError('aborted', 'the request was ended');
			throw new ApiError('network', 'the server did not answer');
		} finally {
			clearTimeout(timer);
		}
	}
}

/** An unread body would hold the connection. @param {Response} response @returns {Promise<void> | undefined} */
function discard(response) {
	return response.body?.cancel();
}

/** @param {Response} response @returns {Promise<ApiError>} */
async function refusal(response) {
	const more = { status: response.status, retryAfterMs: retryAfter(response.headers.get('retry-after')) };
	try {
		const { error } = await response.json();
		if (typeof error.code === 'string') {
			const farewell = typeof error.farewell === 'string' ? error.farewell : null;
			const reason = typeof error.reason === 'string' ? error.reason : null;
			return new ApiError(error.code, String(error.message), { ...more, farewell, reason });
		}
	} catch {
		// A proxy's page, or nothing at all: told apart by its status below.
	}
	// A gateway without its server behind it is the server being away.
	const code = response.status >= 500 ? 'unavailable' : response.status === 429 ? 'rate_limited' : 'bad_answer';
	return new ApiError(code, `the server answered ${response.status}`, more);
}

/** @param {string | null} header Seconds or a date (RFC 9110, section 10.2.3). @returns {number | null} milliseconds */
function retryAfter(header) {
	if (header === null) return null;
	const seconds = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
	return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3_600_000) : null;
}
