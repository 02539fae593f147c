/**
 * A stand-in for Buddy's server, for tests of the page's modules: rooms with keys in memory, the API of
 * docs/protocol.md as far as the page uses it, and faults on request. The real server is tested in tests/*.rs.
 */

import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export class TestServer {
	rooms = new Map();
	/** What is left of deleted rooms. */
	tombstones = new Map();
	/** Every request: { method, path, headers, body }. */
	requests = [];
	/** For how long streams last, where that is said. @type {number | undefined} */
	streamMaxS;
	/** Called first; answers by itself and returns true to take the request over. */
	intercept = () => false;

	static async start() {
		const server = new TestServer();
		server.http = createServer((request, response) => server.#serve(request, response));
		await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
		server.base = `http://127.0.0.1:${server.http.address().port}`;
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

	streams(id) {
		return this.rooms.get(id).streams.size;
	}

	/** Appends as the server itself may, without asking anyone. */
	append(id, event) {
		const room = this.rooms.get(id);
		const whole = { seq: room.events.length + 1, target: null, author: null, sent_at_ms: Date.now(), ...event };
		room.events.push(whole);
		if (whole.kind === 'delete') this.#blank(room, whole.target);
		if (whole.kind === 'card') room.cards.set(whole.author, { ...whole, epoch: room.epoch });
		for (const stream of room.streams) stream.write(frame(whole));
		return whole;
	}

	signal(id, signal) {
		for (const stream of this.rooms.get(id).streams) stream.write(`event: signal\ndata: ${JSON.stringify(signal)}\n\n`);
	}

	/** The room is no more; with a farewell it leaves a tombstone. */
	close(id, reason, farewell = null) {
		const room = this.rooms.get(id);
		this.end(room, { reason, ...(farewell === null ? {} : { farewell }) });
		if (farewell !== null) this.tombstones.set(id, { farewell, tokens: new Set([room.owner, ...room.tokens.keys()]) });
		this.rooms.delete(id);
	}

	/** Ends every stream of a room with a word. */
	end(room, closed) {
		for (const stream of room.streams) stream.end(`event: closed\ndata: ${JSON.stringify(closed)}\n\n`);
	}

	#blank(room, target) {
		for (const event of room.events) {
			const erased = event.seq === target || (event.kind === 'edit' && event.target === target);
			if (erased && event.body !== '') Object.assign(event, { erased: sha256(event.body), body: '' });
		}
	}

	async #serve(request, response) {
		const url = new URL(request.url, this.base);
		const chunks = [];
		for await (const chunk of request) chunks.push(chunk);
		const body = Buffer.concat(chunks).toString();
		const seen = { method: request.method, path: url.pathname + url.search, headers: request.headers, body };
		this.requests.push(seen);
		if (await this.intercept(seen, response)) return;
		const [, , , id, rest, link] = url.pathname.split('/');
		const json = body ? JSON.parse(body) : {};
		const asked = `${request.method} ${rest ?? ''}`;
		if (request.method === 'POST' && !id) return this.#create(json, response);
		const room = this.rooms.get(id);
		const token = sha256((request.headers.authorization ?? '').replace('Bearer ', ''));
		const stone = this.tombstones.get(id);
		if (stone?.tokens.has(token)) return refuse(response, 410, 'room_gone', {}, { farewell: stone.farewell });
		if (!room) return refuse(response, 404, 'room_not_found');
		if (asked === 'POST links' && link) return this.#openLink(room, link, token, json, response);
		const author = request.headers['buddy-author'] ? sha256(request.headers['buddy-author']).slice(0, 32) : null;
		const epoch = room.tokens.get(token);
		const may = token === room.owner ? 0 : [room.post, room.read].indexOf(token) + 1 || null;
		if (asked === 'GET keys' && (may !== null || epoch !== undefined)) {
			return this.#keys(room, url.searchParams, author, may === null ? epoch : null, response);
		}
		if (may === null) {
			return epoch === undefined ? refuse(response, 404, 'room_not_found') : refuse(response, 403, 'renewed');
		}
		const owners = ['PATCH ', 'DELETE ', 'POST rotations', 'POST links', 'GET links'];
		if (owners.includes(asked) && may > 0) return refuse(response, 403, 'not_allowed');
		switch (asked) {
			case 'DELETE ':
				this.close(id, 'deleted', request.headers['buddy-farewell']);
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
				return this.#stream(room, request, response);
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

	#create(json, response) {
		const { room: id, rotation, link, expires_in_s, message_ttl_s = null } = json;
		if (this.rooms.has(id)) return answer(response, 200, this.#about(id, this.rooms.get(id)));
		const part = JSON.parse(rotation.public);
		const now = Date.now();
		const room = {
			owner: part.owner_token_hash,
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
		};
		this.rooms.set(id, room);
		this.#take(room, part, { ...rotation, seq: 0, grants: new Map() });
		this.#keepLink(room, { ...link, epoch: 0 });
		answer(response, 201, this.#about(id, room));
	}

	/** A rotation is in force. */
	#take(room, part, rotation) {
		room.rotations.push({ epoch: part.epoch, ...rotation });
		room.epoch = part.epoch;
		room.read = part.read_token_hash;
		room.post = part.post_token_hash;
		room.tokens.set(room.read, part.epoch);
		room.tokens.set(room.post, part.epoch);
	}

	#renew(id, room, author, json, response) {
		const known = room.rotations.find(({ client_id }) => client_id === json.client_id);
		if (known) return answer(response, 200, { epoch: known.epoch, seq: known.seq, sent_at_ms: known.sent_at_ms });
		const part = JSON.parse(json.public);
		if (part.epoch !== room.epoch + 1) return refuse(response, 409, 'stale_epoch');
		const listed = new Set([...json.links.map((link) => link.id), ...json.taken_back]);
		if (Array.from(room.links.keys()).some((link) => !listed.has(link))) return refuse(response, 409, 'links_changed');
		const newest = Math.max(0, ...Array.from(room.cards.values(), ({ seq }) => seq));
		if (json.cards_seen !== undefined && newest > json.cards_seen) return refuse(response, 409, 'people_changed');
		const { client_id, public: text, signature, private: sealed } = json;
		const base64url = (value) => Buffer.from(value).toString('base64url');
		const grants = new Map(json.grants.map((grant) => [grant.author, grant.sealed]));
		for (const link of json.taken_back) room.links.delete(link);
		for (const { id: link, ...anew } of json.links) {
			const held = room.links.get(link);
			Object.assign(held, { sealed: anew.sealed });
			Object.assign(held.row, { note: anew.note, epoch: part.epoch });
		}
		const body = [base64url(text), signature, base64url(sealed)].join('.');
		const seq = room.events.length + 1;
		const sent_at_ms = Date.now();
		this.#take(room, part, { client_id, public: text, signature, private: sealed, seq, sent_at_ms, grants });
		this.append(id, { kind: 'rotate', client_id, author, body, sent_at_ms });
		this.end(room, { reason: 'renewed' });
		answer(response, 201, { epoch: part.epoch, seq, sent_at_ms });
	}

	#keys(room, query, author, former, response) {
		const since = Math.max(Number(query.get('since') ?? -1), former ?? -1);
		const rotations = room.rotations
			.filter(({ epoch }) => epoch > since)
			.slice(0, 50)
			.map(({ epoch, seq, public: text, signature, private: sealed, grants }) => {
				const grant = grants.get(author) ?? null;
				return { epoch, seq, public: text, signature, private: former === null || grant ? sealed : null, grant };
			});
		answer(response, 200, { epoch: room.epoch, rotations });
	}

	#makeLink(room, json, response) {
		if (json.epoch !== room.epoch) return refuse(response, 409, 'stale_epoch');
		answer(response, 201, this.#keepLink(room, json));
	}

	#keepLink(room, { id, token_hash, sealed, note, epoch, openings = null, expires_in_s = null }) {
		const created_at_ms = Date.now();
		const expires_at_ms = expires_in_s === null ? null : created_at_ms + expires_in_s * 1000;
		const row = { id, epoch, note, opened: 0, openings, created_at_ms, opened_at_ms: null, expires_at_ms };
		room.links.set(id, { token_hash, sealed, row, openers: new Set() });
		return { id, created_at_ms };
	}

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
		const { public: text, signature } = room.rotations.at(-1);
		answer(response, 200, { sealed, public: text, signature });
	}

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
		answer(response, 200, this.#about(id, room));
	}

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
		const target = json.target && room.events[json.target - 1];
		if (['edit', 'delete'].includes(kind) && may > 0 && target.author !== author)
			return refuse(response, 403, 'not_allowed');
		const event = this.append(id, {
			kind,
			client_id: json.client_id,
			author,
			target: json.target ?? null,
			body: json.body,
		});
		answer(response, 201, { seq: event.seq, sent_at_ms: event.sent_at_ms });
	}

	#history(room, query, response) {
		const limit = Number(query.get('limit') ?? 50);
		const kept = room.events.filter(({ seq }) => seq >= room.firstSeq);
		const messages = query.has('after')
			? kept.filter(({ seq }) => seq > Number(query.get('after'))).slice(0, limit)
			: kept.filter(({ seq }) => seq < Number(query.get('before') ?? Infinity)).slice(-limit);
		answer(response, 200, { messages, first_seq: room.firstSeq, last_seq: room.events.length });
	}

	#stream(room, request, response) {
		const last = room.events.length;
		const cursor = Number(request.headers['last-event-id'] ?? last);
		const mark = JSON.stringify({
			log: room.log,
			first_seq: room.firstSeq,
			last_seq: last,
			stream_max_s: this.streamMaxS,
		});
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		const lost = cursor < room.firstSeq - 1 || cursor > last;
		response.write(`retry: 50\n\nid: ${lost ? last : cursor}\nevent: ${lost ? 'reset' : 'hello'}\ndata: ${mark}\n\n`);
		const token = sha256((request.headers.authorization ?? '').replace('Bearer ', ''));
		const epoch = room.tokens.get(token) ?? Infinity;
		for (const event of lost ? [] : room.events.slice(cursor)) {
			response.write(frame(event));
			// A token of its epoch reads up to the renewal that ended it.
			const begun = room.rotations.find(({ seq }) => seq === event.seq);
			if (begun && begun.epoch > epoch) return response.end(`event: closed\ndata: {"reason":"renewed"}\n\n`);
		}
		room.streams.add(response);
		response.on('close', () => room.streams.delete(response));
	}
}

export function frame(event) {
	return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}

export function answer(response, status, json, headers = {}) {
	const text = JSON.stringify(json);
	response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
	return true;
}

export function refuse(response, status, code, headers = {}, more = {}) {
	return answer(response, status, { error: { code, message: `refused: ${code}`, ...more } }, headers);
}
