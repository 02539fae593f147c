// Style sheets that come with what they are for: those of open rooms, which the start page and the question before
// joining do without, and those of what is loaded when somebody asks for it.

const SHEETS = ['/style/chat.css', '/style/message.css'];

/** @type {Map<string, Promise<void>>} */
const loading = new Map();

/** @returns {Promise<boolean>} whether all are there */
export async function loadRoomStyles() {
	try {
		await Promise.all(SHEETS.map(load));
		return true;
	} catch {
		return false;
	}
}

/** One that does not come is done without: all of it works unstyled. @param {string} address @returns {Promise<void>} */
export async function loadStyle(address) {
	await load(address).catch(() => {});
}

/** @param {string} address @returns {Promise<void>} */
function load(address) {
	let loaded = loading.get(address);
	if (!loaded) loading.set(address, (loaded = add(address)));
	return loaded;
}

/** @param {string} address @returns {Promise<void>} */
function add(address) {
	return new Promise((resolve, reject) => {
		const sheet = document.createElement('link');
		sheet.rel = 'stylesheet';
		sheet.href = address;
		sheet.addEventListener('load', () => resolve());
		sheet.addEventListener('error', () => {
			sheet.remove();
			// Asked for again, it may come.
			loading.delete(address);
			reject(new Error(`${address} could not be loaded`));
		});
		document.head.append(sheet);
	});
}
