import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, mock, test } from 'node:test';

import { Api, ApiError } from '../../static/wire/api.js';
import { answer, refuse } from './server.js';
import { there } from './there.js';

/**
 * @import { IncomingHttpHeaders, ServerResponse } from 'node:http'
 * @import { AddressInfo } from 'node:net'
 *
 * @typedef {(response: ServerResponse) => unknown} Responder
 */

const ROOM = '0f'.repeat(32);
const ACCESS = { token: 'the-token', author: 'the-author' };

// Requests with all that the contract wants in them.
const SIGNED = { public: '{}', signature: 's', private: 'v2.0.x' };
const NEW_ROOM = {
	room: ROOM,
	rotation: SIGNED,
	link: { id: 'l', token_hash: 'h', sealed: 's', note: 'n' },
	expires_in_s: 60,
};
const RENEWAL = { client_id: 'c', ...SIGNED, grants: [], links: [], taken_back: [] };
const NEW_LINK = { id: 'l', token_hash: 'h', sealed: 's', note: 'n', epoch: 0 };
const STATEMENT = { client_id: 'c', epoch: 0, state_seq: 0, statement: 'v2.0.x', locked: true };

/** @type {Responder} */
let respond;
/** @type {{ method?: string, url?: string, headers: IncomingHttpHeaders, body: string }} */
let seen;
/** @type {Api} */
let api;

const http = createServer((request, response) => {
	/** @type {Buffer[]} */
	const chunks = [];
	request.on('data', (chunk) => chunks.push(chunk));
	request.on('end', () => {
		const { method, url, headers } = request;
		seen = { method, url, headers, body: Buffer.concat(chunks).toString() };
		respond(response);
	});
});

before(async () => {
	await new Promise((resolve) => http.listen(0, '127.0.0.1', () => resolve(undefined)));
	const { port } = /** @type {AddressInfo} */ (http.address());
	api = new Api(`http://127.0.0.1:${port}`);
});

after(async () => {
	http.closeAllConnections();
	await new Promise((resolve) => http.close(resolve));
});

/** @param {Responder} responder @param {() => Promise<unknown>} [call] @returns {Promise<ApiError>} */
async function failure(responder, call = () => api.room(ROOM, ACCESS)) {
	respond = responder;
	try {
		await call();
	} catch (error) {
		assert.ok(error instanceof ApiError, String(error));
		return error;
	}
	return assert.fail('the call should have failed');
}

