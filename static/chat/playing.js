// Plays voice messages, one at a time, also while their message is scrolled away. Loaded when one is played first.

import { choose } from '../view/chosen.js';
import { icon } from '../view/dom.js';
import { t } from '../values/words.js';
import { nameOf } from './kinds.js';
import { fetched, note, saveBlob } from './opening.js';
import { chosenSpeed, drawPosition, drawSpeed, nowPlaying, SPEEDS } from './voice.js';

/**
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {import('../crypto/content.js').SentFile} SentFile
 *
 * @typedef {object} Asked
 * @property {Room} room
 * @property {SentFile} file
 * @property {HTMLElement} item where it stands
 * @property {AbortSignal} signal ends all of it
 * @property {(player: HTMLElement) => void} keep
 */

/** A browser that cannot tell how long a sound is goes no further than its end. */
const PAST_END_S = 1e7;
/** A browser that keeps one waiting longer than this is done without. */
const MEASURE_MS = 3000;

/** By the element that shows it. @type {WeakMap<HTMLElement, Player>} */
const players = new WeakMap();
/** Those of the room, also where their message is scrolled away. @type {Set<Player>} */
const open = new Set();

/** @param {Asked} asked */
export async function togglePlaying(asked) {
	await playerOf(asked)?.toggle();
}

/** Somebody moved where it plays. @param {Asked} asked */
export function seekPlaying(asked) {
	playerOf(asked)?.seek();
}

/** The next speed, for all. @param {HTMLElement} list */
export function nextSpeed(list) {
	const speed = SPEEDS[(SPEEDS.indexOf(chosenSpeed()) + 1) % SPEEDS.length] ?? 1;
	choose({ speed });
	drawSpeed(list.querySelectorAll('[data-speed]'), speed);
	for (const player of open) player.hasten(speed);
}

/** @param {Asked} asked @returns {Player | undefined} */
function playerOf(asked) {
	const voice = /** @type {HTMLElement | null} */ (asked.item.querySelector('.voice'));
	if (!voice) return undefined;
	let player = players.get(voice);
	if (!player) players.set(voice, (player = new Player(voice, asked)));
	return player;
}

class Player {
	#voice;
	#asked;
	#seek;
	#button;
	/** In milliseconds. As its message says, until it is known better. */
	#length;
	/** @type {HTMLAudioElement | null} */
	#audio = null;
	/** Moves on what is shown. */
	#frame = 0;

	/** @param {HTMLElement} voice @param {Asked} asked */
	constructor(voice, asked) {
		this.#voice = voice;
		this.#asked = asked;
		this.#length = asked.file.duration_ms ?? 0;
		this.#seek = /** @type {HTMLInputElement} */ (voice.querySelector('input'));
		this.#button = /** @type {HTMLButtonElement} */ (voice.querySelector('[data-play]'));
		// However often its message is drawn anew, this stays.
		asked.keep(voice);
		open.add(this);
		asked.signal.addEventListener('abort', () => this.#close());
	}

	async toggle() {
		if (this.#audio && !this.#audio.paused) {
			this.#audio.pause();
			return;
		}
		nowPlaying(this);
		const audio = this.#audio ?? (await this.#load());
		if (!audio) return;
		const at = Number(this.#seek.value);
		audio.currentTime = at >= this.#length ? 0 : at / 1000;
		audio.playbackRate = chosenSpeed();
		await audio.play().catch(() => {});
	}

	pause() {
		this.#audio?.pause();
	}

	seek() {
		const at = Number(this.#seek.value);
		if (this.#audio) this.#audio.currentTime = at / 1000;
		drawPosition(this.#voice, at, this.#length);
	}

	/** @param {number} speed */
	hasten(speed) {
		drawSpeed(this.#voice.querySelectorAll('[data-speed]'), speed);
		if (this.#audio) this.#audio.playbackRate = speed;
	}

	async #load() {
		const { room, file, item, signal } = this.#asked;
		const blob = await fetched(room, file, item, signal);
		if (!blob || signal.aborted) return null;
		const audio = new Audio();
		const refused = new Promise((resolve) => audio.addEventListener('error', () => resolve(false), { once: true }));
		// Type and length are this page's own word (files.js) and the sound's own.
		audio.src = URL.createObjectURL(new Blob([blob], { type: file.type }));
		if ((await Promise.race([measured(audio), refused])) === false) {
			URL.revokeObjectURL(audio.src);
			// Where the message was drawn anew meanwhile, it is another item.
			const here = /** @type {HTMLElement} */ (this.#voice.closest('.file') ?? item);
			note(here, t('cannotPlay'), () => saveBlob(blob, { ...file, name: nameOf(file) }));
			return null;
		}
		if (Number.isFinite(audio.duration) && audio.duration > 0) {
			this.#length = Math.round(audio.duration * 1000);
			this.#seek.max = String(this.#length);
		}
		for (const turn of ['play', 'pause', 'ended']) audio.addEventListener(turn, () => this.#turned());
		this.#audio = audio;
		return audio;
	}

	#turned() {
		const { paused, ended } = /** @type {HTMLAudioElement} */ (this.#audio);
		const plays = !paused && !ended;
		this.#voice.toggleAttribute('data-playing', plays);
		this.#button.setAttribute('aria-label', t(plays ? 'pause' : 'play'));
		this.#button.replaceChildren(icon(plays ? 'pause' : 'play'));
		if (plays) {
			this.#follow();
			return;
		}
		cancelAnimationFrame(this.#frame);
		drawPosition(this.#voice, ended ? 0 : this.#at, this.#length);
	}

	#follow() {
		drawPosition(this.#voice, this.#at, this.#length);
		this.#frame = requestAnimationFrame(() => this.#follow());
	}

	/** In milliseconds. */
	get #at() {
		return Math.min(this.#length, Math.round((this.#audio?.currentTime ?? 0) * 1000));
	}

	#close() {
		this.#audio?.pause();
		if (this.#audio) URL.revokeObjectURL(this.#audio.src);
		cancelAnimationFrame(this.#frame);
		open.delete(this);
	}
}

/**
 * Makes a sound ready, and one that does not say how long it is, as browsers record it, find its end: before that there
 * is no moving about in it.
 *
 * @param {HTMLAudioElement} audio
 */
async function measured(audio) {
	const isKnown = () => Number.isFinite(audio.duration);
	const ready = once(audio, 'loadedmetadata');
	audio.load();
	await ready;
	if (isKnown()) return;
	const found = once(audio, 'durationchange', isKnown);
	audio.currentTime = PAST_END_S;
	await found;
	audio.currentTime = 0;
}

/**
 * @param {HTMLAudioElement} audio
 * @param {string} event
 * @param {() => boolean} [isIt]
 * @returns {Promise<void>} resolves with the first of these events for which that holds, or soon without it
 */
function once(audio, event, isIt = () => true) {
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(waiting);
			audio.removeEventListener(event, look);
			resolve();
		};
		const look = () => isIt() && done();
		const waiting = setTimeout(done, MEASURE_MS);
		audio.addEventListener(event, look);
	});
}
