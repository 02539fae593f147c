// Draws one entry of the log. What is shown was decided elsewhere (log.js, text.js); this file
// only gives it a form, and never turns anything but our own templates into elements.

import { drawAvatar, fromTemplate, icon, make } from '../view/dom.js';
import { drawFiles } from './files.js';
import { markMentions } from './mentions.js';
import { entryAlarm, lostAlarm, roomAlarm } from './alarms.js';
import { cleanText, gist, isFewEmoji, isReservedName, quoteOf, shortened, tokenise } from '../values/text.js';
import { dateAndTime, dayKey, duration, exactTime, timeOfDay } from '../values/when.js';

/** @typedef {import('../room/facade.js').ShownEntry} Entry */

/**
 * What the surroundings say about an entry.
 *
 * @typedef {object} Setting
 * @property {boolean} runStart the first of several by the same person
 * @property {boolean} runEnd the last of them
 * @property {Entry | undefined} quoted the message it answers, if it is loaded
 * @property {string} tag the short tag of the person's key where somebody else goes by the same name; '' else, or until it is known
 * @property {number} tint of tints.js
 * @property {boolean} unfolded shown in full however long it is
 * @property {import('./mentions.js').Names | null} names whom it may mention; null: it mentions nobody
 */

/** A message written this much earlier than it arrived says both times. */
const LATE_MS = 2 * 60 * 1000;

/** What is longer is folded until someone asks for all of it. */
const LONG_CHARACTERS = 1600;
const LONG_LINES = 24;

export const SHOW_ALL = 'Show all of it';
export const SHOW_LESS = 'Show less';

const REMOVED = {
	author: 'Deleted by its author',
	owner: 'Removed by the owner',
	server: 'Removed by the server',
};

const UNREADABLE = {
	malformed: 'A message that is not in Buddy’s form. It is not shown.',
	undecryptable: 'A message that this room’s key does not open. It is not shown.',
	forged: 'A message whose signature is not right. It may be forged and is not shown.',
};

const UNAUTHORISED = {
	edit: 'Someone tried to change a message that is not theirs. Nothing was changed.',
	delete: 'Someone tried to delete a message that is not theirs. Nothing was deleted.',
	react: 'A reaction that does not belong to its message. It is not shown.',
};

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
		case 'unreadable':
			return drawEvent(entry, UNREADABLE[entry.reason], 'warm');
		case 'unauthorised':
			return drawEvent(entry, UNAUTHORISED[entry.kind], 'warm');
		case 'change':
			return drawChange(entry);
		case 'rotate':
			return drawRotation(entry);
		case 'card':
			return drawCard(entry);
		case 'unshared':
			return drawEvent(entry, 'What was said before was not shared with who came later.');
		case 'alarm':
			return drawAlarmed(entry);
		case 'lost':
			return drawLost(entry);
		case 'failed_change':
			return drawFailedChange(entry);
		default:
			return drawEvent(entry, 'Something that needs a newer page. Load the page again to see it.', 'warm');
	}
}

/** @param {string} name as the log gives it @returns {string} */
export function shownName(name) {
	if (isReservedName(name)) return `someone called “${name}”`;
	return name || 'Someone';
}

/**
 * A name amid other words, where no mark can stand beside it.
 *
 * @param {{ name: string, taken: boolean }} person `taken`: another key used this name first
 * @returns {string}
 */
