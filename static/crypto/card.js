/**
 * Cards and farewells: the signatures that stand alone (docs/protocol.md, "Cards" and "Statements").
 *
 * @import { Bytes } from '../values/bytes.js'
 * @import { Identity } from './identity.js'
 * @import { Signing } from './keys.js'
 */

import { concat, decodeBase64url, encodeBase64url, utf8 } from '../values/bytes.js';
import { verify } from './identity.js';

/**
 * @param {Signing} admit The admit key of the epoch, which who holds a member's secret has.
 * @param {string} room
 * @param {number} epoch
 * @param {Identity} identity Whose card it is.
 * @returns {Promise<{ box: string, admit: string }>} as they stand in the card
 */
export async function admitPerson(admit, room, epoch, { signer, boxKey }) {
	const box = encodeBase64url(boxKey);
	return { box, admit: encodeBase64url(await admit.sign(admitBytes(room, epoch, signer, box))) };
}

/**
 * @param {string} admit The admit key's public half, from the epoch's rotation.
 * @param {string} room
 * @param {number} epoch
 * @param {string} signer Who signed the card.
 * @param {{ box?: string, admit?: string }} card
 * @returns {Promise<boolean>}
 */
export async function isAdmitted(admit, room, epoch, signer, { box = '', admit: signature = '' }) {
	const bytes = decodeBase64url(signature);
	return bytes !== null && verify(admit, bytes, admitBytes(room, epoch, signer, box));
}

/** @param {Identity} owner @param {string} room @returns {Promise<string>} what proves that the owner deleted the room */
export async function signFarewell(owner, room) {
	return encodeBase64url(await owner.sign(farewellBytes(room)));
}

/** @param {string} owner The owner's signer. @param {string} room @param {string} farewell @returns {Promise<boolean>} */
export async function isFarewell(owner, room, farewell) {
	const bytes = decodeBase64url(farewell);
	return bytes !== null && verify(owner, bytes, farewellBytes(room));
}

/** @param {string} room @param {number} epoch @param {string} signer @param {string} box @returns {Bytes} */
function admitBytes(room, epoch, signer, box) {
	return utf8(`buddy/v2/admit\0${room}|${epoch}|${signer}|${box}`);
}

/** @param {string} room @returns {Bytes} */
function farewellBytes(room) {
	return concat(utf8('buddy/v2/farewell\0'), utf8(room));
}
