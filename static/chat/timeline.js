// The list of messages: brings together which entries stand in the document (window.js), what they look like
// (rows.js), where the reader is among them (scrolling.js), and what counts as read.

import { announce } from '../view/announce.js';
import { FloatingDay } from './floating.js';
import { Naming } from './mentions.js';
import { nameInText } from './describe.js';
import { Rows } from './rows.js';
import { Scrolling } from './scrolling.js';
import { Window } from './window.js';
import { gist, quoteOf } from '../values/text.js';
import { countUnread, firstUnread, isUnread } from '../room/unread.js';
import { t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 * @typedef {import('../room/facade.js').RoomFacade} Room
 */

/** So near to an edge, in pixels, more is drawn. */
const AHEAD = 900;
/** Less than this below what is seen needs no way there, in pixels. */
const SHORT = 600;
/** History that could not be loaded is not asked for again by the next pixel of scrolling. */
const AGAIN_MS = 5000;
/** A connection that is gone no longer than this makes nothing of what comes then new. */
const AWAY_MS = 5000;
/** The last of what was missed may be drawn this long after the connection is live. */
const SETTLE_MS = 300;

export class Timeline {
	#room;
	#parts;
	#rows;
	#scrolling;
	/** @type {Window<Entry>} */
	#window = new Window();
	/** Everything newer than this was unread when the reader came, or came back. */
	#unreadAfter;
	/** Key of the first entry that was unread then; it stays so. @type {string | undefined} */
	#firstUnread;
	/** Whether the line above it has not been before the reader yet. */
	#newsAhead = false;
	/** What had been read when the reader, or the connection, went away; null: both are here. @type {number | null} */
	#away = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#leaving;
	#day;
	/** The newest sequence the reader has had before them. */
	#seenSeq = 0;
	#loading = false;
	#scheduled = false;
	#opened = false;
	/** While the room still catches up and the reader has not moved, what was unread stays in view. */
	#settling = true;
	#closed = new AbortController();
	#observer;
	#hasDrawn;

	/**
	 * @param {Room} room
	 * @param {import('../view/templates.js').Parts<'t-chat'>} parts of the chat: `scroller`, `list`, `older`, `beginning`, `jump` …
	 * @param {() => void} drawn follows whenever messages were drawn, before anybody sees it
	 */
	constructor(room, parts, drawn) {
		this.#room = room;
		this.#parts = parts;
		this.#hasDrawn = drawn;
		// To a newcomer nothing is new.
		this.#unreadAfter = room.readSeq === 0 ? Infinity : room.readSeq;
		const naming = new Naming(room);
		naming.refresh();
		this.#rows = new Rows(parts.list, room, {
			isFirstUnread: (entry) => isUnread(entry, this.#unreadAfter) && (this.#firstUnread ??= entry.key) === entry.key,
			tagged: () => this.update({ changed: new Set(), kind: 'update' }),
			names: () => naming.names,
		});
		this.#scrolling = new Scrolling(parts.scroller, parts.list);
		this.#day = new FloatingDay(parts.scroller);
		this.#tellScrollbar();
		this.#observer = new ResizeObserver(() => {
			this.#tellScrollbar();
			this.#keepPlace(() => {});
		});
		this.#observer.observe(parts.scroller);
		parts.scroller.addEventListener('scroll', () => (this.#scrolled(), this.#drawDay()), { passive: true });
		parts.olderButton.addEventListener('click', () => this.#loadOlder());
		parts.jump.addEventListener('click', () => this.#jump());
		const { signal } = this.#closed;
		for (const named of ['people', 'info']) {
			const look = () => naming.refresh() && this.#opened && this.update({ changed: new Set(), kind: 'update' });
			room.addEventListener(named, look, { signal });
		}
		const marked = () => this.#opened && this.update({ changed: new Set(), kind: 'update' });
		room.addEventListener('compared', marked, { signal });
		const settled = () => (this.#settling = false);
		for (const moving of ['wheel', 'touchmove', 'pointerdown', 'keydown']) {
			parts.scroller.addEventListener(moving, settled, { passive: true, signal });
		}
		const whenLive = () => {
			clearTimeout(this.#leaving);
			if (room.connection.state === 'live')
				setTimeout(() => (settled(), document.hidden ? this.#leave() : this.#comeBack()), SETTLE_MS);
			else this.#leaving = setTimeout(() => this.#leave(), AWAY_MS);
		};
		room.addEventListener('connection', whenLive, { signal });
		whenLive();
	}

	/** The composer ends where the messages do, beside the bar that scrolls them. */
	#tellScrollbar() {
		const { scroller } = this.#parts;
		const bar = scroller.offsetWidth - scroller.clientWidth;
		scroller.parentElement?.style.setProperty('--scrollbar', `${bar}px`);
	}

	/** Draws the room as it is now, at the first unread message or at the end. */
	open() {
		this.#opened = true;
		this.#place();
	}

	/** Shows the first unread message amid what is around it, or the end if there is none. */
	#place() {
		const { entries } = this.#room;
		this.#window.place(
			entries,
			entries.findIndex((entry) => isUnread(entry, this.#unreadAfter)),
		);
		this.#draw();
		const line = this.#rows.unreadLine;
		if (line) line.scrollIntoView({ block: 'center' });
		else this.#scrolling.toEnd();
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
			this.#markMissed();
			this.#window.follow(this.#room.entries, this.#isNearEnd);
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
		if (this.#window.toEnd(this.#room.entries)) this.#draw();
		this.#scrolling.toEnd();
		this.#scrolled();
	}

	/**
	 * Shows a message wherever it is in the log, loading history if need be.
	 *
	 * @param {number} seq
	 * @param {{ focus?: boolean }} [how] `focus`: whether the keyboard goes there, too
	 */
	async jumpTo(seq, { focus = true } = {}) {
		this.#settling = false;
		if (!this.#room.entry(seq) && !(await this.#room.loadUntil(seq).catch(() => false))) {
			announce(t('notKeptMessage'));
			return;
		}
		const { entries } = this.#room;
		const index = entries.findIndex((entry) => entry.seq === seq);
		if (index < 0) return;
		if (this.#window.include(entries, index)) this.#draw();
		const node = this.#rows.get(entries[index]?.key ?? '')?.node;
		if (!node) return;
		node.scrollIntoView({ block: 'center' });
		if (focus) this.focus(node);
		node.dataset.flash = '';
		setTimeout(() => delete node.dataset.flash, 1600);
	}

	/** Brings a message into sight that is loaded, and leaves the focus where it is. @param {number} seq */
	reveal(seq) {
		const { entries } = this.#room;
		const index = entries.findIndex((entry) => entry.seq === seq);
		if (index < 0) return;
		this.#settling = false;
		if (this.#window.include(entries, index)) this.#draw();
		this.#rows.get(entries[index]?.key ?? '')?.node.scrollIntoView({ block: 'nearest' });
		this.#scrolled();
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
		clearTimeout(this.#leaving);
		this.#closed.abort();
		this.#observer.disconnect();
	}

	/** Goes to what is new, and from there to the end. */
	#jump() {
		if (this.#isNewsAbove) this.#toNews();
		else if (this.unseen === 0 || this.#isReadingOn) this.toEnd();
		else {
			if (this.#markNews(this.#lastSeen)) this.#draw();
			this.#toNews();
		}
	}

	/** Goes to the line above what is new. */
	#toNews() {
		this.#settling = false;
		this.#newsAhead = false;
		const { entries } = this.#room;
		const index = entries.findIndex(({ key }) => key === this.#firstUnread);
		if (index < 0) {
			this.toEnd();
			return;
		}
		if (this.#window.include(entries, index)) this.#draw();
		this.#rows.unreadLine?.scrollIntoView({ block: 'center' });
		this.#scrolled();
	}

	/**
	 * Has the line stand above the first message that is not read.
	 *
	 * @param {number} seq what was read
	 * @returns {boolean} whether that is another one now
	 */
	#markNews(seq) {
		const first = firstUnread(this.#room.entries, seq);
		if (!first || first.key === this.#firstUnread) return false;
		this.#unreadAfter = seq;
		this.#firstUnread = first.key;
		this.#newsAhead = true;
		return true;
	}

	/** What came while the reader was away is below a line, once. @returns {boolean} whether something came */
	#markMissed() {
		if (!this.#away || document.hidden) return false;
		// What was read elsewhere meanwhile is not new.
		const came = this.#markNews(Math.max(this.#away, this.#room.readSeq));
		if (came) this.#away = null;
		return came;
	}

	/** From here on the reader misses what comes. */
	#leave() {
		if (this.#opened && !this.#settling) this.#away ??= this.#lastSeen;
	}

	/** What came meanwhile is drawn. */
	#comeBack() {
		if (!document.hidden && this.#room.connection.state === 'live') this.#away = null;
	}

	/** The newest that the reader has had before them, here or elsewhere. */
	get #lastSeen() {
		return Math.max(this.#seenSeq, this.#room.readSeq);
	}

	/** Whether the reader is where what is new begins, so that there is nowhere to go but to the end. */
	get #isReadingOn() {
		const seen = this.#room.entry(this.#lastSeen);
		const node = seen && this.#rows.get(seen.key)?.node;
		return node !== undefined && this.#scrolling.shows(node);
	}

	/** Whether what is new begins above what is seen. */
	get #isNewsAbove() {
		if (!this.#newsAhead) return false;
		const line = this.#rows.unreadLine;
		if (line) return this.#scrolling.hasPassed(line);
		// Beyond what is drawn there is only what is older.
		return this.#window.isAtEnd;
	}

	/** @param {() => void} change */
	#keepPlace(change) {
		this.#scrolling.keepPlace(change, (key) => this.#rows.get(key)?.node);
	}

	get #isNearEnd() {
		return this.#window.isAtEnd && this.#scrolling.isNearEnd;
	}

	#scrolled() {
		if (!this.#opened) return;
		const scrolling = this.#scrolling;
		const { length } = this.#room.entries;
		scrolling.followed = this.#isNearEnd;
		const { below } = scrolling;
		if (scrolling.above < AHEAD && this.#window.start > 0) this.#extend(() => this.#window.extendUp());
		else if (scrolling.above < AHEAD && this.#room.hasOlder) this.#loadOlder();
		if (below < AHEAD && this.#window.end < length) this.#extend(() => this.#window.extendDown(length));
		this.#markSeen();
		this.#drawJump(below);
	}

	/** @param {() => void} extend */
	#extend(extend) {
		this.#keepPlace(() => {
			extend();
			this.#draw();
		});
	}

	async #loadOlder() {
		if (this.#loading) return;
		this.#loading = true;
		const { olderButton } = this.#parts;
		olderButton.textContent = t('loading');
		let pause = 0;
		try {
			await this.#room.loadOlder();
			olderButton.textContent = t('loadOlder');
		} catch {
			olderButton.textContent = t('olderNotLoaded');
			pause = AGAIN_MS;
		}
		setTimeout(() => (this.#loading = false), pause);
	}

	/** What was before the reader's eyes counts as read. */
	#markSeen() {
		if (document.hidden) return;
		const { start, end, drawn } = this.#window;
		for (let index = end - 1; index >= start; index -= 1) {
			const { seq, key } = drawn[index] ?? {};
			if (seq === null || seq === undefined) continue;
			if (seq <= this.#seenSeq) return;
			const node = this.#rows.get(key ?? '')?.node;
			if (node && this.#scrolling.hasReached(node)) {
				this.#seenSeq = seq;
				if (seq > this.#room.readSeq) this.#room.markRead(seq);
				return;
			}
		}
	}

	/** Called when the page becomes visible or hidden. */
	seen() {
		if (document.hidden) this.#leave();
		else if (this.#markMissed()) this.#keepPlace(() => this.#draw());
		this.#scrolled();
		this.#comeBack();
	}

	/** How many messages of others the reader has not had before them. */
	get unseen() {
		return countUnread(this.#room.entries, this.#lastSeen);
	}

	/** @param {number} below pixels between the reader and the end of what is drawn */
	#drawJump(below) {
		const { jump, jumpText } = this.#parts;
		const line = this.#newsAhead ? this.#rows.unreadLine : undefined;
		if (line && this.#scrolling.shows(line)) this.#newsAhead = false;
		const above = this.#isNewsAbove;
		jump.toggleAttribute('data-up', above);
		if (above) {
			jump.hidden = false;
			jumpText.textContent = t('firstNew');
			return;
		}
		const drawnToEnd = this.#window.end >= this.#room.entries.length;
		const atEnd = drawnToEnd && this.#scrolling.isNearEnd;
		const count = atEnd ? 0 : this.unseen;
		jump.hidden = atEnd || (count === 0 && drawnToEnd && below < SHORT);
		jumpText.textContent = count === 0 ? t('latest') : t('newMessages', { count });
	}

	/** Shows the day of what is uppermost, unless that is a line which says it, or the end is near. */
	#drawDay() {
		const top = this.#opened && !this.#isNearEnd ? this.#scrolling.topmost : null;
		const entry = top ? this.#rows.get(top.dataset.key ?? '')?.entry : undefined;
		this.#day.show(entry?.sentAtMs ?? entry?.writtenAtMs ?? null);
	}

	/** @param {Set<string>} changed keys of appended entries */
	#announce(changed) {
		if (this.#room.connection.state !== 'live' || !this.#opened) return;
		const news = this.#room.entries
			.slice(-changed.size - 10)
			.filter((entry) => changed.has(entry.key) && !entry.own && entry.type === 'message');
		const [only] = news;
		if (news.length === 1 && only?.type === 'message')
			announce(`${nameInText({ name: only.name, taken: only.nameTaken })}: ${quoteOf(gist(only), 300)}`);
		else if (news.length > 1) announce(t('newMessages', { count: news.length }));
	}

	#draw() {
		const { entries, hasOlder } = this.#room;
		const { older, beginning } = this.#parts;
		const { start, end } = this.#window;
		this.#window.drawn = entries;
		older.hidden = !hasOlder && start === 0;
		beginning.hidden = !older.hidden;
		this.#rows.draw(entries, start, end);
		this.#hasDrawn();
	}

	/** All entries of the room as they were when it was drawn last. */
	get drawn() {
		return this.#window.drawn;
	}
}
