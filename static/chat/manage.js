// Everything about a room that is not talking: one's name, other devices, and what an owner may do.

import { toast } from '../view/announce.js';
import { asked, confirmed, openDialog, openLater } from '../view/dialogs.js';
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
 * @param {{ forget: () => unknown, named: () => void }} then what follows forgetting the room and changing one's name
 */
export async function showManage(room, { forget, named }) {
	const close = () => dialog.close();
	const sections = [about(room), here(room, { forget, named, close })];
	if (room.isOwner) sections.push(owning(room, close));
	if (room.canWrite) sections.push(await otherDevice(room));
	if (room.isOwner) sections.push(ending(room, close));
	const dialog = openDialog('Manage room', ...sections);
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

/** @param {Room} room */
function about(room) {
	const { messageTtlS, expiresAtMs, locked, title } = room.info;
	const facts = [
		messageTtlS ? `Messages disappear after ${duration(messageTtlS)}.` : 'Messages stay as long as the room.',
		`Without another message the room expires on ${dateAndTime(expiresAtMs)}.`,
		locked ? 'It is locked.' : '',
	];
	return make(
		'section',
		{},
		make('h3', { dir: 'auto' }, title || room.displayName || 'Unnamed room'),
		make('p', {}, facts.join(' ')),
		make(
			'div',
			{ class: 'actions' },
			button('People and their words', () => showPeople(room), 'secondary'),
			...(room.isOwner
				? [button('Links', () => openLater(import('./links.js'), ({ showLinks }) => showLinks(room)), 'secondary')]
				: []),
		),
	);
}

/**
 * What concerns only this browser.
 *
 * @param {Room} room
 * @param {{ forget: () => unknown, named: () => void, close: () => void }} then
 */
function here(room, { forget, named, close }) {
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
	const leave = async () => {
		const text = room.isOwner
			? 'The keys, messages and drafts in this browser are wiped. Without the owner link nobody will own the room any more.'
			: 'The keys, messages and drafts in this browser are wiped. You need the link to come back.';
		if (!(await confirmed('Forget this room?', text, 'Forget'))) return;
		close();
		await forget();
	};
	const buttons = [button('Name it for yourself', rename, 'secondary'), button('Forget this room', leave, 'danger')];
	if (room.canWrite) buttons.unshift(button('Change my name', changeName, 'secondary'));
	return make('section', {}, make('h3', {}, 'In this browser'), make('div', { class: 'actions' }, ...buttons));
}

/**
 * @param {Room} room
 * @param {() => void} close
 */
function owning(room, close) {
	const { title, locked, messageTtlS, expiresInS } = room.info;
	const lock = button(
		locked ? 'Unlock the room' : 'Lock the room',
		() => apply(room, { locked: !locked }, close),
		'secondary',
	);
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
		make('div', { class: 'actions' }, make('button', {}, 'Save'), lock),
	);
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		/** @type {Parameters<Room['change']>[0]} */
		const change = {};
		if (name.value.trim() !== title) change.title = name.value.trim();
		if (expiry.value !== '' && Number(expiry.value) !== expiresInS) change.expiresInS = Number(expiry.value);
		const ttl = lifetime.value === '' ? null : Number(lifetime.value);
		if (ttl !== messageTtlS) change.messageTtlS = ttl;
		apply(room, change, close);
	});
	return make(
		'section',
		{},
		make('h3', {}, 'You own this room'),
		make('p', {}, 'Everyone sees in the room what you change.'),
		form,
	);
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
			}),
		);
	}
	return make('section', {}, details);
}

/**
 * @param {Room} room
 * @param {() => void} close
 */
function ending(room, close) {
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
	return make('section', {}, make('div', { class: 'actions' }, button('Delete the room', remove, 'danger')));
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
