import { Room } from '../../static/room/room.js';
import { until } from './waiting.js';

/**
 * Opens a room in a browser, and takes part in it until it is closed.
 *
 * @param {Room[]} open what the test closes; the room is among it from the beginning
 * @param {import('../../static/storage/store.js').RoomRecord} record
 * @param {{ store: import('../../static/storage/store.js').Store, api: import('../../static/wire/api.js').Api }} surroundings
 * @param {string} [name] '' for who is known, or only reads
 * @returns {Promise<Room>} once it is live
 */
export async function enterRoom(open, record, { store, api }, name = '') {
	const room = new Room(record, { store, api, origin: 'https://buddy.example' });
	open.push(room);
	await room.open();
	if (room.phase === 'preview') await room.join(name);
	else if (name !== '') await room.setName(name);
	await until(() => room.connection.state === 'live', 'the room is live');
	return room;
}