export function nameInText({ name, taken }) {
	return shownName(name) + (taken ? ' (another device or person uses this name)' : '');
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
		parts.unfold.textContent = setting.unfolded ? SHOW_LESS : SHOW_ALL;
	}
	drawQuote(parts, entry, setting.quoted);
	drawReactions(parts.reactions, entry);
	parts.warning.hidden = !entry.replyBroken;
	parts.warning.textContent = 'It claims to answer a message that it does not fit.';
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
	parts.text.textContent = entry.own && entry.by === 'author' ? 'You deleted this' : REMOVED[entry.by];
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
	const name = entry.own ? 'You' : shownName(entry.name);
	parts.name.textContent = name;
	// In the middle of a run the name is there for those who hear the page and not see it.
	if (!setting.runStart || entry.own) parts.who.classList.add('unseen');
	if (entry.own || !setting.runStart) parts.avatar.hidden = true;
	else drawAvatar(parts.avatar, name, setting.tint);
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
			time.textContent = `written ${written}, sent ${timeOfDay(sentAtMs)}`;
		}
	}
	if (entry.state === 'sending') parts.state.append(icon('clock'), make('span', { class: 'unseen' }, 'Sending…'));
	// What stands above the last one was sent before it.
	const ticked = entry.state === 'sent' && entry.own && runEnd;
	if (ticked) parts.state.append(icon('check'), make('span', { class: 'unseen' }, 'Sent'));
	parts.state.hidden = entry.state === 'failed' || (entry.state === 'sent' && !ticked);
	if (entry.type === 'message' && entry.edited) {
		parts.edited.hidden = false;
		parts.edited.textContent = entry.edited.pending ? 'saving…' : 'edited';
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
			return 'Not sent: the room is locked.';
		case 'room_full':
			return 'Not sent: the room is full.';
		case 'file_lost':
			return 'Not sent: this browser no longer has the file.';
		case 'too_large':
			return 'Not sent: it is too large.';
		case 'not_allowed':
			return 'Not sent: this link may not write here.';
		case 'room_not_found':
			return 'Not sent: the room is gone.';
		case 'invalid_request':
			return 'Not sent: what it refers to is gone.';
		default:
			return 'Not sent.';
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
	for (const part of tokenise(text)) {
		switch (part.type) {
			case 'link':
				element.append(makeLink(part));
				if (part.host !== null) element.append(make('span', { class: 'host', dir: 'ltr' }, ` (leads to ${part.host})`));
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
				element.append(
					make('button', { type: 'button', class: 'spoiler', 'aria-label': 'Hidden words. Show them' }, part.text),
				);
				break;
			default:
				element.append(part.text);
		}
	}
}

/** Lines of code are not broken: they are scrolled, by the keyboard as well, and copied as they are. @param {string} text */
function makeCode(text) {
	const pre = make('pre', { dir: 'auto', tabindex: '0', role: 'group', 'aria-label': 'Code' }, make('code', {}, text));
	return make(
		'div',
		{ class: 'code' },
		pre,
		make('button', { type: 'button', class: 'plain', 'data-part': 'copyCode' }, 'Copy'),
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
		parts.quoteName.textContent = quoted.own ? 'You' : nameInText({ name: quoted.name, taken: quoted.nameTaken });
		parts.quoteText.textContent = quoteOf(gist(quoted));
	} else if (quoted?.type === 'removed') {
		parts.quoteText.textContent = 'A message that was removed';
	} else {
		parts.quoteText.textContent = 'An earlier message';
	}
}

/**
 * @param {HTMLElement} list
 * @param {Extract<Entry, { type: 'message' }>} entry
 */
