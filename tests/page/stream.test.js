import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';

import { Api } from '../../static/wire/api.js';
import { Sequencer } from '../../static/wire/sequencer.js';
import { RoomStream } from '../../static/wire/stream.js';
import { answer, frame, refuse } from './server.js';
import { there } from './there.js';
import { until } from './waiting.js';

/**
 * @import { ServerResponse } from 'node:http'
 * @import { AddressInfo } from 'node:net'
 * @import { LogEvent } from '../../static/values/event.js'
 * @import { Page } from '../../static/wire/api.js'
 * @import { Mark } from '../../static/wire/sequencer.js'
 * @import { Closed, Connection, SignalEvent, Timing } from '../../static/wire/stream.js'
 *
 * @typedef {(response: ServerResponse, cursor: number | null) => void} Script
 */

const ROOM = 'ab'.repeat(32);
/** @type {(() => Promise<unknown>)[]} */
let closing = [];

afterEach(async () => {
	for (const close of closing) await close();
	closing = [];
});

/** @param {number} seq @returns {LogEvent} */
const event = (seq, kind = 'message') => ({
	seq,
	kind,
	client_id: `id-${seq}`,
	author: null,
	target: null,
	body: `b${seq}`,
	sent_at_ms: seq,
});
/** @param {'hello' | 'reset'} name @param {number} id @param {object} mark */
const begin = (name, id, mark) => `retry: 20\n\nid: ${id}\nevent: ${name}\ndata: ${JSON.stringify(mark)}\n\n`;
/** @param {number} id @param {number} last_seq */
const hello = (id, last_seq, log = 'log', first_seq = 1) => begin('hello', id, { log, first_seq, last_seq });

/**
 * A reader against a server that plays one script per stream request (the last one again and again).
 * A script gets the response, after its headers, and the request's cursor.
 *
 * @param {object} parts
 * @param {Script[]} parts.scripts
 * @param {(after: number) => LogEvent[] | Page | null} [parts.history] Null: it is not to be had now.
 * @param {number | null} [parts.cursor]
 * @param {string | null} [parts.log]
 * @param {Partial<Timing>} [parts.timing]
 * @param {(mark: Mark) => number | Promise<number>} [parts.diverged]
 * @param {() => number} [parts.random]
 */
