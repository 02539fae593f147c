import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { Log } from '../../static/room/log.js';

const ADA = { signer: 'ada-key', author: 'ada-id', name: 'Ada' };
const BEN = { signer: 'ben-key', author: 'ben-id', name: 'Ben' };
const OWNER = { signer: 'owner-key', author: 'owner-id', name: 'Olga' };

const newLog = (me = ADA) => new Log({ signer: me.signer, author: me.author, ownerSigner: OWNER.signer });

/** An event whose body opened: by whom, saying what. */
function item(seq, by, kind, content = {}, { target = null, client_id = `id-${seq}`, ...event } = {}) {
	const target_id = target === null ? {} : { target_id: `id-${target}` };
	return {
		event: { seq, kind, client_id, author: by.author, target, body: `sealed-${seq}`, sent_at_ms: seq * 1000, ...event },
		opened: { ok: true, signer: by.signer, content: { name: by.name, at_ms: seq * 1000, ...target_id, ...content } },
		hash: `hash-${seq}`,
	};
}

const says = (seq, by, text = `text ${seq}`, more) => item(seq, by, 'message', { text }, more);
const edits = (seq, by, target, text, content = {}) => item(seq, by, 'edit', { text, ...content }, { target });
const deletes = (seq, by, target, content = {}) => item(seq, by, 'delete', content, { target });
const reacts = (seq, by, target, emoji, on = true, content = {}) =>
	item(seq, by, 'react', { emoji, on, ...content }, { target });
const unopened = (seq, kind, fault, event = {}) => ({
	...item(seq, BEN, kind, {}, event),
	opened: { ok: false, fault },
});
const blanked = (held, signer = null) => ({ ...held, event: { ...held.event, body: '' }, opened: null, signer });

function fold(...items) {
	const log = newLog();
	log.add(items);
	return log;
}

const named = (name, taken = false) => ({ name, taken });
const types = (log) => log.entries.map(({ type }) => type);

test('messages show in the order of their sequence, own ones as such', () => {
	const log = fold(says(1, ADA), says(2, BEN), says(3, OWNER));
	assert.deepEqual(
		log.entries.map(({ seq, key, text, name, own, byOwner, state }) => [seq, key, text, name, own, byOwner, state]),
		[
			[1, 'id-1', 'text 1', 'Ada', true, false, 'sent'],
			[2, 'id-2', 'text 2', 'Ben', false, false, 'sent'],
			[3, 'id-3', 'text 3', 'Olga', false, true, 'sent'],
		],
	);
	assert.deepEqual(log.previous, { seq: 3, sha256: 'hash-3' });
});

test('an edit by the key that signed the message replaces its text, the last one last', () => {
	const log = fold(says(1, BEN, 'one'), edits(2, BEN, 1, 'two'), edits(3, BEN, 1, 'three'));
	assert.deepEqual(types(log), ['message']);
	assert.equal(log.entry(1).text, 'three');
	assert.deepEqual(log.entry(1).edited, { atMs: 3000, pending: false });
});

test("an edit by another key, even the owner's, changes nothing and shows", () => {
	for (const by of [ADA, OWNER]) {
		const log = fold(says(1, BEN, 'one'), edits(2, by, 1, 'I am a fool'));
		assert.equal(log.entry(1).text, 'one');
		assert.equal(log.entry(1).edited, null);
		assert.deepEqual([log.entry(2).type, log.entry(2).kind, log.entry(2).target], ['unauthorised', 'edit', 1]);
	}
});

test('an edit or reaction meant for another message changes nothing', () => {
	const log = fold(
		says(1, BEN, 'one'),
		edits(2, BEN, 1, 'two', { target_id: 'id-9' }),
		reacts(3, ADA, 1, '👍', true, { target_id: 'id-9' }),
	);
	assert.equal(log.entry(1).text, 'one');
	assert.deepEqual(log.entry(1).reactions, []);
	assert.deepEqual(types(log), ['message', 'unauthorised', 'unauthorised']);
});

