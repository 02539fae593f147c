/**
 * What a room shows, as a file to keep: plain text, or a page of HTML that needs nothing else and prints well. What
 * was deleted or has ended is not in it. Pure.
 *
 * @import { Entry, MessageEntry } from './log.js'
 */

import { cleanText, fileWords, gist, quoteOf } from '../values/text.js';
import { spokenLanguage, t } from '../values/words.js';

/**
 * @typedef {object} Kept
 * @property {string} title
 * @property {readonly Entry[]} entries ascending
 * @property {number} atMs when it was made, in Unix milliseconds
 * @property {boolean} whole whether nothing older is missing
 * @property {(ms: number) => string} day names a day
 * @property {(ms: number) => string} time names a time of a day
 */

/** @typedef {{ who: string, at: string, answers: string, text: string, notes: string }} Line */

/** @param {Kept} kept @returns {string} */
export function asText(kept) {
	const lines = [kept.title, headOf(kept)];
	for (const { day, said } of daysOf(kept)) {
		lines.push('', day, '');
		for (const { who, at, answers, text, notes } of said) {
			const [first = '', ...more] = text.split('\n');
			lines.push(`[${at}] ${who}: ${answers}${first}`, ...more.map((line) => `    ${line}`));
			if (notes !== '') lines.push(`    (${notes})`);
		}
	}
	return `${lines.join('\n')}\n`;
}

const STYLE = `:root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif}body{max-width:46rem;margin:2rem auto;padding:0 1rem}
h2{margin:2rem 0 .5rem;font-size:1rem;border-bottom:1px solid #8888}article{margin:.6rem 0;break-inside:avoid}
header{font-size:.9rem}time,small,blockquote{opacity:.75}blockquote{margin:.2rem 0;padding-left:.6rem;border-left:3px solid #8888}
p{margin:.1rem 0;white-space:pre-wrap;overflow-wrap:anywhere}`;

/** @param {Kept} kept @returns {string} */
export function asHtml(kept) {
	const days = daysOf(kept).map(({ day, said }) => {
		const articles = said.map(({ who, at, answers, text, notes }) =>
			[
				`<article><header><strong dir="auto">${escaped(who)}</strong> <time>${escaped(at)}</time></header>`,
				answers === '' ? '' : `<blockquote dir="auto">${escaped(answers.trim())}</blockquote>`,
				`<p dir="auto">${escaped(text)}</p>`,
				notes === '' ? '' : `<small>${escaped(notes)}</small>`,
				'</article>',
			].join(''),
		);
		return `<section><h2>${escaped(day)}</h2>\n${articles.join('\n')}\n</section>`;
	});
	return `<!doctype html>
<html lang="${spokenLanguage()}">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(kept.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1 dir="auto">${escaped(kept.title)}</h1>
<p>${escaped(headOf(kept))}</p>
${days.join('\n')}
</body>
</html>
`;
}

/**
 * A name for the file that every system takes.
 *
 * @param {string} title
 * @param {string} day
 * @param {'txt' | 'html' | 'json'} ending
 */
export function fileName(title, day, ending) {
	const name = title
		.normalize('NFC')
		.replace(/[^\p{L}\p{M}\p{N}]+/gu, '-')
		.replace(/^-+|-+$/g, '');
	return `${Array.from(name).slice(0, 40).join('') || t('keptName')}-${day}.${ending}`;
}

/** @param {Kept} kept */
function headOf({ atMs, whole, day, time }) {
	const kept = t('keptHead', { day: day(atMs), time: time(atMs) });
	return whole ? kept : `${kept} ${t('keptMissing')}`;
}

/** @param {Kept} kept @returns {{ day: string, said: Line[] }[]} */
function daysOf({ entries, day, time }) {
	const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
	/** @type {{ day: string, said: Line[] }[]} */
	const days = [];
	for (const entry of entries) {
		if (entry.type !== 'message' || entry.sentAtMs === null) continue;
		const on = day(entry.sentAtMs);
		let last = days.at(-1);
		if (last?.day !== on) days.push((last = { day: on, said: [] }));
		const answered = entry.replyTo && !entry.replyBroken ? bySeq.get(entry.replyTo.seq) : undefined;
		last.said.push({
			who: nameOf(entry),
			at: time(entry.sentAtMs),
			answers:
				answered?.type === 'message'
					? t('keptAnswer', { name: nameOf(answered), text: quoteOf(gist(answered), 60) })
					: '',
			text: cleanText(entry.text),
			notes: notesOf(entry),
		});
	}
	return days;
}

/** @param {MessageEntry} entry */
function notesOf({ edited, files, reactions, nameTaken, alarm }) {
	return [
		...files.map((file) => t('keptFile', { name: cleanText(fileWords(file)) })),
		...reactions.map(({ emoji, count }) => `${emoji} ${count}`),
		edited ? t('edited') : '',
		nameTaken ? t('nameUsed') : '',
		alarm ? t('keptAlarm') : '',
	]
		.filter(Boolean)
		.join(', ');
}

/** @param {{ name: string }} who */
function nameOf({ name }) {
	return name || t('someone');
}

/** @type {Record<string, string>} */
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** @param {string} text */
function escaped(text) {
	return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
