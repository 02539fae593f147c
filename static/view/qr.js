// Shows a link as a QR code, for another screen's camera. It is drawn here; the link is sent nowhere.

import { generate } from '../vendor/lean-qr.js';
import { t } from '../values/words.js';
import { openDialog } from './dialogs.js';
import { make } from './dom.js';
import { loadStyle } from './styles.js';

/** What has to stay light around a code, in modules (ISO/IEC 18004, "Quiet zone"). */
const QUIET = 4;
const SVG = 'http://www.w3.org/2000/svg';

/**
 * A code as a path of squares of one unit.
 *
 * @param {string} text
 * @returns {{ size: number, path: string }} `size`: of each side in units, with the light edge
 */
export function codeOf(text) {
	const bitmap = generate(text);
	const runs = [];
	for (let y = 0; y < bitmap.size; y += 1) {
		for (let x = 0; x < bitmap.size; x += 1) {
			if (!bitmap.get(x, y)) continue;
			const from = x;
			while (bitmap.get(x + 1, y)) x += 1;
			const width = x - from + 1;
			runs.push(`M${from + QUIET} ${y + QUIET}h${width}v1h-${width}z`);
		}
	}
	return { size: bitmap.size + 2 * QUIET, path: runs.join('') };
}

/**
 * @param {string} link
 * @param {{ title: string, text: string }} said
 */
export async function showCode(link, { title, text }) {
	await loadStyle('/style/qr.css');
	openDialog(title, make('p', {}, text), draw(link, title));
}

/** @param {string} link @param {string} title */
function draw(link, title) {
	const { size, path } = codeOf(link);
	// Dark on light in either theme: few cameras read it the other way round.
	return shape(
		'svg',
		{ class: 'qr', viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': t('codeNamed', { title }) },
		shape('path', { fill: '#fff', d: `M0 0h${size}v${size}h-${size}z` }),
		shape('path', { fill: '#000', d: path, 'shape-rendering': 'crispEdges' }),
	);
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {...Node} children
 */
function shape(tag, attributes, ...children) {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}
