/** The entry of the list of sessions, and of a session's settings. */

import '../lib/times.js';
import './asking.js';
import './copying.js';
import './planned.js';
import './spoken.js';