function drawReactions(list, entry) {
	list.hidden = entry.reactions.length === 0;
	for (const { emoji, count, own, names, pending } of entry.reactions) {
		const more = count > names.length ? [`${count - names.length} more`] : [];
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
	if (entry.moreReactions > 0) list.append(make('li', { class: 'fine' }, `and ${entry.moreReactions} more`));
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

const FAILED_CHANGE = {
	edit: 'Your change to a message was not saved.',
	delete: 'Your message was not deleted.',
	react: 'Your reaction was not sent.',
};

/** @param {Extract<Entry, { type: 'failed_change' }>} entry */
function drawFailedChange(entry) {
	const item = drawEvent(entry, FAILED_CHANGE[entry.kind], 'warm');
	const retry = make('button', { type: 'button', class: 'plain', 'data-part': 'retry' }, 'Try again');
	const discard = make('button', { type: 'button', class: 'plain danger', 'data-part': 'discard' }, 'Discard');
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
				? make('li', {}, make('strong', { dir: 'auto' }, own.own ? 'You' : shownName(own.name)), ' ', said(own.text))
				: '',
		);
		item.append(
			make('details', {}, make('summary', {}, `This browser still has ${kept.length}`), make('ul', {}, ...lines)),
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
	const item = drawEvent(entry, 'The server shows something here that does not hold.', 'warm');
	if (entry.alarm !== null) item.replaceChildren(drawAlarm(entryAlarm(entry.alarm)));
	return item;
}

/** The owner's word, or what the server did without it. @param {Extract<Entry, { type: 'change' }>} entry */
function drawChange(entry) {
	if (entry.doer === 'owner') return drawEvent(entry, describeStatement(entry.changes));
	const item = drawEvent(entry, '');
	const { text, meaning } = roomAlarm({ code: 'server_state', detail: null });
	item.replaceChildren(drawAlarm({ text: `${text} ${describeServer(entry.changes)}`, meaning }));
	return item;
}

/** @param {Extract<Entry, { type: 'rotate' }>} entry */
function drawRotation(entry) {
	const said = [
		entry.removed.length > 0
			? `The owner removed ${lists.format(entry.removed.map(shownName))}`
			: 'The owner changed the keys',
		entry.removed.length > 0 ? 'Old links let nobody in any more' : 'Links that were taken back let nobody in any more',
		entry.sharedPast ? '' : 'Who comes from now on cannot read what was said before',
	];
	return drawEvent(entry, `${said.filter(Boolean).join('. ')}.`);
}

/** @param {Extract<Entry, { type: 'card' }>} entry */
function drawCard(entry) {
	if (entry.before)
		return drawEvent(entry, `${entry.own ? 'You are' : `${entry.before} is`} now called ${called(entry)}.`);
	// Whoever owns the room was there from the beginning.
	if (entry.own) return drawEvent(entry, `You are called ${shownName(entry.name)} here.`);
	const who = called(entry);
	return drawEvent(entry, entry.byOwner ? `${who} owns this room.` : `${who} joined.`);
}

/** @param {Extract<Entry, { type: 'card' }>} entry */
function called({ name, nameTaken: taken }) {
	return nameInText({ name, taken });
}

/**
 * @param {Extract<Entry, { type: 'change' }>['changes']} changes
 * @returns {string}
 */
function describeStatement({ locked, title, messageTtlS, expiresInS }) {
	const said = [];
	if (locked === true) said.push('The owner locked the room');
	if (locked === false) said.push('The owner unlocked the room');
	if (title) said.push(`The owner called the room “${title}”`);
	else if (title === '') said.push('The owner took the room’s name away');
	if (messageTtlS) said.push(`The owner lets messages disappear after ${duration(messageTtlS)}`);
	else if (messageTtlS !== undefined) said.push('The owner lets messages stay as long as the room');
	if (expiresInS !== undefined)
		said.push(`The owner lets the room expire ${duration(expiresInS)} after the last message`);
	return said.length > 0 ? `${said.join('. ')}.` : 'The owner changed the room.';
}

/** @param {Extract<Entry, { type: 'change' }>['changes']} changes @returns {string} */
function describeServer({ locked, title, messageTtlS, expiresInS }) {
	const said = [];
	if (locked !== undefined) said.push(locked ? 'It keeps the room locked.' : 'It lets others write in a locked room.');
	if (title !== undefined) said.push('It shows another name.');
	if (messageTtlS !== undefined) said.push('It keeps messages for another time.');
	if (expiresInS !== undefined) said.push('It keeps the room for another time.');
	return said.join(' ');
}

const lists = new Intl.ListFormat('en', { type: 'conjunction' });
