// Draws one entry of the log. What is shown was decided elsewhere (log.js, text.js); this file
// only gives it a form, and never turns anything but our own templates into elements.

import { drawAvatar, fromTemplate, icon, make } from '../view/dom.js';
import { drawFiles } from './files.js';
import { markMentions } from './mentions.js';
import { entryAlarm, lostAlarm, roomAlarm } from './alarms.js';
import { lineOf, nameInText, shownName } from './describe.js';
import { shortened, tokenise } from '../values/marks.js';
import { cleanText, gist, isFewEmoji, quoteOf } from '../values/text.js';
import { dateAndTime, dayKey, exactTime, timeOfDay } from '../values/when.js';
import { t } from '../values/words.js';

/** @typedef {import('../room/facade.js').ShownEntry} Entry */

/**
 * What the surroundings say about an entry.
 *
 * @typedef {object} Setting
 * @property {boolean} runStart the first of several by the same person
 * @property {boolean} runEnd the last of them
 * @property {Entry | undefined} quoted the message it answers, if it is loaded
 * @property {string} tag the short tag of the person's key where somebody else goes by the same name; '' else, or until it is known
 * @property {boolean} compared words were compared with them under this name
 * @property {number} tint of tints.js
 * @property {boolean} unfolded shown in full however long it is
 * @property {import('./mentions.js').Names | null} names whom it may mention; null: it mentions nobody
 */

/** A message written this much earlier than it arrived says both times. */
const LATE_MS = 2 * 60 * 1000;

/** What is longer is folded until someone asks for all of it. */
const LONG_CHARACTERS = 1600;
const LONG_LINES = 24;

/**
 * @param {Entry} entry
 * @param {Setting} setting
 * @returns {HTMLLIElement}
 */
export function drawEntry(entry, setting) {
	const item = drawPlain(entry, setting);
	const { alarm } = entry;
	if (alarm !== null && item.querySelector('.alarm') === null) item.append(drawAlarm(entryAlarm(alarm)));
	return item;
}

/**
 * @param {Entry} entry
 * @param {Setting} setting
 * @returns {HTMLLIElement}
 */
function drawPlain(entry, setting) {
	switch (entry.type) {
		case 'message':
			return drawMessage(entry, setting);
		case 'removed':
			return drawRemoved(entry, setting);
		case 'change':
			return drawChange(entry);
		case 'rotate':
		case 'card':
		case 'unshared':
			return drawEvent(entry, lineOf(entry));
		case 'alarm':
			return drawAlarmed(entry);
		case 'lost':
			return drawLost(entry);
		case 'failed_change':
			return drawFailedChange(entry);
		default:
			return drawEvent(entry, lineOf(entry), 'warm');
	}
}

/** What stands beside the name of whom one has compared words with. */
export function comparedMark() {
	const said = t('comparedMark');
	return make('span', { class: 'compared', title: said }, icon('shield'), make('span', { class: 'unseen' }, said));
}

/**
 * @param {Extract<Entry, { type: 'message' }>} entry
 * @param {Setting} setting
 */
function drawMessage(entry, setting) {
	const { item, parts } = drawFrame(entry, setting);
	drawText(parts.text, entry.text);
	if (setting.names) markMentions(parts.text, setting.names);
	if (entry.files.length > 0) parts.text.before(drawFiles(entry));
	parts.text.hidden = entry.text === '' && entry.files.length > 0;
	if (isLong(entry.text)) {
		item.dataset[setting.unfolded ? 'unfolded' : 'folded'] = '';
		parts.unfold.hidden = false;
		parts.unfold.textContent = setting.unfolded ? t('showLess') : t('showAll');
	}
	drawQuote(parts, entry, setting.quoted);
	drawReactions(parts.reactions, entry);
	parts.warning.hidden = !entry.replyBroken;
	parts.warning.textContent = t('replyBroken');
	if (entry.pending) item.dataset.pending = '';
	removeUnused(parts);
	return item;
}

/**
 * @param {Extract<Entry, { type: 'removed' }>} entry
 * @param {Setting} setting
 */
function drawRemoved(entry, setting) {
	const { item, parts } = drawFrame(entry, setting);
	item.dataset.removed = '';
	parts.text.textContent = lineOf(entry);
	if (entry.by === 'server') item.append(drawAlarm(entryAlarm('blanked')));
	removeUnused(parts);
	return item;
}

