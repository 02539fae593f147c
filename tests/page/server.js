/**
 * A stand-in for Buddy's server, for tests of the page's modules: rooms with keys in memory, the API of
 * docs/protocol.md as far as the page uses it, and faults on request. The real server is tested in tests/*.rs.
 *
 * @import { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
 * @import { AddressInfo } from 'node:net'
 * @import { PublicPart } from '../../static/crypto/rotation.js'
 * @import { LogEvent } from '../../static/values/event.js'
 * @import { Registration } from '../../static/wire/push.js'
 * @import { LinkRow, NewLink, NewRoom, Post, Renewal, Statement } from '../../static/wire/api.js'
 */

import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

/**
 * @typedef {object} ServedRoom
 * @property {string} owner Hash of the owner's token.
 * @property {string} read Hashes of the tokens that are in force.
 * @property {string} post
 * @property {Map<string, number>} tokens The epoch of each that ever was, by hash.
 * @property {string} log This incarnation of the log.
 * @property {{ created_at_ms: number, expires_at_ms: number, message_ttl_s: number | null, locked: boolean }} state
 * @property {{ seq: number, body: string } | null} statement The owner's newest.
 * @property {ServedRotation[]} rotations One for each epoch, in their order.
 * @property {number} epoch
 * @property {Map<string, ServedLink>} links
 * @property {Map<string | null, LogEvent & { epoch: number }>} cards Each author's newest.
 * @property {LogEvent[]} events
 * @property {number} firstSeq
 * @property {Set<ServerResponse>} streams
 * @property {Map<string, { parts: Map<number, Buffer>, seq: number | null }>} files
 * @property {Map<string, Registration>} pushed What is registered with push services, by endpoint.
 * @property {string[][]} told Each time, the endpoints that were told.
 * @property {number} toldAtMs
 *
 * @typedef {object} ServedRotation
 * @property {number} epoch
 * @property {number} seq 0 of the first, which is no event.
 * @property {string} public
 * @property {string} signature
 * @property {string} private
 * @property {Map<string, string>} grants What is sealed for each author.
 * @property {string} [client_id] Of a renewal, as is the next.
 * @property {number} [sent_at_ms]
 *
 * @typedef {{ token_hash: string, sealed: string, row: LinkRow, openers: Set<string> }} ServedLink
 * @typedef {{ method: string, path: string, headers: IncomingHttpHeaders, body: string }} Seen
 * @typedef {Pick<LogEvent, 'kind' | 'client_id' | 'body'> & Partial<LogEvent>} Appended
 */

