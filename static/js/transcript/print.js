/** The transcript page's print button, shown only where it can work. */
for (const button of document.querySelectorAll('[data-print]')) {
  button.removeAttribute('hidden');
  button.addEventListener('click', () => window.print());
}
