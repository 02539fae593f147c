// Everything about a room that is not talking: one's name, other devices, and what an owner may do.

import { toast } from '../view/announce.js';
import { asked, confirmed, guard, openDialog, openLater } from '../view/dialogs.js';
import { button, make } from '../view/dom.js';
import { failure } from '../view/failures.js';
import { showPeople } from './people.js';
import { linkRow } from '../view/share.js';
import { isReservedName } from '../values/text.js';
import { dateAndTime, duration } from '../values/when.js';
import { spokenName, t } from '../values/words.js';

/** @typedef {import('../room/facade.js').RoomFacade} Room */

const EXPIRIES = [86400, 604800, 2592000, 31536000];
const LIFETIMES = [3600, 86400, 604800, 2592000];

/**
 * @param {Room} room
 * @param {object} then what follows forgetting the room, changing one's name, and wanting notices
 * @param {boolean} then.persistent whether this browser keeps anything
 * @param {() => unknown} then.forget
 * @param {() => void} then.named
 * @param {() => unknown} then.noticed
 */
export async function showManage(room, { persistent, forget, named, noticed }) {
	const close = () => dialog.close();
	const owned = room.isOwner ? owning(room, close) : null;
	const other = room.canWrite ? [await otherDevice(room)] : [];
	const dialog = openDialog(
		t('manageRoom'),
		tabs([
			[t('tabRoom'), [about(room, { persistent, noticed }), ...(owned ? [owned.section] : [])]],
			[t('tabMe'), [here(room, { persistent, named, close }), ...other]],
			[t('tabDanger'), [ending(room, { forget, close })]],
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
	const list = make('div', { role: 'tablist', class: 'tabs', 'aria-label': t('manageRoom') }, ...buttons);
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
	openDialog(t('otherDevice'), section);
}

/** @param {Room} room @param {{ persistent: boolean, noticed: () => unknown }} then */
function about(room, { persistent, noticed }) {
	const notices = () =>
		openLater(import('./notify.js'), ({ showNotify }) => showNotify(room, { persistent, changed: noticed }));
	const keep = () => openLater(import('./exporting.js'), ({ showExport }) => showExport(room));
	const { messageTtlS, expiresAtMs, locked, title } = room.info;
	const facts = [
		messageTtlS ? t('disappearAfter', { time: duration(messageTtlS) }) : t('factStay'),
		t('expiresOn', { when: dateAndTime(expiresAtMs) }),
		locked && !room.isOwner ? t('itIsLocked') : '',
	];
	return make(
		'section',
		{},
		make('h3', { dir: 'auto' }, title || room.displayName || t('unnamedRoom')),
		make('p', {}, facts.filter(Boolean).join(' ')),
		make(
			'div',
			{ class: 'actions' },
			button(t('peopleAndWords'), () => showPeople(room), 'secondary'),
			...(room.isOwner
				? [button(t('links'), () => openLater(import('./links.js'), ({ showLinks }) => showLinks(room)), 'secondary')]
				: []),
			button(t('notices'), notices, 'secondary'),
			button(t('keepCopy'), keep, 'secondary'),
		),
	);
}

/**
 * What concerns only this browser.
 *
 * @param {Room} room
 * @param {{ persistent: boolean, named: () => void, close: () => void }} then
 */
function here(room, { persistent, named, close }) {
	const rename = async () => {
		const label = await asked(t('nameForYourself'), {
			label: t('onlyThisBrowser'),
			value: room.label,
			maxLength: 80,
			yes: t('save'),
		});
		if (label === null) return;
		await room.setLabel(label);
		close();
	};
	const changeName = async () => {
		const name = await asked(t('yourNameInRoom'), {
			label: t('othersSee'),
			value: room.yourName,
			maxLength: 40,
			yes: t('save'),
		});
		if (!name) return;
		if (isReservedName(name)) {
			toast(t('reservedName', { name }));
			return;
		}
		await room.setName(name);
		named();
		close();
	};
	const rows = [
		row(t('browserCalls'), room.label || room.displayName || t('unnamedRoom'), t('nameForYourself'), rename),
	];
	if (room.canWrite) rows.unshift(row(t('yourNameHere'), room.yourName || t('notSaid'), t('changeMyName'), changeName));
	const look = () => openLater(import('../view/look.js'), ({ showLook }) => showLook(persistent));
	rows.push(row(t('look'), spokenName(), t('change'), look));
	return make('section', {}, make('h3', {}, t('inThisBrowser')), ...rows);
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
		[['', t('never')], ...withCurrent(LIFETIMES, messageTtlS).map(afterwards)],
		messageTtlS ? String(messageTtlS) : '',
	);
	const form = make(
		'form',
		{},
		make('label', { class: 'field' }, t('roomName'), name),
		make('label', { class: 'field' }, t('roomExpires'), expiry),
		make('label', { class: 'field' }, t('messagesDisappear'), lifetime),
		make('div', { class: 'actions' }, make('button', {}, t('save'))),
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
	const section = make('section', {}, make('h3', {}, t('youOwn')), make('p', {}, t('everyoneSees')), lock(room), form);
	return { section, isChanged: () => Object.keys(changes()).length > 0 };
}

/** Acts at once, and shows how the room stands. @param {Room} room */
function lock(room) {
	const press = button(t('lockRoom'), () => turn(), 'switch');
	press.setAttribute('role', 'switch');
	press.setAttribute('aria-describedby', 'lock-hint');
	const draw = () => press.setAttribute('aria-checked', String(room.info.locked));
	const turn = async () => {
		press.setAttribute('aria-disabled', 'true');
		try {
			await room.change({ locked: !room.info.locked });
		} catch (error) {
			toast(t('notSaved', { why: failure(error) }));
		}
		press.removeAttribute('aria-disabled');
		draw();
	};
	const followed = () => (press.isConnected ? draw() : room.removeEventListener('info', followed));
	room.addEventListener('info', followed);
	draw();
	const hint = make('span', { class: 'hint', id: 'lock-hint' }, t('lockHint'));
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
		toast(t('saved'));
	} catch (error) {
		toast(t('notSaved', { why: failure(error) }));
	}
}

/** @param {Room} room */
async function otherDevice(room) {
	const { owner, device } = await room.ownLinks();
	const name = room.displayName || t('aPrivateRoom');
	const details = make('details', {}, make('summary', {}, t('otherDevice')));
	if (owner) {
		details.append(
			linkRow({
				title: t('ownerLink'),
				text: t('ownerLinkText'),
				link: owner,
				name,
				copyText: t('copyOwnerLink'),
				code: false,
			}),
		);
	} else if (device) {
		details.append(
			linkRow({
				title: t('deviceLink'),
				text: t('deviceLinkText'),
				link: device,
				name,
				copyText: t('copyDeviceLink'),
				code: false,
			}),
		);
	}
	const carried = owner ?? device;
	const phone = carried
		? [row(t('myPhone'), t('scanAndGoOn'), t('continueOnPhone'), () => showOnPhone(carried, owner !== null))]
		: [];
	return make('section', {}, ...phone, details);
}

/** Who sees the code is whom it was made by: that is said before it is shown. @param {string} link @param {boolean} isOwner */
async function showOnPhone(link, isOwner) {
	const text = t(isOwner ? 'codeWarningOwner' : 'codeWarning');
	if (!(await confirmed(t('continueOnPhoneAsk'), text, t('showTheCode')))) return;
	const said = { title: t('continueOnPhone'), text: t('scanThenClose') };
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
		const text = room.isOwner ? t('forgetOwned') : t('forgetText');
		if (!(await confirmed(t('forgetAsk'), text, t('forget')))) return;
		close();
		await forget();
	};
	const remove = async () => {
		if (!(await confirmed(t('deleteAsk'), t('deleteText'), t('deleteRoomNext')))) return;
		if (!(await confirmed(t('reallyDelete'), t('lastQuestion'), t('deleteForEveryone')))) return;
		try {
			await room.destroy();
			close();
		} catch (error) {
			toast(t('notDeleted', { why: failure(error) }));
		}
	};
	const rows = [row(t('inThisBrowser'), t('wipedHere'), t('forgetRoom'), leave)];
	if (room.isOwner) rows.push(row(t('forEveryone'), t('everyMessageErased'), t('deleteRoom'), remove));
	for (const one of rows) one.querySelector('button')?.classList.replace('secondary', 'danger');
	return make('section', {}, make('h3', {}, t('cannotTakeBack')), ...rows);
}

/** @param {number} seconds @returns {[string, string]} */
function afterQuiet(seconds) {
	return [String(seconds), t('afterQuiet', { time: duration(seconds) })];
}

/** @param {number} seconds @returns {[string, string]} */
function afterwards(seconds) {
	return [String(seconds), t('afterTime', { time: duration(seconds) })];
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
