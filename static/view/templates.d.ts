// Made from index.html by `npm run templates` in tests/page: the parts of each template, by name and element.

export interface Templates {
	't-start': {
		root: 'section';
		parts: {
			storage: 'p';
			update: 'p';
			number: 'span';
			reload: 'button';
			compare: 'button';
			create: 'form';
			submit: 'button';
			error: 'p';
			open: 'form';
			linkError: 'p';
			rooms: 'section';
			list: 'ul';
			look: 'button';
		};
	};
	't-room-item': {
		root: 'li';
		parts: {
			link: 'a';
			avatar: 'span';
			name: 'bdi';
			when: 'span';
			more: 'button';
		};
	};
	't-message-screen': {
		root: 'section';
		parts: {
			title: 'h1';
			text: 'p';
			actions: 'div';
		};
	};
	't-preview': {
		root: 'section';
		parts: {
			title: 'h1';
			facts: 'ul';
			join: 'button';
		};
	};
	't-chat': {
		root: 'section';
		parts: {
			bar: 'header';
			title: 'bdi';
			connection: 'span';
			people: 'button';
			find: 'button';
			invite: 'button';
			manage: 'button';
			banners: 'div';
			scroller: 'div';
			older: 'div';
			olderButton: 'button';
			beginning: 'div';
			log: 'div';
			list: 'ol';
			jump: 'button';
			jumpText: 'span';
			typing: 'p';
			note: 'p';
			composer: 'form';
			context: 'div';
			contextText: 'p';
			contextCancel: 'button';
			nameRow: 'label';
			name: 'input';
			tray: 'ul';
			attach: 'button';
			camera: 'button';
			picker: 'input';
			shutter: 'input';
			emoji: 'button';
			text: 'textarea';
			voice: 'button';
			send: 'button';
			counter: 'p';
			counted: 'span';
			several: 'button';
			error: 'p';
		};
	};
	't-welcome': {
		root: 'div';
		parts: {
			link: 'output';
			copy: 'button';
			share: 'button';
		};
	};
	't-message': {
		root: 'li';
		parts: {
			avatar: 'span';
			who: 'p';
			name: 'span';
			tag: 'span';
			role: 'span';
			nameNote: 'span';
			quote: 'button';
			quoteName: 'span';
			quoteText: 'span';
			text: 'div';
			unfold: 'button';
			meta: 'p';
			edited: 'span';
			time: 'time';
			state: 'span';
			reactions: 'ul';
			warning: 'p';
			failed: 'p';
			failedText: 'span';
			retry: 'button';
			discard: 'button';
		};
	};
	't-event': {
		root: 'li';
		parts: {
			text: 'p';
		};
	};
	't-tools': {
		root: 'div';
		parts: {
			react: 'button';
			reply: 'button';
			more: 'button';
		};
	};
	't-dialog': {
		root: 'dialog';
		parts: {
			title: 'h2';
			body: 'div';
		};
	};
	't-link-row': {
		root: 'section';
		parts: {
			title: 'h3';
			text: 'p';
			link: 'output';
			copy: 'button';
			copyText: 'span';
			share: 'button';
		};
	};
	't-link': {
		root: 'li';
		parts: {
			name: 'bdi';
			role: 'span';
			state: 'p';
			url: 'span';
			copy: 'button';
			back: 'button';
		};
	};
	't-new-link': {
		root: 'form';
		parts: {
			name: 'input';
			reader: 'input';
			openings: 'select';
			expires: 'select';
			error: 'p';
			submit: 'button';
		};
	};
	't-renewal': {
		root: 'form';
		parts: {
			what: 'p';
			who: 'p';
			linksBox: 'details';
			linksTitle: 'summary';
			links: 'ul';
			peopleBox: 'details';
			peopleTitle: 'summary';
			people: 'ul';
			past: 'input';
			progress: 'p';
			error: 'p';
			submit: 'button';
			cancel: 'button';
		};
	};
	't-alarm': {
		root: 'div';
		parts: {
			text: 'p';
			meaning: 'p';
		};
	};
}

export type Root<Id extends keyof Templates> = HTMLElementTagNameMap[Templates[Id]['root']];

export type Parts<Id extends keyof Templates> = {
	[Name in keyof Templates[Id]['parts']]: Templates[Id]['parts'][Name] extends keyof HTMLElementTagNameMap
		? HTMLElementTagNameMap[Templates[Id]['parts'][Name]]
		: never;
};
