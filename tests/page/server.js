/**
 * A stand-in for Buddy's server, for tests of the page's modules: rooms in memory, the API of DESIGN.md
 * as far as the page uses it, and faults on request. The real server is tested in tests/*.rs.
 */

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export class TestServer {
	rooms = new Map();
	/** Every request: { method, path, headers, body }. */
	requests = [];
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
		for (const stream of room.streams) stream.write(frame(whole));
		return whole;
	}

	signal(id, signal) {
		for (const stream of this.rooms.get(id).streams) stream.write(`event: signal\ndata: ${JSON.stringify(signal)}\n\n`);
	}

	close(id, reason) {
		const { streams } = this.rooms.get(id);
		for (const stream of streams) stream.end(`event: closed\ndata: ${JSON.stringify({ reason })}\n\n`);
		this.rooms.delete(id);
	}

	#blank(room, target) {
		for (const event of room.events) {
			if (event.seq === target || (event.kind === 'edit' && event.target === target)) event.body = '';
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
		const [, , , id, rest] = url.pathname.split('/');
		const json = body ? JSON.parse(body) : {};
		if (request.method === 'POST' && !id) return this.#create(json, response);
		const room = this.rooms.get(id);
		const token = sha256((request.headers.authorization ?? '').replace('Bearer ', ''));
		const may = room && [room.owner, room.post, room.read].indexOf(token);
		if (!room || may < 0) return refuse(response, 404, 'room_not_found');
		const author = request.headers['buddy-author'] ? sha256(request.headers['buddy-author']).slice(0, 32) : null;
		if (request.method === 'PATCH' || request.method === 'DELETE') {
			if (may > 0) return refuse(response, 403, 'not_allowed');
			if (request.method === 'DELETE') {
				this.close(id, 'deleted');
				return response.writeHead(204).end();
			}
			Object.assign(room.state, json);
			this.append(id, { kind: 'room', client_id: randomUUID(), author, body: JSON.stringify(json) });
		}
		if (rest === 'messages' && request.method === 'POST') return this.#post(id, room, may, author, json, response);
		if (rest === 'messages') return this.#history(room, url.searchParams, response);
		if (rest === 'stream') return this.#stream(room, request, response);
		if (rest === 'signals') {
			const now = Date.now();
			this.signal(id, { ...json, author, sent_at_ms: now, expires_at_ms: now + 30_000 });
			return response.writeHead(204).end();
		}
		return answer(response, 200, { room: id, ...room.state, first_seq: room.firstSeq, last_seq: room.events.length });
	}

	#create(json, response) {
		const id = randomBytes(32).toString('hex');
		const now = Date.now();
		const state = {
			created_at_ms: now,
			expires_at_ms: now + 2_592_000_000,
			message_ttl_s: json.message_ttl_s ?? null,
			locked: false,
			about: json.about ?? null,
		};
		this.rooms.set(id, {
			owner: json.owner_token_hash,
			post: json.post_token_hash,
			read: json.read_token_hash,
			log: randomUUID(),
			state,
			events: [],
			firstSeq: 1,
			streams: new Set(),
		});
		answer(response, 201, { room: id, ...state });
	}

	#post(id, room, may, author, json, response) {
		if (may > 1) return refuse(response, 403, 'not_allowed');
		const kind = json.kind ?? 'message';
		const known = room.events.find(({ client_id }) => client_id === json.client_id);
		if (known) {
			if (known.body !== json.body) return refuse(response, 409, 'client_id_reused');
			return answer(response, 200, { seq: known.seq, sent_at_ms: known.sent_at_ms });
		}
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
		const mark = JSON.stringify({ log: room.log, first_seq: room.firstSeq, last_seq: last });
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		const lost = cursor < room.firstSeq - 1 || cursor > last;
		response.write(`retry: 50\n\nid: ${lost ? last : cursor}\nevent: ${lost ? 'reset' : 'hello'}\ndata: ${mark}\n\n`);
		if (!lost) for (const event of room.events.slice(cursor)) response.write(frame(event));
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

export function refuse(response, status, code, headers = {}) {
	return answer(response, status, { error: { code, message: `refused: ${code}` } }, headers);
}
