/**
 * What the page says, in the language that was chosen. The texts stand in `languages/`, four files for each language:
 * for the start page and dialogs, for the ways into a room, for the page that checks copies, and the rest. Whoever puts the page together brings them here first. No DOM.
 *
 * @typedef {typeof import('../languages/en.start.js').words & typeof import('../languages/en.screens.js').words
 *   & typeof import('../languages/en.room.js').words & typeof import('../languages/en.verify.js').words} Words
 *
 * Where a number decides the form, an entry has one text for each form of the language (CLDR, "Plural Rules").
 *
 * @typedef {string | { one: string, other: string }} Entry
 */

/** Those that the page speaks, by their own names. */
export const LANGUAGES = /** @type {const} */ ({ en: 'English', de: 'Deutsch' });

/** @typedef {keyof typeof LANGUAGES} Language */
/** @typedef {keyof Words} Key */

/** @type {Record<string, Entry>} */
const known = Object.create(null);
let language = 'en';
/** @type {string | undefined} */
let formats;
/** @type {12 | 24 | null} */
let hours = null;
/** Costly to make, and the same for everybody who asks. @type {Map<unknown, any>} */
const made = new Map();

/**
 * Sets what all texts, dates and numbers are in from here on.
 *
 * @param {object} chosen
 * @param {string} chosen.language
 * @param {string} [chosen.locale] whose dates and numbers (BCP 47); if left out, the language's
 * @param {12 | 24 | null} [chosen.hours] of the clock; null: as the language has it
 */
export function speak(chosen) {
	language = chosen.language;
	formats = chosen.locale ?? chosen.language;
	hours = chosen.hours ?? null;
	made.clear();
}

/** Adds texts. @param {Record<string, Entry>} words */
export function learn(words) {
	Object.assign(known, words);
}

/** @returns {string} */
export function spokenLanguage() {
	return language;
}

/** @returns {string} what the language calls itself */
export function spokenName() {
	return LANGUAGES[/** @type {Language} */ (language)] ?? language;
}

/**
 * The browser's own form of a language: its dates are of the region.
 *
 * @param {string} wanted such as `en`
 * @param {readonly string[]} asked what the browser asks for, such as `en-GB`
 * @returns {string} BCP 47
 */
export function localeOf(wanted, asked) {
	return asked.find((one) => one.toLowerCase().split('-')[0] === wanted) ?? wanted;
}

/**
 * A text.
 *
 * @param {Key} key
 * @param {Record<string, string | number>} [values] by the names that stand in braces; `count` also decides the form
 * @returns {string}
 */
export function t(key, values = {}) {
	return pieces(key, values).join('');
}

/**
 * The same in pieces, where a value is more than text.
 *
 * @template Value
 * @param {Key} key
 * @param {Record<string, Value>} values
 * @returns {(string | Value)[]}
 */
export function pieces(key, values) {
	const entry = known[key];
	if (entry === undefined) throw new Error(`there are no words for ${key} yet`);
	const { count } = /** @type {{ count?: unknown }} */ (values);
	const text = typeof entry === 'string' ? entry : entry[formOf(Number(count))];
	return text.split(/\{(\w+)\}/).map((piece, index) => {
		if (index % 2 === 0) return piece;
		const value = values[piece];
		return /** @type {string | Value} */ (typeof value === 'number' ? number(value) : value);
	});
}

/** @param {number} count @returns {'one' | 'other'} which both languages have, and no other */
function formOf(count) {
	return once('plural', () => new Intl.PluralRules(language)).select(count) === 'one' ? 'one' : 'other';
}

/** @param {number} value @returns {string} */
export function number(value) {
	return once('number', () => new Intl.NumberFormat(formats)).format(value);
}

/** @param {string[]} texts @returns {string} such as `Ana, Ben, and Cleo` */
export function listOf(texts) {
	return once('list', () => new Intl.ListFormat(language, { type: 'conjunction' })).format(texts);
}

/** @param {number} by days from today @returns {string} such as `yesterday` */
export function relativeDay(by) {
	return once('relative', () => new Intl.RelativeTimeFormat(language, { numeric: 'auto' })).format(by, 'day');
}

/** @param {number} bytes @returns {string} such as `1.2 MB` */
export function sizeText(bytes) {
	const [amount, unit] = bytes < 1_000_000 ? [bytes / 1000, 'kilobyte'] : [bytes / 1_000_000, 'megabyte'];
	const options = { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: amount < 10 ? 1 : 0 };
	const make = () => new Intl.NumberFormat(formats, /** @type {Intl.NumberFormatOptions} */ (options));
	return once(`${unit} ${options.maximumFractionDigits}`, make).format(amount);
}

/** @param {Intl.DateTimeFormatOptions} options the same object each time @returns {Intl.DateTimeFormat} */
export function dates(options) {
	const clock = hours !== null && ('hour' in options || 'timeStyle' in options);
	// `h23`, for half past midnight is 0:30 and not 24:30.
	const make = () =>
		new Intl.DateTimeFormat(formats, { ...options, ...(clock && { hourCycle: hours === 12 ? 'h12' : 'h23' }) });
	return once(options, make);
}

/** @template Made @param {unknown} name @param {() => Made} make @returns {Made} */
function once(name, make) {
	let one = made.get(name);
	if (!one) made.set(name, (one = make()));
	return one;
}
