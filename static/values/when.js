// Puts times and durations into words. No DOM, no network.

import { dates, relativeDay, t } from './words.js';

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const FORMS = {
	clock: { hour: 'numeric', minute: '2-digit' },
	full: { dateStyle: 'full', timeStyle: 'medium' },
	date: { dateStyle: 'long', timeStyle: 'short' },
	weekday: { weekday: 'long', day: 'numeric', month: 'long' },
	withYear: { day: 'numeric', month: 'long', year: 'numeric' },
};

const DAY = 86400;

const UNITS = /** @type {const} */ ([
	[DAY, 'days'],
	[3600, 'hours'],
	[60, 'minutes'],
	[1, 'seconds'],
]);

/** @param {number} ms Unix milliseconds @returns {string} such as `14:02` */
export function timeOfDay(ms) {
	return dates(FORMS.clock).format(ms);
}

/** @param {number} ms Unix milliseconds @returns {string} the date and the second, in full */
export function exactTime(ms) {
	return dates(FORMS.full).format(ms);
}

/** @param {number} ms Unix milliseconds @returns {string} the date and the minute */
export function dateAndTime(ms) {
	return dates(FORMS.date).format(ms);
}

/** @param {number} ms Unix milliseconds @returns {string} the date with its year */
export function dateOf(ms) {
	return dates(FORMS.withYear).format(ms);
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
	const name = dayAmid(ms, now);
	return name.charAt(0).toUpperCase() + name.slice(1);
}

/**
 * @param {number} ms Unix milliseconds
 * @param {number} [now]
 * @returns {string} the same amid other words: `today`
 */
export function dayAmid(ms, now = Date.now()) {
	if (dayKey(ms) === dayKey(now)) return relativeDay(0);
	const yesterday = new Date(now);
	yesterday.setDate(yesterday.getDate() - 1);
	if (dayKey(ms) === dayKey(yesterday.getTime())) return relativeDay(-1);
	return dates(Math.abs(now - ms) < 300 * DAY * 1000 ? FORMS.weekday : FORMS.withYear).format(ms);
}

/**
 * @param {number} ms Unix milliseconds
 * @param {number} [now]
 * @returns {string} the time if it was today, else the day
 */
export function timeOrDay(ms, now = Date.now()) {
	return dayKey(ms) === dayKey(now) ? timeOfDay(ms) : dayName(ms, now);
}

/** @param {number} ms Unix milliseconds @returns {string} the same amid other words */
export function timeOrDayAmid(ms) {
	return dayKey(ms) === dayKey(Date.now()) ? timeOfDay(ms) : dayAmid(ms);
}

/**
 * A whole one of a unit or at least two of it are said in that unit: `1 day`, `90 minutes`, `30 days`.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
	const [size, unit] = UNITS.find(([one]) => seconds >= 2 * one || seconds === one) ?? UNITS[3];
	return t(unit, { count: Math.max(1, Math.round(seconds / size)) });
}

/** @param {number} ms @returns {string} as players show it: `0:07`, `12:30`, `1:02:03` */
export function playingTime(ms) {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
	const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
	return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}
