/** The entry of the page of a space. */

import '../lib/times.js';
