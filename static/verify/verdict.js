// What checking a copy came to, for people: first whether it holds, what was looked at and who is in it, then what was
// said. Whatever stands in a copy is text, or a file of a known kind.

import { entryAlarm, lostAlarm, roomAlarm } from '../chat/alarms.js';
import { lineOf, nameInText, shownName } from '../chat/describe.js';
import { kindOf, nameOf, pictureType } from '../chat/kinds.js';
import { decodeBase64url } from '../values/bytes.js';
import { cleanText, gist, quoteOf } from '../values/text.js';
import { dateAndTime, dateOf, dayKey, exactTime, timeOfDay } from '../values/when.js';
import { sizeText, t } from '../values/words.js';
import { button, make, makeAvatar } from '../view/dom.js';
import { save } from '../view/saving.js';
import { Tints } from '../view/tints.js';

/**
 * @import { SentFile } from '../crypto/content.js'
 * @import { Checked, Fault, Somebody } from '../room/checking.js'
 * @import { Entry } from '../room/log.js'
 * @import { Key } from '../values/words.js'
 *
 * @typedef {{ text: string, entry: Entry | null }} Remark Something to be told of, and where it stands in the conversation.
 */

/** @type {Record<Fault['code'], Key>} */
const FAULTS = {
	changed: 'faultChanged',
	stranger: 'faultStranger',
	rotation: 'faultRotation',
	key: 'faultKey',
	card: 'faultCard',
	head: 'faultHead',
	event: 'faultEvent',
	file: 'faultFile',
};

/** Entries that are drawn at once. */
const AT_ONCE = 300;
/** More remarks of one copy than anybody reads; all stand where they belong. */
const MOST_REMARKS = 30;

/** @param {Checked} checked @param {string} name The file's. @returns {HTMLElement[]} */
export function drawChecked(checked, name) {
	return [drawVerdict(checked, name), drawPeople(checked), drawConversation(checked)];
}

/** @param {Checked} checked @param {string} name */
function drawVerdict(checked, name) {
	const [grave, light] = remarksOf(checked);
	const [tone, title] = /** @type {[string, Key]} */ (
		grave.length > 0
			? ['danger', 'verdictBad']
			: light.length > 0
				? ['warm', 'verdictRemarks']
				: ['good', 'verdictGood']
	);
	const { title: room, maker, madeAtMs, log, whole, files, faults } = checked;
	const count = (/** @type {string} */ state) => Array.from(files.values()).filter((one) => one === state).length;
	const facts = [
		[t('factRoom'), room || t('unnamedRoom')],
		[t('factMaker'), `${whoMade(checked)}, ${dateAndTime(madeAtMs)}`],
		[t('factLog'), t('factLogText', log)],
		[t('factFile'), name],
	];
	if (!faults.some(({ code }) => code === 'changed')) facts.splice(2, 0, [t('factWords'), maker.words.join(' ')]);
	if (count('fits') > 0) facts.push([t('factFiles'), t('filesFit', { count: count('fits') })]);
	if (count('missing') > 0) facts.push([t('factFiles'), t('filesMissing', { count: count('missing') })]);
	if (!whole) facts.push([t('factBefore'), t('factBeforeText', { first: log.first })]);
	return make(
		'section',
		{ class: 'verdict', 'data-tone': tone },
		make('h2', { tabindex: '-1' }, t(title)),
		grave.length > 0 ? drawRemarks(grave) : '',
		light.length > 0 ? drawRemarks(light) : '',
		make(
			'dl',
			{},
			...facts.map(([what = '', is = '']) => make('div', {}, make('dt', {}, what), make('dd', { dir: 'auto' }, is))),
		),
		make('p', { class: 'fine' }, t('verdictMeaning')),
	);
}

/** @param {Checked} checked */
function whoMade({ maker, faults }) {
	if (faults.some(({ code }) => code === 'changed' || code === 'stranger')) return t('makerUnknown');
	return nameInText(maker);
}

/** @param {Checked} checked @returns {[grave: Remark[], light: Remark[]]} */
function remarksOf({ faults, entries, alarms, files }) {
	/** @type {Remark[]} */
	const grave = [];
	/** @type {Remark[]} */
	const light = [];
	for (const { code, at } of faults) {
		const remark = { text: t(FAULTS[code], { at }), entry: null };
		(code === 'stranger' ? light : grave).push(remark);
	}
	for (const entry of entries) {
		const alarm = alarmOf(entry);
		if (alarm) grave.push({ text: alarm, entry });
		else if (entry.type === 'unauthorised' || entry.type === 'newer') light.push({ text: lineOf(entry), entry });
		if (entry.type !== 'message') continue;
		for (const file of entry.files) {
			if (files.get(file.id) === 'damaged') grave.push({ text: t('fileNotWhole', { name: nameOf(file) }), entry });
		}
	}
	for (const alarm of alarms) {
		const { text } = roomAlarm(alarm);
		light.push({ text: t('makerSaw', { text }), entry: null });
	}
	return [grave, light];
}