test('each call is the request that the contract describes', async () => {
	// All that any of them asks for.
	const told = {
		room: ROOM,
		created_at_ms: 1,
		expires_at_ms: 2,
		message_ttl_s: null,
		locked: false,
		about: null,
		first_seq: 1,
		last_seq: 0,
		messages: [],
		seq: 1,
		sent_at_ms: 1,
		epoch: 0,
		state: 'v2.0.x',
		state_seq: 0,
		rotations: [],
		cards: [],
		more: false,
		links: [],
		id: 'l',
	};
	respond = (response) => answer(response, 200, told);
	const more = { client_id: 'c', kind: 'message', target: null, body: 'b', epoch: 2, extra: 1 };
	/** @type {[() => Promise<unknown>, string, string, object?][]} */
	const calls = [
		[() => api.createRoom(NEW_ROOM), 'POST', '/api/rooms', NEW_ROOM],
		[() => api.renew(ROOM, ACCESS, RENEWAL), 'POST', `/api/rooms/${ROOM}/rotations`, RENEWAL],
		[() => api.keys(ROOM, ACCESS, null), 'GET', `/api/rooms/${ROOM}/keys`],
		[() => api.keys(ROOM, ACCESS, 3), 'GET', `/api/rooms/${ROOM}/keys?since=3`],
		[() => api.cards(ROOM, ACCESS, 7), 'GET', `/api/rooms/${ROOM}/members?after=7&limit=200`],
		[() => api.links(ROOM, ACCESS), 'GET', `/api/rooms/${ROOM}/links`],
		[() => api.makeLink(ROOM, ACCESS, NEW_LINK), 'POST', `/api/rooms/${ROOM}/links`, NEW_LINK],
		[() => api.room(ROOM, ACCESS), 'GET', `/api/rooms/${ROOM}`],
		[() => api.changeRoom(ROOM, ACCESS, STATEMENT), 'PATCH', `/api/rooms/${ROOM}`, STATEMENT],
		[() => api.deleteRoom(ROOM, ACCESS, 'bye'), 'DELETE', `/api/rooms/${ROOM}`],
		[
			() => api.post(ROOM, ACCESS, more),
			'POST',
			`/api/rooms/${ROOM}/messages`,
			{ client_id: 'c', kind: 'message', body: 'b', epoch: 2 },
		],
		[
			() => api.post(ROOM, ACCESS, { client_id: 'c', kind: 'edit', target: 7, body: 'b', epoch: 2 }),
			'POST',
			`/api/rooms/${ROOM}/messages`,
			{ client_id: 'c', kind: 'edit', target: 7, body: 'b', epoch: 2 },
		],
		[() => api.history(ROOM, ACCESS, { after: 0, limit: 200 }), 'GET', `/api/rooms/${ROOM}/messages?after=0&limit=200`],
		[
			() => api.signal(ROOM, ACCESS, { kind: 'here', body: 'b', epoch: 2 }),
			'POST',
			`/api/rooms/${ROOM}/signals`,
			{ kind: 'here', body: 'b', epoch: 2 },
		],
	];
	for (const [call, method, url, json] of calls) {
		await call();
		assert.deepEqual([seen.method, seen.url], [method, url]);
		assert.deepEqual(seen.body === '' ? undefined : JSON.parse(seen.body), json);
		assert.equal(seen.headers['content-type'], json && 'application/json');
		if (url === '/api/rooms') continue;
		assert.equal(seen.headers.authorization, 'Bearer the-token');
		assert.equal(seen.headers['buddy-author'], 'the-author');
	}
});

test("a refusal carries the server's code, text and waiting time", async () => {
	const error = await failure((response) => refuse(response, 429, 'rate_limited', { 'retry-after': '7' }));
	assert.deepEqual(
		[error.code, error.status, error.retryAfterMs, error.message],
		['rate_limited', 429, 7000, 'refused: rate_limited'],
	);
	const date = new Date(Date.now() + 60_000).toUTCString();
	const later = await failure((response) => refuse(response, 503, 'unavailable', { 'retry-after': date }));
	const { retryAfterMs } = later;
	assert.ok(retryAfterMs !== null && retryAfterMs > 50_000 && retryAfterMs <= 60_000);
	const nonsense = await failure((response) => refuse(response, 503, 'unavailable', { 'retry-after': 'soon' }));
	assert.equal(nonsense.retryAfterMs, null);
});

test('what is no answer of this API is told by its status', async () => {
	/** @param {number} status @returns {Responder} */
	const page = (status) => (response) =>
		response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>proxy</h1>');
	for (const [status, code] of /** @type {[number, string][]} */ ([
		[502, 'unavailable'],
		[504, 'unavailable'],
		[429, 'rate_limited'],
		[404, 'bad_answer'],
		[200, 'bad_answer'],
	])) {
		const error = await failure(page(status));
		assert.deepEqual([error.code, error.status], [code, status]);
	}
	assert.equal((await failure((response) => response.destroy())).code, 'network');
	/** @type {Responder} */
	const cut = (response) => {
		response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
		response.write('{"room"', () => response.destroy());
	};
	assert.equal((await failure(cut)).code, 'network');
	assert.equal(
		(await failure((response) => response.writeHead(307, { location: '/elsewhere' }).end())).code,
		'network',
	);
});

