/**
 * What others wrote, made safe and readable: names, emoji, and message text cut into parts that the
 * view puts into elements by `textContent`. Pure.
 *
 * @typedef {{ type: 'text', text: string }
 *   | { type: 'link', text: string, href: string }
 *   | { type: 'code', text: string }
 *   | { type: 'codeblock', text: string }} Part
 */

const NAME_LENGTH = 40;
const EMOJI_LENGTH = 40;
/** Marks on one letter that some script needs; hostile text stacks hundreds. */
const STACKED_MARKS = 8;

/** Embeddings and overrides of direction: they make text look like other text. Isolates are harmless. */
const OVERRIDES = /[\u202a-\u202e]/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const STACKS = new RegExp(`(\\p{M}{${STACKED_MARKS}})\\p{M}+`, 'gu');
/** Shows nothing, or nothing of its own: format characters, fillers, the blank of Braille. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u115f\u1160\u2800\u3164\uffa0]/gu;
/** White space, without the byte order mark that JavaScript counts among it. */
const SPACES = /[^\S\ufeff]+/g;
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[0-9#*]\ufe0f?\u20e3/u;
const EMOJI_ONLY = /^[\p{Extended_Pictographic}\p{Emoji_Component}\u200d\ufe0f\u20e3]+$/u;

const FENCED = /^```[^\n`]*\n([\s\S]*?)(?:\n)?^```[ \t]*$\n?/gm;
const INLINE = /`([^`\n]+)`|\bhttps?:\/\/[^\s<>"`\p{Cc}\p{Cf}]+/giu;

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
	for (const fenced of clean.matchAll(FENCED)) {
		inline(clean.slice(at, fenced.index), parts);
		parts.push({ type: 'codeblock', text: fenced[1] ?? '' });
		at = fenced.index + fenced[0].length;
	}
	inline(clean.slice(at), parts);
	return parts;
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

/**
 * A name as it is shown and stored; empty if nothing visible is left.
 *
 * @param {string} name
 * @returns {string}
 */
export function cleanName(name) {
	const visible = name.normalize('NFC').replace(SPACES, ' ').replace(INVISIBLE, '').replace(STACKS, '$1');
	return Array.from(visible.replace(/ +/g, ' ').trim()).slice(0, NAME_LENGTH).join('').trim();
}

/**
 * What two names are compared by: compatibility forms, case and invisible characters make none differ.
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
	return folded.replace(SPACES, ' ').replace(INVISIBLE, '').replace(/ +/g, ' ').trim();
}

/** @param {string} text @returns {boolean} whether it may stand as a reaction */
export function isEmoji(text) {
	return text.length <= EMOJI_LENGTH && EMOJI.test(text) && EMOJI_ONLY.test(text);
}

/** @param {string} text @param {Part[]} parts */
function inline(text, parts) {
	let at = 0;
	for (const found of text.matchAll(INLINE)) {
		if (found.index < at) continue;
		const code = found[1];
		const link = code === undefined ? toLink(found[0]) : null;
		if (code === undefined && !link) continue;
		if (found.index > at) parts.push({ type: 'text', text: text.slice(at, found.index) });
		parts.push(link ?? { type: 'code', text: code ?? '' });
		at = found.index + (link ? link.text.length : found[0].length);
	}
	if (at < text.length) parts.push({ type: 'text', text: text.slice(at) });
}

/** @param {string} found @returns {Extract<Part, { type: 'link' }> | null} */
function toLink(found) {
	const text = withoutTrailingPunctuation(found);
	let url;
	try {
		url = new URL(text);
	} catch {
		return null;
	}
	// A user name in an address serves to pass off its host as another.
	const honest = (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
	return honest ? { type: 'link', text, href: url.href } : null;
}

/** A sentence's end, or a bracket that the address does not open, is not of the address. @param {string} text */
function withoutTrailingPunctuation(text) {
	let end = text.length;
	for (; end > 0; end -= 1) {
		const last = text[end - 1] ?? '';
		if (".,:;!?'*_~".includes(last)) continue;
		const opening = { ')': '(', ']': '[', '}': '{' }[last];
		if (opening && count(text.slice(0, end), opening) < count(text.slice(0, end), last)) continue;
		break;
	}
	return text.slice(0, end);
}

/** @param {string} text @param {string} character */
function count(text, character) {
	return text.split(character).length - 1;
}