/** What is wrong with an entry, in a line. @param {Entry} entry @returns {string | null} */
function alarmOf(entry) {
	if (entry.type === 'lost') return lostAlarm(entry.how).text;
	if (entry.type === 'removed' && entry.by === 'server') return entryAlarm('blanked').text;
	if (entry.alarm) return entryAlarm(entry.alarm).text;
	if (entry.type === 'unreadable' || entry.type === 'alarm') return lineOf(entry);
	return entry.type === 'change' && entry.doer === 'server' ? t('serverState') : null;
}

/** @param {Remark[]} remarks */
function drawRemarks(remarks) {
	const list = make('ul', { class: 'remarks' });
	for (const { text, entry } of remarks.slice(0, MOST_REMARKS)) {
		const item = make('li', {}, text);
		if (entry)
			item.append(
				' ',
				button(t('showPlace'), () => goTo(entry), 'plain'),
			);
		list.append(item);
	}
	if (remarks.length > MOST_REMARKS)
		list.append(make('li', {}, t('andMore', { count: remarks.length - MOST_REMARKS })));
	return list;
}

/** Draws up to an entry. @type {(entry: Entry) => void} */
let drawUpTo = () => {};

/** @param {Entry} entry */
function goTo(entry) {
	drawUpTo(entry);
	const item = document.getElementById(placeOf(entry));
	item?.scrollIntoView({ block: 'center' });
	item?.focus({ preventScroll: true });
}

/** @param {Entry} entry */
function placeOf({ key }) {
	return `entry-${key}`;
}

/** @param {Checked} checked */
function drawPeople({ people }) {
	const list = make('ul', { class: 'people' });
	for (const person of people) {
		const { owner, said, words } = person;
		list.append(
			make(
				'li',
				{},
				make(
					'p',
					{},
					make('strong', { dir: 'auto' }, calledOf(person)),
					owner ? ` · ${t('owner')}` : '',
					` · ${t('messagesOf', { count: said })}`,
				),
				make('code', {}, words.join(' ')),
			),
		);
	}
	return make('section', {}, make('h2', {}, t('people')), make('p', { class: 'fine' }, t('peopleText')), list);
}

/** @param {Somebody} person */
function calledOf({ name, taken }) {
	return nameInText({ name, taken });
}

/** @param {Checked} checked */
function drawConversation(checked) {
	const list = make('ol', { class: 'said' });
	const tints = new Tints();
	const { entries } = checked;
	let drawn = 0;
	let day = '';
	const more = button('', () => drawMore(drawn + AT_ONCE), 'secondary');
	const drawMore = (/** @type {number} */ upTo) => {
		for (const entry of entries.slice(drawn, upTo)) {
			const at = entry.sentAtMs;
			if (at !== null && dayKey(at) !== day) {
				day = dayKey(at);
				list.append(make('li', { class: 'day' }, dateOf(at)));
			}
			list.append(drawEntry(entry, checked, tints));
		}
		drawn = Math.min(entries.length, Math.max(drawn, upTo));
		more.hidden = drawn === entries.length;
		more.textContent = t('showMoreOf', { count: entries.length - drawn });
	};
	drawUpTo = (entry) => drawMore(Math.max(drawn, entries.indexOf(entry) + 1));
	drawMore(AT_ONCE);
	return make('section', {}, make('h2', {}, t('messages')), list, more);
}

/** @param {Entry} entry @param {Checked} checked @param {Tints} tints */
function drawEntry(entry, checked, tints) {
	const isSaid = entry.type === 'message' || entry.type === 'removed';
	const item = make('li', { id: placeOf(entry), tabindex: '-1', class: isSaid ? 'message' : 'event' });
	if (isSaid) item.append(drawWho(entry, tints));
	if (entry.type === 'message') item.append(...drawMessage(entry, checked));
	else if (entry.type === 'lost') item.append(drawAlarm(lostAlarm(entry.how)));
	else if (entry.type === 'change' && entry.doer === 'server') {
		const { text, meaning } = roomAlarm({ code: 'server_state', detail: null });
		item.append(drawAlarm({ text: `${text} ${lineOf(entry)}`, meaning }));
	} else if (entry.type !== 'failed_change' && !(entry.type === 'alarm' && entry.alarm)) {
		item.append(make('p', { class: entry.type === 'unreadable' ? 'alarm' : 'note' }, lineOf(entry)));
	}
	if (entry.type === 'removed' && entry.by === 'server') item.append(drawAlarm(entryAlarm('blanked')));
	else if (entry.alarm) item.append(drawAlarm(entryAlarm(entry.alarm)));
	return item;
}

