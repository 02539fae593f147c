/**
 * What others wrote, made safe: names, emoji, and text. Pure.
 */

import { cleanName, INVISIBLE, SPACES, STACKS } from './names.js';
import { TWINS } from './twins.js';
import { playingTime } from './when.js';
import { t } from './words.js';

export { cleanName };

const EMOJI_LENGTH = 40;

/** Embeddings and overrides of direction: they make text look like other text. Isolates are harmless. */
const OVERRIDES = /[\u202a-\u202e]/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[0-9#*]\ufe0f?\u20e3/u;
const EMOJI_ONLY = /^[\p{Extended_Pictographic}\p{Emoji_Component}\u200d\ufe0f\u20e3]+$/u;

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
 * What a message says in few words, where it may say it with a file alone.
 *
 * @param {{ text: string, files: SentName[] }} message
 * @returns {string}
 */
export function gist({ text, files: [first] }) {
	if (text.trim() !== '' || !first) return text;
	return first.waveform === undefined ? `📎 ${first.name}` : `🎤 ${fileWords(first)}`;
}

/**
 * What a file is called: a voice message has no name that says anything.
 *
 * @typedef {{ name: string, duration_ms?: number, waveform?: string }} SentName
 *
 * @param {SentName} file
 * @returns {string} such as `lake.jpg` or `Voice message (0:12)`
 */
export function fileWords({ name, duration_ms = 0, waveform }) {
	return waveform === undefined ? name : t('voiceMessage', { time: playingTime(Math.max(1000, duration_ms)) });
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
