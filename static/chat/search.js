// Finding in a room: a bar above the conversation, the hits marked in it, and the way to a day. What is loaded is
// searched at once; the rest is loaded when somebody wants it, and can be stopped.

import { announce, toast } from '../view/announce.js';
import { button, iconButton, make } from '../view/dom.js';
import { loadStyle } from '../view/styles.js';
import { Finder, firstSince, loadedShare } from '../room/finder.js';
import { dayOf, rangesOf, startOfDay, wordsOf } from '../values/finding.js';
import { dayAmid, dayName, timeOfDay } from '../values/when.js';
import { gist, quoteOf } from '../values/text.js';
import { number, t } from '../values/words.js';

/**
 * @import { RoomFacade } from '../room/facade.js'
 * @import { Hit } from '../room/finder.js'
 * @import { Timeline } from './timeline.js'
 */

/** While much comes, what is found is looked through again no sooner than this. */
const AGAIN_MS = 300;
/** More marks than that are of no use, and would cost time. */
const MOST_MARKS = 2_000;

/** What marks text without changing the document, where the browser can. @type {Map<string, { clear(): void, add(range: Range): void }> | undefined} */
const marks = /** @type {any} */ (globalThis.CSS)?.highlights;
const Mark = /** @type {any} */ (globalThis).Highlight;

export class Search {
	#room;
	#timeline;
	#list;
	#finder = new Finder();
	#closed = new AbortController();
	#then;
	/** @type {string[]} */
	#words = [];
	/** Newest first. @type {readonly Hit[]} */
	#hits = [];
	/** The one that is shown. @type {Hit | null} */
	#here = null;
	/** Counts what was looked for, so that the answer to an earlier question is given up. */
	#turn = 0;
	/** Ends the loading of more. @type {AbortController | null} */
	#loading = null;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#again;
	#marking = 0;

