// Builds elements from the page's templates. Text only ever enters as text: nothing here or
// anywhere else in the page turns a string into markup.

import { pieces, spokenLanguage, t } from '../values/words.js';

/**
 * @import { Key } from '../values/words.js'
 * @import { Parts, Root, Templates } from './templates.js'
 */

/** Where a template says which text belongs: in the element, or in an attribute of it. */
const PLACES = /** @type {const} */ ([
	['data-label', 'aria-label'],
	['data-placeholder', 'placeholder'],
]);

/** Templates whose texts are in place. @type {WeakSet<HTMLTemplateElement>} */
const worded = new WeakSet();

/**
 * A copy of a `<template>` with its named parts: the elements below its root that carry `data-part`.
 *
 * @template {keyof Templates} Id
 * @param {Id} id the template's id
 * @returns {{ root: Root<Id>, parts: Parts<Id> }}
 */
export function fromTemplate(id) {
	const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
	if (!worded.has(template)) word(template);
	const root = /** @type {HTMLElement} */ (document.importNode(template.content, true).firstElementChild);
	const named = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-part]'));
	const parts = Object.fromEntries(Array.from(named, (element) => [element.dataset.part, element]));
	return { root: /** @type {Root<Id>} */ (root), parts: /** @type {Parts<Id>} */ (parts) };
}

/** Puts the texts into a template, once for all of its copies. @param {HTMLTemplateElement} template */
function word(template) {
	worded.add(template);
	const { content } = template;
	for (const element of /** @type {NodeListOf<HTMLElement>} */ (content.querySelectorAll('[data-text]'))) {
		element.textContent = t(/** @type {Key} */ (element.dataset.text));
		element.removeAttribute('data-text');
	}
	for (const [named, attribute] of PLACES) {
		for (const element of content.querySelectorAll(`[${named}]`)) {
			element.setAttribute(attribute, t(/** @type {Key} */ (element.getAttribute(named))));
			element.removeAttribute(named);
		}
	}
}

/**
 * A text amid which elements stand.
 *
 * @param {Key} key
 * @param {Record<string, Node | string>} values by the names that stand in braces
 */
export function told(key, values) {
	const all = document.createDocumentFragment();
	all.append(...pieces(key, values));
	return all;
}

/**
 * A new element with attributes and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean>} [attributes] `true` sets an empty attribute, `false` none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value !== false) element.setAttribute(name, value === true ? '' : value);
	}
	element.append(...children);
	return element;
}

/**
 * A button that does something when pressed.
 *
 * @param {string} label
 * @param {() => unknown} press
 * @param {string} [style] class names, such as `secondary`
 */
export function button(label, press, style = '') {
	const element = make('button', { type: 'button', class: style }, label);
	element.addEventListener('click', press);
	return element;
}

/**
 * One of the page's icons.
 *
 * @param {string} name as in the sprite, without `i-`
 */
export function icon(name) {
	const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
	const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
	svg.setAttribute('aria-hidden', 'true');
	use.setAttribute('href', `#i-${name}`);
	svg.append(use);
	return svg;
}

/**
 * A button that shows an icon, and says what it does to those who hear the page.
 *
 * @param {string} name of the icon
 * @param {string} label
 * @param {() => unknown} press
 * @param {string} [style] further class names
 */
export function iconButton(name, label, press, style = '') {
	const element = button('', press, `icon ${style}`.trim());
	element.setAttribute('aria-label', label);
	element.append(icon(name));
	return element;
}

/** @type {Intl.Segmenter | undefined} */
let graphemes;

/**
 * Makes a round initial out of an element. Its tint is decoration, never proof.
 *
 * @param {HTMLElement} element
 * @param {string} name
 * @param {number} tint of tints.js
 */
export function drawAvatar(element, name, tint) {
	graphemes ??= new Intl.Segmenter(spokenLanguage(), { granularity: 'grapheme' });
	const [first] = graphemes.segment(name.trim());
	element.textContent = first?.segment ?? '·';
	element.dataset.tint = String(tint);
}

/**
 * An avatar beside a name that is read out.
 *
 * @param {string} name
 * @param {number} tint of tints.js
 */
export function makeAvatar(name, tint) {
	const avatar = make('span', { class: 'avatar', 'aria-hidden': 'true' });
	drawAvatar(avatar, name, tint);
	return avatar;
}