test("a deletion is the author's, the owner's, or else the server's", () => {
	const deletions = [
		[deletes(2, BEN, 1), 'author'],
		[deletes(2, OWNER, 1), 'owner'],
		[deletes(2, ADA, 1), 'server'],
		[deletes(2, BEN, 1, { target_id: 'id-9' }), 'server'],
		[unopened(2, 'delete', 'forged', { target: 1 }), 'server'],
		[unopened(2, 'delete', 'undecryptable', { target: 1 }), 'server'],
		[blanked(deletes(2, BEN, 1)), 'server'],
	];
	for (const [deletion, by] of deletions) {
		const log = fold(says(1, BEN), deletion);
		assert.deepEqual(
			log.entries.map(({ type, by }) => [type, by]),
			[['removed', by]],
			by,
		);
		assert.equal(log.entries[0].text, undefined);
	}
});

test('a message blanked without a deletion was removed by the server', () => {
	assert.equal(fold(blanked(says(1, BEN))).entry(1).by, 'server');
});

test('a deletion of what was blanked before it was read is judged by what remains', () => {
	const blank = blanked(says(1, BEN));
	assert.equal(fold(blank, deletes(2, BEN, 1)).entry(1).by, 'author');
	assert.equal(fold(blank, deletes(2, OWNER, 1)).entry(1).by, 'owner');
	assert.equal(fold(blank, deletes(2, ADA, 1)).entry(1).by, 'server');
	const remembered = blanked(says(1, BEN), BEN.signer);
	assert.equal(fold(remembered, deletes(2, BEN, 1)).entry(1).by, 'author');
	const other = { ...BEN, signer: 'another-key' };
	assert.equal(fold(remembered, deletes(2, other, 1)).entry(1).by, 'server');
});

test('who deleted what was blanked before it was read must have the key that speaks under the same member id', () => {
	const gone = blanked(says(1, BEN));
	const byAnother = { ...deletes(2, BEN, 1), opened: { ...deletes(2, OWNER, 1).opened, signer: 'another-key' } };
	assert.equal(fold(gone, byAnother).entry(1).by, 'author', 'nothing else is known of them');
	assert.equal(fold(gone, byAnother, says(3, BEN)).entry(1).by, 'server');
	assert.equal(fold(gone, deletes(2, BEN, 1), says(3, BEN)).entry(1).by, 'author');
	// Older history tells whose the member id is.
	const told = { ...byAnother.opened, content: { ...byAnother.opened.content, target_id: 'id-11' } };
	const late = newLog();
	late.add([blanked(says(11, BEN)), { ...deletes(12, BEN, 11), opened: told }]);
	assert.equal(late.entry(11).by, 'author');
	assert.ok(late.add([says(3, BEN)]).changed.has('id-11'));
	assert.equal(late.entry(11).by, 'server');
	const learnt = newLog();
	learnt.add([blanked(says(11, BEN)), { ...deletes(12, BEN, 11), opened: told }]);
	assert.ok(learnt.learnUses([says(3, BEN)]).changed.has('id-11'));
	assert.equal(learnt.entry(11).by, 'server');
});

test('an edit that comes after a deletion, or from a blanked body, brings nothing back', () => {
	const log = fold(says(1, BEN), deletes(2, BEN, 1), edits(3, BEN, 1, 'back again'), blanked(edits(4, BEN, 1, '')));
	assert.deepEqual(types(log), ['removed']);
});

test('reactions count by key, and each key takes back only its own', () => {
	const log = fold(
		says(1, BEN),
		reacts(2, ADA, 1, '👍'),
		reacts(3, BEN, 1, '👍'),
		reacts(4, ADA, 1, '👍'),
		reacts(5, BEN, 1, '🎉'),
	);
	assert.deepEqual(log.entry(1).reactions, [
		{ emoji: '👍', count: 2, own: true, names: [named('Ada'), named('Ben')], pending: false },
		{ emoji: '🎉', count: 1, own: false, names: [named('Ben')], pending: false },
	]);
	log.add([reacts(6, ADA, 1, '👍', false), reacts(7, OWNER, 1, '🎉', false)]);
	assert.deepEqual(
		log.entry(1).reactions.map(({ emoji, count, own }) => [emoji, count, own]),
		[
			['👍', 1, false],
			['🎉', 1, false],
		],
	);
});

