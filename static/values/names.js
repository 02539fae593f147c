// A name as it is stored: all that the start page needs to know of text. Pure.

const NAME_LENGTH = 40;
/** Marks on one letter that some script needs; hostile text stacks hundreds. */
const STACKED_MARKS = 8;

export const STACKS = new RegExp(`(\\p{M}{${STACKED_MARKS}})\\p{M}+`, 'gu');
/** Shows nothing, or nothing of its own: format characters, fillers, the blank of Braille. */
export const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u115f\u1160\u2800\u3164\uffa0]/gu;
/** White space, without the byte order mark that JavaScript counts among it. */
export const SPACES = /[^\S\ufeff]+/g;

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
