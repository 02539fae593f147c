import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { typesOfTemplates } from './templates.js';

test('the types of templates are those of the shell', () => {
	const held = readFileSync(new URL('../../static/view/templates.d.ts', import.meta.url), 'utf8');
	assert.equal(held, typesOfTemplates(), 'run `npm run templates` in tests/page');
	assert.match(held, /'t-chat': \{/);
});
