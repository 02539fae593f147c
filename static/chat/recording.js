// A voice message that is being recorded, where the words would be written: held, on its own, or ended and waiting for
// what becomes of it. Nothing of it leaves the page before it is sent, and a page that is hidden records nothing.

import { announce, toast } from '../view/announce.js';
import { icon, iconButton, make } from '../view/dom.js';
import { loadStyle } from '../view/styles.js';
import { MOST_MS, Recorder } from '../view/recorder.js';
import { BARS, pathOf } from '../values/waveform.js';
import { playingTime } from '../values/when.js';
import { t } from '../values/words.js';
import { drawWave, pausePlaying } from './voice.js';

/**
 * @import { Key } from '../values/words.js'
 * @import { Press } from './microphone.js'
 *
 * @typedef {import('../room/files.js').Chosen} Chosen
 * @typedef {'asking' | 'held' | 'running' | 'ended' | 'sending'} State
 */

/** Whoever lets go sooner did not mean to hold it. */
const SHORT_MS = 350;
/** Drawn so far away, in pixels, what is held is let go of for nothing. */
const AWAY = 80;
/** From here on it says how long there is left. */
const LEFT_MS = 60_000;

const REFUSALS = /** @type {Record<string, Key>} */ ({
	NotAllowedError: 'micDenied',
	SecurityError: 'micDenied',
	NotFoundError: 'micMissing',
	OverconstrainedError: 'micMissing',
	NotReadableError: 'micBusy',
	AbortError: 'micBusy',
});

const ENDINGS = /** @type {const} */ ({
	limit: 'recordingFull',
	lost: 'recordingLost',
	hidden: 'recordingHidden',
	silenced: 'recordingStopped',
	asked: 'recordingStopped',
});

export class Recording {
	#parts;
	#send;
	#closed;
	#over = new AbortController();
	/** @type {Recorder | null} */
	#recorder = null;
	/** @type {Press | null} */
	#press;
	/** @type {State} */
	#state = 'asking';
	/** The last that was heard, 0 to 255 each. @type {number[]} */
	#levels = [];

	#time = make('span', { class: 'recording-time', role: 'timer' }, playingTime(0));
	#text = make('span', { class: 'recording-text', role: 'status' });
	#drawing = drawWave('');
	#discard = iconButton('close', t('discardRecording'), () => this.discard());
	#go = make('button', { type: 'button', class: 'send', 'aria-label': t('stopAndSend') }, icon('send'));
	#root;

	/**
	 * Begins to record.
	 *
	 * @param {{ composer: HTMLElement, voice: HTMLButtonElement }} parts of the chat
	 * @param {object} doing
	 * @param {Press | null} doing.press what holds the button
	 * @param {(chosen: Chosen) => Promise<void>} doing.send
	 * @param {(focus: boolean) => void} doing.closed `focus`: whether the keyboard was here
	 */
	constructor(parts, { press, send, closed }) {
		this.#parts = parts;
		this.#press = press;
		this.#send = send;
		this.#closed = closed;
		this.#root = make(
			'div',
			{ class: 'recording', role: 'group', 'aria-label': t('recording') },
			this.#discard,
			make('span', { class: 'recording-lamp', 'aria-hidden': 'true' }),
			this.#time,
			this.#drawing.wave,
			this.#text,
			this.#go,
		);
		this.#go.addEventListener('click', () => this.#finish());
		parts.voice.before(this.#root);
		this.#show('asking');
		this.#text.textContent = t('micAsking');
		this.#watch();
		void this.#begin();
	}

