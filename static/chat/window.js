/**
 * Which entries stand in the document: a window over those that are loaded, at most {@link MOST} wide. Pure.
 *
 * @typedef {{ key: string }} Keyed
 */

/** The most entries in the document; more would only make scrolling slower. */
export const MOST = 300;
/** How many are drawn at first, and around a message that is jumped to: no more than are drawn at once without a pause. */
export const FIRST = 60;
/** How many are added at a time: few enough to be laid out within a frame. */
export const STEP = 16;

/** The window is `[start, end)` of the entries as they were drawn last. @template {Keyed} Entry */
export class Window {
	start = 0;
	end = 0;
	/** @type {readonly Entry[]} */
	drawn = [];

	/** Whether nothing stands below it. */
	get isAtEnd() {
		return this.end >= this.drawn.length;
	}

	/** Begins at an entry amid what is around it, or at the end. @param {readonly Entry[]} entries @param {number} at Negative: at the end. */
	place(entries, at) {
		this.end = at < 0 ? entries.length : Math.min(entries.length, at + FIRST);
		this.start = Math.max(0, at < 0 ? this.end - FIRST : Math.min(at - STEP, this.end - FIRST));
	}

	/** Finds itself again after entries were added, put in order or taken away. @param {readonly Entry[]} entries @param {boolean} followed Whether the reader is at the end. */
	follow(entries, followed) {
		const { isAtEnd } = this;
		const start = find(entries, this.drawn, this.start);
		const end = find(entries, this.drawn, this.end - 1) + 1;
		this.end = isAtEnd ? entries.length : Math.max(end, Math.min(this.end, entries.length));
		this.start = start >= 0 ? start : Math.max(0, this.end - FIRST);
		if (this.end - this.start <= MOST) return;
		if (isAtEnd && followed) this.start = this.end - MOST;
		else this.end = this.start + MOST;
	}

	/** Goes to the end. @param {readonly Entry[]} entries @returns {boolean} whether anything is to be drawn for that */
	toEnd({ length }) {
		if (this.end >= length && this.drawn.length === length) return false;
		// From far above nothing that is drawn can stay, and more than the end would hold up the page.
		const most = this.end < length - STEP ? FIRST : MOST;
		this.end = length;
		this.start = Math.max(this.start, length - most);
		return true;
	}

	/** Takes in an entry. @param {readonly Entry[]} entries @param {number} index @returns {boolean} whether anything is to be drawn for that */
	include(entries, index) {
		if (index >= this.start && index < this.end && this.drawn === entries) return false;
		const first = Math.max(0, index - FIRST / 2);
		const last = Math.min(entries.length, index + FIRST / 2);
		// What stands in the document stays there where this joins it.
		const joins = this.start <= last && first <= this.end;
		const start = joins ? Math.min(first, this.start) : first;
		const end = joins ? Math.min(entries.length, Math.max(last, this.end)) : last;
		this.start = Math.max(start, Math.min(first, end - MOST));
		this.end = Math.min(end, this.start + MOST);
		return true;
	}

	extendUp() {
		this.start = Math.max(0, this.start - STEP);
		this.end = Math.min(this.end, this.start + MOST);
	}

	/** @param {number} length How many entries there are. */
	extendDown(length) {
		this.end = Math.min(length, this.end + STEP);
		this.start = Math.max(this.start, this.end - MOST);
	}
}

/**
 * Where an entry is now. Mostly it is as far from the beginning, or from the end, as it was.
 *
 * @param {readonly Keyed[]} entries
 * @param {readonly Keyed[]} before as they were
 * @param {number} index among those
 * @returns {number} negative: it is gone, or there was none
 */
function find(entries, before, index) {
	const sought = before[index]?.key;
	if (sought === undefined) return -1;
	for (const near of [index, index + entries.length - before.length]) if (entries[near]?.key === sought) return near;
	return entries.findIndex(({ key }) => key === sought);
}
