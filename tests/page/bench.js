// What the page's own work costs, beside the network, decryption and drawing: `cargo xtask bench --page`.
//
// Other programs on the machine cost time, too: the lowest twentieth is what something takes where they leave it alone.

import { PAGE, judging, naming, quantile, reacting } from './costs.js';

const REACTIONS = 5_000;
const PEOPLE = 20_000;

tell(`A reaction to a message with ${REACTIONS}`, await reacting(REACTIONS), 'ms');
const { pages, shown } = await naming(PEOPLE);
tell(`${PAGE} of the reactions of ${PEOPLE} people to one message`, pages, 'ms');
tell('Showing that message again', shown, 'ms');
const { costs, hashes } = await judging();
tell('Judging an event', costs, 'µs');
tell('Of that, hashing a window', hashes, 'µs');

/** @param {string} what @param {number[]} measured @param {string} unit */
function tell(what, measured, unit) {
	const at = (/** @type {number} */ share) => `${quantile(measured, share).toFixed(2)} ${unit}`;
	console.log(`${what}: median ${at(0.5)}, lowest twentieth ${at(0.05)}, slowest ${at(1)}`);
}
