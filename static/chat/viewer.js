// Pictures in full: one at a time, with the keyboard, a wheel or two fingers. Loaded when one is opened.

import { iconButton, make } from '../view/dom.js';
import { loadStyle } from '../view/styles.js';
import { kindOf, nameOf } from './kinds.js';
import { saveBlob, whyNot } from './opening.js';
import { sizeText, t } from '../values/words.js';

/**
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {import('../crypto/content.js').SentFile} SentFile
 */

const MOST_SCALE = 8;
const STEP = 1.4;

/** @param {Room} room @param {string} id */
export function showPicture(room, id) {
	new Viewer(room, id);
}

class Viewer {
	#room;
	#dialog = make('dialog', { class: 'viewer', 'aria-labelledby': 'viewer-title' });
	#stage = make('div', { class: 'stage' });
	#status = make('p', { class: 'viewer-status', role: 'status' });
	#title = make('h2', { tabindex: '-1', autofocus: true });
	#save;
	#earlier;
	#later;
	#id;
	/** @type {Blob | null} */
	#blob = null;
	/** @type {HTMLImageElement | null} */
	#image = null;
	#loading = new AbortController();
	#scale = 1;
	#x = 0;
	#y = 0;
	/** Fingers, or the mouse, that are down. @type {Map<number, { x: number, y: number }>} */
	#pointers = new Map();

