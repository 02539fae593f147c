// What the type checker does not see. Few rules: each names a mistake, none a taste.

import js from '@eslint/js';

/** Ways to turn a string into markup or code; the page's policy forbids them too, but only when they run. */
const STRINGS_INTO_CODE = ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'setHTMLUnsafe'];

export default [
	// Written by others, and held by its hash.
	{ ignores: ['static/vendor/**'] },
	js.configs.recommended,
	{
		linterOptions: { reportUnusedDisableDirectives: 'error' },
		rules: {
			// The type checker knows which names there are.
			'no-undef': 'off',
			// The type checker wants a value where the rule does not.
			'no-useless-assignment': 'off',
			// What people type holds such characters, and expressions about it must name them.
			'no-control-regex': 'off',
			'no-misleading-character-class': 'off',
			// Names in patterns are there to leave a member out.
			'no-unused-vars': ['error', { ignoreRestSiblings: true }],
			eqeqeq: 'error',
			'no-var': 'error',
			'prefer-const': 'error',
			'no-restricted-properties': ['error', ...STRINGS_INTO_CODE.map((property) => ({ property }))],
		},
	},
];
