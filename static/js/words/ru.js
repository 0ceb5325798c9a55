// Made by `make words` of locale/*/LC_MESSAGES/page.po; changes belong there.
import { speak } from '../lib/words.js';

speak({});
