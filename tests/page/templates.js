// Writes the types of the page's templates: which parts each has, and what elements they are. A part's name that
// is mistyped in a module is then an error of types. `npm run templates` after changing index.html.

import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const SHELL = new URL('../../static/index.html', import.meta.url);
const TYPES = new URL('../../static/view/templates.d.ts', import.meta.url);

/** @returns {string} what templates.d.ts must hold */
export function typesOfTemplates() {
	const shell = readFileSync(SHELL, 'utf8');
	const templates = Array.from(
		shell.matchAll(/<template id="([^"]+)">(.*?)<\/template>/gs),
		([, id = '', inner = '']) => {
			const [, root = ''] = /<([a-z0-9]+)/.exec(inner) ?? [];
			const named = Array.from(inner.matchAll(/<([a-z0-9]+)[^<>]*? data-part="([^"]+)"/g));
			const parts = named.map(([, tag, name]) => `\t\t\t${name}: '${tag}';\n`);
			return `\t'${id}': {\n\t\troot: '${root}';\n\t\tparts: {\n${parts.join('')}\t\t};\n\t};\n`;
		},
	);
	return `// Made from index.html by \`npm run templates\` in tests/page: the parts of each template, by name and element.

export interface Templates {
${templates.join('')}}

export type Root<Id extends keyof Templates> = HTMLElementTagNameMap[Templates[Id]['root']];

export type Parts<Id extends keyof Templates> = {
	[Name in keyof Templates[Id]['parts']]: Templates[Id]['parts'][Name] extends keyof HTMLElementTagNameMap
		? HTMLElementTagNameMap[Templates[Id]['parts'][Name]]
		: never;
};
`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TYPES, typesOfTemplates());