/** @param {string} text */
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export class TestServer {
	/** @type {Map<string, ServedRoom>} */
	rooms = new Map();
	/** What is left of deleted rooms. @type {Map<string, { farewell: string, tokens: Set<string> }>} */
	tombstones = new Map();
	/** Every request. @type {Seen[]} */
	requests = [];
	/** For how long streams last, where that is said. @type {number | undefined} */
	streamMaxS;
	/** What registrations are for; null where nothing is pushed. @type {string | null} */
	pushKey = null;
	/** A room is told so often. */
	toldBetweenMs = 10_000;
	/**
	 * Called first; answers by itself and returns true to take the request over.
	 *
	 * @type {(request: Seen, response: ServerResponse) => boolean | Promise<boolean>}
	 */
	intercept = () => false;
	http = createServer((request, response) => this.#serve(request, response));
	/** Its origin. */
	base = '';

	static async start() {
		const server = new TestServer();
		await new Promise((resolve) => server.http.listen(0, '127.0.0.1', () => resolve(undefined)));
		const { port } = /** @type {AddressInfo} */ (server.http.address());
		server.base = `http://127.0.0.1:${port}`;
		return server;
	}

	/** Cuts all connections and answers no more. */
	async stop() {
		const closed = new Promise((resolve) => this.http.close(resolve));
		this.http.closeAllConnections();
		await closed;
	}

	/** Cuts every open stream. */
	cut() {
		for (const room of this.rooms.values()) for (const stream of room.streams) stream.destroy();
	}

	/** A room that is there. @param {string} id */
	room(id) {
		const room = this.rooms.get(id);
		assert.ok(room, `no room ${id}`);
		return room;
	}

	/** @param {string} id */
	streams(id) {
		return this.room(id).streams.size;
	}

	/** Appends as the server itself may, without asking anyone. @param {string} id @param {Appended} event */
	append(id, event) {
		const room = this.room(id);
		/** @type {LogEvent} */
		const whole = { seq: room.events.length + 1, target: null, author: null, sent_at_ms: Date.now(), ...event };
		room.events.push(whole);
		if (whole.kind === 'delete') this.#blank(room, whole.target);
		if (whole.kind === 'card') room.cards.set(whole.author, { ...whole, epoch: room.epoch });
		for (const stream of room.streams) stream.write(frame(whole));
		return whole;
	}

	/** @param {string} id @param {object} signal Of whatever form. */
	signal(id, signal) {
		for (const stream of this.room(id).streams) stream.write(`event: signal\ndata: ${JSON.stringify(signal)}\n\n`);
	}

	/**
	 * The room is no more; with a farewell it leaves a tombstone.
	 *
	 * @param {string} id
	 * @param {string} reason
	 * @param {string | null} [farewell]
	 */
	close(id, reason, farewell = null) {
		const room = this.room(id);
		this.end(room, { reason, ...(farewell === null ? {} : { farewell }) });
		if (farewell !== null) this.tombstones.set(id, { farewell, tokens: new Set([room.owner, ...room.tokens.keys()]) });
		this.rooms.delete(id);
	}

	/** Ends every stream of a room with a word. @param {ServedRoom} room @param {{ reason: string, farewell?: string }} closed */
	end(room, closed) {
		for (const stream of room.streams) stream.end(`event: closed\ndata: ${JSON.stringify(closed)}\n\n`);
	}

	/** @param {ServedRoom} room @param {number | null} target */
	#blank(room, target) {
		for (const event of room.events) {
			const erased = event.seq === target || (event.kind === 'edit' && event.target === target);
			if (erased && event.body !== '') Object.assign(event, { erased: sha256(event.body), body: '' });
		}
	}

	/** @param {IncomingMessage} request @param {ServerResponse} response @returns {Promise<unknown>} */
	async #serve(request, response) {
		const url = new URL(request.url ?? '', this.base);
		const chunks = [];
		for await (const chunk of request) chunks.push(chunk);
		const bytes = Buffer.concat(chunks);
		const body = bytes.toString();
		const { method = '', headers } = request;
		const seen = { method, path: url.pathname + url.search, headers, body };
		this.requests.push(seen);
		if (await this.intercept(seen, response)) return true;
		const [, , , id, rest, link, number] = url.pathname.split('/');
		const json = body && method !== 'PUT' ? JSON.parse(body) : {};
		const asked = `${method} ${rest ?? ''}`;
		if (method === 'POST' && !id) return this.#create(json, response);
		if (rest === 'push' && this.pushKey === null && link !== 'notify') return refuse(response, 404, 'push_off');
		const room = this.rooms.get(id);
		const token = tokenHash(headers);
		const stone = this.tombstones.get(id);
		if (stone?.tokens.has(token)) return refuse(response, 410, 'room_gone', {}, { farewell: stone.farewell });
		if (!room) return refuse(response, 404, 'room_not_found');
		if (asked === 'POST links' && link) return this.#openLink(room, link, token, json, response);
		const secret = one(headers['buddy-author']);
		const author = secret ? sha256(secret).slice(0, 32) : null;
		const epoch = room.tokens.get(token);
		const may = token === room.owner ? 0 : [room.post, room.read].indexOf(token) + 1 || null;
		if (asked === 'GET keys' && (may !== null || epoch !== undefined)) {
			return this.#keys(room, url.searchParams, author, may === null ? (epoch ?? null) : null, response);
		}
		if (may === null) {
			return epoch === undefined ? refuse(response, 404, 'room_not_found') : refuse(response, 403, 'renewed');
		}
		const owners = ['PATCH ', 'DELETE ', 'POST rotations', 'POST links', 'GET links'];
		if (owners.includes(asked) && may > 0) return refuse(response, 403, 'not_allowed');
		switch (asked) {
			case 'DELETE ':
				this.close(id, 'deleted', one(headers['buddy-farewell']));
				return response.writeHead(204).end();
			case 'PATCH ':
				return this.#state(id, room, author, json, response);
			case 'POST rotations':
				return this.#renew(id, room, author, json, response);
			case 'POST links':
				return this.#makeLink(room, json, response);
			case 'GET links':
				return answer(response, 200, { links: Array.from(room.links.values(), (link) => link.row) });
			case 'GET members': {
				const cards = Array.from(room.cards.values()).sort((one, other) => one.seq - other.seq);
				return answer(response, 200, { cards, more: false });
			}
			case 'POST messages':
				return this.#post(id, room, may, author, json, response);
			case 'GET messages':
				return this.#history(room, url.searchParams, response);
			case 'GET stream':
				return this.#stream(room, headers, response);
			case 'PUT files':
				return this.#putPart(room, link ?? '', Number(number), bytes, response);
			case 'GET files':
				return this.#getFile(room, link ?? '', number === undefined ? null : Number(number), response);
			case 'GET push':
				return answer(response, 200, { key: this.pushKey });
			case 'POST push':
				if (link === 'notify') return this.#tell(room, may, json.endpoint, response);
				room.pushed.set(json.endpoint, json);
				return answer(response, 201, {});
			case 'DELETE push':
				room.pushed.delete(json.endpoint);
				return response.writeHead(204).end();
			case 'POST signals': {
				if (json.epoch !== room.epoch) return refuse(response, 409, 'stale_epoch');
				const now = Date.now();
				const { kind, body } = json;
				this.signal(id, { kind, body, author, sent_at_ms: now, expires_at_ms: now + 30_000 });
				return response.writeHead(204).end();
			}
			default:
				return answer(response, 200, this.#about(id, room));
		}
	}

	/** @param {ServedRoom} room @param {number} may @param {string | undefined} own @param {ServerResponse} response */
	#tell(room, may, own, response) {
		if (may > 1) return refuse(response, 403, 'not_allowed');
		const others = Array.from(room.pushed.keys()).filter((endpoint) => endpoint !== own);
		const wait = others.length === 0 ? 0 : Math.max(0, room.toldAtMs + this.toldBetweenMs - Date.now());
		if (wait === 0 && others.length > 0) {
			room.told.push(others);
			room.toldAtMs = Date.now();
		}
		return answer(response, 202, { again_in_s: Math.ceil(wait / 1000), registrations: others.length });
	}

	/** @param {ServedRoom} room @param {string} id @param {number} number @param {Buffer} bytes @param {ServerResponse} response */
	#putPart(room, id, number, bytes, response) {
		const file = room.files.get(id) ?? { parts: new Map(), seq: null };
		const known = file.parts.get(number);
		if (known && !known.equals(bytes)) return refuse(response, 409, 'part_exists');
		if (!known && file.seq !== null) return refuse(response, 409, 'file_sent');
		room.files.set(id, file);
		file.parts.set(number, bytes);
		return answer(response, known ? 200 : 201, { part: number, bytes: bytes.length });
	}

	/** @param {ServedRoom} room @param {string} id @param {number | null} number Null: which parts there are. @param {ServerResponse} response */
	#getFile(room, id, number, response) {
		const file = room.files.get(id);
		if (!file) return refuse(response, 404, 'file_not_found');
		if (number === null) {
			const parts = Array.from(file.parts, ([part, bytes]) => ({ part, bytes: bytes.length }));
			return answer(response, 200, { parts, seq: file.seq });
		}
		const part = file.parts.get(number);
		if (!part) return refuse(response, 404, 'file_not_found');
		return response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(part);
	}

	/** @param {string} id @param {ServedRoom} room */
	#about(id, room) {
		const { created_at_ms, expires_at_ms, message_ttl_s, locked } = room.state;
		return {
			room: id,
			created_at_ms,
			expires_at_ms,
			message_ttl_s,
			locked,
			about: null,
			first_seq: room.firstSeq,
			last_seq: room.events.length,
			epoch: room.epoch,
			state: room.statement?.body ?? room.rotations[0].private,
			state_seq: room.statement?.seq ?? 0,
		};
	}

	/** @param {NewRoom} json @param {ServerResponse} response */
	#create(json, response) {
		const { room: id, rotation, link, expires_in_s, message_ttl_s = null } = json;
		const known = this.rooms.get(id);
		if (known) return answer(response, 200, this.#about(id, known));
		/** @type {PublicPart} */
		const part = JSON.parse(rotation.public);
		const now = Date.now();
		/** @type {ServedRoom} */
		const room = {
			owner: part.owner_token_hash,
			read: part.read_token_hash,
			post: part.post_token_hash,
			tokens: new Map(),
			log: randomUUID(),
			state: { created_at_ms: now, expires_at_ms: now + expires_in_s * 1000, message_ttl_s, locked: false },
			statement: null,
			rotations: [],
			epoch: 0,
			links: new Map(),
			cards: new Map(),
			events: [],
			firstSeq: 1,
			streams: new Set(),
			files: new Map(),
			pushed: new Map(),
			told: [],
			toldAtMs: 0,
		};
		this.rooms.set(id, room);
		this.#take(room, part, { ...rotation, seq: 0, grants: new Map() });
		this.#keepLink(room, { ...link, epoch: 0 });
		return answer(response, 201, this.#about(id, room));
	}

	/** A rotation is in force. @param {ServedRoom} room @param {PublicPart} part @param {Omit<ServedRotation, 'epoch'>} rotation */
	#take(room, part, rotation) {
		room.rotations.push({ epoch: part.epoch, ...rotation });
		room.epoch = part.epoch;
		room.read = part.read_token_hash;
		room.post = part.post_token_hash;
		room.pushed.clear();
		room.tokens.set(room.read, part.epoch);
		room.tokens.set(room.post, part.epoch);
	}

	/**
	 * @param {string} id
	 * @param {ServedRoom} room
	 * @param {string | null} author
	 * @param {Renewal} json
	 * @param {ServerResponse} response
	 */
	#renew(id, room, author, json, response) {
		const known = room.rotations.find(({ client_id }) => client_id === json.client_id);
		if (known) return answer(response, 200, { epoch: known.epoch, seq: known.seq, sent_at_ms: known.sent_at_ms });
		/** @type {PublicPart} */
		const part = JSON.parse(json.public);
		if (part.epoch !== room.epoch + 1) return refuse(response, 409, 'stale_epoch');
		const listed = new Set([...json.links.map((link) => link.id), ...json.taken_back]);
		if (Array.from(room.links.keys()).some((link) => !listed.has(link))) return refuse(response, 409, 'links_changed');
		const newest = Math.max(0, ...Array.from(room.cards.values(), ({ seq }) => seq));
		if (json.cards_seen !== undefined && newest > json.cards_seen) return refuse(response, 409, 'people_changed');
		const { client_id, public: text, signature, private: sealed } = json;
		const base64url = (/** @type {string} */ value) => Buffer.from(value).toString('base64url');
		const grants = new Map(json.grants.map((grant) => [grant.author, grant.sealed]));
		for (const link of json.taken_back) room.links.delete(link);
		for (const { id: link, ...anew } of json.links) {
			const held = room.links.get(link);
			assert.ok(held, `no link ${link}`);
			held.sealed = anew.sealed;
			Object.assign(held.row, { note: anew.note, epoch: part.epoch });
		}
		const body = [base64url(text), signature, base64url(sealed)].join('.');
		const seq = room.events.length + 1;
		const sent_at_ms = Date.now();
		this.#take(room, part, { client_id, public: text, signature, private: sealed, seq, sent_at_ms, grants });
		this.append(id, { kind: 'rotate', client_id, author, body, sent_at_ms });
		this.end(room, { reason: 'renewed' });
		return answer(response, 201, { epoch: part.epoch, seq, sent_at_ms });
	}

	/**
	 * @param {ServedRoom} room
	 * @param {URLSearchParams} query
	 * @param {string | null} author
	 * @param {number | null} former The epoch of a token that is in force no more.
	 * @param {ServerResponse} response
	 */
	#keys(room, query, author, former, response) {
		const since = Math.max(Number(query.get('since') ?? -1), former ?? -1);
		const rotations = room.rotations
			.filter(({ epoch }) => epoch > since)
			.slice(0, 50)
			.map(({ epoch, seq, public: text, signature, private: sealed, grants }) => {
				const grant = (author !== null && grants.get(author)) || null;
				return { epoch, seq, public: text, signature, private: former === null || grant ? sealed : null, grant };
			});
		return answer(response, 200, { epoch: room.epoch, rotations });
	}

	/** @param {ServedRoom} room @param {NewLink} json @param {ServerResponse} response */
	#makeLink(room, json, response) {
		if (json.epoch !== room.epoch) return refuse(response, 409, 'stale_epoch');
		return answer(response, 201, this.#keepLink(room, json));
	}

	/** @param {ServedRoom} room @param {NewLink} link */
	#keepLink(room, { id, token_hash, sealed, note, epoch, openings, expires_in_s }) {
		const created_at_ms = Date.now();
		const expires_at_ms = expires_in_s === undefined ? null : created_at_ms + expires_in_s * 1000;
		/** @type {LinkRow} */
		const row = {
			id,
			epoch,
			note,
			opened: 0,
			openings: openings ?? null,
			created_at_ms,
			opened_at_ms: null,
			expires_at_ms,
		};
		room.links.set(id, { token_hash, sealed, row, openers: new Set() });
		return { id, created_at_ms };
	}

	/**
	 * @param {ServedRoom} room
	 * @param {string} id
	 * @param {string} token Its hash.
	 * @param {{ client_id: string }} json
	 * @param {ServerResponse} response
	 */
	#openLink(room, id, token, { client_id }, response) {
		const link = room.links.get(id);
		if (!link || link.token_hash !== token) return refuse(response, 404, 'room_not_found');
		const { row, openers, sealed } = link;
		if (!openers.has(client_id)) {
			if ((row.expires_at_ms ?? Infinity) <= Date.now()) {
				return refuse(response, 403, 'link_ended', {}, { reason: 'expired' });
			}
			if (row.opened >= (row.openings ?? Infinity))
				return refuse(response, 403, 'link_ended', {}, { reason: 'used_up' });
			openers.add(client_id);
			row.opened += 1;
			row.opened_at_ms = Date.now();
		}
		const { public: text, signature } = room.rotations[room.epoch];
		return answer(response, 200, { sealed, public: text, signature });
	}

	/**
	 * @param {string} id
	 * @param {ServedRoom} room
	 * @param {string | null} author
	 * @param {Statement} json
	 * @param {ServerResponse} response
	 */
	#state(id, room, author, json, response) {
		const { client_id, epoch, state_seq, statement, ...changes } = json;
		if (epoch !== room.epoch) return refuse(response, 409, 'stale_epoch');
		if (state_seq !== (room.statement?.seq ?? 0)) return refuse(response, 409, 'state_changed');
		const { locked, message_ttl_s, expires_in_s } = changes;
		if (locked !== undefined) room.state.locked = locked;
		if (message_ttl_s !== undefined) room.state.message_ttl_s = message_ttl_s;
		if (expires_in_s !== undefined) room.state.expires_at_ms = Date.now() + expires_in_s * 1000;
		const { seq } = this.append(id, { kind: 'change', client_id, author, body: statement });
		room.statement = { seq, body: statement };
		return answer(response, 200, this.#about(id, room));
	}

	/**
	 * @param {string} id
	 * @param {ServedRoom} room
	 * @param {number} may 0: all, as the owner; 1: post; 2: read.
	 * @param {string | null} author
	 * @param {Post} json
	 * @param {ServerResponse} response
	 */
	#post(id, room, may, author, json, response) {
		if (may > 1) return refuse(response, 403, 'not_allowed');
		const kind = json.kind ?? 'message';
		const known = room.events.find(({ client_id }) => client_id === json.client_id);
		if (known) {
			if (known.body !== json.body && known.body !== '') return refuse(response, 409, 'client_id_reused');
			return answer(response, 200, { seq: known.seq, sent_at_ms: known.sent_at_ms });
		}
		if (json.epoch !== room.epoch) return refuse(response, 409, 'stale_epoch');
		if (room.state.locked && may > 0) return refuse(response, 403, 'room_locked');
		const target = room.events[(json.target ?? 0) - 1];
		if (['edit', 'delete'].includes(kind) && may > 0 && target?.author !== author)
			return refuse(response, 403, 'not_allowed');
		for (const { id: file, parts } of json.files ?? []) {
			const held = room.files.get(file);
			if (held && held.seq !== null) return refuse(response, 409, 'file_sent');
			if (held?.parts.size !== parts) return refuse(response, 409, 'file_missing');
			held.seq = room.events.length + 1;
		}
		const event = this.append(id, {
			kind,
			client_id: json.client_id,
			author,
			target: json.target ?? null,
			body: json.body,
		});
		return answer(response, 201, { seq: event.seq, sent_at_ms: event.sent_at_ms });
	}

	/** @param {ServedRoom} room @param {URLSearchParams} query @param {ServerResponse} response */
	#history(room, query, response) {
		const limit = Number(query.get('limit') ?? 50);
		const kept = room.events.filter(({ seq }) => seq >= room.firstSeq);
		const messages = query.has('after')
			? kept.filter(({ seq }) => seq > Number(query.get('after'))).slice(0, limit)
			: kept.filter(({ seq }) => seq < Number(query.get('before') ?? Infinity)).slice(-limit);
		return answer(response, 200, { messages, first_seq: room.firstSeq, last_seq: room.events.length });
	}

	/** @param {ServedRoom} room @param {IncomingHttpHeaders} headers @param {ServerResponse} response */
	#stream(room, headers, response) {
		const last = room.events.length;
		const cursor = Number(headers['last-event-id'] ?? last);
		const mark = JSON.stringify({
			log: room.log,
			first_seq: room.firstSeq,
			last_seq: last,
			stream_max_s: this.streamMaxS,
		});
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		const lost = cursor < room.firstSeq - 1 || cursor > last;
		response.write(`retry: 50\n\nid: ${lost ? last : cursor}\nevent: ${lost ? 'reset' : 'hello'}\ndata: ${mark}\n\n`);
		const epoch = room.tokens.get(tokenHash(headers)) ?? Infinity;
		for (const event of lost ? [] : room.events.slice(cursor)) {
			response.write(frame(event));
			// A token of its epoch reads up to the renewal that ended it.
			const begun = room.rotations.find(({ seq }) => seq === event.seq);
			if (begun && begun.epoch > epoch) {
				response.end(`event: closed\ndata: {"reason":"renewed"}\n\n`);
				return;
			}
		}
		room.streams.add(response);
		response.on('close', () => room.streams.delete(response));
	}
}

/** @param {IncomingHttpHeaders} headers */
function tokenHash({ authorization = '' }) {
	return sha256(authorization.replace('Bearer ', ''));
}

/** A header that came at most once. @param {string | string[] | undefined} header */
function one(header) {
	return Array.isArray(header) ? header.join() : header;
}

/** @param {LogEvent} event */
export function frame(event) {
	return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** @param {ServerResponse} response @param {number} status @param {unknown} json @param {Record<string, string>} [headers] */
export function answer(response, status, json, headers = {}) {
	const text = JSON.stringify(json);
	response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
	return true;
}

/**
 * @param {ServerResponse} response
 * @param {number} status
 * @param {string} code
 * @param {Record<string, string>} [headers]
 * @param {Record<string, string>} [more] What the error says besides.
 */
export function refuse(response, status, code, headers = {}, more = {}) {
	return answer(response, status, { error: { code, message: `refused: ${code}`, ...more } }, headers);
}
