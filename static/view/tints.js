// Which tint stands for whom: decoration that tells people apart at a glance, and never proof. Pure.

/** The tints of base.css. */
export const TINTS = 8;

/** @param {string} seed @returns {number} from 0, the same for the same seed */
export function tintFor(seed) {
	let sum = 0;
	for (let index = 0; index < seed.length; index += 1) sum = (sum * 31 + seed.charCodeAt(index)) >>> 0;
	return sum % TINTS;
}

/** The tints that are given out in one room: no two people share one before all are taken. */
export class Tints {
	/** @type {Map<string, number>} */
	#given = new Map();
	#counts = Array.from({ length: TINTS }, () => 0);

	/** @param {string} signer @returns {number} stays the same from the first time on */
	of(signer) {
		const known = this.#given.get(signer);
		if (known !== undefined) return known;
		const fewest = Math.min(...this.#counts);
		// The one that suits the key, so that most people keep theirs from visit to visit; else the next that is free.
		let tint = tintFor(signer);
		while ((this.#counts[tint] ?? 0) > fewest) tint = (tint + 1) % TINTS;
		this.#counts[tint] = fewest + 1;
		this.#given.set(signer, tint);
		return tint;
	}
}

/** @type {WeakMap<object, Tints>} */
const rooms = new WeakMap();

/** @param {object} room @returns {Tints} wherever it is shown, the same */
export function tintsOf(room) {
	const known = rooms.get(room);
	if (known) return known;
	const tints = new Tints();
	rooms.set(room, tints);
	return tints;
}