	/** @param {Room} room @param {string} id */
	constructor(room, id) {
		this.#room = room;
		this.#id = id;
		void loadStyle('/style/viewer.css');
		this.#save = iconButton('save', t('savePicture'), () => this.#saveIt());
		this.#earlier = iconButton('back', t('earlierPicture'), () => this.#go(-1));
		this.#later = iconButton('forward', t('laterPicture'), () => this.#go(1));
		this.#title.id = 'viewer-title';
		this.#dialog.append(
			make(
				'div',
				{ class: 'viewer-head' },
				this.#title,
				iconButton('minus', t('smaller'), () => this.#zoom(1 / STEP)),
				iconButton('plus', t('larger'), () => this.#zoom(STEP)),
				this.#save,
				iconButton('close', t('close'), () => this.#dialog.close()),
			),
			this.#stage,
			this.#status,
			make('div', { class: 'viewer-foot' }, this.#earlier, this.#later),
		);
		document.body.append(this.#dialog);
		this.#dialog.addEventListener('close', () => this.#closed());
		this.#dialog.addEventListener('keydown', (event) => this.#pressed(event));
		this.#stage.addEventListener('wheel', (event) => this.#wheeled(event), { passive: false });
		this.#stage.addEventListener('dblclick', (event) => this.#zoom(this.#scale > 1 ? 0 : 2.5, event));
		this.#stage.addEventListener('pointerdown', (event) => this.#down(event));
		this.#stage.addEventListener('pointermove', (event) => this.#moved(event));
		for (const end of /** @type {const} */ (['pointerup', 'pointercancel'])) {
			this.#stage.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
		}
		this.#dialog.showModal();
		void this.#show();
	}

	/** The pictures of what is loaded of the room. @returns {SentFile[]} */
	get #pictures() {
		return this.#room.entries.flatMap((entry) =>
			entry.type === 'message' ? entry.files.filter((file) => kindOf(file) === 'picture') : [],
		);
	}

	async #show() {
		this.#loading.abort();
		this.#loading = new AbortController();
		const { signal } = this.#loading;
		this.#drop();
		const pictures = this.#pictures;
		const at = pictures.findIndex(({ id }) => id === this.#id);
		const file = pictures[at];
		this.#earlier.disabled = at <= 0;
		this.#later.disabled = at < 0 || at === pictures.length - 1;
		this.#save.disabled = true;
		if (!file) {
			this.#say(t('pictureGone'));
			return;
		}
		this.#title.replaceChildren(make('bdi', {}, nameOf(file)), ' ', make('small', {}, sizeText(file.size)));
		this.#say(t('loading'));
		try {
			const progress = (/** @type {number} */ share) =>
				this.#say(t('loadingShare', { percent: Math.round(share * 100) }));
			const blob = await this.#room.readFile(file, { signal, progress });
			if (signal.aborted) return;
			const image = make('img', { alt: nameOf(file), draggable: 'false' });
			image.src = URL.createObjectURL(new Blob([blob], { type: file.type }));
			this.#blob = blob;
			this.#save.disabled = false;
			await image.decode();
			if (signal.aborted) return;
			this.#image = image;
			this.#stage.append(image);
			this.#say('');
		} catch (cause) {
			if (signal.aborted) return;
			const code = /** @type {{ code?: unknown }} */ (cause).code;
			this.#say(typeof code === 'string' ? whyNot(cause) : t('cannotShow'));
		}
	}

	#drop() {
		if (this.#image) URL.revokeObjectURL(this.#image.src);
		this.#image?.remove();
		this.#image = null;
		this.#blob = null;
		this.#scale = 1;
		this.#x = 0;
		this.#y = 0;
	}

	/** @param {string} text */
	#say(text) {
		this.#status.hidden = text === '';
		this.#status.textContent = text;
	}

	/** @param {number} by */
	#go(by) {
		const pictures = this.#pictures;
		const next = pictures[pictures.findIndex(({ id }) => id === this.#id) + by];
		if (!next) return;
		this.#id = next.id;
		void this.#show();
		// A button that can do no more would lose the focus.
		if (this.#dialog.querySelector(':disabled:focus') || document.activeElement === document.body) this.#title.focus();
	}

	#saveIt() {
		const file = this.#pictures.find(({ id }) => id === this.#id);
		if (file && this.#blob) saveBlob(this.#blob, file);
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		const move = 60;
		const keys = /** @type {Record<string, () => void>} */ ({
			'+': () => this.#zoom(STEP),
			'=': () => this.#zoom(STEP),
			'-': () => this.#zoom(1 / STEP),
			0: () => this.#zoom(0),
			ArrowLeft: () => (this.#scale > 1 ? this.#pan(move, 0) : this.#go(-1)),
			ArrowRight: () => (this.#scale > 1 ? this.#pan(-move, 0) : this.#go(1)),
			ArrowUp: () => this.#pan(0, move),
			ArrowDown: () => this.#pan(0, -move),
		});
		const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
		if (!act) return;
		event.preventDefault();
		act();
	}

	/** @param {WheelEvent} event */
	#wheeled(event) {
		event.preventDefault();
		this.#zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event);
	}

	/** @param {PointerEvent} event */
	#down(event) {
		this.#stage.setPointerCapture(event.pointerId);
		this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
	}

	/** @param {PointerEvent} event */
	#moved(event) {
		const before = this.#pointers.get(event.pointerId);
		if (!before) return;
		const now = { x: event.clientX, y: event.clientY };
		const other = Array.from(this.#pointers).find(([id]) => id !== event.pointerId)?.[1];
		this.#pointers.set(event.pointerId, now);
		if (!other) {
			this.#pan(now.x - before.x, now.y - before.y);
			return;
		}
		// Two fingers: what lies between them stays there.
		const [was, is] = [distance(before, other), distance(now, other)];
		this.#zoom(is / Math.max(was, 1), { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
		this.#pan((now.x - before.x) / 2, (now.y - before.y) / 2);
	}

	/** @param {number} by 0: as large as at first @param {{ clientX: number, clientY: number }} [around] */
	#zoom(by, around) {
		const scale = Math.min(MOST_SCALE, Math.max(1, by === 0 ? 1 : this.#scale * by));
		const box = this.#stage.getBoundingClientRect();
		const [x, y] = around ? [around.clientX - box.x - box.width / 2, around.clientY - box.y - box.height / 2] : [0, 0];
		const grown = scale / this.#scale;
		this.#x = x - (x - this.#x) * grown;
		this.#y = y - (y - this.#y) * grown;
		this.#scale = scale;
		this.#pan(0, 0);
	}

	/** @param {number} x @param {number} y */
	#pan(x, y) {
		const image = this.#image;
		if (!image) return;
		const most = (/** @type {number} */ shown, /** @type {number} */ room) =>
			Math.max(0, (shown * this.#scale - room) / 2);
		const [across, down] = [
			most(image.clientWidth, this.#stage.clientWidth),
			most(image.clientHeight, this.#stage.clientHeight),
		];
		this.#x = Math.min(across, Math.max(-across, this.#x + x));
		this.#y = Math.min(down, Math.max(-down, this.#y + y));
		image.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
	}

	#closed() {
		this.#loading.abort();
		this.#drop();
		this.#dialog.remove();
	}
}

/** @param {{ x: number, y: number }} one @param {{ x: number, y: number }} other */
function distance(one, other) {
	return Math.hypot(one.x - other.x, one.y - other.y);
}