test('what is no emoji is no reaction', () => {
	for (const emoji of ['', 'no', 'a👍', '👍'.repeat(30), ' ', '\u202e', '<b>', '1']) {
		assert.deepEqual(fold(says(1, BEN), reacts(2, BEN, 1, emoji)).entry(1).reactions, [], emoji);
	}
	for (const emoji of ['👍🏽', '👩‍👩‍👧‍👦', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '1️⃣', '🇫🇷', '❤️']) {
		assert.equal(fold(says(1, BEN), reacts(2, BEN, 1, emoji)).entry(1).reactions.length, 1, emoji);
	}
});

test('a client id seen before is never applied again', () => {
	const replayed = { client_id: 'id-1' };
	const log = fold(says(1, BEN, 'once'), says(2, BEN, 'once', replayed), edits(3, BEN, 1, 'edited'));
	log.add([item(4, BEN, 'edit', { text: 'edited before' }, { target: 1, client_id: 'id-3' })]);
	assert.deepEqual(
		log.entries.map(({ seq, text }) => [seq, text]),
		[[1, 'edited']],
	);
	const resurrected = fold(blanked(says(1, BEN)), deletes(2, BEN, 1), says(3, BEN, 'back', replayed));
	assert.deepEqual(types(resurrected), ['removed']);
});

test('a client id that was first used far above is known, too', () => {
	const log = newLog();
	const replayed = says(900, BEN, 'yes, do it', { client_id: 'id-7' });
	log.add([says(899, ADA), replayed]);
	assert.deepEqual(types(log), ['message', 'message']);
	assert.ok(log.rememberUses([['id-899', 899]]).changed.size === 0);
	assert.ok(log.rememberUses([['id-7', 7]]).changed.has('id-7'));
	assert.deepEqual(types(log), ['message']);
	const warned = newLog();
	warned.learnUses([says(7, BEN)]);
	warned.add([says(899, ADA), replayed]);
	assert.deepEqual(types(warned), ['message']);
});

test('a name in a reaction is marked where another key used it first', () => {
	const thief = { ...OWNER, name: 'ＢＥＮ' };
	const log = fold(says(1, BEN), reacts(2, BEN, 1, '👍'), reacts(3, thief, 1, '👍'));
	assert.deepEqual(log.entry(1).reactions[0].names, [named('Ben'), named('ＢＥＮ', true)]);
	// Older history may settle it otherwise, and shows that at the message that was reacted to.
	const late = newLog();
	late.add([says(11, ADA), reacts(12, BEN, 11, '👍')]);
	assert.ok(late.add([says(1, { ...OWNER, name: 'Ben' })]).changed.has('id-11'));
	assert.deepEqual(late.entry(11).reactions[0].names, [named('Ben', true)]);
});

test('a name belongs to the key that first used it, however it is written', () => {
	for (const name of ['Ada', 'ADA', 'ａｄａ', 'A\u200bda', 'Ad\u00ada', ' ada ', 'a\u2060d\ufe0fa']) {
		const thief = { ...BEN, name };
		const log = fold(says(1, ADA), says(2, thief), says(3, BEN));
		assert.deepEqual(
			log.entries.map(({ nameTaken }) => nameTaken),
			[false, true, false],
			JSON.stringify(name),
		);
		assert.equal(log.isNameTaken(name, BEN.signer), true);
		assert.equal(log.isNameTaken(name, ADA.signer), false);
	}
});

test('older history settles whose a name was', () => {
	const log = fold(says(10, { ...BEN, name: 'Ada' }), says(11, ADA));
	assert.deepEqual(
		log.entries.map(({ nameTaken }) => nameTaken),
		[false, true],
	);
	const { changed } = log.add([says(5, ADA)]);
	assert.deepEqual(
		log.entries.map(({ nameTaken }) => nameTaken),
		[false, true, false],
	);
	assert.deepEqual(Array.from(changed).sort(), ['id-10', 'id-11', 'id-5']);
	const later = newLog();
	later.rememberNames(log.names);
	later.add([says(20, { ...BEN, name: 'Ada' })]);
	assert.equal(later.entry(20).nameTaken, true);
});

