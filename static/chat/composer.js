// Where one writes: several lines, drafts, answering and editing, and one's name.

import { nameInText } from './describe.js';
import { canRecord, watchMicrophone } from './microphone.js';
import { watchPicked } from './picking.js';
import { announce } from '../view/announce.js';
import { openLater } from '../view/dialogs.js';
import { failure } from '../view/failures.js';
import { sizeOf, split, TEXT_BYTES } from '../room/saying.js';
import { utf8 } from '../values/bytes.js';
import { cleanName, gist, isReservedName, quoteOf } from '../values/text.js';
import { t } from '../values/words.js';

/**
 * @import { Key } from '../values/words.js'
 *
 * @typedef {import('../room/facade.js').RoomFacade} Room
 * @typedef {Extract<import('../room/facade.js').ShownEntry, { type: 'message' }>} Message
 */

const ERRORS = /** @type {Record<string, Key>} */ ({
	too_long: 'tooLong',
	too_large: 'fileTooLarge',
	storage: 'notStored',
});

/** Bytes of words that fit beside a small picture. */
const WORDS_BESIDE_FILE = 3000;

export class Composer {
	#room;
	#parts;
	/** What is to be sent along, once there was something. @type {import('./attach.js').Attachments | null} */
	#attachments = null;
	/** A voice message, while there is one. @type {import('./recording.js').Recording | null} */
	#recording = null;
	#closed = false;
	#text;
	#name;
	#suggestion;
	#sent;
	#editingBegan;
	/** Whether the words are too many for one message. */
	#isOver = false;
	/** The message that the next one answers. @type {number | null} */
	#replyTo = null;
	/** The message whose text is being changed. @type {Message | null} */
	#editing = null;
	/** What was being written when the changing began. @type {import('../storage/store.js').Draft | null} */
	#setAside = null;

