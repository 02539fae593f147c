/** What the page says that checks signed copies, in English. */
export const words = {
	verifyTitle: 'Check a copy',
	verifyText:
		'A signed copy of a Buddy room is checked here, on this device, and shown. This page asks nobody and works without a network.',
	chooseCopy: 'Choose a copy, or drop it here',
	chooseAnother: 'Check another copy',
	checkingCopy: 'Checking…',

	// What cannot be looked at.
	verdictNone: 'This cannot be checked',
	copyNone: 'This file is no signed copy of a Buddy room, or another program has written it anew.',
	copyNewer: 'This copy was made by a newer Buddy. A newer page to check copies can read it.',
	copyCutOff: 'This copy is not whole: it ends at line {line}, before its signature.',
	copyMalformed: 'This copy was changed or damaged: line {line} is not what stands in a copy.',
	copyOrder: 'This copy was changed: the message in line {line} does not come after the one before it.',
	copyNoRoom: 'This is no copy of a room: what the room began with, in line {line}, is not signed by its owner.',
	copyUnread: 'The file could not be read.',
	tooOldToCheck: 'This browser cannot check signatures (Ed25519). Today’s Chrome, Edge, Firefox and Safari can.',

	// The verdict.
	verdictGood: 'This copy holds',
	verdictRemarks: 'This copy holds, with a remark',
	verdictBad: 'Something is wrong with this copy',
	verdictMeaning:
		'Each message was compared with the signature of whoever wrote it, with what others had seen when they wrote, and with whom the owner let in. Whose those keys are, only the words tell: compare them by another way, such as a call.',
	factRoom: 'Room',
	factMaker: 'Made by',
	factWords: 'Their words',
	factLog: 'What was said',
	factLogText: '{events} entries, no. {first} to {last}. Right signatures: {signatures}. Erased: {erased}.',
	factFile: 'File',
	factFiles: 'Files',
	factBefore: 'Before that',
	factBeforeText: 'What came before no. {first} was not loaded and is not in it.',
	filesFit: {
		one: '{count} is in it, and opens by the key in its message',
		other: '{count} are in it, and open by the keys in their messages',
	},
	filesMissing: { one: '{count} is not in it', other: '{count} are not in it' },
	makerUnknown: 'Not known',
	makerSaw: 'The page of whoever made it had shown: {text}',
	showPlace: 'Show it',
	messagesOf: { one: '{count} message', other: '{count} messages' },
	showMoreOf: '{count} more',
	fileNotHere: 'This file is not in the copy.',
	fileNotWhole: 'The file “{name}” is damaged, or not what was sent.',

	// What is wrong.
	faultChanged: 'It was changed after it was made: the signature of whoever made it does not fit.',
	faultStranger: 'Whoever made it has no card in this room. Perhaps they only read along.',
	faultRotation: 'Change {at} of the keys is not signed by the owner, or does not follow the one before.',
	faultKey: 'The key of epoch {at} opens nothing.',
	faultCard: 'The card in line {at} is of nobody whom the owner let in.',
	faultHead: 'Its last entries are not the ones that whoever made it had read.',
	faultEvent: 'No. {at} does not hold, and is not shown.',
	faultFile: 'Line {at} is a part of a file that no message names.',
};