test('what does not open is shown as such and never as text', () => {
	const log = fold(
		unopened(1, 'message', 'undecryptable'),
		unopened(2, 'message', 'forged'),
		unopened(3, 'message', 'malformed'),
		unopened(4, 'message', 'newer'),
		item(5, BEN, 'message', {}),
		says(6, BEN),
		unopened(7, 'edit', 'forged', { target: 6 }),
		{ ...unopened(8, 'poll', 'malformed'), opened: null },
	);
	assert.deepEqual(
		log.entries.map(({ type, reason }) => [type, reason]),
		[
			['unreadable', 'undecryptable'],
			['unreadable', 'forged'],
			['unreadable', 'malformed'],
			['newer', undefined],
			['unreadable', 'malformed'],
			['message', undefined],
			['unreadable', 'forged'],
			['newer', undefined],
		],
	);
	assert.ok(log.entries.every((entry) => entry.type === 'message' || !('text' in entry)));
});

test('a writer who had seen something else makes the loss show', () => {
	const seen = (seq, sha256) => ({ text: 'x', prev: { seq, sha256 } });
	const honest = fold(says(1, ADA), item(2, BEN, 'message', seen(1, 'hash-1')));
	assert.equal(honest.entry(2).withheld, false);
	const changed = fold(says(1, ADA), item(2, BEN, 'message', seen(1, 'other')));
	assert.equal(changed.entry(2).withheld, true);
	const shifted = fold(says(1, ADA), item(2, BEN, 'message', seen(2, 'hash-9')));
	assert.equal(shifted.entry(2).withheld, true);
	const deleted = fold(blanked(says(1, ADA)), item(2, BEN, 'message', seen(1, 'before it was blanked')));
	assert.equal(deleted.entry(2).withheld, false);
	const reaction = fold(says(1, ADA), reacts(2, BEN, 1, '👍', true, { prev: { seq: 1, sha256: 'other' } }));
	assert.deepEqual(types(reaction), ['message', 'lost']);
	assert.equal(reaction.entry(1).reactions.length, 1);
	const late = newLog();
	late.add([item(5, BEN, 'message', seen(4, 'other'))]);
	assert.equal(late.entry(5).withheld, false);
	assert.ok(late.add([says(4, ADA)]).changed.has('id-5'));
	assert.equal(late.entry(5).withheld, true);
});

test('what is blanked without a deletion, as the edits of an expired message, makes no loss show', () => {
	const edit = edits(2, BEN, 1, 'two');
	const newcomer = newLog();
	newcomer.add([says(1, ADA), blanked(edit)]);
	assert.deepEqual(newcomer.previous, { seq: 1, sha256: 'hash-1' });
	const onlyBlanked = newLog();
	onlyBlanked.add([blanked(edit)]);
	assert.equal(onlyBlanked.previous, undefined);
	const reader = fold(says(1, ADA), edit, item(3, OWNER, 'message', { text: 'x', prev: newcomer.previous }));
	assert.equal(reader.entry(3).withheld, false);
});

test('what is of unknown shape has no time', () => {
	const log = fold(says(1, ADA), { ...item(2, BEN, 'unknown/', {}, { sent_at_ms: 0, body: '' }), opened: null });
	assert.deepEqual(
		log.entries.map(({ type, sentAtMs }) => [type, sentAtMs]),
		[
			['message', 1000],
			['newer', null],
		],
	);
});

test('an answer names what it answers, and says if that is something else', () => {
	const log = fold(
		says(1, ADA),
		item(2, BEN, 'message', { text: 'yes' }, { target: 1 }),
		item(3, BEN, 'message', { text: 'no', target_id: 'id-9' }, { target: 1 }),
	);
	assert.deepEqual([log.entry(2).replyTo, log.entry(2).replyBroken], [{ seq: 1, clientId: 'id-1' }, false]);
	assert.equal(log.entry(3).replyBroken, true);
});

test('changes of the room show; a new name only if the owner signed it', () => {
	const body = (said) => ({
		event: {
			seq: 1,
			kind: 'room',
			client_id: 'r',
			author: null,
			target: null,
			body: JSON.stringify(said),
			sent_at_ms: 1,
		},
		hash: 'h',
	});
	const changes = (said, opened = null) => fold({ ...body(said), opened }).entries[0].changes;
	assert.deepEqual(changes({ locked: true, message_ttl_s: 60, expires_in_s: null }), {
		locked: true,
		messageTtlS: 60,
		expiresInS: null,
	});
	const about = (by, name) => ({ ok: true, signer: by.signer, content: { name } });
	assert.deepEqual(changes({ about: 'v1.x' }, about(OWNER, 'Trip')), { title: 'Trip' });
	assert.deepEqual(changes({ about: 'v1.x' }, about(BEN, 'Trap')), { titleForged: true });
	assert.deepEqual(changes({ about: 'v1.x' }, { ok: false, fault: 'forged' }), { titleForged: true });
	assert.deepEqual(changes({ locked: 'yes', message_ttl_s: 'long' }), {});
	assert.deepEqual(fold({ ...body(null), opened: null }).entries[0].changes, {});
});