	async #begin() {
		pausePlaying();
		await loadStyle('/style/recording.css');
		try {
			const recorder = await Recorder.begin({
				heard: (heard) => this.#heard(heard),
				ended: (why) => this.#end(why),
			});
			// Somebody may have thought better of it while the browser asked.
			if (this.#over.signal.aborted) return recorder.discard();
			this.#recorder = recorder;
		} catch (cause) {
			if (this.#over.signal.aborted) return;
			const { name = '' } = /** @type {{ name?: string }} */ (cause ?? {});
			toast(t(REFUSALS[name] ?? 'micFailed'));
			this.#close();
			return;
		}
		if (document.hidden) {
			this.#end('hidden');
			return;
		}
		announce(t('recording'));
		if (this.#press && !this.#press.up) this.#hold();
		else this.#run();
	}

	#watch() {
		const { signal } = this.#over;
		const { voice, composer } = this.#parts;
		voice.addEventListener('pointermove', (event) => this.#moved(event), { signal });
		voice.addEventListener('pointerup', (event) => this.#letGo(event), { signal });
		// Something else took the finger: that is no wish to end it.
		voice.addEventListener('lostpointercapture', () => this.#state === 'held' && this.#run(), { signal });
		const escape = (/** @type {KeyboardEvent} */ event) => {
			if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
			const { activeElement: active } = document;
			if (this.#state !== 'held' && active !== document.body && !composer.contains(active)) return;
			event.preventDefault();
			event.stopPropagation();
			// What may be long is not lost by one key.
			if (this.#state === 'running') this.#end('asked');
			else if (this.#state !== 'sending') this.discard();
		};
		addEventListener('keydown', escape, { signal, capture: true });
		document.addEventListener('visibilitychange', () => document.hidden && this.#end('hidden'), { signal });
		addEventListener('beforeunload', (event) => this.#recorder && event.preventDefault(), { signal });
	}

	/** Nothing can be sent any more, for now. */
	silence() {
		this.#end('silenced');
	}

	/** Goes to what ends it. */
	focus() {
		this.#go.focus();
	}

	/** Ends it, and forgets what was said. */
	discard() {
		if (this.#over.signal.aborted) return;
		const recorded = this.#recorder !== null;
		this.#recorder?.discard();
		this.#close();
		if (recorded) toast(t('recordingDiscarded'));
	}

	/** It is recorded as long as the button is held. */
	#hold() {
		this.#show('held');
		this.#text.textContent = t('slideToDiscard');
	}

	/** It is recorded until somebody ends it. */
	#run() {
		this.#show('running');
		this.#text.textContent = '';
		this.#go.focus();
	}

	/** It is recorded, and kept here. @param {keyof typeof ENDINGS} why */
	#end(why) {
		const { signal } = this.#over;
		if (signal.aborted || this.#state === 'ended' || this.#state === 'sending') return;
		if (!this.#recorder) {
			// The browser has not been given leave yet.
			if (why === 'silenced') this.#close();
			return;
		}
		void this.#recorder.stop();
		this.#show('ended');
		this.#drawTime();
		this.#text.textContent = t(ENDINGS[why]);
		this.#go.setAttribute('aria-label', t('send'));
		this.#go.focus();
	}

	async #finish() {
		if (!this.#recorder || this.#state === 'sending') return;
		this.#show('sending');
		const recorded = await this.#recorder.stop();
		if (!recorded) {
			toast(t('nothingRecorded'));
			this.#close();
			return;
		}
		const ending = recorded.type.split('/')[1] ?? '';
		try {
			await this.#send({ ...recorded, name: `voice-message.${ending}` });
			this.#close();
		} catch {
			// Why is said by whoever was to send it; what was recorded is still here.
			this.#show('ended');
			this.#text.textContent = '';
		}
	}

	/** @param {PointerEvent} event */
	#moved({ pointerId, clientX, clientY }) {
		const press = this.#press;
		if (this.#state !== 'held' || pointerId !== press?.pointer) return;
		const away = Math.hypot(clientX - press.x, clientY - press.y) > AWAY;
		if (away === this.#root.hasAttribute('data-away')) return;
		this.#root.toggleAttribute('data-away', away);
		this.#text.textContent = t(away ? 'letGoToDiscard' : 'slideToDiscard');
	}

	/** @param {PointerEvent} event */
	#letGo({ pointerId }) {
		const press = this.#press;
		if (this.#state !== 'held' || pointerId !== press?.pointer) return;
		if (this.#root.hasAttribute('data-away')) this.discard();
		else if ((this.#recorder?.elapsed ?? 0) < SHORT_MS) this.#run();
		else void this.#finish();
	}

	/** @param {import('../values/waveform.js').Heard} heard */
	#heard({ level }) {
		this.#levels.push(255 * Math.sqrt(Math.min(1, level * 3)));
		if (this.#levels.length > BARS) this.#levels.shift();
		const { length } = this.#levels;
		const drawn = Array.from({ length: BARS }, (_, bar) => this.#levels[bar - BARS + length] ?? 0);
		this.#drawing.bars.setAttribute('d', pathOf(drawn));
		this.#parts.voice.style.setProperty('--level', String((drawn.at(-1) ?? 0) / 255));
		this.#drawTime();
	}

	#drawTime() {
		const elapsed = this.#recorder?.elapsed ?? 0;
		const left = MOST_MS - elapsed;
		const isNearEnd = left < LEFT_MS && this.#state !== 'ended';
		const text = isNearEnd ? `−${playingTime(Math.max(0, left))}` : playingTime(elapsed);
		if (this.#time.textContent !== text) this.#time.textContent = text;
	}

	/** @param {State} state */
	#show(state) {
		this.#state = state;
		this.#parts.composer.dataset.recording = state;
	}

	#close() {
		const focused = this.#root.contains(document.activeElement) || document.activeElement === document.body;
		this.#over.abort();
		delete this.#parts.composer.dataset.recording;
		this.#parts.voice.style.removeProperty('--level');
		this.#root.remove();
		this.#closed(focused);
	}
}
