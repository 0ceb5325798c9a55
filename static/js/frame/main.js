/** The entry of the frame of every page: the menu of one’s spaces. */

import './menu.js';
