// The page's words in English, for modules that say something. Imported before them.

import { words } from '../../static/languages/en.start.js';
import { words as more } from '../../static/languages/en.room.js';
import { words as ways } from '../../static/languages/en.screens.js';
import { learn, speak } from '../../static/values/words.js';

speak({ language: 'en', locale: 'en-US' });
learn(words);
learn(ways);
learn(more);
