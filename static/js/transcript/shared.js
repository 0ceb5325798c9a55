/** The entry of a transcript that was shared: to read, to find in and to print. */

import '../lib/times.js';
import './print.js';
import './reading.js';
import './finding.js';
import './growing.js';
