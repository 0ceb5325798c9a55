/** What is listed below a choice belongs to it: who lists something has made it. */

document.addEventListener('change', ({ target }) => {
  if (!(target instanceof HTMLSelectElement) || !target.value) return;
  const choice = target.closest('.of-choice')?.previousElementSibling?.querySelector('input');
  if (choice instanceof HTMLInputElement) choice.checked = true;
});
