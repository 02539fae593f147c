/**
 * The files of a room: what is to be sent, kept in this browser until its message is in the log, and uploaded part by
 * part, going on where it stopped; and what others sent, fetched and opened part by part. No DOM.
 *
 * @import { Api, Access } from '../wire/api.js'
 * @import { SentFile } from '../crypto/content.js'
 * @import { Store, Upload } from '../storage/store.js'
 */

import { PART_BYTES, SealedFile, filledUp, newSalt, partsOf } from '../crypto/chunked.js';
import { decodeBase64url, encodeBase64url, hex, randomBytes } from '../values/bytes.js';
import { ApiError } from '../wire/api.js';

/** Parts that are fetched at once: on the next ones' way the one that is there is opened. */
const AHEAD = 3;

/** The largest file that is sent, unless the server takes less. */
export const MOST_BYTES = 26_214_400;

/**
 * A file that somebody chose. `thumb`: a small picture. `voice`: of one that was spoken, with its waveform.
 *
 * @typedef {object} Chosen
 * @property {Blob} blob
 * @property {string} name
 * @property {string} type
 * @property {number} [width]
 * @property {number} [height]
 * @property {Uint8Array} [thumb]
 * @property {{ durationMs: number, waveform: Uint8Array }} [voice]
 *
 * @typedef {{ id: string, done: number, of: number }} Progress Parts of a file that is on its way.
 */

/** A file that cannot be sent; `code`: `too_large`, or `file_lost`: this browser has it no more. */
export class FileError extends Error {
	/** @param {'too_large' | 'file_lost'} code @param {string} message */
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

export class Files {
	#room;
	#api;
	#store;
	#access;
	#renewed;
	#progress;
	/** What the storage refused. @type {Map<string, Upload>} */
	#unstored = new Map();
	/** Of what is on its way. @type {Map<string, AbortController>} */
	#uploading = new Map();

	/**
	 * @param {object} parts
	 * @param {string} parts.room
	 * @param {Api} parts.api
	 * @param {Store} parts.store
	 * @param {{ read: () => Access, write: () => Access, owner: () => Access | null }} parts.access With the keys in force.
	 * @param {() => Promise<boolean>} parts.renewed The keys are new; resolves with whether they are here now.
	 * @param {(progress: Progress) => void} parts.progress
	 */
	constructor({ room, api, store, access, renewed, progress }) {
		this.#room = room;
		this.#api = api;
		this.#store = store;
		this.#access = access;
		this.#renewed = renewed;
		this.#progress = progress;
	}

	/**
	 * Keeps a file until it is sent.
	 *
	 * @param {Chosen} chosen
	 * @returns {Promise<SentFile>} as its message says it
	 * @throws {FileError} `too_large`
	 */
	async hold({ blob, name, type, width, height, thumb, voice }) {
		if (blob.size > MOST_BYTES) throw new FileError('too_large', 'the file is too large');
		const upload = { room: this.#room, file: hex(randomBytes(16)), salt: newSalt(), blob };
		await this.#keep(upload);
		return {
			id: upload.file,
			key: encodeBase64url(randomBytes(32)),
			name,
			type,
			size: blob.size,
			...(width && height ? { width, height } : {}),
			...(thumb ? { thumb: encodeBase64url(thumb) } : {}),
			...(voice ? { duration_ms: voice.durationMs, waveform: encodeBase64url(voice.waveform) } : {}),
		};
	}

	/** @param {Upload} upload */
	async #keep(upload) {
		await this.#store.putUpload(upload).catch(() => this.#unstored.set(upload.file, upload));
	}

	/** @param {string} id @returns {Promise<Upload | undefined>} */
	async #held(id) {
		return this.#unstored.get(id) ?? this.#store.upload(this.#room, id).catch(() => undefined);
	}

