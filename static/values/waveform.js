/**
 * How a sound looks: how loud it is from its beginning to its end, in a few bytes, and drawn as bars. Pure.
 */

/** Bars of a waveform, a byte each. */
export const BARS = 48;

/** What is quieter than this is drawn as silence, however quiet the rest is. Of the loudest there can be. */
const QUIET = 0.004;

/** A drawing's size; it is stretched to where it stands. */
export const DRAWN = { width: BARS * 4, height: 32 };
/** Half of the lowest and of the highest bar. */
const LOWEST = 1;
const HIGHEST = 14;

/**
 * How loud it was at one time: a root mean square from 0 to 1.
 *
 * @typedef {{ atMs: number, level: number }} Heard
 */

/**
 * @param {readonly Heard[]} heard ascending, in whatever rhythm; none: silence
 * @param {number} durationMs above 0
 * @returns {Uint8Array<ArrayBuffer>} {@link BARS} heights; 255 is the loudest of this sound
 */
export function waveformOf(heard, durationMs) {
	const loudest = new Float64Array(BARS).fill(-1);
	for (const { atMs, level } of heard) {
		const bar = Math.min(BARS - 1, Math.max(0, Math.floor((atMs / durationMs) * BARS)));
		loudest[bar] = Math.max(loudest[bar] ?? 0, level);
	}
	// A clock that was slowed down leaves gaps, which are as loud as what was before them.
	for (const [bar, level] of loudest.entries()) if (level < 0) loudest[bar] = bar === 0 ? 0 : (loudest[bar - 1] ?? 0);
	const most = Math.max(QUIET, ...loudest);
	// Ears hear ratios: with the root of it what is quiet can be seen, too.
	return Uint8Array.from(loudest, (level) => Math.round(255 * Math.sqrt(level / most)));
}

/** How loud a piece of sound is. @param {Float32Array} samples from -1 to 1 @returns {number} a root mean square */
export function levelOf(samples) {
	let sum = 0;
	for (const sample of samples) sum += sample * sample;
	return samples.length === 0 ? 0 : Math.min(1, Math.sqrt(sum / samples.length));
}

/**
 * The bars as the path of an SVG of {@link DRAWN} size.
 *
 * @param {ArrayLike<number>} heights 0 to 255, {@link BARS} of them at most
 * @returns {string}
 */
export function pathOf(heights) {
	return Array.from(heights, (height, bar) => {
		// Half of a bar, in quarters of a unit: as text those are short.
		const half = Math.round(4 * (LOWEST + ((HIGHEST - LOWEST) * height) / 255)) / 4;
		return `M${bar * 4 + 2} ${DRAWN.height / 2 - half}v${2 * half}`;
	}).join('');
}
