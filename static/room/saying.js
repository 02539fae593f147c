/**
 * What somebody wants to say, looked at before anything is done with it. Pure.
 */

/** Something that the user wanted and that cannot be; `code` says what. */
export class RoomError extends Error {
	/** @param {'empty' | 'read_only' | 'not_loaded' | 'no_key'} code @param {string} message */
	constructor(code, message) {
		super(message);
		this.code = code;
	}
}

/** @param {string} text @returns {string} what is worth sending of it @throws {RoomError} `empty` */
export function spoken(text) {
	const said = text.trimEnd();
	if (said.trim() === '') throw new RoomError('empty', 'there is nothing to send');
	return said;
}