test('an answer that has not the form of the contract is none', async () => {
	const state = { created_at_ms: 1, expires_at_ms: 2, message_ttl_s: null, locked: false, about: null };
	const room = { room: ROOM, ...state, first_seq: 1, last_seq: 0 };
	const read = () => api.room(ROOM, ACCESS);
	const page = () => api.history(ROOM, ACCESS, {});
	const post = () => api.post(ROOM, ACCESS, { client_id: 'c', kind: 'message', target: null, body: 'b', epoch: 0 });
	const event = { seq: 1, kind: 'message', client_id: 'c', author: null, target: null, body: 'b', sent_at_ms: 1 };
	const range = { first_seq: 1, last_seq: 2 };
	for (const [call, json] of /** @type {[() => Promise<unknown>, object | null][]} */ ([
		[read, null],
		[read, {}],
		[read, { ...room, first_seq: 0 }],
		[read, { ...room, first_seq: 5 }],
		[read, { ...room, last_seq: '9' }],
		[read, { ...room, message_ttl_s: 'soon' }],
		[read, { ...room, message_ttl_s: -1 }],
		[read, { ...room, expires_at_ms: 9e15 }],
		[read, { ...room, about: 7 }],
		[page, { messages: {}, ...range }],
		[page, { messages: [event, event], ...range }],
		[page, { messages: [{ ...event, seq: '1' }], ...range }],
		[page, { messages: [null], ...range }],
		[page, { messages: [event], first_seq: 9, last_seq: 1 }],
		[post, { captive: 'portal' }],
		[post, { seq: 0, sent_at_ms: 1 }],
		[() => api.createRoom(NEW_ROOM), { ...state, room: 'here' }],
	])) {
		const { code } = await failure((response) => answer(response, 200, json), call);
		assert.equal(code, 'bad_answer', JSON.stringify(json));
	}
	respond = (response) => answer(response, 200, { messages: [event, { ...event, seq: 2, body: 3 }], ...range });
	const { messages } = await page();
	assert.deepEqual(
		messages.map(({ seq, kind, body }) => [seq, kind, body]),
		[
			[1, 'message', 'b'],
			[2, 'unknown/', ''],
		],
	);
	for (const sent_at_ms of [9e15, -1, 'now', null]) {
		respond = (response) => answer(response, 200, { messages: [{ ...event, sent_at_ms }], ...range });
		assert.equal((await page()).messages[0].kind, 'unknown/', String(sent_at_ms));
	}
});

test('a call can be ended, and ends by itself when the server takes too long', async () => {
	const abort = new AbortController();
	const aborted = await failure(
		() => abort.abort(),
		() => api.room(ROOM, ACCESS, abort.signal),
	);
	assert.equal(aborted.code, 'aborted');
	assert.equal(
		(
			await failure(
				() => {},
				() => api.room(ROOM, ACCESS, AbortSignal.abort()),
			)
		).code,
		'aborted',
	);
	for (const stall of /** @type {Responder[]} */ ([
		() => {},
		(response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{'),
	])) {
		mock.timers.enable({ apis: ['setTimeout'] });
		const late = await failure((response) => {
			stall(response);
			setImmediate(() => mock.timers.tick(20_000));
		});
		mock.timers.reset();
		assert.equal(late.code, 'timeout');
	}
});

test('a stream outlives the time limit of its request', async () => {
	let stream = /** @type {ServerResponse | null} */ (null);
	respond = (response) => {
		stream = response;
		response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).write('a');
	};
	mock.timers.enable({ apis: ['setTimeout'] });
	const body = await api.stream(ROOM, ACCESS, 41, new AbortController().signal);
	mock.timers.tick(60_000);
	mock.timers.reset();
	assert.equal(seen.headers['last-event-id'], '41');
	const reader = body.getReader();
	there(stream).write('b');
	await reader.read();
	await reader.cancel();
	const other = await failure(
		(response) => answer(response, 200, {}),
		() => api.stream(ROOM, ACCESS, null, new AbortController().signal),
	);
	assert.equal(other.code, 'bad_answer');
	assert.equal(seen.headers['last-event-id'], undefined);
});

test('no error tells a secret', async () => {
	for (const responder of /** @type {Responder[]} */ ([
		(response) => response.destroy(),
		(response) => response.writeHead(500).end(),
	])) {
		const error = await failure(responder);
		assert.ok(!JSON.stringify([error.message, error.stack, error]).includes('the-token'));
		assert.equal(error.cause, undefined);
	}
});
