import assert from 'node:assert/strict';

/**
 * What a test needs, and its types leave open.
 *
 * @template Value
 * @param {Value | null | undefined} value
 * @returns {Value}
 */
export function there(value) {
	assert.ok(value !== null && value !== undefined, 'it is not there');
	return value;
}
