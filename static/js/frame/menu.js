/** Closes a menu of the top of the page by Escape, or once something else is meant: `<details>` alone stays open. */

const menu = /** @type {HTMLDetailsElement | null} */ (document.getElementById('space-menu'));

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !menu?.open) return;
  const within = menu.contains(document.activeElement);
  menu.open = false;
  if (within) menu.querySelector('summary')?.focus();
});

for (const kind of ['pointerdown', 'focusin'])
  document.addEventListener(kind, ({ target }) => {
    if (menu?.open && target instanceof Node && !menu.contains(target)) menu.open = false;
  });