const unsent = (clientId, kind, content, more) => ({
	clientId,
	kind,
	target: null,
	content: { name: 'Ada', at_ms: 9, ...content },
	state: 'sending',
	error: null,
	...more,
});

test('what is unsent comes last, under the key it keeps', () => {
	const log = fold(says(1, BEN));
	log.setUnsent([unsent('id-2', 'message', { text: 'mine' })]);
	assert.deepEqual(
		log.entries.map(({ key, seq, text, state }) => [key, seq, text, state]),
		[
			['id-1', 1, 'text 1', 'sent'],
			['id-2', null, 'mine', 'sending'],
		],
	);
	log.setUnsent([unsent('id-2', 'message', { text: 'mine' }, { state: 'failed', error: 'room_full' })]);
	assert.deepEqual([log.entries[1].state, log.entries[1].error], ['failed', 'room_full']);
	const { changed } = log.add([says(2, ADA, 'mine')]);
	assert.ok(changed.has('id-2'));
	assert.deepEqual(
		log.entries.map(({ key, seq, state }) => [key, seq, state]),
		[
			['id-1', 1, 'sent'],
			['id-2', 2, 'sent'],
		],
	);
});

test('own changes show at once as pending, and once only', () => {
	const log = fold(says(1, ADA, 'one'));
	const waiting = [
		unsent('id-2', 'edit', { text: 'two', target_id: 'id-1' }, { target: 1 }),
		unsent('id-3', 'react', { emoji: '👍', on: true, target_id: 'id-1' }, { target: 1 }),
	];
	log.setUnsent(waiting);
	const pending = log.entry(1);
	assert.deepEqual([pending.text, pending.edited.pending, pending.pending], ['two', true, true]);
	assert.deepEqual(pending.reactions, [{ emoji: '👍', count: 1, own: true, names: [named('Ada')], pending: true }]);
	log.add([edits(2, ADA, 1, 'two'), reacts(3, ADA, 1, '👍')]);
	const done = log.entry(1);
	assert.deepEqual(
		[done.text, done.edited, done.pending, done.reactions[0].pending],
		['two', { atMs: 2000, pending: false }, false, false],
	);
	assert.equal(log.entries.length, 1);
});

test('an own change that failed is undone and says so', () => {
	const log = fold(says(1, ADA, 'one'));
	const edit = unsent('id-2', 'edit', { text: 'two' }, { target: 1 });
	log.setUnsent([edit]);
	log.setUnsent([{ ...edit, state: 'failed', error: 'room_locked' }]);
	assert.equal(log.entry(1).text, 'one');
	assert.deepEqual(log.entries[1], {
		...log.entries[1],
		type: 'failed_change',
		kind: 'edit',
		target: 1,
		text: 'two',
		error: 'room_locked',
	});
	log.setUnsent([]);
	assert.equal(log.entries.length, 1);
});

test("nobody else's message can be pending to be edited", () => {
	const log = fold(says(1, BEN, 'one'));
	log.setUnsent([unsent('id-2', 'edit', { text: 'two' }, { target: 1 })]);
	assert.equal(log.entry(1).text, 'one');
});

test('what has expired goes; what it had named stays taken', () => {
	const log = fold(says(1, ADA), says(2, BEN), edits(3, ADA, 1, 'late'), says(4, BEN));
	assert.equal(log.firstAfter(1500), 2);
	assert.equal(log.firstAfter(99_000), 5);
	const { changed } = log.dropBefore(2);
	assert.deepEqual(Array.from(changed), ['id-1']);
	assert.deepEqual(
		log.entries.map(({ seq }) => seq),
		[2, 4],
	);
	assert.equal(log.first, 2);
	assert.equal(log.isNameTaken('Ada', BEN.signer), true);
	log.add([says(5, ADA, 'again', { client_id: 'id-1' })]);
	assert.deepEqual(
		log.entries.map(({ seq }) => seq),
		[2, 4],
	);
});

