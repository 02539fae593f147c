// The page's first module. It looks at the address before anything else is even loaded: an owner's
// or an identity's secret must not stay in the address bar, where history and onlookers find it.

import { takeLink } from './view/address.js';
import { support } from './crypto/identity.js';
import { beginToSpeak } from './view/speaking.js';

/** What a room needs beyond what the shell loads, all at once instead of one wave after the other. */
const ROOM = [
	'chat/phases.js',
	'crypto/box.js',
	'crypto/card.js',
	'crypto/content.js',
	'crypto/envelope.js',
	'crypto/json.js',
	'crypto/links.js',
	'crypto/rotation.js',
	'crypto/sealed.js',
	'room/access.js',
	'room/bodies.js',
	'room/drafts.js',
	'room/founding.js',
	'room/keyring.js',
	'room/room.js',
	'room/saying.js',
	'room/standing.js',
	'room/unread.js',
	'values/json.js',
	'values/text.js',
	'values/twins.js',
	'values/when.js',
	'view/announce.js',
	'view/dom.js',
	'view/screens.js',
	'view/styles.js',
];

/** What the start page needs beyond it. */
const START = [
	'values/when.js',
	'view/announce.js',
	'view/dialogs.js',
	'view/dom.js',
	'view/start.js',
	'view/tints.js',
	'view/worker.js',
	'wire/workers.js',
];

const link = takeLink();
beginToSpeak();
for (const path of link.state === 'ok' ? ROOM : START) {
	const ahead = document.createElement('link');
	ahead.rel = 'modulepreload';
	ahead.href = `/${path}`;
	document.head.append(ahead);
}
const [supported, { keepFiles, Pages, showUnsupported }, { sweepRooms }, { openStore }, { watchKeys }] =
	await Promise.all([
		support(),
		import('./pages.js'),
		import('./room/rooms.js'),
		import('./storage/store.js'),
		import('./view/shortcuts.js'),
	]);
const screen = /** @type {HTMLElement} */ (document.getElementById('screen'));
if (supported === 'insecure' || supported === 'old') await showUnsupported(screen, supported);
else await start();

async function start() {
	// Where there is one it has the files already. Else it comes after what is asked for, and to a room after joining.
	if (navigator.serviceWorker?.controller) keepFiles();
	const store = await openStore();
	const pages = new Pages(screen, store);
	// Links to the start page need no load: what was not stored must not be lost.
	addEventListener('click', (event) => {
		const toStart = event.target instanceof Element ? event.target.closest('a[href="/"]') : null;
		if (!toStart || event.ctrlKey || event.metaKey || event.shiftKey) return;
		event.preventDefault();
		pages.follow('/');
	});
	watchKeys({ store, follow: (address) => pages.follow(address) });
	addEventListener('popstate', () => pages.show(takeLink()));
	await pages.show(link);
	if (link.state !== 'ok') keepFiles();
	await sweepRooms(store);
}
