/** Finding and filling elements. */

/**
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {HTMLElement} the element; its absence is a mistake in the template
 */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new Error(`missing in the page: ${selector}`);
  return element;
}

/**
 * @param {string} selector of a `<template>`
 * @returns {HTMLElement} a fresh copy of its only element
 */
export function stamp(selector) {
  const template = /** @type {HTMLTemplateElement} */ (find(selector));
  return /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
}

/**
 * Gives `element` the colour of a person.
 * @param {Element} element
 * @param {number} hue
 */
export function paint(element, hue) {
  for (const name of [...element.classList]) if (name.startsWith('hue-')) element.classList.remove(name);
  element.classList.add(`hue-${hue}`);
}

/** @param {EventTarget | null} target whether typing goes there */
export function isTyping(target) {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}
