// Everything about a room that is not talking: one's name, other devices, and what an owner may do.

import { toast } from '../view/announce.js';
import { asked, confirmed, guard, openDialog, openLater } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { showPeople } from './people.js';
import { linkRow } from '../view/share.js';
import { isReservedName } from '../values/text.js';
import { dateAndTime, duration } from '../values/when.js';

/** @typedef {import('../room/facade.js').RoomFacade} Room */

const EXPIRIES = [86400, 604800, 2592000, 31536000];
const LIFETIMES = [3600, 86400, 604800, 2592000];

/**
 * @param {Room} room
 * @param {{ forget: () => unknown, named: () => void, noticed: () => unknown }} then what follows forgetting the room,
 *   changing one's name, and wanting notices
 */
export async function showManage(room, { forget, named, noticed }) {
	const close = () => dialog.close();
	const owned = room.isOwner ? owning(room, close) : null;
	const other = room.canWrite ? [await otherDevice(room)] : [];
	const dialog = openDialog(
		'Manage room',
		tabs([
			['Room', [about(room, noticed), ...(owned ? [owned.section] : [])]],
			['Me', [here(room, { named, close }), ...other]],
			['Danger', [ending(room, { forget, close })]],
		]),
	);
	if (owned) guard(dialog, owned.isChanged);
}

/**
 * Parts of which one shows at a time (ARIA Authoring Practices, "Tabs").
 *
 * @param {[name: string, sections: HTMLElement[]][]} parts
 */
function tabs(parts) {
	const panels = parts.map(([name, sections], at) =>
		make(
			'div',
			{ role: 'tabpanel', class: 'panel', id: `panel-${at}`, 'aria-label': name, hidden: at > 0 },
			...sections,
		),
	);
	const buttons = parts.map(([name], at) => {
		const tab = button(name, () => choose(at));
		tab.setAttribute('role', 'tab');
		tab.setAttribute('aria-controls', `panel-${at}`);
		return tab;
	});
	const choose = (/** @type {number} */ chosen) => {
		buttons.forEach((tab, at) => {
			tab.setAttribute('aria-selected', String(at === chosen));
			tab.tabIndex = at === chosen ? 0 : -1;
		});
		panels.forEach((panel, at) => (panel.hidden = at !== chosen));
	};
	const list = make('div', { role: 'tablist', class: 'tabs', 'aria-label': 'Manage room' }, ...buttons);
	list.addEventListener('keydown', (event) => {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (step === undefined) return;
		const at = buttons.findIndex((tab) => tab === document.activeElement);
		const next = (at + step + buttons.length) % buttons.length;
		choose(next);
		buttons[next]?.focus();
		event.preventDefault();
	});
	choose(0);
	return make('div', { class: 'tabbed' }, list, ...panels);
}

/**
 * Opens straight at the links that only this person should have.
 *
 * @param {Room} room
 */
export async function showRecovery(room) {
	const section = await otherDevice(room);
	section.querySelector('details')?.setAttribute('open', '');
	openDialog('My other device / recovery', section);
}

/** @param {Room} room @param {() => unknown} noticed */
function about(room, noticed) {
	const notices = () => openLater(import('./notify.js'), ({ showNotify }) => showNotify(room, noticed));
	const keep = () => openLater(import('./exporting.js'), ({ showExport }) => showExport(room));
	const { messageTtlS, expiresAtMs, locked, title } = room.info;
	const facts = [
		messageTtlS ? `Messages disappear after ${duration(messageTtlS)}.` : 'Messages stay as long as the room.',
		`Without another message the room expires on ${dateAndTime(expiresAtMs)}.`,
		locked && !room.isOwner ? 'It is locked.' : '',
	];
	return make(
		'section',
		{},
		make('h3', { dir: 'auto' }, title || room.displayName || 'Unnamed room'),
		make('p', {}, facts.filter(Boolean).join(' ')),
		make(
			'div',
			{ class: 'actions' },
			button('People and their words', () => showPeople(room), 'secondary'),
			...(room.isOwner
				? [button('Links', () => openLater(import('./links.js'), ({ showLinks }) => showLinks(room)), 'secondary')]
				: []),
			button('Notices', notices, 'secondary'),
			button('Keep a copy', keep, 'secondary'),
		),
	);
}

