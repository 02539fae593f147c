// A list to choose from while the focus stays in a field (WAI-ARIA, "Combobox").

/**
 * Marks the choice that Enter would take, and has the field say so.
 *
 * @param {HTMLElement} list of options, each with an id
 * @param {HTMLElement} field
 * @param {number} chosen counted from 0; none where there are no options
 */
export function markChoice(list, field, chosen) {
	const options = Array.from(list.children);
	for (const [at, option] of options.entries()) option.setAttribute('aria-selected', String(at === chosen));
	const marked = options[chosen];
	if (marked) field.setAttribute('aria-activedescendant', marked.id);
	else field.removeAttribute('aria-activedescendant');
	marked?.scrollIntoView({ block: 'nearest' });
}
