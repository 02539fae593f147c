// Signed copies of a room: an honest one holds, whatever is changed in one is caught and named, and nobody can write
// or read on with one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openIdentity } from '../../static/crypto/identity.js';
import { derive, openMember } from '../../static/crypto/keys.js';
import { checkCopy } from '../../static/room/checking.js';
import { CopyError, CopyReader, CopyWriter, SECTIONS } from '../../static/room/copy.js';
import { admit, createRoom } from '../../static/room/rooms.js';
import { MemoryTables } from '../../static/storage/tables.js';
import { Store } from '../../static/storage/store.js';
import { decodeBase64url, encodeBase64url, hex, randomBytes, utf8 } from '../../static/values/bytes.js';
import { parseLink } from '../../static/values/link.js';
import { Api } from '../../static/wire/api.js';
import { enterRoom } from './entering.js';
import { TestServer } from './server.js';
import { there } from './there.js';
import { until } from './waiting.js';

/**
 * @import { Room } from '../../static/room/room.js'
 * @import { Checked } from '../../static/room/checking.js'
 * @import { Identity } from '../../static/crypto/identity.js'
 *
 * @typedef {Record<typeof SECTIONS[number], Record<string, any>[]> & { about: Record<string, any> }} Content What the lines of a copy say.
 */

/** @type {TestServer} */
let server;
/** @type {Room[]} */
const open = [];
/** @type {Store} Of whoever made the copy. */
let store;
/** @type {Room} */
let ada;
/** @type {Room} */
let ben;
/** @type {Blob} */
let honest;
/** @type {Identity} Of whoever made it. */
let maker;

/** @param {Store} store @param {import('../../static/storage/store.js').RoomRecord} record @param {string} name */
function enter(store, record, name) {
	return enterRoom(open, record, { store, api: new Api(server.base) }, name);
}

/** @param {string | null} url @param {string} name @param {Store} [own] */
async function enterBy(url, name, own = new Store(new MemoryTables(), false)) {
	const link = parseLink(there(url));
	assert.ok(link.state === 'ok');
	return enter(own, (await admit(own, link)).record, name);
}

/** @param {number} length */
const bytes = (length) => Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 255);

/** @param {Room} room @param {string} text */
const has = (room, text) =>
	until(
		() => room.entries.find((entry) => entry.type === 'message' && entry.text === text && entry.seq !== null),
		`${text} is here`,
	);

/** @param {Room} room @param {boolean} [files] */
const copyOf = (room, files = true) =>
	room.signedCopy({ files, signal: new AbortController().signal, progress: () => {} });

before(async () => {
	server = await TestServer.start();
	store = new Store(new MemoryTables(), false);
	const { record } = await createRoom(store, { name: 'Summer <trip>' }, new Api(server.base));
	ada = await enter(store, record, 'Ada');
	ben = await enterBy((await ada.ownLinks()).invite, 'Ben');
	const cleo = await enterBy((await ada.ownLinks()).invite, 'Cleo');
	await ada.send('Who brings the tent?');
	const { seq } = await has(ben, 'Who brings the tent?');
	await ben.send('I do', { replyTo: there(seq) });
	await ben.send('A secret that was a slip');
	const slip = await has(ben, 'A secret that was a slip');
	await cleo.send('Not yet');
	await has(ben, 'Not yet');
	await ben.remove(there(slip.seq));
	await ada.change({ title: 'Summer <trip> 2' });
	const guests = await ada.guests();
	const [removed, stays] = ['Cleo', 'Ben'].map((name) => there(guests.find((guest) => guest.name === name)).signer);
	await ada.renew({ remove: [there(removed)], stay: [there(stays)], links: [], sharePast: true });
	await ada.send('Here is the map', {
		file: { blob: new Blob([bytes(300_000)]), name: 'map.bin', type: 'application/x' },
	});
	const map = await has(ben, 'Here is the map');
	await ben.react(there(map.seq), '🎉', true);
	await ben.edit(there((await has(ben, 'I do')).seq), 'I do, a large one');
	await has(ada, 'I do, a large one');
	await until(
		() => ada.entries.some((entry) => entry.type === 'message' && entry.reactions[0]?.pending === false),
		'the reaction',
	);
	honest = (await copyOf(ada)).copy;
	maker = await openIdentity(there(await store.room(ada.room)).identity);
});

after(async () => {
	for (const room of open) room.close();
	await server.stop();
});

