// Before anything is drawn: the language, the theme and the clock that were chosen here, or what the browser asks for.
// The one script that the page waits for, so that nothing shows first in another language or colour.

{
	const root = document.documentElement;
	/** @type {{ language?: unknown, theme?: unknown, hours?: unknown }} */
	let chosen = {};
	try {
		chosen = JSON.parse(localStorage.getItem('buddy/choices') ?? '') ?? {};
	} catch {
		// Nothing was chosen, or this browser keeps nothing.
	}
	const spoken = ['en', 'de'];
	const wanted = [chosen.language, ...navigator.languages].map((one) => String(one).slice(0, 2).toLowerCase());
	root.lang = wanted.find((one) => spoken.includes(one)) ?? 'en';
	if (chosen.hours === 12 || chosen.hours === 24) root.dataset.hours = String(chosen.hours);
	if (chosen.theme === 'light' || chosen.theme === 'dark') {
		root.dataset.theme = chosen.theme;
		for (const meta of document.querySelectorAll('meta[data-theme]')) {
			meta.setAttribute('media', meta.getAttribute('data-theme') === chosen.theme ? 'all' : 'not all');
		}
	}
	if (document.currentScript?.hasAttribute('data-words')) {
		const words = document.createElement('link');
		words.rel = 'modulepreload';
		words.href = `/languages/${root.lang}.${location.pathname === '/' ? 'start' : 'screens'}.js`;
		document.head.append(words);
	}
}
