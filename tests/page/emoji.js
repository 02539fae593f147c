// Writes static/values/emoji.js: every emoji with its names and the words that it is found by. The data are those
// of the package `gemoji`, whose names people know from elsewhere as `:name:`. `npm run emoji`.

import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { gemoji } from 'gemoji';

const TABLE = new URL('../../static/values/emoji.js', import.meta.url);

/** @returns {string} what emoji.js must hold */
export function tableOfEmoji() {
	const lines = gemoji.map(({ emoji, names, tags }) => [emoji, ...names, ...tags].join(' '));
	return `/**
 * Every emoji, made by tests/page/emoji.js from the data of gemoji: a line each, in Unicode's order, with the name
 * that stands between colons, and other words that it is found by.
 */
export const EMOJI = \`
${lines.join('\n')}
\`;
`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TABLE, tableOfEmoji());
