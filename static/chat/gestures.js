// What fingers do on a message: hold it, or draw it aside. Mice and keyboards have the toolbar.

/** A finger that rests so long means more than a tap. */
const HOLD_MS = 450;
/** A finger that rests moves less than this, in pixels. */
const STILL = 10;
/** Drawn aside so far, in pixels, a message is answered. */
const ENOUGH = 56;
const MOST = 80;

/**
 * @param {HTMLElement} list
 * @param {object} doing
 * @param {(node: HTMLElement) => void} doing.held
 * @param {(node: HTMLElement) => void} doing.drawn drawn aside, from where lines begin to where they end
 * @param {(node: HTMLElement) => boolean} doing.canDraw
 */
export function watchFingers(list, { held, drawn, canDraw }) {
	/** @type {{ node: HTMLElement, id: number, x: number, y: number, by: number, drawing: boolean } | null} */
	let finger = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let holding;
	/** The click that follows holding is none. */
	let swallow = false;

	const end = () => {
		clearTimeout(holding);
		if (finger) {
			delete finger.node.dataset.drawn;
			finger.node.style.removeProperty('--drawn');
		}
		finger = null;
	};
	// What came up beneath a finger that held must not be pressed by its lifting.
	const everywhere = list.ownerDocument;
	everywhere.addEventListener('pointerdown', () => (swallow = false), { capture: true });
	list.addEventListener('pointerdown', (event) => {
		if (finger) return end();
		if (event.pointerType !== 'touch' || !(event.target instanceof Element)) return;
		const node = /** @type {HTMLElement | null} */ (event.target.closest('.message'));
		// Links have a menu of the browser's own, code is scrolled sideways, and sliders are drawn.
		if (!node || event.target.closest('a, pre, input, .reactions, summary')) return;
		finger = { node, id: event.pointerId, x: event.clientX, y: event.clientY, by: 0, drawing: false };
		holding = setTimeout(() => {
			end();
			swallow = true;
			held(node);
		}, HOLD_MS);
	});
	list.addEventListener('pointermove', (event) => {
		if (!finger || event.pointerId !== finger.id) return;
		const sign = list.matches(':dir(rtl)') ? -1 : 1;
		const along = (event.clientX - finger.x) * sign;
		const across = Math.abs(event.clientY - finger.y);
		if (Math.abs(along) > STILL || across > STILL) clearTimeout(holding);
		if (!finger.drawing) {
			if (across > STILL) return end();
			if (along < STILL || !canDraw(finger.node)) return;
			finger.drawing = true;
		}
		finger.by = Math.max(0, Math.min(MOST, along));
		finger.node.dataset.drawn = finger.by >= ENOUGH ? 'enough' : '';
		finger.node.style.setProperty('--drawn', `${finger.by * sign}px`);
	});
	list.addEventListener('pointerup', (event) => {
		if (!finger || event.pointerId !== finger.id) return;
		const { node, by, drawing } = finger;
		end();
		swallow = drawing;
		if (drawing && by >= ENOUGH) drawn(node);
	});
	list.addEventListener('pointercancel', end);
	everywhere.addEventListener(
		'click',
		(event) => {
			if (!swallow) return;
			swallow = false;
			event.preventDefault();
			event.stopPropagation();
		},
		{ capture: true },
	);
	// Where holding brings up a menu of the browser's, there would be two.
	list.addEventListener('contextmenu', (event) => {
		const byTouch = /** @type {PointerEvent} */ (event).pointerType === 'touch';
		if (byTouch && event.target instanceof Element && !event.target.closest('a, pre')) event.preventDefault();
	});
}
