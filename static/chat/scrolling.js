// Where the reader is in the list: the first visible entry stays where it is on the screen whatever changes around
// it, unless the reader is at the end, which is followed.

/** So near to the end, in pixels, new messages are followed. */
const NEAR = 120;

export class Scrolling {
	/** Whether the reader was at the end when the page was last laid out. */
	followed = true;

	#scroller;
	#list;

	/** @param {HTMLElement} scroller @param {HTMLElement} list whose children carry `data-key` */
	constructor(scroller, list) {
		this.#scroller = scroller;
		this.#list = list;
	}

	/** Pixels above what is seen. */
	get above() {
		return this.#scroller.scrollTop;
	}

	/** Pixels below what is seen. */
	get below() {
		const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
		return scrollHeight - scrollTop - clientHeight;
	}

	get isNearEnd() {
		return this.below < NEAR;
	}

	toEnd() {
		this.#scroller.scrollTop = this.#scroller.scrollHeight;
		this.followed = true;
	}

	/**
	 * Changes the document without moving what the reader looks at.
	 *
	 * @param {() => void} change
	 * @param {(key: string) => HTMLElement | undefined} elementOf what shows an entry after the change
	 */
	keepPlace(change, elementOf) {
		const { followed } = this;
		const anchor = followed ? null : this.topmost;
		// Of an entry that ends in view, its end: the first of those that are loaded gives up its name to the one before it.
		const { bottom } = this.#scroller.getBoundingClientRect();
		const side = (anchor?.getBoundingClientRect().bottom ?? 0) < bottom ? 'bottom' : 'top';
		const before = anchor?.getBoundingClientRect()[side] ?? 0;
		change();
		if (followed) this.toEnd();
		if (!anchor) return;
		const now = anchor.isConnected ? anchor : elementOf(anchor.dataset.key ?? '');
		if (now) this.#scroller.scrollTop += now.getBoundingClientRect()[side] - before;
	}

	/** Whether something has come up from below. @param {HTMLElement} element */
	hasReached(element) {
		return element.getBoundingClientRect().top < this.#scroller.getBoundingClientRect().bottom;
	}

	/** Whether something is before the reader's eyes, if only in part. @param {HTMLElement} element */
	shows(element) {
		return this.hasReached(element) && !this.hasPassed(element);
	}

	/** Whether something lies above what is seen. @param {HTMLElement} element */
	hasPassed(element) {
		return element.getBoundingClientRect().bottom <= this.#scroller.getBoundingClientRect().top;
	}

	/** The first of the list that is seen. @returns {HTMLElement | null} */
	get topmost() {
		const edge = this.#scroller.getBoundingClientRect().top;
		const { children } = this.#list;
		// They stand below each other, so that a few of them tell where the others are.
		let from = 0;
		let to = children.length;
		while (from < to) {
			const middle = (from + to) >> 1;
			if (/** @type {Element} */ (children[middle]).getBoundingClientRect().bottom > edge) to = middle;
			else from = middle + 1;
		}
		return /** @type {HTMLElement | undefined} */ (children[from]) ?? null;
	}
}