/** What a copy says. @param {Blob} copy @returns {Promise<Content>} */
async function contentOf(copy) {
	return JSON.parse(await copy.text());
}

/** A copy of other content, signed by whoever lies. @param {Content} content @param {Pick<Identity, 'signer' | 'sign'>} [by] */
async function signed(content, by = maker) {
	const writer = new CopyWriter();
	await writer.begin(content.about);
	for (const name of SECTIONS) await writer.section(name, content[name]);
	return writer.sign(by);
}

/** The honest copy, changed and signed again by its own maker, who lies. @param {(content: Content) => void} change */
async function lied(change) {
	const content = await contentOf(honest);
	change(content);
	return checkCopy(await signed(content));
}

/** The honest copy with its text changed, and nothing signed again. @param {(text: string) => string} change */
async function tampered(change) {
	return new Blob([change(await honest.text())]);
}

/** What is wrong with a copy, by name. @param {Checked} checked @returns {string[]} */
function wrongs({ faults, entries, files }) {
	return [
		...faults.map(({ code }) => code),
		...entries.flatMap(({ type, alarm }) =>
			['lost', 'unreadable', 'unauthorised'].includes(type) ? type : (alarm ?? []),
		),
		...Array.from(files.values()).filter((state) => state !== 'fits'),
	];
}

/** Another letter in the middle of a text. @param {string} text */
function bent(text) {
	const at = Math.floor(text.length / 2);
	return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
}

/** @param {Content} content @param {string} kind @param {number} [at] */
const event = (content, kind, at = 0) => there(content.events.filter((one) => one['kind'] === kind).at(at));

test('an honest copy holds, and shows what the room shows', async () => {
	const checked = await checkCopy(honest);
	assert.deepEqual(wrongs(checked), []);
	const { title, people, log, whole, maker: by } = checked;
	assert.deepEqual([title, whole, by.name, by.owner], ['Summer <trip> 2', true, 'Ada', true]);
	assert.deepEqual(
		people.map(({ name, owner, said, words }) => [name, owner, said, words.length]),
		[
			['Ada', true, 2, 8],
			['Ben', false, 1, 8],
			['Cleo', false, 1, 8],
		],
	);
	assert.equal(log.events, there(ada.info.lastSeq));
	const shown = (/** @type {readonly import('../../static/room/log.js').Entry[]} */ entries) =>
		entries.map((entry) => [
			entry.type,
			entry.name,
			entry.type === 'message' ? [entry.text, entry.edited !== null] : null,
		]);
	assert.deepEqual(shown(checked.entries), shown(ada.entries));
	const [file] = checked.entries.flatMap((entry) => (entry.type === 'message' ? entry.files : []));
	const read = new Uint8Array(await (await checked.readFile(there(file))).arrayBuffer());
	assert.deepEqual(read, bytes(300_000));
});

test('a member’s copy names them, one of who only reads does not, and files may stay out', async () => {
	const bens = await checkCopy((await copyOf(ben, false)).copy);
	assert.deepEqual([wrongs(bens), bens.maker.name], [['missing'], 'Ben']);
	const { url } = await ada.makeLink({ name: '', role: 'reader', openings: null, expiresInS: null });
	const reader = await enterBy(url, '');
	assert.deepEqual(wrongs(await checkCopy((await copyOf(reader)).copy)), ['stranger']);
	// Until now nobody had seen these words.
	await ada.send('After the copy');
	await has(reader, 'After the copy');
	assert.deepEqual(wrongs(await checkCopy((await copyOf(ben)).copy)), []);
});

test('nothing in a copy lets anybody write, or ask the server; nor is there what was deleted', async () => {
	const text = await honest.text();
	const record = there(await store.room(ada.room));
	const secrets = [record.owner, record.identity, await derive(there(record.owner), 'buddy/v2/owner-token')];
	for (const { secret, role, epoch } of await store.rotations(ada.room)) {
		assert.equal(role, 'member');
		const keys = await openMember(epoch, there(secret));
		secrets.push(keys.member, keys.reader, utf8(keys.readToken), utf8(keys.postToken));
		secrets.push(await derive(keys.reader, 'buddy/v2/past'), await derive(keys.member, 'buddy/v2/admit'));
		secrets.push(await derive(keys.member, 'buddy/v2/invite'));
	}
	for (const label of ['sign', 'box', 'author']) secrets.push(await derive(record.identity, `buddy/v2/${label}`));
	const links = await ada.links();
	const made = links.flatMap(({ url }) => (url ? [url.slice(url.lastIndexOf('.') + 1)] : []));
	assert.ok(made.length > 0 && secrets.length > 15);
	for (const secret of secrets.map((one) => there(one))) {
		for (const form of [encodeBase64url(secret), hex(secret), new TextDecoder().decode(secret)]) {
			assert.ok(!text.includes(form), 'a secret stands in the copy');
		}
	}
	for (const link of made) assert.ok(!text.includes(link), 'a link stands in the copy');
	// What is sealed is none of them either once it is opened: there is no link and no key in what is said.
	const erased = (await contentOf(honest)).events.filter(({ body }) => body === '');
	assert.equal(erased.length, 1);
});

