// The elements of the entries that stand in the document, and the lines between them: made anew only where what
// they show has changed.

import { make } from '../view/dom.js';
import { tintsOf } from '../view/tints.js';
import { drawEntry } from './message.js';
import { foldName } from '../values/text.js';
import { dayKey, dayName } from '../values/when.js';
import { fingerprint, shortTag } from '../crypto/words.js';
import { t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 *
 * @typedef {import('../room/facade.js').RoomFacade} Room
 *
 * @typedef {{ runStart: boolean, runEnd: boolean, quoted: Entry | undefined, tag: string, compared: boolean, tint: number,
 *   names: import('./mentions.js').Names | null }} Around
 *   What an element shows besides its entry.
 * @typedef {{ node: HTMLElement, entry: Entry, around: Around }} Row
 */

/** Messages of one person within this time stand together. */
const RUN_MS = 5 * 60 * 1000;

export class Rows {
	#list;
	#room;
	#tints;
	#isFirstUnread;
	#tagged;
	#names;
	/** @type {Map<string, Row>} */
	#rows = new Map();
	/** @type {Map<string, HTMLElement>} separators by what they separate */
	#lines = new Map();
	/** @type {Map<string, string>} short tags by signer */
	#tags = new Map();
	/** @type {Map<string, string>} names by how they read */
	#folded = new Map();
	/** @type {Set<string>} what more than one goes by of those who stand in the document, as it reads */
	#shared = new Set();

	/**
	 * @param {HTMLElement} list
	 * @param {Room} room
	 * @param {object} more
	 * @param {(entry: Entry) => boolean} more.isFirstUnread
	 * @param {() => void} more.tagged a short tag has become known
	 * @param {() => import('./mentions.js').Names} more.names whom messages may mention
	 */
	constructor(list, room, { isFirstUnread, tagged, names }) {
		this.#list = list;
		this.#room = room;
		this.#tints = tintsOf(room);
		this.#isFirstUnread = isFirstUnread;
		this.#tagged = tagged;
		this.#names = names;
	}

	/** @param {string} key @returns {Row | undefined} */
	get(key) {
		return this.#rows.get(key);
	}

	/** The line above the first unread message, if it stands in the document. */
	get unreadLine() {
		return this.#lines.get('unread');
	}

	/** @param {readonly Entry[]} entries @param {number} start @param {number} end */
	draw(entries, start, end) {
		/** @type {HTMLElement[]} */
		const wanted = [];
		const keys = new Set();
		const names = new Set();
		this.#shared = new Set();
		for (let index = start; index < end; index += 1) {
			const { name, nameTaken } = /** @type {Entry} */ (entries[index]);
			if (nameTaken) this.#shared.add(this.#fold(name));
		}
		/** @param {number} index */
		const before = (index) => {
			const lines = this.#separators(entries, index);
			return {
				lines,
				runStart: lines.length > 0 || startsRun(/** @type {Entry} */ (entries[index]), entries[index - 1]),
			};
		};
		let now = start < end ? before(start) : null;
		for (let index = start; now !== null; index += 1) {
			const entry = /** @type {Entry} */ (entries[index]);
			for (const [name, text, style] of now.lines) {
				names.add(name);
				wanted.push(this.#line(name, text, style));
			}
			const next = index + 1 < end ? before(index + 1) : null;
			const below = entries[index + 1];
			const runEnd = next?.runStart ?? (below === undefined || startsRun(below, entry));
			keys.add(entry.key);
			wanted.push(this.#row(entry, now.runStart, runEnd));
			now = next;
		}
		drop(this.#rows, keys, ({ node }) => node);
		drop(this.#lines, names, (line) => line);
		let next = this.#list.firstElementChild;
		for (const node of wanted) {
			if (node === next) next = next.nextElementSibling;
			else this.#list.insertBefore(node, next);
		}
		// Without a tab stop the keyboard could not enter the list.
		if (!this.#list.querySelector('[tabindex="0"]')) {
			const last = /** @type {HTMLElement | null} */ (this.#list.querySelector('.entry:last-of-type'));
			if (last) last.tabIndex = 0;
		}
	}

	/**
	 * @param {readonly Entry[]} entries
	 * @param {number} index
	 * @returns {[name: string, text: string, style: string][]}
	 */
	#separators(entries, index) {
		const entry = /** @type {Entry} */ (entries[index]);
		/** @type {[string, string, string][]} */
		const separators = [];
		const at = shownAt(entry);
		const before = timeBefore(entries, index);
		if (at !== null && (before === null || dayKey(at) !== dayKey(before))) {
			separators.push([`day ${dayKey(at)} ${entry.key}`, dayName(at), 'day']);
		}
		if (this.#isFirstUnread(entry)) separators.push(['unread', t('newLine'), 'unread']);
		return separators;
	}

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
	 * @param {boolean} runEnd
	 * @returns {HTMLElement}
	 */
	#row(entry, runStart, runEnd) {
		const old = this.#rows.get(entry.key);
		const quoted = entry.type === 'message' && entry.replyTo ? this.#room.entry(entry.replyTo.seq) : undefined;
		const tag = entry.signer && this.#isShared(entry) ? this.#tagOf(entry.signer) : '';
		const compared = !entry.own && this.#isCompared(entry);
		const tint = this.#tints.of(entry.signer ?? '');
		// Only to who names somebody does it matter who there is.
		const names = entry.type === 'message' && entry.text.includes('@') ? this.#names() : null;
		const around = { runStart, runEnd, quoted, tag, compared, tint, names };
		if (old && old.entry === entry && isSame(old.around, around)) return old.node;
		const node = drawEntry(entry, { ...around, unfolded: old?.node.dataset.unfolded !== undefined });
		// Before anything is focused, for the toolbar asks whose element that is.
		this.#rows.set(entry.key, { node, entry, around });
		if (old) replace(old.node, node);
		return node;
	}

	/** @param {Entry} entry */
	#isCompared({ signer, name }) {
		return signer !== null && this.#room.comparison({ signer, name })?.how === 'same';
	}

	/** Whoever goes by a name that another has, too, is told apart by their words. @param {Entry} entry */
	#isShared({ name }) {
		return this.#shared.size > 0 && this.#shared.has(this.#fold(name));
	}

	/** @param {string} name */
	#fold(name) {
		const known = this.#folded.get(name);
		if (known !== undefined) return known;
		const folded = foldName(name);
		this.#folded.set(name, folded);
		return folded;
	}

	/** @param {string} signer @returns {string} */
	#tagOf(signer) {
		const known = this.#tags.get(signer);
		if (known !== undefined) return known;
		this.#tags.set(signer, '');
		fingerprint(signer).then((words) => {
			this.#tags.set(signer, shortTag(words));
			this.#tagged();
		});
		return '';
	}
}

/**
 * @template Held
 * @param {Map<string, Held>} held
 * @param {Set<string>} kept
 * @param {(one: Held) => HTMLElement} elementOf
 */
function drop(held, kept, elementOf) {
	for (const [name, one] of held) {
		if (kept.has(name)) continue;
		elementOf(one).remove();
		held.delete(name);
	}
}

/** @param {HTMLElement} old @param {HTMLElement} node takes its place, and the focus that it held */
function replace(old, node) {
	node.tabIndex = old.tabIndex;
	// What somebody opened to read stays open.
	if (old.querySelector('.alarm details')?.hasAttribute('open'))
		node.querySelector('.alarm details')?.setAttribute('open', '');
	const active = /** @type {HTMLElement | null} */ (document.activeElement);
	const focused = old.contains(active);
	old.replaceWith(node);
	if (!focused) return;
	// The toolbar comes along, and the focus stays on it.
	node.focus({ preventScroll: true });
	if (active !== node && node.contains(active)) active?.focus({ preventScroll: true });
}

/** @param {Around} one @param {Around} other */
function isSame(one, other) {
	return (
		one.runStart === other.runStart &&
		one.runEnd === other.runEnd &&
		one.quoted === other.quoted &&
		one.tag === other.tag &&
		one.compared === other.compared &&
		one.tint === other.tint &&
		one.names === other.names
	);
}

/** @param {Entry | undefined} entry @returns {number | null} */
function shownAt(entry) {
	return entry?.sentAtMs ?? entry?.writtenAtMs ?? null;
}

/** When the nearest entry above that has a time was sent. @param {readonly Entry[]} entries @param {number} index @returns {number | null} */
function timeBefore(entries, index) {
	for (let above = index - 1; above >= 0; above -= 1) {
		const at = shownAt(entries[above]);
		if (at !== null) return at;
	}
	return null;
}

/**
 * @param {Entry} entry
 * @param {Entry | undefined} previous
 */
function startsRun(entry, previous) {
	if (!previous || !isSpoken(entry) || !isSpoken(previous)) return true;
	// Whoever goes by another name from here on says so here.
	if (previous.name !== entry.name) return true;
	return previous.signer !== entry.signer || (shownAt(entry) ?? 0) - (shownAt(previous) ?? 0) > RUN_MS;
}

/** @param {Entry} entry */
function isSpoken(entry) {
	return entry.type === 'message' || entry.type === 'removed';
}
