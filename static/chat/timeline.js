// The list of messages: which entries stand in the document, and where the reader is in them.
//
// At most MOST entries are drawn, however many are loaded. Whenever something changes, the first
// visible entry stays where it is on the screen, unless the reader is at the end, which is
// followed.

import { announce } from '../view/announce.js';
import { make } from '../view/dom.js';
import { drawEntry, nameInText } from './message.js';
import { quoteOf } from '../values/text.js';
import { dayKey, dayName } from '../values/when.js';
import { countUnread, isUnread } from '../room/unread.js';
import { fingerprint, shortTag } from '../crypto/words.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 * @typedef {import('../room/facade.js').RoomFacade} Room
 */

/** The most entries in the document; more would only make scrolling slower. */
const MOST = 300;
/** How many are drawn at first, and around a message that is jumped to. */
const FIRST = 60;
/** How many are added at a time: few enough to be laid out within a frame. */
const STEP = 16;
/** So near to the end, in pixels, new messages are followed. */
const NEAR = 120;
/** So near to an edge, in pixels, more is drawn. */
const AHEAD = 900;
/** History that could not be loaded is not asked for again by the next pixel of scrolling. */
const AGAIN_MS = 5000;
/** The last of what was missed may be drawn this long after the connection is live. */
const SETTLE_MS = 300;
/** Messages of one person within this time stand together. */
const RUN_MS = 5 * 60 * 1000;

/** @typedef {{ node: HTMLElement, entry: Entry, runStart: boolean, quoted: Entry | undefined, tag: string }} Row */

export class Timeline {
	#room;
	#parts;
	/** @type {Map<string, Row>} */
	#rows = new Map();
	/** @type {Map<string, HTMLElement>} separators by what they separate */
	#lines = new Map();
	/** @type {Map<string, string>} short tags by signer */
	#tags = new Map();
	/** The window is `[#start, #end)` of the room's entries. */
	#start = 0;
	#end = 0;
	/** Everything newer than this was unread when the room was opened. */
	#unreadAfter;
	/** The newest sequence the reader has had before them. */
	#seenSeq = 0;
	#loading = false;
	#scheduled = false;
	#opened = false;
	/** While the room still catches up and the reader has not moved, what was unread stays in view. */
	#settling = true;
	#closed = new AbortController();
	/** Entries as they were drawn last, to find the window again. @type {readonly Entry[]} */
	#drawn = [];
	#observer;