	#field = make('input', {
		type: 'search',
		'aria-label': t('findInRoom'),
		placeholder: t('findInRoom'),
		autocomplete: 'off',
		enterkeyhint: 'search',
		dir: 'auto',
	});
	#count = make('span', { class: 'finder-count', role: 'status' });
	#older = iconButton('down', t('olderHit'), () => this.#step(1), 'up');
	#newer = iconButton('down', t('newerHit'), () => this.#step(-1));
	#extent = make('p');
	#all = button(t('searchEverything'), () => this.#loadAll(), 'plain');
	#stop = button(t('stop'), () => this.#loading?.abort(), 'plain');
	#progress = make('progress', { max: '1', 'aria-label': t('loadingRoom') });
	#day = make('input', { type: 'date' });
	#root;

	/**
	 * @param {RoomFacade} room
	 * @param {Timeline} timeline
	 * @param {HTMLElement} list of the messages
	 * @param {() => void} then what follows closing it
	 */
	constructor(room, timeline, list, then) {
		this.#room = room;
		this.#timeline = timeline;
		this.#list = list;
		this.#then = then;
		const close = iconButton('close', t('stopFinding'), () => this.close());
		const go = make('label', {}, t('goToDay'), this.#day);
		this.#extent.append(make('span'), ' ', this.#progress, ' ', this.#all, this.#stop);
		this.#root = make(
			'div',
			{ class: 'finder', role: 'search', 'aria-label': t('findInRoom') },
			make('div', { class: 'finder-words' }, this.#field, this.#count, this.#older, this.#newer, close),
			make('div', { class: 'finder-more' }, this.#extent, go),
		);
		this.#field.addEventListener('input', () => this.#look());
		this.#day.addEventListener('change', () => this.#goToDay());
		this.#root.addEventListener('keydown', (event) => this.#pressed(event));
		const { signal } = this.#closed;
		room.addEventListener('entries', () => this.#lookAgain(), { signal });
		room.addEventListener('connection', () => this.#drawExtent(), { signal });
		const watching = new MutationObserver(() => this.#markSoon());
		watching.observe(list, { childList: true, subtree: true });
		signal.addEventListener('abort', () => watching.disconnect());
		this.#draw();
		this.#drawExtent();
	}

	/** Shows it below an element. @param {Element} above */
	async open(above) {
		await loadStyle('/style/finding.css');
		if (this.#closed.signal.aborted) return;
		above.after(this.#root);
		this.focus();
	}

	/** Whether what is typed goes here. */
	get holdsFocus() {
		return this.#root.contains(document.activeElement);
	}

	focus() {
		this.#field.focus();
		this.#field.select();
	}

	close() {
		if (this.#closed.signal.aborted) return;
		this.#closed.abort();
		this.#turn += 1;
		this.#loading?.abort();
		clearTimeout(this.#again);
		marks?.delete('found');
		marks?.delete('found-here');
		this.#root.remove();
		this.#then();
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		if (event.isComposing) return;
		if (event.key === 'Escape') this.close();
		else if (event.key === 'Enter' && event.target === this.#field) this.#step(event.shiftKey ? -1 : 1);
		else return;
		event.preventDefault();
	}

	/** Looks for what stands in the field now. */
	async #look() {
		this.#words = wordsOf(this.#field.value);
		this.#here = null;
		this.#hits = [];
		if (this.#words.length === 0) {
			this.#turn += 1;
			this.#draw();
			return;
		}
		await this.#find();
	}

	async #find() {
		this.#turn += 1;
		const turn = this.#turn;
		const wanted = () => turn === this.#turn;
		const take = (/** @type {readonly Hit[]} */ hits) => {
			this.#hits = hits;
			if (!this.#here && hits[0]) this.#show(hits[0]);
			this.#draw();
		};
		const hits = await this.#finder.find(this.#room.entries, this.#words, {
			wanted,
			found: (hits) => this.#hits.length <= hits.length && take(hits),
		});
		if (hits) take(hits);
	}

	/** What came, changed or went since is found, too; a hundred pages of history are not a hundred questions. */
	#lookAgain() {
		if (this.#words.length === 0) return;
		this.#again ??= setTimeout(() => {
			this.#again = undefined;
			if (!this.#closed.signal.aborted) void this.#find();
		}, AGAIN_MS);
	}

	/** @param {1 | -1} by to what is older, or newer; past the last one it begins again */
	#step(by) {
		const { length } = this.#hits;
		if (length === 0) return;
		const at = this.#hits.findIndex(({ key }) => key === this.#here?.key);
		const next = this.#hits[at < 0 ? 0 : (at + by + length) % length];
		if (next) this.#show(next);
		this.#draw();
	}

	/** @param {Hit} hit */
	#show(hit) {
		this.#here = hit;
		void this.#timeline.jumpTo(hit.seq, { focus: false }).then(() => this.#markSoon());
		const entry = this.#room.entry(hit.seq);
		if (entry?.type !== 'message') return;
		const who = entry.own ? t('you') : entry.name || t('someone');
		const when = entry.sentAtMs === null ? '' : `, ${dayName(entry.sentAtMs)} ${timeOfDay(entry.sentAtMs)}`;
		announce(`${who}${when}: ${quoteOf(gist(entry), 300)}`);
	}

	#draw() {
		const { length } = this.#hits;
		const at = this.#hits.findIndex(({ key }) => key === this.#here?.key);
		const count = length === 0 ? t('notFound') : at < 0 ? number(length) : t('hitOf', { at: at + 1, all: length });
		this.#count.textContent = this.#words.length === 0 ? '' : count;
		for (const press of [this.#older, this.#newer]) press.disabled = length === 0;
		this.#markSoon();
	}

	#drawExtent() {
		const { hasOlder, entries, info } = this.#room;
		const loading = this.#loading !== null;
		const held = document.activeElement;
		const [text] = this.#extent.children;
		const first = entries.find(({ sentAtMs }) => sentAtMs !== null)?.sentAtMs ?? null;
		const since = first === null ? t('searchedLoaded') : t('searchedBack', { day: dayAmid(first) });
		const whole = info.createdAtMs > 0 ? t('wholeSearched') : t('allSearched');
		if (text) text.textContent = loading ? t('loading') : hasOlder ? since : whole;
		this.#all.hidden = loading || !hasOlder;
		this.#stop.hidden = this.#progress.hidden = !loading;
		if (loading) this.#progress.value = loadedShare(this.#room);
		// A button that goes hands the focus to the one that takes its place.
		if (held === this.#all && loading) this.#stop.focus();
		if (held === this.#stop && !loading) (hasOlder ? this.#all : this.#field).focus();
		if (first !== null && !hasOlder) this.#day.min = dayOf(first);
		else if (info.createdAtMs > 0) this.#day.min = dayOf(info.createdAtMs);
		this.#day.max = dayOf(Date.now());
	}

	async #loadAll() {
		if (await this.#loadWhile(() => true)) announce(t('wholeSearchedNow'));
	}

	/**
	 * Loads older history, until it is not wanted any more, all is there, or somebody stops it.
	 *
	 * @param {() => boolean} wanted
	 * @returns {Promise<boolean>} whether it went on to its end
	 */
	async #loadWhile(wanted) {
		this.#loading?.abort();
		const loading = new AbortController();
		this.#loading = loading;
		this.#drawExtent();
		try {
			while (wanted() && this.#room.hasOlder && !loading.signal.aborted) {
				const came = await this.#room.loadOlder();
				if (this.#loading === loading) this.#drawExtent();
				// What came from this browser came without waiting; a key that was pressed goes first.
				await new Promise((resolve) => setTimeout(resolve));
				if (came === 0 && this.#room.hasOlder) break;
			}
			return !loading.signal.aborted;
		} catch {
			toast(t('olderNotLoadedAsk'));
			return false;
		} finally {
			if (this.#loading === loading) {
				this.#loading = null;
				this.#drawExtent();
			}
		}
	}

	async #goToDay() {
		const begins = startOfDay(this.#day.value);
		if (begins === null) return;
		const room = this.#room;
		const oldest = () => room.entries.find(({ sentAtMs }) => sentAtMs !== null)?.sentAtMs ?? Infinity;
		if (!(await this.#loadWhile(() => oldest() >= begins)) || this.#closed.signal.aborted) return;
		const entry = firstSince(room.entries, begins);
		if (!entry || entry.seq === null || entry.sentAtMs === null) {
			toast(t('nothingSince'));
			return;
		}
		await this.#timeline.jumpTo(entry.seq, { focus: false });
		if (dayOf(entry.sentAtMs) === this.#day.value) announce(dayName(entry.sentAtMs));
		else toast(t('nothingThatDay', { day: dayAmid(entry.sentAtMs) }));
	}

	#markSoon() {
		if (!marks || this.#marking !== 0) return;
		this.#marking = requestAnimationFrame(() => {
			this.#marking = 0;
			if (!this.#closed.signal.aborted) this.#mark();
		});
	}

	/** Marks the words in the messages that stand in the document. */
	#mark() {
		const all = new Mark();
		const here = new Mark();
		let count = 0;
		if (this.#words.length > 0) {
			const keys = new Set(this.#hits.map(({ key }) => key));
			for (const item of this.#list.querySelectorAll('.message')) {
				const { key } = /** @type {HTMLElement} */ (item).dataset;
				const text = keys.has(key ?? '') ? item.querySelector('.text') : null;
				if (!text || count >= MOST_MARKS) continue;
				for (const range of rangesIn(text, this.#words)) {
					(key === this.#here?.key ? here : all).add(range);
					count += 1;
				}
			}
		}
		marks?.set('found', all);
		marks?.set('found-here', here);
	}
}

/** Where words stand in an element, also across what is emphasised. @param {Element} element @param {readonly string[]} words @returns {Range[]} */
function rangesIn(element, words) {
	const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
	/** @type {{ node: Text, from: number }[]} */
	const nodes = [];
	let whole = '';
	for (let node = walker.nextNode(); node; node = walker.nextNode()) {
		nodes.push({ node: /** @type {Text} */ (node), from: whole.length });
		whole += node.nodeValue ?? '';
	}
	return rangesOf(whole, words).map(([from, to]) => {
		const range = document.createRange();
		const first = nodes.findLast((one) => one.from <= from);
		const last = nodes.findLast((one) => one.from < to);
		if (first) range.setStart(first.node, from - first.from);
		if (last) range.setEnd(last.node, to - last.from);
		return range;
	});
}
