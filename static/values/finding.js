/**
 * Finds words in what was said: case, accents and forms of letters make none differ, and all words must be there.
 * Pure.
 */

/** More words than anybody looks for. */
const MOST_WORDS = 10;

const ASCII = /^[\0-\x7f]*$/;
const MARKS = /[\p{Mn}\p{Default_Ignorable_Code_Point}]/gu;
/** A phrase in quotes, or a word. */
const WORD = /"([^"]+)"|[^\s"]+/g;

/**
 * What two texts are compared by.
 *
 * @param {string} text
 * @returns {string}
 */
export function foldText(text) {
	if (ASCII.test(text)) return text.toLowerCase();
	return text
		.normalize('NFKD')
		.toLowerCase()
		.normalize('NFKD')
		.replace(MARKS, '')
		.replaceAll('ς', 'σ')
		.replaceAll('ß', 'ss');
}

/**
 * @param {string} query as typed; what stands in quotes is one
 * @returns {string[]} folded words, all of which are looked for; none where there is nothing to look for
 */
export function wordsOf(query) {
	const words = Array.from(query.matchAll(WORD), ([word, phrase]) => foldText(phrase ?? word).trim());
	return Array.from(new Set(words.filter((word) => word !== ''))).slice(0, MOST_WORDS);
}

/** @param {string} folded @param {readonly string[]} words @returns {boolean} whether all of them are in it */
export function holdsAll(folded, words) {
	return words.every((word) => folded.includes(word));
}

/**
 * Where words stand in a text as it is, each `[from, to)` in UTF-16 units; ascending, apart from each other.
 *
 * @param {string} text
 * @param {readonly string[]} words folded
 * @returns {[from: number, to: number][]}
 */
export function rangesOf(text, words) {
	const folded = [];
	/** Where each unit of what is folded came from. @type {number[]} */
	const from = [];
	/** @type {number[]} */
	const to = [];
	let at = 0;
	for (const character of text) {
		const like = foldText(character);
		folded.push(like);
		for (let unit = 0; unit < like.length; unit += 1) {
			from.push(at);
			to.push(at + character.length);
		}
		at += character.length;
	}
	const whole = folded.join('');
	/** @type {[number, number][]} */
	const found = [];
	for (const word of words) {
		for (let index = whole.indexOf(word); index >= 0; index = whole.indexOf(word, index + word.length)) {
			found.push([from[index] ?? 0, to[index + word.length - 1] ?? 0]);
		}
	}
	return joined(found.sort(([one], [other]) => one - other));
}

/** @param {[number, number][]} ranges ascending @returns {[number, number][]} */
function joined(ranges) {
	/** @type {[number, number][]} */
	const apart = [];
	for (const [from, to] of ranges) {
		const last = apart.at(-1);
		if (last && from <= last[1]) last[1] = Math.max(last[1], to);
		else apart.push([from, to]);
	}
	return apart;
}

/**
 * When a day begins by the local calendar.
 *
 * @param {string} day as a field for dates gives it, such as `2026-11-25`
 * @returns {number | null} Unix milliseconds; null where it is no day
 */
export function startOfDay(day) {
	const [, year, month, date] = /^(\d{4,6})-(\d\d)-(\d\d)$/.exec(day) ?? [];
	if (year === undefined) return null;
	return new Date(Number(year), Number(month) - 1, Number(date)).getTime();
}

/** @param {number} ms Unix milliseconds @returns {string} the day of the local calendar, as a field for dates takes it */
export function dayOf(ms) {
	const day = new Date(ms);
	const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
	return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
