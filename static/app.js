// The page's first module. It looks at the address before anything else is even loaded: an owner's
// or an identity's secret must not stay in the address bar, where history and onlookers find it.

import { takeLink } from './view/address.js';
import { support } from './crypto/identity.js';

const link = takeLink();
const [supported, { showInsecure, showTooOld }, { Pages }, { sweepRooms }, { openStore }, { registerWorker }] =
	await Promise.all([
		support(),
		import('./view/screens.js'),
		import('./pages.js'),
		import('./room/rooms.js'),
		import('./storage/store.js'),
		import('./view/worker.js'),
	]);
const screen = /** @type {HTMLElement} */ (document.getElementById('screen'));
if (supported === 'insecure') showInsecure(screen);
else if (supported === 'old') showTooOld(screen);
else await start();

async function start() {
	registerWorker();
	const store = await openStore();
	const pages = new Pages(screen, store);
	// Links to the start page need no load: what was not stored must not be lost.
	addEventListener('click', (event) => {
		const toStart = event.target instanceof Element ? event.target.closest('a[href="/"]') : null;
		if (!toStart || event.ctrlKey || event.metaKey || event.shiftKey) return;
		event.preventDefault();
		pages.follow('/');
	});
	addEventListener('popstate', () => pages.show(takeLink()));
	await pages.show(link);
	await sweepRooms(store);
}