test('whatever is changed after it was signed shows', async () => {
	const changes = /** @type {[string, (text: string) => string][]} */ ([
		['when it was made', (text) => text.replace(/"made_at_ms":\d/, '"made_at_ms":2')],
		['who made it', (text) => text.replace(`"by":"${maker.signer}"`, `"by":"${there(ben.ownSigner)}"`)],
		[
			'its signature',
			(text) => text.replace(/"signature":"([^"]+)"\}\}\n$/, (all, one) => all.replace(one, bent(one))),
		],
	]);
	for (const [what, change] of changes) {
		// Of a signature that was bent only its last letter may have been one that no signature has.
		const checked = await checkCopy(await tampered(change));
		assert.ok(wrongs(checked).includes('changed'), what);
	}
	const stranger = await signed(await contentOf(honest), await openIdentity(randomBytes(32)));
	assert.deepEqual(wrongs(await checkCopy(stranger)), ['stranger']);
});

test('a maker who lies about what was said is caught by those who said it', async () => {
	const cases = /** @type {[string, (content: Content) => void, string[]][]} */ ([
		[
			'a byte of a body',
			(copy) => (event(copy, 'message').body = bent(event(copy, 'message').body)),
			['unreadable', 'window'],
		],
		['a body of elsewhere', (copy) => (event(copy, 'message', 1).body = event(copy, 'message').body), ['unreadable']],
		['a time', (copy) => (event(copy, 'message').sent_at_ms += 1), ['window']],
		['one left out', (copy) => copy.events.splice(copy.events.indexOf(event(copy, 'message', 1)), 1), ['lost']],
		[
			'one left out and the rest numbered anew',
			(copy) => {
				copy.events.splice(copy.events.indexOf(event(copy, 'message', 1)), 1);
				for (const [at, one] of copy.events.entries()) one['seq'] = at + 1;
			},
			['window'],
		],
		[
			'two in another order',
			(copy) => {
				const [one, other] = [event(copy, 'message'), event(copy, 'message', 1)];
				[one.seq, other.seq] = [other.seq, one.seq];
				copy.events.sort((left, right) => left['seq'] - right['seq']);
			},
			['window'],
		],
		[
			'one erased by nobody',
			(copy) => Object.assign(event(copy, 'message'), { body: '', erased: '0'.repeat(64) }),
			['blanked', 'window'],
		],
		['the last ones cut off', (copy) => copy.events.splice(-2), ['head']],
		['what had been seen', (copy) => (copy.about['head'].digest = bent(copy.about['head'].digest)), ['head']],
		[
			'a card of somebody else’s',
			(copy) => (event(copy, 'card', 2).body = event(copy, 'card').body),
			['event', 'signer'],
		],
		[
			'a card that stands beside the log, bent',
			(copy) => copy.cards.push({ ...event(copy, 'card'), seq: 900, epoch: 0, body: bent(event(copy, 'card').body) }),
			['card'],
		],
		['no card', (copy) => copy.events.splice(copy.events.indexOf(event(copy, 'card', 2)), 1), ['lost', 'signer']],
		[
			'a rotation',
			(copy) => (there(copy.rotations[1])['signature'] = there(copy.rotations[0])['signature']),
			['rotation', 'key'],
		],
		['a rotation left out', (copy) => copy.rotations.splice(1), ['key', 'epoch']],
		['where an epoch begins', (copy) => (there(copy.rotations[1])['seq'] = 2), []],
		['a key', (copy) => (there(copy.keys[0])['content'] = bent(there(copy.keys[0])['content'])), ['key', 'unreadable']],
		[
			'a byte of a file',
			(copy) => (there(copy.files[1])['sealed'] = bent(there(copy.files[1])['sealed'])),
			['damaged'],
		],
		['the parts of a file', (copy) => copy.files.reverse(), ['damaged']],
		['a part of a file left out', (copy) => copy.files.pop(), ['damaged']],
		['a file of no message', (copy) => (there(copy.files[0])['id'] = '00'.repeat(16)), ['file', 'damaged']],
	]);
	for (const [what, change, expected] of cases) {
		const found = wrongs(await lied(change));
		for (const code of expected) assert.ok(found.includes(code), `${what}: ${code} is not among ${found}`);
		assert.equal(found.length > 0, expected.length > 0, `${what}: ${found}`);
	}
});