async function reader({ scripts, history = () => [], cursor = 0, log = null, timing = {}, diverged, random }) {
	const seen = {
		/** @type {{ url: string, authorization: string | undefined }[]} */
		requests: [],
		/** @type {(number | null)[]} */
		cursors: [],
		/** @type {number[]} */
		events: [],
		/** @type {SignalEvent[]} */
		signals: [],
		/** @type {Connection[]} */
		states: [],
		/** @type {Closed[]} */
		closed: [],
		/** @type {number[]} */
		missing: [],
		/** @type {Mark[]} */
		marks: [],
		/** @type {number[]} */
		ranges: [],
		heard: 0,
		/** @type {number[]} */
		waits: [],
	};
	const server = createServer((request, response) => {
		const { url: address = '' } = request;
		const url = new URL(address, 'http://x');
		seen.requests.push({ url: address, authorization: request.headers.authorization });
		if (url.pathname.endsWith('/messages')) {
			const after = Number(url.searchParams.get('after'));
			seen.ranges.push(after);
			const page = history(after);
			if (page === null) return refuse(response, 503, 'unavailable');
			return answer(
				response,
				200,
				Array.isArray(page) ? { messages: page, first_seq: 1, last_seq: page.at(-1)?.seq ?? after } : page,
			);
		}
		const id = request.headers['last-event-id'];
		seen.cursors.push(id === undefined ? null : Number(id));
		const script = scripts[Math.min(seen.cursors.length, scripts.length) - 1];
		return script(response, id === undefined ? null : Number(id));
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
	const { port } = /** @type {AddressInfo} */ (server.address());
	const api = new Api(`http://127.0.0.1:${port}`);
	const sequencer = new Sequencer({ cursor, log }, (range) => api.history(ROOM, { token: 'secret' }, range), {
		events: (events) => void seen.events.push(...events.map(({ seq }) => seq)),
		missing: (seq) => void seen.missing.push(seq),
		diverged: (mark) => {
			seen.marks.push(mark);
			return diverged ? diverged(mark) : mark.last_seq;
		},
	});
	const wakes = new EventTarget();
	const stream = new RoomStream({
		open: (from, signal) => api.stream(ROOM, { token: 'secret' }, from, signal),
		sequencer,
		wakes,
		random,
		timing: { silence: 1_000, stale: 100, retry: 10, retryMost: 50, resume: 5, settled: 5_000, ...timing },
		follower: {
			connection: (connection) => {
				seen.states.push(connection);
				if (connection.retryAtMs !== null) seen.waits.push(connection.retryAtMs - Date.now());
			},
			signals: (signals) => void seen.signals.push(...signals),
			closed: (reason) => void seen.closed.push(reason),
			alive: () => void (seen.heard += 1),
		},
	});
	closing.push(async () => {
		stream.stop();
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	stream.start();
	return { seen, stream, sequencer, wakes, state: () => stream.connection.state };
}

/** @param {...string} chunks @returns {(response: ServerResponse) => void} */
const plays =
	(...chunks) =>
	(response) => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		for (const chunk of chunks) response.write(chunk);
	};
/** @param {...string} chunks @returns {(response: ServerResponse) => void} */
const playsAndEnds =
	(...chunks) =>
	(response) => {
		plays(...chunks)(response);
		response.end();
	};
/** @param {...string} chunks @returns {(response: ServerResponse) => void} */
const playsAndBreaks =
	(...chunks) =>
	(response) => {
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		response.write(chunks.join(''), () => response.destroy());
	};

test('a reader follows, is live once it has what there was, and resumes from its cursor', async () => {
	const { seen, state } = await reader({
		scripts: [
			playsAndEnds(hello(0, 2), frame(event(1)), frame(event(2)), frame(event(3))),
			plays(hello(3, 3), frame(event(4))),
		],
	});
	await until(() => seen.events.length === 4 && state() === 'live', 'all four');
	assert.deepEqual(seen.events, [1, 2, 3, 4]);
	assert.deepEqual(seen.cursors, [0, 3]);
	assert.deepEqual(
		seen.states.map(({ state }) => state),
		['connecting', 'catching_up', 'live', 'catching_up', 'live'],
	);
});

test('without a cursor the beginning is read from history, and then resumed', async () => {
	const { seen } = await reader({
		cursor: null,
		scripts: [playsAndEnds(hello(9, 9)), plays(hello(9, 9), frame(event(10)))],
	});
	await until(() => seen.events.length === 1, 'the next one');
	assert.deepEqual(seen.cursors, [null, 9]);
	assert.deepEqual(seen.marks.length, 1);
});

test('a connection that breaks in the middle of a frame loses and doubles nothing', async () => {
	const half = frame(event(2)).slice(0, 30);
	const { seen } = await reader({
		scripts: [playsAndBreaks(hello(0, 0), frame(event(1)), half), plays(hello(1, 2), frame(event(2)))],
	});
	await until(() => seen.events.length === 2, 'both');
	assert.deepEqual(seen.events, [1, 2]);
	assert.ok(
		seen.states.some(({ state, code, retryAtMs }) => state === 'offline' && code === 'network' && (retryAtMs ?? 0) > 0),
	);
});

test('repeated events are dropped, and a gap is filled from history in order', async () => {
	const { seen } = await reader({
		history: (after) => [event(2), event(3), event(4)].filter(({ seq }) => seq > after),
		scripts: [plays(hello(0, 1), frame(event(1)), frame(event(1)), frame(event(4)), frame(event(3)), frame(event(5)))],
	});
	await until(() => seen.events.length === 5, 'all five');
	assert.deepEqual(seen.events, [1, 2, 3, 4, 5]);
	assert.deepEqual(seen.ranges, [1]);
});

test('a gap that history cannot fill now is filled after reconnecting', async () => {
	let asked = 0;
	const { seen, state } = await reader({
		history: () => ((asked += 1) === 1 ? null : [event(2), event(3)]),
		scripts: [plays(hello(0, 1), frame(event(1)), frame(event(3)))],
	});
	await until(() => seen.events.length === 3 && state() === 'live', 'all three');
	assert.deepEqual(seen.events, [1, 2, 3]);
});

test('what the server skips for good is told', async () => {
	const { seen } = await reader({
		history: () => [event(2), event(5)],
		scripts: [plays(hello(0, 1), frame(event(1)), frame(event(5)))],
	});
	await until(() => seen.events.includes(5), 'the last one');
	assert.deepEqual(seen.events, [1, 2, 5]);
	assert.deepEqual(seen.missing, [4]);
});

test('a reset within the same log is filled from what history keeps', async () => {
	const { seen } = await reader({
		cursor: 2,
		log: 'log',
		history: () => ({ messages: [event(5), event(6)], first_seq: 5, last_seq: 6 }),
		scripts: [plays(begin('reset', 6, { log: 'log', first_seq: 5, last_seq: 6 }), frame(event(7)))],
	});
	await until(() => seen.events.length === 3, 'all that is kept');
	assert.deepEqual(seen.events, [5, 6, 7]);
	assert.deepEqual(seen.missing, []);
	assert.deepEqual(seen.marks, []);
});

test('another log, or a shorter one, is read anew and then followed', async () => {
	for (const [log, cursor, first] of /** @type {[string, number, string][]} */ ([
		['other', 2, hello(2, 4, 'log')],
		['log', 9, begin('reset', 4, { log: 'log', first_seq: 1, last_seq: 4 })],
	])) {
		const { seen } = await reader({
			cursor,
			log,
			scripts: [plays(first, frame(event(10))), plays(hello(4, 4), frame(event(5)))],
		});
		await until(() => seen.events.length === 1, 'the next one');
		assert.deepEqual(seen.events, [5]);
		assert.deepEqual(seen.cursors, [cursor, 4]);
		assert.equal(seen.marks[0].last_seq, 4);
	}
});

test('a room that is not there, or not for this reader, is refused and not asked for again', async () => {
	for (const [status, code] of /** @type {[number, string][]} */ ([
		[404, 'room_not_found'],
		[403, 'not_allowed'],
	])) {
		const { seen, state, wakes } = await reader({ scripts: [(response) => refuse(response, status, code)] });
		await until(() => state() === 'refused', 'refused');
		assert.equal(seen.states.at(-1)?.code, code);
		wakes.dispatchEvent(new Event('online'));
		assert.equal(seen.cursors.length, 1);
	}
});

test('faults that may pass are tried again, however often', async () => {
	/** @type {Script[]} */
	const answers = [
		// Of a proxy whose server is being replaced: it says nothing of the room.
		(response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not Found</h1>'),
		(response) => refuse(response, 503, 'unavailable', { 'retry-after': '0' }),
		(response) => response.destroy(),
		(response) => answer(response, 200, { captive: 'portal' }),
		(response) => response.writeHead(502).end('bad gateway'),
		(response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
		(response) => refuse(response, 429, 'rate_limited', { 'retry-after': '0' }),
		(response) => refuse(response, 400, 'invalid_request'),
		playsAndEnds('garbage without a hello\n\n'),
		playsAndEnds(begin('hello', 0, { nothing: true })),
	];
	const { seen, state } = await reader({ scripts: [...answers, plays(hello(0, 0), frame(event(1)))] });
	await until(() => state() === 'live', 'live in the end', 10_000);
	assert.equal(seen.cursors.length, answers.length + 1);
	assert.deepEqual(seen.events, [1]);
});

test('retry-after is waited for, even when something wakes the page', async () => {
	const asked = Date.now();
	const { seen, state, wakes } = await reader({
		scripts: [
			(response) => refuse(response, 503, 'unavailable', { 'retry-after': '1' }),
			plays(hello(0, 0), ': x\n\n'),
		],
	});
	await until(() => state() === 'offline', 'refused for now');
	assert.equal(seen.states.at(-1)?.code, 'unavailable');
	wakes.dispatchEvent(new Event('online'));
	await until(() => state() === 'live', 'live');
	assert.ok(Date.now() - asked >= 990, 'not before the second is over');
});

test('waking cuts a wait short', async () => {
	for (const type of ['online', 'pageshow', 'visibilitychange']) {
		const { state, wakes } = await reader({
			timing: { retry: 60_000, retryMost: 60_000 },
			scripts: [(response) => response.destroy(), plays(hello(0, 0))],
		});
		await until(() => state() === 'offline', 'offline');
		wakes.dispatchEvent(new Event(type));
		await until(() => state() === 'live', `live after ${type}`, 2_000);
	}
});

test('silence is noticed by the watchdog, and sooner when something wakes the page', async () => {
	const watched = await reader({
		timing: { silence: 60 },
		scripts: [plays(hello(0, 0)), plays(hello(0, 0), frame(event(1)))],
	});
	await until(() => watched.seen.events.length === 1, 'reconnected');
	assert.ok(watched.seen.states.some(({ code }) => code === 'silent'));

	const woken = await reader({
		timing: { silence: 60_000, stale: 20 },
		scripts: [plays(hello(0, 0)), plays(hello(0, 0), frame(event(1)))],
	});
	await until(() => woken.state() === 'live', 'live');
	await until(() => {
		woken.wakes.dispatchEvent(new Event('pageshow'));
		return woken.seen.events.length === 1;
	}, 'reconnected');
});

test('what woke the page does not wait for the next attempt', async () => {
	const slow = { silence: 60_000, stale: 60_000, retry: 60_000, retryMost: 60_000 };
	let first = /** @type {ServerResponse | null} */ (null);
	/** @type {Script[]} */
	const scripts = [
		(response) => {
			plays('retry: 60000\n\n', hello(0, 0))(response);
			first = response;
		},
		plays(hello(1, 1), frame(event(2))),
	];
	const { seen, state, wakes } = await reader({ timing: slow, scripts });
	await until(() => state() === 'live', 'live');
	wakes.dispatchEvent(new Event('visibilitychange'));
	there(first).write(frame(event(1)));
	await until(() => seen.events.length === 1, 'a connection that was heard lately is kept');
	// Back from being offline it is doubtful however lately it was heard.
	wakes.dispatchEvent(new Event('online'));
	await until(() => seen.events.length === 2, 'reconnected at once', 2_000);
	assert.deepEqual(seen.cursors, [0, 1]);
	assert.ok(!seen.states.some((connection) => connection.state === 'offline'));
});

test('a reconnecting reader is not live before the server has said how far its log goes', async () => {
	let second = /** @type {ServerResponse | null} */ (null);
	const { seen, state } = await reader({
		scripts: [
			playsAndBreaks(hello(0, 0), ': x\n\n'),
			(response) => {
				plays('retry: 20\n\n', ': keep-alive\n\n')(response);
				second = response;
			},
		],
	});
	await until(() => second && seen.states.some((connection) => connection.state === 'live'), 'connected again');
	await until(() => state() !== 'live', 'the break was noticed');
	const before = seen.states.length;
	const heard = seen.heard;
	there(second).write(': keep-alive\n\n');
	await until(() => seen.heard > heard, 'the comment was heard');
	assert.ok(seen.states.slice(before).every((connection) => connection.state !== 'live'));
	assert.notEqual(state(), 'live');
	there(second).write(hello(0, 0));
	await until(() => state() === 'live', 'live again');
});

test('heartbeats keep a connection', async () => {
	const { seen } = await reader({
		timing: { silence: 200 },
		scripts: [
			(response) => {
				plays(hello(0, 0))(response);
				let beats = 0;
				const timer = setInterval(() => {
					beats += 1;
					response.write(beats === 10 ? frame(event(1)) : ': keep-alive\n\n');
					if (beats === 10) clearInterval(timer);
				}, 50);
			},
		],
	});
	await until(() => seen.events.length === 1, 'the event after half a second');
	assert.equal(seen.cursors.length, 1);
});

test('the server says how long to wait between attempts', async () => {
	const { seen } = await reader({
		timing: { retry: 1, retryMost: 10_000 },
		scripts: [playsAndBreaks('retry: 700\n\n'), plays(hello(0, 0))],
	});
	await until(() => seen.states.some(({ state }) => state === 'offline'), 'offline');
	const { retryAtMs } = there(seen.states.find(({ state }) => state === 'offline'));
	assert.ok(there(retryAtMs) - Date.now() > 250, 'at least half of it');
});

test('each failure doubles the wait, up to a limit, and chance spreads it', async () => {
	/** @type {Script[]} */
	const refusing = [(response) => refuse(response, 503, 'unavailable')];
	const timing = { retry: 60, retryMost: 300 };
	const breaking = playsAndBreaks(hello(0, 0), frame(event(1)));
	for (const [random, scripts, waits] of /** @type {[() => number, Script[], number[]][]} */ ([
		[() => 1, refusing, [60, 120, 240, 300, 300]],
		[() => 0, refusing, [30, 60, 120, 150, 150]],
		// What has come through makes earlier failures forgotten. It brought another time to wait, too.
		[() => 1, [...refusing, ...refusing, ...refusing, breaking, ...refusing], [60, 120, 240, 20, 20, 40]],
	])) {
		const { seen, stream } = await reader({ scripts, timing, random });
		await until(() => seen.waits.length >= waits.length, 'as many attempts');
		stream.stop();
		for (const [at, wait] of waits.entries()) assert.ok(Math.abs((seen.waits[at] ?? 0) - wait) <= 12, `${seen.waits}`);
	}
});

test('a closed room ends the stream and says why, after what came before it', async () => {
	const { seen, state } = await reader({
		scripts: [plays(hello(0, 0), frame(event(1)), 'event: closed\ndata: {"reason":"expired"}\n\n')],
	});
	await until(() => seen.closed.length === 1, 'closed');
	assert.deepEqual(seen.closed, [{ reason: 'expired', farewell: null }]);
	assert.deepEqual(seen.events, [1]);
	assert.equal(state(), 'closed');
	assert.equal(seen.cursors.length, 1);
});

test('signals come alone or gathered, and move no cursor', async () => {
	const signal = (/** @type {string} */ kind) => ({ kind, author: null, body: 'b', sent_at_ms: 1, expires_at_ms: 2 });
	const { seen, sequencer } = await reader({
		scripts: [
			plays(
				hello(0, 0),
				`event: signal\ndata: ${JSON.stringify(signal('here'))}\n\n`,
				`event: signal\ndata: ${JSON.stringify([signal('typing'), signal('gone')])}\n\n`,
				'event: signal\ndata: {}\n\n',
			),
		],
	});
	await until(() => seen.signals.length === 3, 'three signals');
	assert.deepEqual(
		seen.signals.map(({ kind }) => kind),
		['here', 'typing', 'gone'],
	);
	assert.equal(sequencer.cursor, 0);
});

test('events of an unknown name or shape count in the sequence', async () => {
	const { seen } = await reader({
		scripts: [
			plays(
				hello(0, 0),
				'id: 1\nevent: poll\ndata: {"seq":1}\n\n',
				'id: 2\nevent: message\ndata: not json\n\n',
				'event: weather\ndata: {}\n\n',
				frame(event(3)),
			),
		],
	});
	await until(() => seen.events.length === 3, 'all three');
	assert.deepEqual(seen.events, [1, 2, 3]);
});

test('the token goes in a header and in no address', async () => {
	const { seen } = await reader({ history: () => [event(1)], scripts: [plays(hello(0, 0), frame(event(2)))] });
	await until(() => seen.events.length === 2, 'both');
	assert.equal(seen.requests.length, 2);
	for (const { url, authorization } of seen.requests) {
		assert.equal(authorization, 'Bearer secret');
		assert.ok(!url.includes('secret'));
	}
});

test('stopping and starting again leaves one connection', async () => {
	let open = 0;
	const { stream, state } = await reader({
		scripts: [
			(response) => {
				open += 1;
				response.on('close', () => (open -= 1));
				plays(hello(0, 0))(response);
			},
		],
	});
	for (let count = 0; count < 5; count += 1) {
		stream.stop();
		assert.equal(state(), 'idle');
		stream.start();
	}
	await until(() => state() === 'live' && open === 1, 'one connection');
});

test('any mixture of cuts, repeats and gaps ends in every event once and in order', async () => {
	const total = 40;
	const all = Array.from({ length: total }, (_, at) => event(at + 1));
	await fc.assert(
		fc.asyncProperty(
			fc.array(
				fc.record({
					skip: fc.nat({ max: 5 }),
					back: fc.nat({ max: 5 }),
					take: fc.integer({ min: 1, max: 9 }),
					breaks: fc.boolean(),
				}),
				{ minLength: 1, maxLength: 6 },
			),
			async (turns) => {
				/** @type {Script[]} */
				const scripts = turns.map(({ skip, back, take, breaks }) => (response, cursor) => {
					const known = there(cursor);
					const from = Math.max(0, known - back);
					const sent = all.slice(from + skip, from + skip + take);
					const text = [hello(known, total), ...sent.map(frame)].join('');
					response.writeHead(200, { 'content-type': 'text/event-stream' });
					if (breaks) response.write(text.slice(0, -10), () => response.destroy());
					else response.end(text);
				});
				scripts.push((response, cursor) => {
					const known = there(cursor);
					plays(hello(known, total), ...all.slice(known).map(frame))(response);
				});
				const { seen, stream } = await reader({
					scripts,
					history: (after) => all.slice(after, after + 7),
					timing: { retry: 2, retryMost: 4, resume: 1 },
				});
				await until(() => seen.events.length >= total, 'all of them');
				stream.stop();
				assert.deepEqual(
					seen.events,
					all.map(({ seq }) => seq),
				);
				assert.deepEqual(seen.missing, []);
			},
		),
		{ numRuns: 20 },
	);
});
