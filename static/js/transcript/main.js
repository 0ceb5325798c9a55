/** The transcript page's entry. */

import '../lib/times.js';
import './print.js';
import './reading.js';
import './finding.js';
import './growing.js';
import './correcting.js';
import './saving.js';
import './hearing.js';
