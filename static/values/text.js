/**
 * What others wrote, made safe and readable: names, emoji, and message text cut into parts that the
 * view puts into elements by `textContent`. Pure.
 *
 * @typedef {{ type: 'text' | 'em' | 'strong' | 'spoiler', text: string }
 *   | { type: 'link', text: string, href: string, host: string | null }
 *   | { type: 'code', text: string }
 *   | { type: 'codeblock', text: string }} Part `host`: where a link leads, in ASCII, if that is not what stands there.
 */

import { cleanName, INVISIBLE, SPACES, STACKS } from './names.js';
import { TWINS } from './twins.js';

export { cleanName };

const EMOJI_LENGTH = 40;

/** Embeddings and overrides of direction: they make text look like other text. Isolates are harmless. */
const OVERRIDES = /[\u202a-\u202e]/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[0-9#*]\ufe0f?\u20e3/u;
const EMOJI_ONLY = /^[\p{Extended_Pictographic}\p{Emoji_Component}\u200d\ufe0f\u20e3]+$/u;

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

/**
 * Text without what could deceive about its order, or draw outside of its lines.
 *
 * @param {string} text
 * @returns {string}
 */
export function cleanText(text) {
	return text.replace(/\r\n?/g, '\n').replace(OVERRIDES, '').replace(CONTROLS, '\ufffd').replace(STACKS, '$1');
}

/**
 * @param {string} text
 * @returns {Part[]} in order; the texts hold all that is to be shown
 */
export function tokenise(text) {
	const clean = cleanText(text);
	/** @type {Part[]} */
	const parts = [];
	let at = 0;
	for (const { from, to, text: code } of codeBlocks(clean)) {
		inline(clean.slice(at, from), parts);
		parts.push({ type: 'codeblock', text: code });
		at = to;
	}
	inline(clean.slice(at), parts);
	return parts;
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

/**
 * One line that stands for a message, as in a quote.
 *
 * @param {string} text
 * @param {number} [most] characters
 * @returns {string}
 */
export function quoteOf(text, most = 120) {
	const line = cleanText(text).replace(/\s+/g, ' ').trim();
	const characters = Array.from(line.slice(0, (most + 1) * 2));
	return characters.length <= most ? line : `${characters.slice(0, most - 1).join('')}…`;
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

/**
 * What a message says in few words, where it may say it with a file alone.
 *
 * @param {{ text: string, files: { name: string }[] }} message
 * @returns {string}
 */
export function gist({ text, files }) {
	return text.trim() === '' && files[0] ? `📎 ${files[0].name}` : text;
}

/** @type {Map<string, string>} */
const LOOKS_LIKE = new Map(
	Object.entries(TWINS).flatMap(([like, characters]) => Array.from(characters, (character) => [character, like])),
);

/**
 * What two names are compared by: compatibility forms, case and invisible characters make none differ, nor do
 * letters of other alphabets that look like Latin ones (Unicode technical standard 39).
 *
 * @param {string} name
 * @returns {string}
 */
export function foldName(name) {
	// Down, up and down again is as near to Unicode's full case folding as JavaScript comes (ẞ, ſ, final sigma).
	const folded = name
		.normalize('NFKC')
		.toLowerCase()
		.toUpperCase()
		.toLowerCase()
		.replaceAll('ς', 'σ')
		.normalize('NFKC');
	const visible = folded.replace(SPACES, ' ').replace(INVISIBLE, '').replace(/ +/g, ' ').trim();
	return Array.from(visible, (character) => LOOKS_LIKE.get(character) ?? character)
		.join('')
		.replaceAll('rn', 'm');
}

/** What the page itself calls people and things, in whatever language; nobody is to be taken for those. */
const RESERVED = new Set(
	[
		...['You', 'Me', 'Someone', 'Everyone', 'Several people', 'Owner', 'The owner', 'Server', 'The server', 'Buddy'],
		...['Du', 'Ich', 'Jemand', 'Alle', 'Mehrere', 'Admin', 'Der Admin', 'Der Server'],
	].map(foldName),
);

/** @param {string} name @returns {boolean} whether it means something else on this page */
export function isReservedName(name) {
	return RESERVED.has(foldName(cleanName(name)).replace(/^[\p{P}\p{S}\s]+|[\p{P}\p{S}\s]+$/gu, ''));
}

/** @param {string} text @returns {boolean} whether it may stand as a reaction */
export function isEmoji(text) {
	return text.length <= EMOJI_LENGTH && EMOJI.test(text) && EMOJI_ONLY.test(text);
}

/** Longer texts are no mere emoji, and trying them costs a time that grows with their length's third power. */
const FEW_EMOJI_LENGTH = 60;
const FEW_EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f\p{Extended_Pictographic}]*\s?){1,3}$/u;

/** @param {string} text @returns {boolean} whether it is nothing but a few emoji, which are shown large */
export function isFewEmoji(text) {
	return text.length <= FEW_EMOJI_LENGTH && FEW_EMOJI.test(text);
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
