// The page's first module: whether this browser can, and then the page.

import { Pages, takeLink } from './pages.js';
import { showInsecure, showTooOld } from './screens.js';
import { support } from './secrets.js';
import { openStore } from './store.js';
import { registerWorker } from './worker.js';

const link = takeLink();
const screen = /** @type {HTMLElement} */ (document.getElementById('screen'));
const supported = await support();
if (supported === 'insecure') showInsecure(screen);
else if (supported === 'old') showTooOld(screen);
else await start();

async function start() {
	registerWorker();
	const pages = new Pages(screen, await openStore());
	// Links to the start page need no load: what was not stored must not be lost.
	addEventListener('click', (event) => {
		const toStart = event.target instanceof Element ? event.target.closest('a[href="/"]') : null;
		if (!toStart || event.ctrlKey || event.metaKey || event.shiftKey) return;
		event.preventDefault();
		pages.follow('/');
	});
	addEventListener('popstate', () => pages.show(takeLink()));
	await pages.show(link);
}