/**
 * Takes out what an entry does not show: hidden elements, too, cost time while scrolling.
 *
 * @param {import('../view/templates.js').Parts<'t-message'>} parts
 */
function removeUnused(parts) {
	for (const part of Object.values(parts)) if (part.hidden) part.remove();
}

/**
 * What messages and their remains have in common: whose, when, and whether it got there.
 *
 * @param {Extract<Entry, { type: 'message' | 'removed' }>} entry
 * @param {Setting} setting
 */
function drawFrame(entry, setting) {
	const { root, parts } = fromTemplate('t-message');
	const item = /** @type {HTMLLIElement} */ (root);
	item.dataset.key = entry.key;
	item.tabIndex = -1;
	if (entry.own) item.dataset.own = '';
	if (setting.runStart) item.dataset.run = 'start';
	if (entry.state !== 'sent') item.dataset.state = entry.state;
	drawWho(parts, entry, setting);
	drawMeta(parts, entry, setting);
	item.dataset.tint = String(setting.tint);
	return { item, parts };
}

/**
 * @param {import('../view/templates.js').Parts<'t-message'>} parts
 * @param {Extract<Entry, { type: 'message' | 'removed' }>} entry
 * @param {Setting} setting
 */
function drawWho(parts, entry, setting) {
	const name = entry.own ? t('you') : shownName(entry.name);
	parts.name.textContent = name;
	// In the middle of a run the name is there for those who hear the page and not see it.
	if (!setting.runStart || entry.own) parts.who.classList.add('unseen');
	if (entry.own || !setting.runStart) parts.avatar.hidden = true;
	else drawAvatar(parts.avatar, name, setting.tint);
	if (setting.compared) parts.name.after(comparedMark());
	parts.role.hidden = !entry.byOwner;
	parts.nameNote.hidden = !entry.nameTaken;
	if (entry.nameTaken && !entry.own) parts.who.classList.remove('unseen');
	parts.tag.textContent = setting.tag;
	parts.tag.hidden = entry.own || setting.tag === '';
}

/**
 * @param {import('../view/templates.js').Parts<'t-message'>} parts
 * @param {Extract<Entry, { type: 'message' | 'removed' }>} entry
 * @param {Setting} setting
 */
function drawMeta(parts, entry, { runEnd }) {
	const time = /** @type {HTMLTimeElement} */ (parts.time);
	const shown = entry.sentAtMs ?? entry.writtenAtMs;
	if (shown !== null) {
		time.dateTime = new Date(shown).toISOString();
		time.textContent = timeOfDay(shown);
		time.dataset.exact = exactTime(shown);
	}
	const { sentAtMs, writtenAtMs } = entry;
	if (sentAtMs !== null && writtenAtMs !== null) {
		const late = sentAtMs - writtenAtMs;
		// However long ago: what comes late may have been held back, or be sent by the server a second time.
		if (late > LATE_MS) {
			parts.meta.dataset.late = '';
			const written = dayKey(writtenAtMs) === dayKey(sentAtMs) ? timeOfDay(writtenAtMs) : dateAndTime(writtenAtMs);
			time.textContent = t('writtenSent', { written, sent: timeOfDay(sentAtMs) });
		}
	}
	if (entry.state === 'sending') parts.state.append(icon('clock'), make('span', { class: 'unseen' }, t('sending')));
	// What stands above the last one was sent before it.
	const ticked = entry.state === 'sent' && entry.own && runEnd;
	if (ticked) parts.state.append(icon('check'), make('span', { class: 'unseen' }, t('sent')));
	parts.state.hidden = entry.state === 'failed' || (entry.state === 'sent' && !ticked);
	if (entry.type === 'message' && entry.edited) {
		parts.edited.hidden = false;
		parts.edited.textContent = t(entry.edited.pending ? 'saving' : 'edited');
		parts.edited.title = entry.edited.atMs ? exactTime(entry.edited.atMs) : '';
	}
	// As wide as what stands at the end of the last line, which keeps clear of it (message.css).
	const beside = [parts.edited.textContent, time.textContent, parts.state.hidden ? '' : '✓✓'];
	if (!('late' in parts.meta.dataset)) parts.text.dataset.meta = beside.filter(Boolean).join(' ');
	if (entry.state === 'failed') {
		parts.failed.hidden = false;
		parts.failedText.textContent = describeFailure(entry.error);
	}
}

