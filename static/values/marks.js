/**
 * Message text cut into parts that the view puts into elements by `textContent`: links, code, emphasis, quotes and
 * lists. What it shows is what was typed, without the marks. Pure, and linear in the length of a text whatever it is.
 *
 * @typedef {{ type: 'text' | 'em' | 'strong' | 'spoiler' | 'code' | 'codeblock', text: string }
 *   | { type: 'link', text: string, href: string, host: string | null }
 *   | { type: 'quote', parts: Part[] }
 *   | { type: 'list', ordered: boolean, items: Item[] }} Part `host`: where a link leads, in ASCII, if that is not what
 *   stands there.
 *
 * @typedef {{ number: number | null, parts: Part[] }} Item `number`: as it was typed, 0 to 999,999,999; null in a list
 *   that has none. Lists within an item are the last of its parts.
 */

import { cleanText } from './text.js';

/** A line that opens a block of code or, with nothing after it, closes one. */
const FENCE = /^```([^\n`]*)$/gm;
/** @type {Record<string, string>} */
const CLOSING = { '(': ')', '[': ']', '{': '}' };
const INLINE =
	/`([^`\n]+)`|(?:\bhttps?:\/\/|(?<![\w@./-])www\.)[^\s<>"`\p{Cc}\p{Cf}]+|(?<![\w.%+@/-])[\w.%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?![\w@])/giu;
const MAIL = /^[\w.%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;
const WWW = /^www\./i;
/**
 * `**strong**`, `*emphasis*` and `||spoiler||`, each within a line and between words: what is multiplied or starred is
 * neither. They are so short at most that a text full of beginnings costs little.
 */
const MARKED =
	/(?<![\p{L}\p{N}*])\*\*(?![\s*])([^\n]{1,400}?)(?<![\s*])\*\*(?![\p{L}\p{N}*])|(?<![\p{L}\p{N}*])\*(?![\s*])([^*\n]{1,400}?)(?<![\s*])\*(?![\p{L}\p{N}*])|\|\|(?![\s|])([^\n|]{1,400}?)(?<![\s|])\|\|/gu;

/** Quotes and lists within each other, at most; what is deeper shows its marks. */
const DEEPEST = 4;
const QUOTED = /^> ?/;
const QUOTE_LINE = /^>(?: |$)/;
const LIST_LINE = /^( {0,40})([-*]|(\d{1,9})[.)]) +(?=\S)/;
const HAS_BLOCK = /^(?:>(?: |$)| {0,40}(?:[-*]|\d{1,9}[.)]) )/m;

/**
 * @param {string} text
 * @returns {Part[]} in order; the texts hold all that is to be shown
 */
export function tokenise(text) {
	return tokens(cleanText(text), DEEPEST);
}

/** @param {string} text clean @param {number} depth that is left @returns {Part[]} */
function tokens(text, depth) {
	/** @type {Part[]} */
	const parts = [];
	let at = 0;
	for (const { from, to, text: code } of codeBlocks(text)) {
		blocks(text.slice(at, from), depth, parts);
		parts.push({ type: 'codeblock', text: code });
		at = to;
	}
	blocks(text.slice(at), depth, parts);
	return parts;
}

/**
 * Lines that are quoted or listed, and what is between them.
 *
 * @param {string} text
 * @param {number} depth
 * @param {Part[]} parts
 */
function blocks(text, depth, parts) {
	if (depth === 0 || !HAS_BLOCK.test(text)) {
		inline(text, parts);
		return;
	}
	const lines = text.split('\n');
	/** Where the lines begin that are neither. */
	let plain = 0;
	let at = 0;
	const flush = () => {
		if (plain < at) inline(lines.slice(plain, at).join('\n') + (at < lines.length ? '\n' : ''), parts);
	};
	while (at < lines.length) {
		const fits = [QUOTE_LINE, LIST_LINE].find((form) => form.test(lines[at] ?? ''));
		if (!fits) {
			at += 1;
			continue;
		}
		flush();
		const from = at;
		while (at < lines.length && fits.test(lines[at] ?? '')) at += 1;
		const own = lines.slice(from, at);
		if (fits === QUOTE_LINE) {
			const inner = own.map((line) => line.replace(QUOTED, '')).join('\n');
			parts.push({ type: 'quote', parts: tokens(inner, depth - 1) });
		} else parts.push(...lists(own, depth));
		plain = at;
	}
	flush();
}

/**
 * Lists of lines that each are of one: what is further in than the line before it is a list within that.
 *
 * @param {string[]} lines
 * @param {number} depth
 * @returns {Part[]}
 */
function lists(lines, depth) {
	/** @type {Part[]} */
	const found = [];
	/** The lists that are open, the innermost last. @type {{ indent: number, into: Part[], list: Extract<Part, { type: 'list' }> }[]} */
	const open = [];
	for (const line of lines) {
		const [mark = '', { length: indent } = '', , digits] = LIST_LINE.exec(line) ?? [];
		const number = digits === undefined ? null : Number(digits);
		while (open.length > 1 && indent < (open.at(-1)?.indent ?? 0)) open.pop();
		let last = open.at(-1);
		const within = last?.list.items.at(-1)?.parts;
		if (last && within && indent >= last.indent + 2 && open.length < depth) {
			last = begin(within, indent, number !== null);
			open.push(last);
		} else if (!last || last.list.ordered !== (number !== null)) {
			open.pop();
			last = begin(last?.into ?? found, indent, number !== null);
			open.push(last);
		}
		/** @type {Part[]} */
		const parts = [];
		inline(line.slice(mark.length), parts);
		last.list.items.push({ number, parts });
	}
	return found;
}