	/**
	 * @param {Room} room
	 * @param {import('../view/templates.js').Parts<'t-chat'>} parts of the chat
	 * @param {object} options
	 * @param {string} options.suggestion the name used last
	 * @param {() => void} options.sent
	 * @param {(message: Message) => void} options.editing
	 */
	constructor(room, parts, { suggestion, sent, editing }) {
		this.#room = room;
		this.#parts = parts;
		this.#text = parts.text;
		this.#name = parts.name;
		this.#suggestion = suggestion;
		this.#sent = sent;
		this.#editingBegan = editing;
		watchPicked(parts, (files) => this.attach(files));
		watchMicrophone(parts.voice, (press) => this.#record(press));
		this.#drawSend();
		parts.composer.addEventListener('submit', (event) => {
			event.preventDefault();
			this.#submit();
		});
		// Pressing the button must not close a phone's keyboard.
		parts.send.addEventListener('pointerdown', (event) => event.preventDefault());
		parts.emoji.addEventListener('click', () => this.#pickEmoji());
		parts.several.addEventListener('click', () => this.#submit(true));
		parts.contextCancel.addEventListener('click', () => this.#cancelContext());
		this.#text.addEventListener('input', () => this.#typed());
		this.#name.addEventListener('input', () => this.#say(''));
		this.#text.addEventListener('blur', () => room.typingStopped());
		this.#text.addEventListener('keydown', (event) => this.#pressed(event));
	}

	/** Brings back what was being written here, and asks for a name if none was given yet. */
	async open() {
		this.showName();
		const { text, replyTo } = await this.#room.draft();
		if (this.#text.value === '') this.#text.value = text;
		const target = replyTo === null ? undefined : this.#room.entry(replyTo);
		if (target?.type === 'message') this.#setReply(target);
		this.#grow();
	}

	/** Shows the field for one's name exactly while there is none. */
	showName() {
		const { nameRow } = this.#parts;
		nameRow.hidden = this.#room.yourName !== '';
		if (!nameRow.hidden && this.#name.value === '') this.#name.value = this.#suggestion;
	}

	/** Takes files to send along, as they fall onto the room. @param {File[]} files */
	attach(files) {
		return openLater(import('./attach.js'), ({ Attachments }) => {
			this.#attachments ??= new Attachments(this.#parts, () => this.#drawSend());
			this.#attachments.add(files);
		});
	}

	focus() {
		const named = this.#parts.nameRow.hidden || this.#name.value !== '';
		(named ? this.#text : this.#name).focus();
	}

	/** @param {Message} message */
	reply(message) {
		this.#bringBack();
		this.#setReply(message);
		this.#save();
		this.#grow();
		(this.#recording ?? this.#text).focus();
	}

	/** @param {Message} message one's own */
	edit(message) {
		// One thing at a time.
		if (this.#recording) {
			this.#recording.focus();
			return;
		}
		this.#setAside ??= { text: this.#text.value, replyTo: this.#replyTo };
		this.#editing = message;
		this.#replyTo = null;
		this.#text.value = message.text;
		this.#showContext(t('editingYours'));
		this.#showMode();
		this.#grow();
		this.#text.focus();
		this.#editingBegan(message);
	}

	/** @param {Message} message */
	#setReply(message) {
		this.#replyTo = message.seq;
		this.#showContext(
			message.own
				? t('answeringYourself', { text: quoteOf(gist(message)) })
				: t('answering', {
						name: nameInText({ name: message.name, taken: message.nameTaken }),
						text: quoteOf(gist(message)),
					}),
		);
	}

	/** What the button at the words will do with them. */
	#showMode() {
		const { composer, send } = this.#parts;
		composer.toggleAttribute('data-editing', this.#editing !== null);
		send.setAttribute('aria-label', this.#editing ? t('save') : t('send'));
	}

	/** @param {string} text */
	#showContext(text) {
		this.#parts.context.hidden = false;
		this.#parts.contextText.textContent = text;
	}

	#cancelContext() {
		this.#clearContext();
		this.#bringBack();
		this.#save();
		this.#grow();
		this.#text.focus();
	}

	/** Puts what was set aside for a change of an old message back into the field. */
	#bringBack() {
		const aside = this.#setAside;
		if (!aside) return;
		this.#setAside = null;
		this.#editing = null;
		this.#showMode();
		this.#text.value = aside.text;
		const target = aside.replyTo === null ? undefined : this.#room.entry(aside.replyTo);
		if (target?.type === 'message') this.#setReply(target);
	}

	#clearContext() {
		this.#editing = null;
		this.#replyTo = null;
		this.#showMode();
		this.#parts.context.hidden = true;
	}

	/** @param {KeyboardEvent} event */
	#pressed(event) {
		// While an input method composes, Enter belongs to it; 229 is how Safari tells on the last one.
		if (event.isComposing || event.keyCode === 229) return;
		if (event.key === 'Enter' && !event.shiftKey && !isTouchKeyboard()) {
			event.preventDefault();
			this.#submit();
		} else if (event.key === 'Escape' && !this.#parts.context.hidden) {
			event.preventDefault();
			this.#cancelContext();
		} else if (event.key === 'ArrowUp' && this.#text.value === '') {
			const own = this.#room.entries.findLast((entry) => entry.type === 'message' && entry.own && entry.seq !== null);
			if (own?.type === 'message') {
				event.preventDefault();
				this.edit(own);
			}
		}
	}

	/** A phone's keyboard has its own; here is one for everybody else. */
	async #pickEmoji() {
		await openLater(import('./picker.js'), ({ showPicker }) => {
			const { selectionStart, selectionEnd } = this.#text;
			const chosen = (/** @type {string} */ emoji) => {
				this.#text.setRangeText(emoji, selectionStart, selectionEnd, 'end');
				this.#typed();
				this.#text.focus();
			};
			showPicker({ title: t('emoji'), label: 'insertEmoji', chosen });
		});
	}

	#typed() {
		this.#say('');
		this.#grow();
		// A change to an old message is no draft of a new one.
		if (this.#editing) return;
		this.#save();
		if (this.#text.value.trim() === '') this.#room.typingStopped();
		else this.#room.typing();
	}

	#save() {
		if (!this.#editing) this.#room.saveDraft(this.#text.value, this.#replyTo);
	}

	/** Whoever says something has a name. @returns {boolean} whether that is so */
	#settleName() {
		if (this.#parts.nameRow.hidden) return true;
		const name = cleanName(this.#name.value);
		if (name === '') {
			this.#say(t('whoAreYou'));
			this.#name.focus();
			return false;
		}
		if (isReservedName(name)) {
			this.#say(t('reservedName', { name }));
			this.#name.focus();
			return false;
		}
		// The name holds at once. To wait until it is stored would take into this message what is typed meanwhile.
		void this.#room.setName(name);
		this.showName();
		return true;
	}

	/** @param {boolean} [several] whether as many messages as it takes are welcome */
	async #submit(several = false) {
		const hasFiles = !this.#editing && (this.#attachments?.count ?? 0) > 0;
		if (this.#text.value.trim() === '' && !hasFiles) {
			this.#text.focus();
			return;
		}
		if (!this.#settleName()) return;
		if (!several && sizeOf(this.#text.value.trimEnd()) > TEXT_BYTES) {
			this.#say(t('tooLong'));
			this.#count();
			return;
		}
		this.#say('');
		let text = this.#text.value;
		const editing = this.#editing;
		const replyTo = this.#replyTo;
		const files = hasFiles ? (this.#attachments?.take() ?? []) : [];
		// Empty at once, so that a second Enter cannot send it twice; a refusal brings it back.
		this.#text.value = '';
		this.#clearContext();
		this.#bringBack();
		this.#grow();
		this.#text.focus();
		try {
			if (editing?.seq) await this.#room.edit(editing.seq, text);
			else {
				const [first = '', ...more] = several ? split(text) : [text];
				await this.#send(first, replyTo === null ? {} : { replyTo }, files);
				while (more[0] !== undefined) {
					// Should it be refused, only what has not gone out comes back.
					text = more.join('\n\n');
					await this.#room.send(more[0]);
					more.shift();
				}
			}
			this.#save();
			if (!editing) this.#sent();
		} catch (error) {
			this.#takeBack(text, editing, replyTo);
			this.#sayWhy(error);
		}
	}

	/** @param {import('./microphone.js').Press | null} press what holds the button */
	#record(press) {
		if (!this.#settleName()) return undefined;
		this.#say('');
		return openLater(import('./recording.js'), ({ Recording }) => {
			if (this.#recording || this.#closed || this.#parts.composer.hidden) return;
			const closed = (/** @type {boolean} */ focus) => {
				this.#recording = null;
				// On a phone the keyboard would come for nothing.
				if (focus && !isTouchKeyboard()) this.#text.focus();
			};
			this.#recording = new Recording(this.#parts, { press, send: (file) => this.#sendVoice(file), closed });
		});
	}

	/** @param {import('../room/files.js').Chosen} file */
	async #sendVoice(file) {
		const replyTo = this.#replyTo;
		try {
			await this.#room.send('', { ...(replyTo !== null && { replyTo }), file });
		} catch (error) {
			this.#sayWhy(error);
			throw error;
		}
		this.#say('');
		this.#clearContext();
		this.#save();
		this.#sent();
	}

	/** Nothing can be sent for now. */
	silence() {
		this.#recording?.silence();
	}

	/** The room is left. */
	close() {
		this.#closed = true;
		this.#recording?.discard();
	}

	/**
	 * Each file has a message of its own; the first one says the words, unless there are too many for it.
	 *
	 * @param {string} text
	 * @param {{ replyTo?: number }} more
	 * @param {ReturnType<import('./attach.js').Attachments['take']>} files
	 */
	async #send(text, more, files) {
		let hasGone = false;
		try {
			if (files.length === 0 || utf8(text).length > WORDS_BESIDE_FILE) {
				await this.#room.send(text, more);
				hasGone = true;
			}
			while (files[0]) {
				const file = await files[0].chosen;
				await (hasGone ? this.#room.send('', { file }) : this.#room.send(text, { ...more, file }));
				hasGone = true;
				files.shift();
			}
		} catch (cause) {
			this.#attachments?.restore(files);
			// What has gone out is not to go out again.
			if (hasGone) this.#say(t('someNotSent'));
			else throw cause;
		}
	}

	/**
	 * @param {string} text
	 * @param {Message | null} editing
	 * @param {number | null} replyTo
	 */
	#takeBack(text, editing, replyTo) {
		const typedSince = this.#text.value;
		if (editing) this.edit(editing);
		const target = replyTo === null ? undefined : this.#room.entry(replyTo);
		if (target?.type === 'message') this.#setReply(target);
		// What was set aside for a change waits apart from it.
		this.#text.value = editing ? text : text + typedSince;
		this.#save();
		this.#grow();
	}

	/** @param {unknown} error why something was not sent */
	#sayWhy(error) {
		const known = ERRORS[/** @type {{ code?: string }} */ (error).code ?? ''];
		this.#say(known ? t(known) : failure(error));
	}

	/** @param {string} error */
	#say(error) {
		this.#parts.error.hidden = error === '';
		this.#parts.error.textContent = error;
	}

	/** From nearly its limit on, how many letters still fit. */
	#count() {
		const { counter, counted, several } = this.#parts;
		const text = this.#text.value;
		// No letter takes more than a dozen bytes.
		const size = text.length * 12 < TEXT_BYTES ? 0 : sizeOf(text);
		counter.hidden = size < 0.9 * TEXT_BYTES;
		const isOver = size > TEXT_BYTES;
		if (!counter.hidden) {
			const letters = Math.ceil(Math.abs(TEXT_BYTES - size) / (size / text.length));
			counted.textContent = t(isOver ? 'tooMany' : 'left', { count: letters });
			several.hidden = !isOver || this.#editing !== null;
			if (!several.hidden) several.textContent = t('sendAsSeveral', { count: split(text).length });
		}
		if (isOver && !this.#isOver) announce(t('tooLongShort'));
		this.#isOver = isOver;
	}

	/** Where there is nothing to send yet, one may speak instead. */
	#drawSend() {
		const { voice, send } = this.#parts;
		const isEmpty = this.#text.value.trim() === '' && (this.#attachments?.count ?? 0) === 0;
		voice.hidden = !isEmpty || this.#editing !== null || !canRecord();
		send.hidden = !voice.hidden;
	}

	/** The field is as high as its text, where the style sheet alone cannot make it so. */
	#grow() {
		this.#count();
		this.#drawSend();
		if (CSS.supports('field-sizing', 'content')) return;
		this.#text.rows = Math.min(8, this.#text.value.split('\n').length);
	}
}

/** On a phone's keyboard Enter is the only way to a new line. */
export function isTouchKeyboard() {
	return matchMedia('(pointer: coarse)').matches && !matchMedia('(any-pointer: fine)').matches;
}