/** @param {string | null} code @returns {string} */
function describeFailure(code) {
	switch (code) {
		case 'room_locked':
			return t('notSentLocked');
		case 'room_full':
			return t('notSentFull');
		case 'file_lost':
			return t('notSentFileLost');
		case 'too_large':
			return t('notSentTooLarge');
		case 'not_allowed':
			return t('notSentNotAllowed');
		case 'room_not_found':
			return t('notSentGone');
		case 'invalid_request':
			return t('notSentTarget');
		default:
			return t('notSent');
	}
}

/** Whether a text would push everything else off the screen. @param {string} text */
function isLong(text) {
	return text.length > LONG_CHARACTERS || text.split('\n').length > LONG_LINES;
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function drawText(element, text) {
	if (isFewEmoji(text)) element.dataset.jumbo = '';
	drawParts(element, tokenise(text));
}

/** @param {HTMLElement} element @param {import('../values/marks.js').Part[]} parts */
function drawParts(element, parts) {
	for (const part of parts) {
		switch (part.type) {
			case 'quote': {
				const quote = make('blockquote', { dir: 'auto' });
				drawParts(quote, part.parts);
				element.append(quote);
				break;
			}
			case 'list':
				element.append(drawList(part));
				break;
			case 'link':
				element.append(makeLink(part));
				if (part.host !== null)
					element.append(make('span', { class: 'host', dir: 'ltr' }, t('leadsTo', { host: part.host })));
				break;
			case 'code':
				element.append(make('code', {}, part.text));
				break;
			case 'codeblock':
				element.append(makeCode(part.text));
				break;
			case 'em':
			case 'strong':
				element.append(make(part.type, {}, part.text));
				break;
			case 'spoiler':
				element.append(make('button', { type: 'button', class: 'spoiler', 'aria-label': t('hiddenWords') }, part.text));
				break;
			default:
				element.append(part.text);
		}
	}
}

/** Its numbers are those that were typed. @param {Extract<import('../values/marks.js').Part, { type: 'list' }>} list */
function drawList({ ordered, items }) {
	const list = make(ordered ? 'ol' : 'ul', { dir: 'auto' });
	let digits = 1;
	for (const { number, parts } of items) {
		const item = make('li', number === null ? {} : { value: String(number) });
		digits = Math.max(digits, String(number ?? '').length);
		drawParts(item, parts);
		list.append(item);
	}
	if (ordered) list.style.setProperty('--digits', String(digits));
	return list;
}

/** Lines of code are not broken: they are scrolled, by the keyboard as well, and copied as they are. @param {string} text */
function makeCode(text) {
	const pre = make(
		'pre',
		{ dir: 'auto', tabindex: '0', role: 'group', 'aria-label': t('code') },
		make('code', {}, text),
	);
	return make(
		'div',
		{ class: 'code' },
		pre,
		make('button', { type: 'button', class: 'plain', 'data-part': 'copyCode' }, t('copy')),
	);
}

/** @param {{ href: string, text: string }} part */
function makeLink({ href, text }) {
	const rel = 'noopener noreferrer nofollow ugc';
	const shown = shortened(text);
	const link = make('a', { href, rel, ...(shown !== text && { title: text }) }, shown);
	// A program that writes mail would leave an empty tab.
	if (!href.startsWith('mailto:')) link.target = '_blank';
	return link;
}

/**
 * The quote is drawn from the message that is answered, never from what the answer claims.
 *
 * @param {import('../view/templates.js').Parts<'t-message'>} parts
 * @param {Extract<Entry, { type: 'message' }>} entry
 * @param {Entry | undefined} quoted
 */
function drawQuote(parts, entry, quoted) {
	if (!entry.replyTo) return;
	parts.quote.hidden = false;
	if (quoted?.type === 'message' && !entry.replyBroken) {
		parts.quoteName.textContent = quoted.own ? t('you') : nameInText({ name: quoted.name, taken: quoted.nameTaken });
		parts.quoteText.textContent = quoteOf(gist(quoted));
	} else if (quoted?.type === 'removed') {
		parts.quoteText.textContent = t('quotedRemoved');
	} else {
		parts.quoteText.textContent = t('quotedEarlier');
	}
}

/**
 * @param {HTMLElement} list
 * @param {Extract<Entry, { type: 'message' }>} entry
 */
function drawReactions(list, entry) {
	list.hidden = entry.reactions.length === 0;
	for (const { emoji, count, own, names, pending } of entry.reactions) {
		const more = count > names.length ? [t('countMore', { count: count - names.length })] : [];
		const who = [...names.map(nameInText), ...more].join(', ');
		const press = make(
			'button',
			{
				type: 'button',
				'data-emoji': emoji,
				'aria-pressed': String(own),
				'aria-label': `${emoji} ${count}: ${who}`,
				title: who,
				'data-pending': pending,
			},
			make('span', { dir: 'auto' }, emoji),
			String(count),
		);
		list.append(make('li', {}, press));
	}
	if (entry.moreReactions > 0) list.append(make('li', { class: 'fine' }, t('andMore', { count: entry.moreReactions })));
}

/**
 * @param {Entry} entry
 * @param {string} text
 * @param {string} [tone]
 */
function drawEvent(entry, text, tone) {
	const { root, parts } = fromTemplate('t-event');
	const item = /** @type {HTMLLIElement} */ (root);
	item.dataset.key = entry.key;
	item.tabIndex = -1;
	if (tone) item.dataset.tone = tone;
	parts.text.textContent = text;
	return item;
}

const FAILED_CHANGE = /** @type {const} */ ({
	edit: 'editFailed',
	delete: 'deleteFailed',
	react: 'reactFailed',
});

/** @param {Extract<Entry, { type: 'failed_change' }>} entry */
function drawFailedChange(entry) {
	const item = drawEvent(entry, t(FAILED_CHANGE[entry.kind]), 'warm');
	const retry = make('button', { type: 'button', class: 'plain', 'data-part': 'retry' }, t('tryAgain'));
	const discard = make('button', { type: 'button', class: 'plain danger', 'data-part': 'discard' }, t('discard'));
	item.append(make('p', { class: 'failed' }, retry, ' ', discard));
	return item;
}

/** @param {string} text */
function said(text) {
	return make('span', { dir: 'auto' }, cleanText(text));
}

/** @param {Extract<Entry, { type: 'lost' }>} entry */
function drawLost(entry) {
	const item = drawEvent(entry, '');
	item.replaceChildren(drawAlarm(lostAlarm('how' in entry ? entry.how : 'gap')));
	const kept = entry.kept.filter((own) => own.type === 'message');
	if (kept.length > 0) {
		const lines = kept.map((own) =>
			own.type === 'message'
				? make('li', {}, make('strong', { dir: 'auto' }, own.own ? t('you') : shownName(own.name)), ' ', said(own.text))
				: '',
		);
		item.append(
			make('details', {}, make('summary', {}, t('stillHas', { count: kept.length })), make('ul', {}, ...lines)),
		);
	}
	return item;
}

/**
 * Something that should not be, and what it means.
 *
 * @param {{ text: string, meaning: string }} words
 */
function drawAlarm({ text, meaning }) {
	const { root, parts } = fromTemplate('t-alarm');
	parts.text.textContent = text;
	parts.meaning.textContent = meaning;
	return root;
}

/** Something that shows nowhere else, and is wrong. @param {Extract<Entry, { type: 'alarm' }>} entry */
function drawAlarmed(entry) {
	const item = drawEvent(entry, lineOf(entry), 'warm');
	if (entry.alarm !== null) item.replaceChildren(drawAlarm(entryAlarm(entry.alarm)));
	return item;
}

/** The owner's word, or what the server did without it. @param {Extract<Entry, { type: 'change' }>} entry */
function drawChange(entry) {
	if (entry.doer === 'owner') return drawEvent(entry, lineOf(entry));
	const item = drawEvent(entry, '');
	const { text, meaning } = roomAlarm({ code: 'server_state', detail: null });
	item.replaceChildren(drawAlarm({ text: `${text} ${lineOf(entry)}`, meaning }));
	return item;
}
