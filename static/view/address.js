// Reads the address bar, and keeps out of it what may not stand there.

import { parseLink } from '../values/link.js';

/** Reads the address and, if it says too much, shortens it at once. */
export function takeLink() {
	const link = parseLink(location.href);
	const saysTooMuch = link.state === 'ok' && (link.role === 'owner' || link.identity);
	if (saysTooMuch) history.replaceState(null, '', location.pathname);
	return link;
}
