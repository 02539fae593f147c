/**
 * JSON that may be anything. Pure.
 */

/** @param {string} text @returns {Record<string, any>} empty where the text is no object */
export function parseObject(text) {
	return toObject(text) ?? {};
}

/** @param {string} text @returns {Record<string, any> | null} null: no JSON, or no object */
export function toObject(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
	} catch {
		return null;
	}
}