/** @param {Part[]} into @param {number} indent @param {boolean} ordered */
function begin(into, indent, ordered) {
	/** @type {Extract<Part, { type: 'list' }>} */
	const list = { type: 'list', ordered, items: [] };
	into.push(list);
	return { indent, into, list };
}

/**
 * Finds blocks in one pass: an expression that looks for the end of each would read a hostile text as often
 * as it has beginnings.
 *
 * @param {string} text
 * @returns {{ from: number, to: number, text: string }[]}
 */
function codeBlocks(text) {
	const blocks = [];
	/** @type {RegExpExecArray | null} */
	let opening = null;
	for (const fence of text.matchAll(FENCE)) {
		if (!opening) {
			// One at the very end opens nothing.
			if (fence.index + fence[0].length < text.length) opening = fence;
		} else if (/^[ \t]*$/.test(fence[1] ?? '')) {
			const begins = opening.index + opening[0].length + 1;
			const ends = fence.index + fence[0].length;
			const to = text[ends] === '\n' ? ends + 1 : ends;
			blocks.push({ from: opening.index, to, text: text.slice(begins, Math.max(begins, fence.index - 1)) });
			opening = null;
		}
	}
	return blocks;
}

/** An address that is longer is shown without its middle. */
const ADDRESS_LENGTH = 60;
/** So much of its end is what tells it from others of the same place. */
const ADDRESS_END = 16;

/**
 * A long address without its middle; where it leads stays whole.
 *
 * @param {string} address
 * @returns {string}
 */
export function shortened(address) {
	const [place = ''] = /^(?:[a-z]+:\/\/)?[^/?#]*\/?/i.exec(address) ?? [];
	const letters = Array.from(address.slice(place.length));
	const begin = Math.max(8, ADDRESS_LENGTH - ADDRESS_END - place.length);
	if (letters.length <= begin + ADDRESS_END + 1 || address.length <= ADDRESS_LENGTH) return address;
	return `${place}${letters.slice(0, begin).join('')}…${letters.slice(-ADDRESS_END).join('')}`;
}

/** @param {string} text @param {Part[]} parts */
function inline(text, parts) {
	let at = 0;
	for (const found of text.matchAll(INLINE)) {
		if (found.index < at) continue;
		const code = found[1];
		const link = code === undefined ? toLink(found[0]) : null;
		if (code === undefined && !link) continue;
		marked(text.slice(at, found.index), parts);
		parts.push(link ?? { type: 'code', text: code ?? '' });
		at = found.index + (link ? link.text.length : found[0].length);
	}
	marked(text.slice(at), parts);
}

/** What is neither link nor code. @param {string} text @param {Part[]} parts */
function marked(text, parts) {
	let at = 0;
	for (const found of text.matchAll(MARKED)) {
		const [whole, strong, em, spoiler] = found;
		if (found.index > at) parts.push({ type: 'text', text: text.slice(at, found.index) });
		const type = strong !== undefined ? 'strong' : em !== undefined ? 'em' : 'spoiler';
		parts.push({ type, text: strong ?? em ?? spoiler ?? '' });
		at = found.index + whole.length;
	}
	if (at < text.length) parts.push({ type: 'text', text: text.slice(at) });
}

/** @param {string} found @returns {Extract<Part, { type: 'link' }> | null} */
function toLink(found) {
	const text = withoutTrailingPunctuation(found);
	if (MAIL.test(text)) return { type: 'link', text, href: `mailto:${text}`, host: null };
	const bare = WWW.test(text);
	let url;
	try {
		url = new URL(bare ? `https://${text}` : text);
	} catch {
		return null;
	}
	// A user name in an address serves to pass off its host as another.
	const honest = (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
	if (!honest || (bare && !/\..*\./.test(url.host))) return null;
	// Letters that only look like a slash hide where the host ends; what differs is shown as it is.
	const [, typed = ''] = /^(?:[a-z]+:\/\/)?([^/?#]*)/i.exec(text) ?? [];
	return { type: 'link', text, href: url.href, host: typed.toLowerCase() === url.host ? null : url.host };
}

/** A sentence's end, or a bracket that the address does not open, is not of the address. @param {string} text */
function withoutTrailingPunctuation(text) {
	// How many more of each kind are closed than opened, up to `end`.
	/** @type {Record<string, number>} */
	const surplus = { ')': 0, ']': 0, '}': 0 };
	for (const character of text) {
		const closing = CLOSING[character];
		if (closing) surplus[closing] = (surplus[closing] ?? 0) - 1;
		else if (character in surplus) surplus[character] = (surplus[character] ?? 0) + 1;
	}
	let end = text.length;
	for (; end > 0; end -= 1) {
		const last = text[end - 1] ?? '';
		if (".,:;!?'*_~".includes(last)) continue;
		const more = surplus[last];
		if (more === undefined || more <= 0) break;
		surplus[last] = more - 1;
	}
	return text.slice(0, end);
}
