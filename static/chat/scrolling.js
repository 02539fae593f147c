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
		const anchor = followed ? null : this.#firstVisible();
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

	#firstVisible() {
		const edge = this.#scroller.getBoundingClientRect().top;
		for (const node of this.#list.children) {
			if (node.getBoundingClientRect().bottom > edge) return /** @type {HTMLElement} */ (node);
		}
		return null;
	}
}
