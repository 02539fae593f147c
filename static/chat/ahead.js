// What an open room begins with is loaded all at once instead of one wave after the other, and while somebody still looks
// at the way in: on a slow line, they have said their name by the time it is there. Importing this asks for all of it,
// once.

import { loadRoomStyles } from '../view/styles.js';

/** Modules, beside those of the way in. */
const OPEN = [
	'chat/alarms.js',
	'chat/chat.js',
	'chat/composer.js',
	'chat/describe.js',
	'chat/files.js',
	'chat/floating.js',
	'chat/gestures.js',
	'chat/invite.js',
	'chat/kinds.js',
	'chat/mentions.js',
	'chat/message.js',
	'chat/microphone.js',
	'chat/notices.js',
	'chat/noticing.js',
	'chat/picking.js',
	'chat/rows.js',
	'chat/scrolling.js',
	'chat/timeline.js',
	'chat/tools.js',
	'chat/voice.js',
	'chat/window.js',
	'crypto/words.js',
	'room/comparing.js',
	'room/history.js',
	'room/lines.js',
	'room/log.js',
	'room/outbox.js',
	'room/posting.js',
	'room/presence.js',
	'room/sealing.js',
	'room/signals.js',
	'room/tally.js',
	'room/trust.js',
	'values/finding.js',
	'values/marks.js',
	'values/mentions.js',
	'values/waveform.js',
	'view/chosen.js',
	'view/dialogs.js',
	'view/failures.js',
	'view/share.js',
	'view/tints.js',
	'view/worker.js',
	'wire/push.js',
	'wire/sequencer.js',
	'wire/sse.js',
	'wire/stream.js',
	'wire/tabs.js',
	'wire/workers.js',
];

// What does not come is loaded when it is needed.
const { lang } = document.documentElement;
for (const path of [`languages/${lang}.room.js`, `languages/${lang}.start.js`, ...OPEN]) {
	const ahead = document.createElement('link');
	ahead.rel = 'modulepreload';
	ahead.href = `/${path}`;
	document.head.append(ahead);
}
void loadRoomStyles();
