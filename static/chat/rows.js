// The elements of the entries that stand in the document, and the lines between them: made anew only where what
// they show has changed.

import { make } from '../view/dom.js';
import { drawEntry } from './message.js';
import { dayKey, dayName } from '../values/when.js';
import { fingerprint, shortTag } from '../crypto/words.js';

/**
 * @typedef {import('../room/facade.js').ShownEntry} Entry
 *
 * @typedef {{ node: HTMLElement, entry: Entry, runStart: boolean, quoted: Entry | undefined, tag: string }} Row
 */

/** Messages of one person within this time stand together. */
const RUN_MS = 5 * 60 * 1000;

export class Rows {
	#list;
	#entryOf;
	#isFirstUnread;
	#tagged;
	/** @type {Map<string, Row>} */
	#rows = new Map();
	/** @type {Map<string, HTMLElement>} separators by what they separate */
	#lines = new Map();
	/** @type {Map<string, string>} short tags by signer */
	#tags = new Map();

	/**
	 * @param {HTMLElement} list
	 * @param {object} more
	 * @param {(seq: number) => Entry | undefined} more.entryOf
	 * @param {(entry: Entry) => boolean} more.isFirstUnread
	 * @param {() => void} more.tagged a short tag has become known
	 */
	constructor(list, { entryOf, isFirstUnread, tagged }) {
		this.#list = list;
		this.#entryOf = entryOf;
		this.#isFirstUnread = isFirstUnread;
		this.#tagged = tagged;
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
		for (let index = start; index < end; index += 1) {
			const entry = /** @type {Entry} */ (entries[index]);
			const before = wanted.length;
			for (const [name, text, style] of this.#separators(entries, index)) {
				names.add(name);
				wanted.push(this.#line(name, text, style));
			}
			const runStart = wanted.length > before || startsRun(entry, entries[index - 1]);
			keys.add(entry.key);
			wanted.push(this.#row(entry, runStart));
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
		if (this.#isFirstUnread(entry)) separators.push(['unread', 'New', 'unread']);
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
	 * @returns {HTMLElement}
	 */
	#row(entry, runStart) {
		const old = this.#rows.get(entry.key);
		const quoted = entry.type === 'message' && entry.replyTo ? this.#entryOf(entry.replyTo.seq) : undefined;
		const tag = entry.signer ? this.#tagOf(entry.signer) : '';
		if (old && old.entry === entry && old.runStart === runStart && old.quoted === quoted && old.tag === tag)
			return old.node;
		const node = drawEntry(entry, { runStart, quoted, tag, unfolded: old?.node.dataset.unfolded !== undefined });
		// Before anything is focused, for the toolbar asks whose element that is.
		this.#rows.set(entry.key, { node, entry, runStart, quoted, tag });
		if (old) replace(old.node, node);
		return node;
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