test('a maker who lies cannot put words into a mouth', async () => {
	const content = await contentOf(honest);
	const { seal } = await import('../../static/crypto/envelope.js');
	const { importAes } = await import('../../static/crypto/keys.js');
	const liar = await openIdentity(randomBytes(32));
	const epoch = 1;
	const key = await importAes(there(decodeBase64url(there(content.keys[1])['content'])));
	const seq = content.events.length + 1;
	const { author } = event(content, 'message', 1);
	const place = { room: ada.room, epoch, kind: 'message', client_id: 'ab', author, target: null };
	const body = await seal(key, liar, place, { at_ms: 1, text: 'I never said that', prev: null });
	content.events.push({
		...place,
		seq,
		body,
		sent_at_ms: content.about['made_at_ms'],
		room: undefined,
		epoch: undefined,
	});
	content.about['head'] = null;
	assert.deepEqual(wrongs(await checkCopy(await signed(content))), ['signer']);
});

test('what is no copy, or not a whole one, is said to be so, and where', async () => {
	const text = await honest.text();
	const lines = text.split('\n');
	const cases = /** @type {[string, string | Uint8Array<ArrayBuffer>, string, number][]} */ ([
		['nothing', '', 'no_copy', 1],
		['a picture', bytes(3_000_000), 'no_copy', 1],
		['other JSON', '{"a":1}\n', 'no_copy', 1],
		['of a later version', text.replace('"version":1', '"version":2'), 'newer', 1],
		['cut off in the middle', text.slice(0, text.length / 2), 'cut_off', 0],
		['cut off at a line', `${lines.slice(0, 9).join('\n')}\n`, 'cut_off', 10],
		['without its signature', `${lines.slice(0, -2).join('\n')}\n`, 'cut_off', lines.length - 1],
		['with more behind it', `${text}{}\n`, 'malformed', lines.length],
		['written anew by another program', JSON.stringify(JSON.parse(text), null, 1), 'no_copy', 1],
		['of a line that is no JSON', text.replace('\n{"seq":1,', '\n{"seq":1,,'), 'malformed', 0],
		['of another room', text.replaceAll(ada.room, 'ab'.repeat(32)), 'no_room', 4],
	]);
	for (const [what, content, code, line] of cases) {
		const cause = await checkCopy(new Blob([content])).then(
			() => assert.fail(`${what} is taken for a copy`),
			(error) => error,
		);
		assert.ok(cause instanceof CopyError, `${what}: ${cause}`);
		assert.equal(cause.code, code, what);
		if (line > 0) assert.equal(cause.line, line, what);
	}
	const swapped = lines.slice();
	const at = lines.findIndex((one) => one.startsWith(',{"seq":3,'));
	[swapped[at], swapped[at + 1]] = [there(lines[at + 1]), there(lines[at])];
	await assert.rejects(checkCopy(new Blob([swapped.join('\n')])), { code: 'order', line: at + 2 });
});

test('a copy is written and read in pieces, wherever they end', async () => {
	const text = await honest.text();
	const encoded = utf8(text);
	const pieces = Array.from({ length: Math.ceil(encoded.length / 977) }, (_, at) =>
		encoded.slice(at * 977, at * 977 + 977),
	);
	const file = /** @type {Blob} */ (
		/** @type {unknown} */ ({
			size: encoded.length,
			stream: () => new ReadableStream({ pull: (to) => (pieces[0] ? to.enqueue(pieces.shift()) : to.close()) }),
			slice: (/** @type {number} */ from, /** @type {number} */ to) => new Blob([encoded]).slice(from, to),
		})
	);
	const checked = await checkCopy(file);
	assert.deepEqual(wrongs(checked), []);
	const reader = new CopyReader(new Blob([text]));
	assert.equal((await reader.begin())['room'], ada.room);
	// A person, or another program, reads it as the JSON that it is.
	assert.equal(JSON.parse(text).events.length, checked.log.events);
});
