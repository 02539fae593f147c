// Voice messages in the conversation: what is drawn of one before anybody plays it. Playing is loaded then (playing.js).

import { icon, make } from '../view/dom.js';
import { chosen } from '../view/chosen.js';
import { decodeBase64url } from '../values/bytes.js';
import { fileWords } from '../values/text.js';
import { DRAWN, pathOf } from '../values/waveform.js';
import { playingTime } from '../values/when.js';
import { number, t } from '../values/words.js';

/** @typedef {import('../crypto/content.js').SentFile} SentFile */

/** How fast they can be played. */
export const SPEEDS = [1, 1.5, 2];

const SVG = 'http://www.w3.org/2000/svg';
/** What an arrow key moves by, in a shorter and a longer one, and from what length on it is long; in milliseconds. */
const STEP_MS = 1000;
const LONG_STEP_MS = 5000;
const LONG_MS = 60_000;

/** What plays now. @type {{ pause: () => void } | null} */
let playing = null;

/** One plays at a time. @param {{ pause: () => void } | null} next */
export function nowPlaying(next) {
	if (playing !== next) playing?.pause();
	playing = next;
}

export function pausePlaying() {
	nowPlaying(null);
}

/** @returns {number} one of {@link SPEEDS} */
export function chosenSpeed() {
	const { speed } = chosen();
	return SPEEDS.find((one) => one === speed) ?? 1;
}

/** Puts a speed onto the buttons that change it. @param {Iterable<Element>} buttons @param {number} speed */
export function drawSpeed(buttons, speed) {
	const text = `${number(speed)}×`;
	for (const one of buttons) {
		one.textContent = text;
		one.setAttribute('aria-label', t('playSpeed', { speed: text }));
	}
}

/** @param {SentFile} file with a waveform */
export function drawVoice(file) {
	const { duration_ms: length = 0, waveform = '' } = file;
	const path = pathOf(decodeBase64url(waveform) ?? []);
	const play = make('button', { type: 'button', class: 'icon voice-play', 'data-play': true }, icon('play'));
	play.setAttribute('aria-label', t('play'));
	const seek = make('input', {
		type: 'range',
		min: '0',
		max: String(length),
		step: '50',
		'aria-label': t('playPosition'),
	});
	seek.value = '0';
	seek.addEventListener('keydown', (event) => step(seek, event));
	const speed = make('button', { type: 'button', class: 'icon voice-speed', 'data-speed': true });
	drawSpeed([speed], chosenSpeed());
	const voice = make(
		'div',
		{ class: 'voice', role: 'group', 'aria-label': fileWords(file) },
		play,
		make('div', { class: 'voice-wave' }, drawWave(path).wave, drawWave(path, 'voice-played').wave, seek),
		make('span', { class: 'voice-time', 'aria-hidden': 'true' }),
		speed,
	);
	drawPosition(voice, 0, length);
	return voice;
}

/**
 * Shows how far it is.
 *
 * @param {HTMLElement} voice
 * @param {number} at milliseconds
 * @param {number} length
 */
export function drawPosition(voice, at, length) {
	const seek = /** @type {HTMLInputElement} */ (voice.querySelector('input'));
	const time = /** @type {HTMLElement} */ (voice.querySelector('.voice-time'));
	seek.value = String(at);
	// Nothing that was said took no time.
	const values = { at: playingTime(at), all: playingTime(Math.max(1000, length)) };
	const spoken = t('playedOf', values);
	if (seek.getAttribute('aria-valuetext') !== spoken) seek.setAttribute('aria-valuetext', spoken);
	const text = at === 0 ? values.all : `${values.at} / ${values.all}`;
	if (time.textContent !== text) time.textContent = text;
	voice.style.setProperty('--played', String(length > 0 ? Math.min(1, at / length) : 0));
}

/** @param {string} path @param {string} [style] @returns {{ wave: SVGElement, bars: SVGElement }} `bars` has the path */
export function drawWave(path, style = '') {
	const svg = document.createElementNS(SVG, 'svg');
	svg.setAttribute('viewBox', `0 0 ${DRAWN.width} ${DRAWN.height}`);
	// As wide as there is room; its lines stay as thick as they are.
	svg.setAttribute('preserveAspectRatio', 'none');
	svg.setAttribute('aria-hidden', 'true');
	if (style) svg.setAttribute('class', style);
	const bars = document.createElementNS(SVG, 'path');
	bars.setAttribute('d', path);
	svg.append(bars);
	return { wave: svg, bars };
}

/** Arrows move by what one hears, not by what one sees. @param {HTMLInputElement} seek @param {KeyboardEvent} event */
function step(seek, event) {
	const rtl = seek.matches(':dir(rtl)') ? -1 : 1;
	const ways = /** @type {Record<string, number>} */ ({
		ArrowUp: 1,
		ArrowDown: -1,
		ArrowRight: rtl,
		ArrowLeft: -rtl,
	});
	const way = ways[event.key];
	if (way === undefined) return;
	event.preventDefault();
	seek.value = String(Number(seek.value) + way * (Number(seek.max) >= LONG_MS ? LONG_STEP_MS : STEP_MS));
	seek.dispatchEvent(new Event('input', { bubbles: true }));
}