/**
 * What concerns only this browser.
 *
 * @param {Room} room
 * @param {{ named: () => void, close: () => void }} then
 */
function here(room, { named, close }) {
	const rename = async () => {
		const label = await asked('Name it for yourself', {
			label: 'Only this browser knows this name',
			value: room.label,
			maxLength: 80,
			yes: 'Save',
		});
		if (label === null) return;
		await room.setLabel(label);
		close();
	};
	const changeName = async () => {
		const name = await asked('Your name in this room', {
			label: 'What others see from now on',
			value: room.yourName,
			maxLength: 40,
			yes: 'Save',
		});
		if (!name) return;
		if (isReservedName(name)) {
			toast(`“${name}” means something else on this page. Please choose another name.`);
			return;
		}
		await room.setName(name);
		named();
		close();
	};
	const rows = [
		row(
			'This browser calls the room',
			room.label || room.displayName || 'Unnamed room',
			'Name it for yourself',
			rename,
		),
	];
	if (room.canWrite) rows.unshift(row('Your name here', room.yourName || 'Not said yet', 'Change my name', changeName));
	return make('section', {}, make('h3', {}, 'In this browser'), ...rows);
}

/**
 * What holds now, and the way to change it.
 *
 * @param {string} label
 * @param {string} value
 * @param {string} action
 * @param {() => unknown} act
 */
function row(label, value, action, act) {
	return make(
		'div',
		{ class: 'setting' },
		make('p', {}, make('span', { class: 'hint' }, label), make('bdi', {}, value)),
		button(action, act, 'secondary'),
	);
}

/**
 * @param {Room} room
 * @param {() => void} close
 * @returns {{ section: HTMLElement, isChanged: () => boolean }} `isChanged`: something is filled in that was not saved
 */
function owning(room, close) {
	const { title, messageTtlS, expiresInS } = room.info;
	const name = make('input', { name: 'title', maxlength: '80', autocomplete: 'off', dir: 'auto' });
	name.value = title;
	const expiry = choice('expiry', withCurrent(EXPIRIES, expiresInS).map(afterQuiet), String(expiresInS ?? ''));
	const lifetime = choice(
		'lifetime',
		[['', 'Never, while the room lives'], ...withCurrent(LIFETIMES, messageTtlS).map(afterwards)],
		messageTtlS ? String(messageTtlS) : '',
	);
	const form = make(
		'form',
		{},
		make('label', { class: 'field' }, 'Room name', name),
		make('label', { class: 'field' }, 'Room expires', expiry),
		make('label', { class: 'field' }, 'Messages disappear', lifetime),
		make('div', { class: 'actions' }, make('button', {}, 'Save')),
	);
	const changes = () => {
		/** @type {Parameters<Room['change']>[0]} */
		const change = {};
		if (name.value.trim() !== title) change.title = name.value.trim();
		if (expiry.value !== '' && Number(expiry.value) !== expiresInS) change.expiresInS = Number(expiry.value);
		const ttl = lifetime.value === '' ? null : Number(lifetime.value);
		if (ttl !== messageTtlS) change.messageTtlS = ttl;
		return change;
	};
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		apply(room, changes(), close);
	});
	const section = make(
		'section',
		{},
		make('h3', {}, 'You own this room'),
		make('p', {}, 'Everyone sees in the room what you change.'),
		lock(room),
		form,
	);
	return { section, isChanged: () => Object.keys(changes()).length > 0 };
}

/** Acts at once, and shows how the room stands. @param {Room} room */
function lock(room) {
	const press = button('Lock the room', () => turn(), 'switch');
	press.setAttribute('role', 'switch');
	press.setAttribute('aria-describedby', 'lock-hint');
	const draw = () => press.setAttribute('aria-checked', String(room.info.locked));
	const turn = async () => {
		press.setAttribute('aria-disabled', 'true');
		try {
			await room.change({ locked: !room.info.locked });
		} catch (error) {
			toast(`Not saved: ${/** @type {Error} */ (error).message}`);
		}
		press.removeAttribute('aria-disabled');
		draw();
	};
	const followed = () => (press.isConnected ? draw() : room.removeEventListener('info', followed));
	room.addEventListener('info', followed);
	draw();
	const hint = make('span', { class: 'hint', id: 'lock-hint' }, 'While it is locked, only you write. It acts at once.');
	return make('div', { class: 'lock' }, press, hint);
}