/** @param {Entry} entry @param {Tints} tints */
function drawWho({ name, nameTaken, signer, byOwner, sentAtMs }, tints) {
	const called = shownName(name);
	const notes = [byOwner ? t('owner') : '', nameTaken ? t('nameUsed') : ''].filter(Boolean);
	const who = make(
		'p',
		{ class: 'who' },
		makeAvatar(called, tints.of(signer ?? '')),
		make('strong', { dir: 'auto' }, called),
	);
	if (notes.length > 0) who.append(make('small', {}, notes.join(', ')));
	if (sentAtMs !== null) {
		const time = { datetime: new Date(sentAtMs).toISOString(), title: exactTime(sentAtMs) };
		who.append(make('time', time, timeOfDay(sentAtMs)));
	}
	return who;
}

/** @param {Extract<Entry, { type: 'message' }>} entry @param {Checked} checked @returns {HTMLElement[]} */
function drawMessage(entry, checked) {
	const { text, files, replyTo, replyBroken, edited, reactions } = entry;
	/** @type {HTMLElement[]} */
	const parts = [];
	const answered = replyTo ? checked.entry(replyTo.seq) : undefined;
	if (replyBroken) parts.push(make('p', { class: 'note' }, t('replyBroken')));
	else if (answered?.type === 'message') {
		const name = nameInText({ name: answered.name, taken: answered.nameTaken });
		parts.push(make('blockquote', { dir: 'auto' }, make('strong', {}, name), ' ', quoteOf(gist(answered))));
	} else if (replyTo) {
		parts.push(make('blockquote', {}, t(answered?.type === 'removed' ? 'quotedRemoved' : 'quotedEarlier')));
	}
	if (text !== '') parts.push(make('p', { class: 'text', dir: 'auto' }, cleanText(text)));
	parts.push(...files.map((file) => drawFile(file, checked)));
	const notes = [
		...reactions.map(({ emoji, names, count }) => `${emoji} ${count} (${names.map(nameInText).join(', ')})`),
		edited ? t('edited') : '',
	].filter(Boolean);
	if (notes.length > 0) parts.push(make('p', { class: 'note', dir: 'auto' }, notes.join(' · ')));
	return parts;
}

/** @param {SentFile} file @param {Checked} checked */
function drawFile(file, checked) {
	const name = nameOf(file);
	const state = checked.files.get(file.id) ?? 'missing';
	const box = make('div', { class: 'file' });
	const thumb = kindOf(file) === 'picture' ? drawThumb(file) : null;
	if (thumb) box.append(thumb);
	const label = make('p', {}, make('bdi', {}, name), ' ', make('small', {}, sizeText(file.size)));
	box.append(label);
	if (state !== 'fits') {
		const text = t(state === 'missing' ? 'fileNotHere' : 'fileNotWhole', { name });
		box.append(make('p', { class: state === 'missing' ? 'note' : 'alarm' }, text));
		return box;
	}
	const kind = kindOf(file);
	const open = button(
		t(kind === 'picture' ? 'showFile' : kind === 'saved' ? 'saveFile' : 'playFile', { name }),
		async () => {
			open.disabled = true;
			const blob = await checked.readFile(file);
			open.disabled = false;
			if (kind === 'saved') {
				save(blob, name);
				return;
			}
			const address = URL.createObjectURL(new Blob([blob], { type: file.type }));
			const shown =
				kind === 'picture'
					? make('img', { alt: name })
					: make(file.type.startsWith('audio') ? 'audio' : 'video', { controls: true });
			shown.addEventListener('error', () => shown.replaceWith(make('p', { class: 'note' }, t('cannotShow'))));
			shown.src = address;
			thumb?.remove();
			open.replaceWith(
				shown,
				button(t('saveFile', { name }), () => save(blob, name), 'secondary'),
			);
		},
		'secondary',
	);
	box.append(open);
	return box;
}

/** @param {SentFile} file @returns {HTMLImageElement | null} null: its bytes are no picture */
function drawThumb({ thumb }) {
	const bytes = decodeBase64url(thumb ?? '');
	const type = bytes && pictureType(bytes);
	if (!bytes || !type) return null;
	const image = make('img', { alt: '' });
	image.src = URL.createObjectURL(new Blob([bytes], { type }));
	return image;
}

/** @param {{ text: string, meaning: string }} words */
function drawAlarm({ text, meaning }) {
	return make(
		'div',
		{ class: 'alarm' },
		make('p', {}, text),
		make('details', {}, make('summary', {}, t('whatMeans')), make('p', {}, meaning)),
	);
}
