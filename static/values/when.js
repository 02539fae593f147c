// Puts times and durations into words. No DOM, no network.

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const withYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });

const DAY = 86400;

/** @type {[seconds: number, name: string][]} */
const UNITS = [
	[DAY, 'day'],
	[3600, 'hour'],
	[60, 'minute'],
];

/** @param {number} ms Unix milliseconds @returns {string} such as `14:02` */
export function timeOfDay(ms) {
	return clock.format(ms);
}

/** @param {number} ms Unix milliseconds @returns {string} the date and the second, in full */
export function exactTime(ms) {
	return full.format(ms);
}

/** @param {number} ms Unix milliseconds @returns {string} the date and the minute */
export function dateAndTime(ms) {
	return date.format(ms);
}

/** @param {number} ms Unix milliseconds @returns {string} the date with its year */
export function dateOf(ms) {
	return withYear.format(ms);
}

/**
 * Names a day by the local calendar; equal for two times exactly when they are of one day.
 *
 * @param {number} ms Unix milliseconds
 */
export function dayKey(ms) {
	const day = new Date(ms);
	return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`;
}

/**
 * @param {number} ms Unix milliseconds
 * @param {number} [now]
 * @returns {string} `Today`, `Yesterday` or the date
 */
export function dayName(ms, now = Date.now()) {
	if (dayKey(ms) === dayKey(now)) return 'Today';
	const yesterday = new Date(now);
	yesterday.setDate(yesterday.getDate() - 1);
	if (dayKey(ms) === dayKey(yesterday.getTime())) return 'Yesterday';
	return Math.abs(now - ms) < 300 * DAY * 1000 ? weekday.format(ms) : withYear.format(ms);
}

/**
 * @param {number} ms Unix milliseconds
 * @param {number} [now]
 * @returns {string} the time if it was today, else the day
 */
export function timeOrDay(ms, now = Date.now()) {
	return dayKey(ms) === dayKey(now) ? timeOfDay(ms) : dayName(ms, now);
}

/**
 * A whole one of a unit or at least two of it are said in that unit: `1 day`, `90 minutes`, `30 days`.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
	const [size, unit] = UNITS.find(([one]) => seconds >= 2 * one || seconds === one) ?? [1, 'second'];
	const count = Math.max(1, Math.round(seconds / size));
	return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