/**
 * @param {Room} room
 * @param {Parameters<Room['change']>[0]} change
 * @param {() => void} done
 */
async function apply(room, change, done) {
	try {
		if (Object.keys(change).length > 0) await room.change(change);
		done();
		toast('Saved');
	} catch (error) {
		toast(`Not saved: ${/** @type {Error} */ (error).message}`);
	}
}

/** @param {Room} room */
async function otherDevice(room) {
	const { owner, device } = await room.ownLinks();
	const name = room.displayName || 'A private room';
	const details = make('details', {}, make('summary', {}, 'My other device / recovery'));
	if (owner) {
		details.append(
			linkRow({
				title: 'Owner link',
				text: 'Keep it somewhere safe, such as a password manager, and send it to nobody: whoever has it owns the room and speaks as you.',
				link: owner,
				name,
				copyText: 'Copy owner link',
				code: false,
			}),
		);
	} else if (device) {
		details.append(
			linkRow({
				title: 'Link for my other device',
				text: 'It carries your identity: open it only on a device of your own. Whoever has it speaks as you.',
				link: device,
				name,
				copyText: 'Copy link for my device',
				code: false,
			}),
		);
	}
	const carried = owner ?? device;
	const phone = carried
		? [
				row('My phone', 'Scan a code and go on there', 'Continue on my phone', () =>
					showOnPhone(carried, owner !== null),
				),
			]
		: [];
	return make('section', {}, ...phone, details);
}

/** Who sees the code is whom it was made by: that is said before it is shown. @param {string} link @param {boolean} isOwner */
async function showOnPhone(link, isOwner) {
	const may = isOwner ? 'owns this room and speaks as you' : 'speaks as you in this room';
	const text = `The code holds your own key. Whoever scans or photographs it ${may}, and you cannot take that back. Show it to your own phone only, with nobody and no camera behind you.`;
	if (!(await confirmed('Continue on my phone?', text, 'Show the code'))) return;
	const said = { title: 'Continue on my phone', text: 'Scan it with your phone’s camera, then close this.' };
	openLater(import('../view/qr.js'), ({ showCode }) => showCode(link, said));
}

/**
 * What cannot be taken back.
 *
 * @param {Room} room
 * @param {{ forget: () => unknown, close: () => void }} then
 */
function ending(room, { forget, close }) {
	const leave = async () => {
		const text = room.isOwner
			? 'The keys, messages and drafts in this browser are wiped. Without the owner link nobody will own the room any more.'
			: 'The keys, messages and drafts in this browser are wiped. You need the link to come back.';
		if (!(await confirmed('Forget this room?', text, 'Forget'))) return;
		close();
		await forget();
	};
	const remove = async () => {
		if (
			!(await confirmed(
				'Delete this room?',
				'Every message is erased for everyone, at once. Nobody can bring it back.',
				'Delete the room…',
			))
		)
			return;
		if (!(await confirmed('Really delete it?', 'This is the last question.', 'Delete for everyone'))) return;
		try {
			await room.destroy();
			close();
		} catch (error) {
			toast(`Not deleted: ${/** @type {Error} */ (error).message}`);
		}
	};
	const rows = [row('In this browser', 'Its keys, messages and drafts are wiped here', 'Forget this room', leave)];
	if (room.isOwner) rows.push(row('For everyone', 'Every message is erased', 'Delete the room', remove));
	for (const one of rows) one.querySelector('button')?.classList.replace('secondary', 'danger');
	return make('section', {}, make('h3', {}, 'What cannot be taken back'), ...rows);
}

/** @param {number} seconds @returns {[string, string]} */
function afterQuiet(seconds) {
	return [String(seconds), `After ${duration(seconds)} of quiet`];
}

/** @param {number} seconds @returns {[string, string]} */
function afterwards(seconds) {
	return [String(seconds), `After ${duration(seconds)}`];
}

/** @param {number[]} usual @param {number | null} current @returns {number[]} ascending */
function withCurrent(usual, current) {
	return current && !usual.includes(current) ? [...usual, current].sort((a, b) => a - b) : usual;
}

/**
 * @param {string} name
 * @param {[value: string, text: string][]} options
 * @param {string} selected
 */
function choice(name, options, selected) {
	const select = make('select', { name }, ...options.map(([value, text]) => make('option', { value }, text)));
	select.value = selected;
	return select;
}
