/** Small choices that this browser keeps for next time. */

const PREFIX = 'sessions.';

/**
 * @param {string} name
 * @returns {string | null} null where nothing was kept, or nothing can be
 */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
