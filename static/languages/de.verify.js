/** Was die Seite sagt, die signierte Kopien prüft, auf Deutsch. */
export const words = {
	verifyTitle: 'Eine Kopie prüfen',
	verifyText:
		'Eine signierte Kopie eines Buddy-Raums wird hier geprüft, auf diesem Gerät, und gezeigt. Diese Seite fragt niemanden und braucht kein Netz.',
	chooseCopy: 'Kopie auswählen oder hier ablegen',
	chooseAnother: 'Eine andere Kopie prüfen',
	checkingCopy: 'Wird geprüft …',

	// What cannot be looked at.
	verdictNone: 'Das lässt sich nicht prüfen',
	copyNone:
		'Diese Datei ist keine signierte Kopie eines Buddy-Raums, oder ein anderes Programm hat sie neu geschrieben.',
	copyNewer: 'Diese Kopie hat ein neueres Buddy gemacht. Eine neuere Seite zum Prüfen kann sie lesen.',
	copyCutOff: 'Diese Kopie ist nicht vollständig: Sie endet in Zeile {line}, vor ihrer Signatur.',
	copyMalformed: 'Diese Kopie wurde verändert oder beschädigt: In Zeile {line} steht nicht, was in einer Kopie steht.',
	copyOrder: 'Diese Kopie wurde verändert: Die Nachricht in Zeile {line} folgt nicht auf die davor.',
	copyNoRoom: 'Das ist keine Kopie eines Raums: Womit er begann, in Zeile {line}, hat sein Admin nicht signiert.',
	copyUnread: 'Die Datei konnte nicht gelesen werden.',
	tooOldToCheck:
		'Dieser Browser kann keine Signaturen prüfen (Ed25519). Heutige Versionen von Chrome, Edge, Firefox und Safari können es.',

	// The verdict.
	verdictGood: 'Diese Kopie stimmt',
	verdictRemarks: 'Diese Kopie stimmt, mit einer Anmerkung',
	verdictBad: 'Mit dieser Kopie stimmt etwas nicht',
	verdictMeaning:
		'Jede Nachricht wurde verglichen mit der Signatur derer, die sie schrieben, mit dem, was andere beim Schreiben gesehen hatten, und damit, wen der Admin eingelassen hat. Wem diese Schlüssel gehören, sagen nur die Wörter: Vergleiche sie auf einem anderen Weg, etwa am Telefon.',
	factRoom: 'Raum',
	factMaker: 'Gemacht von',
	factWords: 'Die Wörter dazu',
	factLog: 'Was gesagt wurde',
	factLogText: '{events} Einträge, Nr. {first} bis {last}. Richtige Signaturen: {signatures}. Gelöscht: {erased}.',
	factFile: 'Datei',
	factFiles: 'Dateien',
	factBefore: 'Davor',
	factBeforeText: 'Was vor Nr. {first} kam, war nicht geladen und ist nicht dabei.',
	filesFit: {
		one: '{count} ist dabei und öffnet sich mit dem Schlüssel in ihrer Nachricht',
		other: '{count} sind dabei und öffnen sich mit den Schlüsseln in ihren Nachrichten',
	},
	filesMissing: { one: '{count} ist nicht dabei', other: '{count} sind nicht dabei' },
	makerUnknown: 'Nicht bekannt',
	makerSaw: 'Die Seite, die sie machte, hatte gezeigt: {text}',
	showPlace: 'Zeigen',
	messagesOf: { one: '{count} Nachricht', other: '{count} Nachrichten' },
	showMoreOf: '{count} weitere',
	fileNotHere: 'Diese Datei ist nicht in der Kopie.',
	fileNotWhole: 'Die Datei „{name}“ ist beschädigt oder nicht, was gesendet wurde.',

	// What is wrong.
	faultChanged: 'Sie wurde verändert, nachdem sie gemacht war: Die Signatur dazu passt nicht.',
	faultStranger: 'Wer sie gemacht hat, hat in diesem Raum keine Karte. Vielleicht liest diese Person nur mit.',
	faultRotation: 'Wechsel {at} der Schlüssel hat der Admin nicht signiert, oder er folgt nicht auf den davor.',
	faultKey: 'Der Schlüssel der Epoche {at} öffnet nichts.',
	faultCard: 'Die Karte in Zeile {at} gehört niemandem, den der Admin eingelassen hat.',
	faultHead: 'Ihre letzten Einträge sind nicht die, die ihre Seite gelesen hatte.',
	faultEvent: 'Nr. {at} stimmt nicht und wird nicht gezeigt.',
	faultFile: 'Zeile {at} ist ein Teil einer Datei, die keine Nachricht nennt.',
};