	/**
	 * @param {Room} room
	 * @param {import('../view/templates.js').Parts<'t-chat'>} parts of the chat: `scroller`, `list`, `older`, `beginning`, `jump` …
	 */
	constructor(room, parts) {
		this.#room = room;
		this.#parts = parts;
		// To a newcomer nothing is new.
		this.#unreadAfter = room.readSeq === 0 ? Infinity : room.readSeq;
		this.#observer = new ResizeObserver(() => this.#keepPlace(() => {}));
		this.#observer.observe(parts.scroller);
		parts.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
		parts.olderButton.addEventListener('click', () => this.#loadOlder());
		parts.jump.addEventListener('click', () => this.toEnd());
		const { signal } = this.#closed;
		const settled = () => (this.#settling = false);
		for (const moving of ['wheel', 'touchmove', 'pointerdown', 'keydown']) {
			parts.scroller.addEventListener(moving, settled, { passive: true, signal });
		}
		const whenLive = () => room.connection.state === 'live' && setTimeout(settled, SETTLE_MS);
		room.addEventListener('connection', whenLive, { signal });
		whenLive();
	}

	/** Draws the room as it is now, at the first unread message or at the end. */
	open() {
		this.#opened = true;
		this.#place();
	}

	/** Shows the first unread message amid what is around it, or the end if there is none. */
	#place() {
		const { entries } = this.#room;
		const unread = entries.findIndex((entry) => isUnread(entry, this.#unreadAfter));
		this.#end = unread < 0 ? entries.length : Math.min(entries.length, unread + FIRST);
		this.#start = Math.max(0, unread < 0 ? this.#end - FIRST : Math.min(unread - STEP, this.#end - FIRST));
		this.#draw();
		const line = this.#lines.get('unread');
		if (line) line.scrollIntoView({ block: 'center' });
		else this.#scrollToEnd();
		this.#scrolled();
	}

	/**
	 * Draws changes at the next frame, many of them at once.
	 *
	 * @param {{ changed: Set<string>, kind: 'append' | 'prepend' | 'update' }} change
	 */
	update({ changed, kind }) {
		if (kind === 'append') this.#announce(changed);
		if (this.#scheduled) return;
		this.#scheduled = true;
		const draw = () => {
			if (this.#closed.signal.aborted) return;
			this.#scheduled = false;
			if (this.#settling) {
				this.#place();
				return;
			}
			this.#followWindow();
			this.#keepPlace(() => this.#draw());
			this.#scrolled();
		};
		// Frames do not come to hidden pages.
		if (document.hidden) setTimeout(draw, 200);
		else requestAnimationFrame(draw);
	}

	/** Goes to the newest message, as after sending one. */
	toEnd() {
		this.#settling = false;
		const { length } = this.#room.entries;
		if (this.#end < length || this.#drawn.length !== length) {
			// From far above nothing that is drawn can stay, and more than the end would hold up the page.
			const most = this.#end < length - STEP ? FIRST : MOST;
			this.#end = length;
			this.#start = Math.max(this.#start, length - most);
			this.#draw();
		}
		this.#scrollToEnd();
		this.#scrolled();
	}

	/**
	 * Shows a message wherever it is in the log, loading history if need be.
	 *
	 * @param {number} seq
	 */
	async jumpTo(seq) {
		this.#settling = false;
		if (!this.#room.entry(seq) && !(await this.#room.loadUntil(seq).catch(() => false))) {
			announce('That message is not kept any more');
			return;
		}
		const { entries } = this.#room;
		const index = entries.findIndex((entry) => entry.seq === seq);
		if (index < 0) return;
		if (index < this.#start || index >= this.#end || this.#drawn !== entries) {
			this.#start = Math.max(0, index - FIRST);
			this.#end = Math.min(entries.length, Math.max(index + FIRST, Math.min(this.#end, this.#start + MOST)));
			this.#draw();
		}
		const node = this.#rows.get(entries[index].key)?.node;
		if (!node) return;
		node.scrollIntoView({ block: 'center' });
		this.focus(node);
		node.dataset.flash = '';
		setTimeout(() => delete node.dataset.flash, 1600);
	}

	/**
	 * Makes an entry the one that the Tab key reaches, and goes there.
	 *
	 * @param {HTMLElement} node
	 */
	focus(node) {
		for (const other of this.#parts.list.querySelectorAll('[tabindex="0"]'))
			/** @type {HTMLElement} */ (other).tabIndex = -1;
		node.tabIndex = 0;
		node.focus({ preventScroll: true });
		node.scrollIntoView({ block: 'nearest' });
	}

	/**
	 * The entry that an element belongs to.
	 *
	 * @param {EventTarget | null} target
	 * @returns {{ entry: Entry, node: HTMLElement } | null}
	 */
	at(target) {
		const node = target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest('.entry')) : null;
		const row = node && this.#rows.get(node.dataset.key ?? '');
		return row ? { entry: row.entry, node: row.node } : null;
	}

	close() {
		this.#closed.abort();
		this.#observer.disconnect();
	}

	/** Finds the window again after entries were added, put in order or taken away. */
	#followWindow() {
		const { entries } = this.#room;
		const wasAtEnd = this.#end >= this.#drawn.length;
		const first = this.#drawn[this.#start]?.key;
		const last = this.#drawn[this.#end - 1]?.key;
		const start = first === undefined ? -1 : entries.findIndex((entry) => entry.key === first);
		if (wasAtEnd) this.#end = entries.length;
		else
			this.#end = Math.max(entries.findIndex((entry) => entry.key === last) + 1, Math.min(this.#end, entries.length));
		this.#start = start >= 0 ? start : Math.max(0, this.#end - FIRST);
		if (this.#end - this.#start > MOST) {
			if (wasAtEnd && this.#isNearEnd()) this.#start = this.#end - MOST;
			else this.#end = this.#start + MOST;
		}
	}

	/**
	 * Changes the document without moving what the reader looks at.
	 *
	 * @param {() => void} change
	 */
	#keepPlace(change) {
		const { scroller, list } = this.#parts;
		const following = this.#followed;
		const edge = scroller.getBoundingClientRect().top;
		let anchor = null;
		let before = 0;
		if (!following) {
			for (const node of list.children) {
				const box = node.getBoundingClientRect();
				if (box.bottom > edge) {
					anchor = node;
					before = box.top;
					break;
				}
			}
		}
		const key = anchor instanceof HTMLElement ? anchor.dataset.key : undefined;
		change();
		if (following) this.#scrollToEnd();
		else if (anchor) {
			const now = anchor.isConnected ? anchor : this.#rows.get(key ?? '')?.node;
			if (now) scroller.scrollTop += now.getBoundingClientRect().top - before;
		}
	}

	/** Whether the reader was at the end when the page was last laid out. */
	#followed = true;

	#isNearEnd() {
		const { scroller } = this.#parts;
		return this.#end >= this.#drawn.length && scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
	}

	#scrollToEnd() {
		const { scroller } = this.#parts;
		scroller.scrollTop = scroller.scrollHeight;
		this.#followed = true;
	}

	#scrolled() {
		if (!this.#opened) return;
		const { scroller } = this.#parts;
		this.#followed = this.#isNearEnd();
		const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
		if (scroller.scrollTop < AHEAD && this.#start > 0) this.#extendUp();
		else if (scroller.scrollTop < AHEAD && this.#room.hasOlder) this.#loadOlder();
		if (below < AHEAD && this.#end < this.#room.entries.length) this.#extendDown();
		this.#markSeen();
		this.#drawJump(below);
	}

	#extendUp() {
		this.#keepPlace(() => {
			this.#start = Math.max(0, this.#start - STEP);
			this.#end = Math.min(this.#end, this.#start + MOST);
			this.#draw();
		});
	}

	#extendDown() {
		this.#keepPlace(() => {
			this.#end = Math.min(this.#room.entries.length, this.#end + STEP);
			this.#start = Math.max(this.#start, this.#end - MOST);
			this.#draw();
		});
	}

	async #loadOlder() {
		if (this.#loading) return;
		this.#loading = true;
		const { olderButton } = this.#parts;
		olderButton.textContent = 'Loading…';
		let pause = 0;
		try {
			await this.#room.loadOlder();
			olderButton.textContent = 'Load older messages';
		} catch {
			olderButton.textContent = 'Older messages could not be loaded. Try again';
			pause = AGAIN_MS;
		}
		setTimeout(() => (this.#loading = false), pause);
	}

	/** What was before the reader's eyes counts as read. */
	#markSeen() {
		if (document.hidden) return;
		const { bottom } = this.#parts.scroller.getBoundingClientRect();
		for (let index = this.#end - 1; index >= this.#start; index -= 1) {
			const { seq, key } = this.#drawn[index] ?? {};
			if (seq === null || seq === undefined) continue;
			if (seq <= this.#seenSeq) return;
			const node = this.#rows.get(key ?? '')?.node;
			if (node && node.getBoundingClientRect().top < bottom) {
				this.#seenSeq = seq;
				if (seq > this.#room.readSeq) this.#room.markRead(seq);
				return;
			}
		}
	}

	/** Called when the page becomes visible again. */
	seen() {
		this.#scrolled();
	}

	/** How many messages of others the reader has not had before them. */
	get unseen() {
		return countUnread(this.#room.entries, Math.max(this.#seenSeq, this.#room.readSeq));
	}

	/** @param {number} below pixels between the reader and the end of what is drawn */
	#drawJump(below) {
		const { jump, jumpText } = this.#parts;
		const atEnd = this.#end >= this.#room.entries.length && below < NEAR;
		const count = atEnd ? 0 : this.unseen;
		jump.hidden = atEnd || (count === 0 && this.#end >= this.#room.entries.length && below < 600);
		jumpText.textContent = count === 0 ? 'Latest' : count === 1 ? '1 new message' : `${count} new messages`;
	}

	/** @param {Set<string>} changed keys of appended entries */
	#announce(changed) {
		if (this.#room.connection.state !== 'live' || !this.#opened) return;
		const news = this.#room.entries
			.slice(-changed.size - 10)
			.filter((entry) => changed.has(entry.key) && !entry.own && entry.type === 'message');
		const [only] = news;
		if (news.length === 1 && only?.type === 'message')
			announce(`${nameInText({ name: only.name, taken: only.nameTaken })}: ${quoteOf(only.text, 300)}`);
		else if (news.length > 1) announce(`${news.length} new messages`);
	}

	#draw() {
		const { entries } = this.#room;
		const { list, older, beginning } = this.#parts;
		this.#drawn = entries;
		older.hidden = !this.#room.hasOlder && this.#start === 0;
		beginning.hidden = !older.hidden;
		/** @type {HTMLElement[]} */
		const wanted = [];
		const keys = new Set();
		const lines = new Set();
		for (let index = this.#start; index < this.#end; index += 1) {
			const entry = entries[index];
			const previous = entries[index - 1];
			const before = wanted.length;
			for (const [name, text, style] of this.#separators(entry, index)) {
				lines.add(name);
				wanted.push(this.#line(name, text, style));
			}
			const runStart = wanted.length > before || startsRun(entry, previous);
			keys.add(entry.key);
			wanted.push(this.#row(entry, runStart));
		}
		for (const [key, row] of this.#rows) {
			if (!keys.has(key)) {
				row.node.remove();
				this.#rows.delete(key);
			}
		}
		for (const [name, line] of this.#lines) {
			if (!lines.has(name)) {
				line.remove();
				this.#lines.delete(name);
			}
		}
		let next = list.firstElementChild;
		for (const node of wanted) {
			if (node === next) next = next.nextElementSibling;
			else list.insertBefore(node, next);
		}
		// Without a tab stop the keyboard could not enter the list.
		if (!list.querySelector('[tabindex="0"]')) {
			const last = /** @type {HTMLElement | null} */ (list.querySelector('.entry:last-of-type'));
			if (last) last.tabIndex = 0;
		}
	}

	/** When the nearest entry above that has a time was sent. @param {number} index @returns {number | null} */
	#timeBefore(index) {
		const { entries } = this.#room;
		for (let above = index - 1; above >= 0; above -= 1) {
			const at = shownAt(entries[above]);
			if (at !== null) return at;
		}
		return null;
	}

	/**
	 * @param {Entry} entry
	 * @param {number} index
	 * @returns {[name: string, text: string, style: string][]}
	 */
	#separators(entry, index) {
		/** @type {[string, string, string][]} */
		const separators = [];
		const at = shownAt(entry);
		const before = this.#timeBefore(index);
		if (at !== null && (before === null || dayKey(at) !== dayKey(before))) {
			separators.push([`day ${dayKey(at)} ${entry.key}`, dayName(at), 'day']);
		}
		const first = isUnread(entry, this.#unreadAfter) && (this.#firstUnread ??= entry.key) === entry.key;
		if (first) separators.push(['unread', 'New', 'unread']);
		return separators;
	}

	/** Key of the first entry that was unread at opening; it stays so. @type {string | undefined} */
	#firstUnread;

	/**
	 * @param {string} name
	 * @param {string} text
	 * @param {string} style
	 */
	#line(name, text, style) {
		let line = this.#lines.get(name);
		if (!line) {
			line = make('li', { class: style });
			this.#lines.set(name, line);
		}
		if (line.textContent !== text) line.textContent = text;
		return line;
	}

	/**
	 * The element of an entry: the one there is, unless something it shows has changed.
	 *
	 * @param {Entry} entry
	 * @param {boolean} runStart
	 * @returns {HTMLElement}
	 */
	#row(entry, runStart) {
		const old = this.#rows.get(entry.key);
		const quoted = entry.type === 'message' && entry.replyTo ? this.#room.entry(entry.replyTo.seq) : undefined;
		const tag = entry.signer ? this.#tagOf(entry.signer) : '';
		if (old && old.entry === entry && old.runStart === runStart && old.quoted === quoted && old.tag === tag)
			return old.node;
		const node = drawEntry(entry, { runStart, quoted, tag, unfolded: old?.node.dataset.unfolded !== undefined });
		// Before anything is focused, for the toolbar asks whose element that is.
		this.#rows.set(entry.key, { node, entry, runStart, quoted, tag });
		if (old) {
			node.tabIndex = old.node.tabIndex;
			const active = /** @type {HTMLElement | null} */ (document.activeElement);
			const focused = old.node.contains(active);
			old.node.replaceWith(node);
			if (focused) {
				// The toolbar comes along, and the focus stays on it.
				node.focus({ preventScroll: true });
				if (active !== node && node.contains(active)) active?.focus({ preventScroll: true });
			}
		}
		return node;
	}

	/** @param {string} signer @returns {string} */
	#tagOf(signer) {
		const known = this.#tags.get(signer);
		if (known !== undefined) return known;
		this.#tags.set(signer, '');
		fingerprint(signer).then((words) => {
			this.#tags.set(signer, shortTag(words));
			this.update({ changed: new Set(), kind: 'update' });
		});
		return '';
	}
}

/** @param {Entry} entry @returns {number | null} */
function shownAt(entry) {
	return entry.sentAtMs ?? entry.writtenAtMs;
}

/**
 * @param {Entry} entry
 * @param {Entry | undefined} previous
 */
function startsRun(entry, previous) {
	if (!previous || !isSpoken(entry) || !isSpoken(previous)) return true;
	return previous.signer !== entry.signer || (shownAt(entry) ?? 0) - (shownAt(previous) ?? 0) > RUN_MS;
}

/** @param {Entry} entry */
function isSpoken(entry) {
	return entry.type === 'message' || entry.type === 'removed';
}
