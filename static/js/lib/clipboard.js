/** Puts text into the clipboard, also where browsers give pages none. */

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether the browser took it
 */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure origin there is no clipboard, but the old way still works there.
    return copiedFromField(text);
  }
}

/**
 * @param {string} text
 * @returns {boolean} whether the browser took it
 */
function copiedFromField(text) {
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'visually-hidden';
  document.body.append(field);
  field.select();
  const taken = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return taken;
}