test('what the server lost is kept in one entry, and the log goes on', () => {
	const log = fold(says(1, ADA), says(2, BEN), reacts(3, BEN, 1, '👍'), says(4, BEN));
	const { changed } = log.loseAfter(1);
	assert.deepEqual(types(log), ['message', 'lost']);
	assert.deepEqual(
		log.entries[1].kept.map(({ text }) => text),
		['text 2', 'text 4'],
	);
	assert.deepEqual(log.entry(1).reactions, []);
	for (const key of ['id-1', 'id-2', 'id-4', log.entries[1].key]) assert.ok(changed.has(key), key);
	log.add([says(2, BEN, 'anew', { client_id: 'id-9' })]);
	assert.deepEqual(types(log), ['message', 'lost', 'message']);
	assert.deepEqual(log.previous, { seq: 2, sha256: 'hash-2' });
});

test('what the server skips shows where it is missing', () => {
	const log = fold(says(1, ADA));
	log.noteLost(3, []);
	log.add([says(4, ADA)]);
	assert.deepEqual(types(log), ['message', 'lost', 'message']);
});

test('an entry is a new object exactly when it changed', () => {
	const log = fold(says(1, BEN), says(2, BEN), says(3, BEN));
	const before = log.entries;
	const { changed } = log.add([edits(4, BEN, 2, 'changed')]);
	assert.deepEqual(Array.from(changed), ['id-2']);
	assert.deepEqual(
		log.entries.map((entry, at) => entry === before[at]),
		[true, false, true],
	);
});

test('the outcome depends on the sequence alone, not on the order of arrival', () => {
	const people = [ADA, BEN, OWNER, { ...BEN, signer: 'thief', name: 'ADA' }];
	const all = fc
		.array(
			fc.record({
				who: fc.nat({ max: 3 }),
				what: fc.nat({ max: 5 }),
				target: fc.nat({ max: 30 }),
				again: fc.nat({ max: 30 }),
			}),
			{ minLength: 1, maxLength: 30 },
		)
		.map((made) =>
			made.map(({ who, what, target, again }, at) => {
				const seq = at + 1;
				const by = people[who];
				const to = (target % seq) + 1;
				const prev = { seq: to, sha256: what === 5 ? 'wrong' : `hash-${to}` };
				if (what === 0) return edits(seq, by, to, `edit ${seq}`);
				if (what === 1) return deletes(seq, by, to);
				if (what === 2) return reacts(seq, by, to, '👍', again % 2 === 0);
				if (what === 3) return says(seq, by, 'replayed', { client_id: `id-${(again % seq) + 1}` });
				return item(seq, by, 'message', { text: `text ${seq}`, prev });
			}),
		);
	const shown = (log) => log.entries.map(({ ...entry }) => entry);
	fc.assert(
		fc.property(all, fc.infiniteStream(fc.nat()), (items, draws) => {
			const expected = shown(fold(...items));
			const log = newLog();
			const rest = [...items];
			while (rest.length > 0) {
				const at = draws.next().value % rest.length;
				log.add(rest.splice(at, 1 + (draws.next().value % 4)));
			}
			assert.deepEqual(shown(log), expected);
		}),
		{ numRuns: 300 },
	);
});

test('ten thousand messages fold quickly, at once, one by one and backwards', () => {
	const items = Array.from({ length: 10_000 }, (_, at) =>
		at % 10 === 9 ? reacts(at + 1, BEN, at, '👍') : says(at + 1, at % 2 ? ADA : BEN),
	);
	const times = [
		(log) => log.add(items),
		(log) => items.forEach((one) => (log.add([one]), log.entries.length)),
		(log) => {
			for (let at = items.length - 100; at >= 0; at -= 100) log.add(items.slice(at, at + 100));
		},
	].map((way) => {
		const log = newLog();
		const begun = performance.now();
		way(log);
		assert.equal(log.entries.length, 9000);
		return performance.now() - begun;
	});
	assert.ok(times[0] < 1_000 && times[1] < 5_000 && times[2] < 1_000, `took ${times.map(Math.round)} ms`);
});
