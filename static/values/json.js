/**
 * JSON that may be anything. Pure.
 *
 * @param {string} text
 * @returns {Record<string, any>} empty where the text is no object
 */
export function parseObject(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === 'object' && value !== null ? value : {};
	} catch {
		return {};
	}
}
