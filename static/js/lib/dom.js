/** Finding and filling elements. */

import { initials } from './text.js';

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

/**
 * Shows a person's picture once it is there, and until then, or without one, their initials.
 * @param {HTMLElement} element
 * @param {{ name: string, avatar?: string | null }} person
 */
export function portray(element, { name, avatar }) {
  const shown = `${avatar} ${name}`;
  if (element.dataset.shown === shown) return;
  element.dataset.shown = shown;
  element.textContent = initials(name);
  if (!avatar) return;
  const image = new Image();
  image.onload = () => element.dataset.shown === shown && element.replaceChildren(image);
  image.src = `/avatars/${avatar}.webp`;
}

/** @param {EventTarget | null} target whether typing goes there */
export function isTyping(target) {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}
