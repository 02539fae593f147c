// The style sheets of open rooms, which the start page and the question before joining do without.

const SHEETS = ['/style/chat.css', '/style/message.css'];

/** @type {Promise<unknown> | null} */
let loading = null;

/** @returns {Promise<boolean>} whether all are there */
export async function loadRoomStyles() {
	loading ??= Promise.all(SHEETS.map(load));
	try {
		await loading;
		return true;
	} catch {
		loading = null;
		return false;
	}
}

/** @param {string} address @returns {Promise<void>} */
function load(address) {
	return new Promise((resolve, reject) => {
		const sheet = document.createElement('link');
		sheet.rel = 'stylesheet';
		sheet.href = address;
		sheet.addEventListener('load', () => resolve());
		sheet.addEventListener('error', () => {
			sheet.remove();
			reject(new Error(`${address} could not be loaded`));
		});
		document.head.append(sheet);
	});
}