	/**
	 * Brings files to the server, or what is missing of them.
	 *
	 * @param {SentFile[]} files
	 * @returns {Promise<void>}
	 * @throws {FileError | ApiError} `file_lost` where one was dropped meanwhile, too
	 */
	async upload(files) {
		for (const file of files) {
			const aborting = new AbortController();
			this.#uploading.set(file.id, aborting);
			try {
				await this.#upload(file, aborting.signal);
			} catch (cause) {
				if (aborting.signal.aborted) throw new FileError('file_lost', 'the file was dropped');
				throw cause;
			} finally {
				if (this.#uploading.get(file.id) === aborting) this.#uploading.delete(file.id);
			}
		}
	}

	/** @param {SentFile} file @param {AbortSignal} signal */
	async #upload({ id, key, size }, signal) {
		const { parts } = await this.#api.parts(this.#room, this.#access.read(), id, signal).catch((cause) => {
			if (cause instanceof ApiError && cause.code === 'file_not_found') return { parts: [] };
			throw cause;
		});
		const there = new Set(parts.map(({ part }) => part));
		const of = partsOf(size);
		if (there.size === of) return;
		const held = await this.#held(id);
		if (!held) throw new FileError('file_lost', 'this browser has the file no more');
		const sealed = await SealedFile.make({ room: this.#room, id, key: secret(key) }, held.salt);
		const filled = filledUp(size);
		this.#progress({ id, done: there.size, of });
		for (let number = 0; number < of; number += 1) {
			if (there.has(number)) continue;
			const plain = await filledPart(held.blob, filled, number);
			const part = await sealed.sealPart(number, plain);
			signal.throwIfAborted();
			await this.#put(id, number, part, signal);
			there.add(number);
			this.#progress({ id, done: there.size, of });
		}
	}

	/** @param {string} id @param {number} number @param {Uint8Array<ArrayBuffer>} part @param {AbortSignal} signal */
	async #put(id, number, part, signal) {
		await this.#api.putPart(this.#room, this.#access.write(), id, number, part, signal).catch((cause) => {
			const owner = this.#access.owner();
			// The weakest token goes first; the owner's opens a locked room.
			if (!owner || !(cause instanceof ApiError) || cause.code !== 'room_locked') throw cause;
			return this.#api.putPart(this.#room, owner, id, number, part, signal);
		});
	}

	/**
	 * The same files as ones that the server never had: it has dropped those that it had before their message came.
	 *
	 * @param {SentFile[]} files
	 * @returns {Promise<SentFile[]>}
	 */
	async renew(files) {
		/** @type {SentFile[]} */
		const renewed = [];
		for (const file of files) {
			const held = await this.#held(file.id);
			if (!held) {
				renewed.push(file);
				continue;
			}
			const upload = { ...held, file: hex(randomBytes(16)), salt: newSalt() };
			await this.#keep(upload);
			renewed.push({ ...file, id: upload.file, key: encodeBase64url(randomBytes(32)) });
		}
		await this.drop(files.filter(({ id }) => !renewed.some((file) => file.id === id)));
		return renewed;
	}

	/** @param {SentFile[]} files @returns {{ id: string, parts: number }[]} as their post names them */
	named(files) {
		return files.map(({ id, size }) => ({ id, parts: partsOf(size) }));
	}

	/** Forgets files that are sent, or will not be. @param {SentFile[]} files @returns {Promise<void>} */
	async drop(files) {
		for (const { id } of files) {
			this.#uploading.get(id)?.abort();
			this.#unstored.delete(id);
			await this.#store.dropUpload(this.#room, id).catch(() => {});
		}
	}

	/**
	 * Fetches and opens a file. What is shown of it is decided elsewhere.
	 *
	 * @param {SentFile} file
	 * @param {{ signal?: AbortSignal, progress?: (share: number) => void }} [more] `share`: 0 to 1
	 * @returns {Promise<Blob>} without a type
	 * @throws {ApiError | import('../crypto/chunked.js').Damaged}
	 */
	async read({ id, key, size }, { signal, progress } = {}) {
		// One's own, which is still on its way.
		const held = await this.#held(id);
		if (held) return held.blob;
		const [filled, of] = [filledUp(size), partsOf(size)];
		/** @type {SealedFile | undefined} */
		let file;
		/** Each is handed to the browser at once, which need not keep it in memory. @type {Blob[]} */
		const pieces = [];
		const ended = new AbortController();
		try {
			const parts = this.#inOrder(id, of, signal ? AbortSignal.any([signal, ended.signal]) : ended.signal);
			for await (const part of parts) {
				const number = pieces.length;
				file ??= await SealedFile.open({ room: this.#room, id, key: secret(key) }, part);
				const from = number * PART_BYTES;
				const plain = await file.openPart(number, part, Math.min(PART_BYTES, filled - from));
				pieces.push(new Blob([plain.subarray(0, Math.max(0, size - from))]));
				progress?.(pieces.length / of);
			}
		} finally {
			ended.abort();
		}
		return new Blob(pieces);
	}

	/**
	 * A file as the server has it.
	 *
	 * @param {SentFile} file
	 * @param {AbortSignal} signal
	 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>} its parts in their order, sealed
	 * @throws {ApiError}
	 */
	sealedParts({ id, size }, signal) {
		return this.#inOrder(id, partsOf(size), signal);
	}

	/** @param {string} id @param {number} of @param {AbortSignal} signal */
	async *#inOrder(id, of, signal) {
		/** @type {Promise<Uint8Array<ArrayBuffer>>[]} */
		const asked = [];
		for (let number = 0; number < of; number += 1) {
			while (asked.length < AHEAD && number + asked.length < of) {
				const part = this.#get(id, number + asked.length, signal);
				// One that fails is told of when its turn comes.
				part.catch(() => {});
				asked.push(part);
			}
			const part = await asked.shift();
			if (part) yield part;
		}
	}

	/** @param {string} id @param {number} number @param {AbortSignal} [signal] */
	async #get(id, number, signal) {
		const ask = () => this.#api.part(this.#room, this.#access.read(), id, number, signal);
		return ask().catch(async (cause) => {
			const isOld = cause instanceof ApiError && cause.code === 'renewed';
			if (isOld && (await this.#renewed())) return ask();
			throw cause;
		});
	}
}

/** @param {string} key */
function secret(key) {
	// Its form was looked at when its message was read, or made.
	return /** @type {Uint8Array<ArrayBuffer>} */ (decodeBase64url(key));
}

/** What a part holds: a slice of the file, and zeros behind it. @param {Blob} blob @param {number} filled @param {number} number */
async function filledPart(blob, filled, number) {
	const from = number * PART_BYTES;
	if (from + PART_BYTES <= blob.size) return new Uint8Array(await blob.slice(from, from + PART_BYTES).arrayBuffer());
	const plain = new Uint8Array(Math.min(PART_BYTES, filled - from));
	if (from < blob.size) plain.set(new Uint8Array(await blob.slice(from, from + plain.length).arrayBuffer()));
	return plain;
}
