"""Looks at a page as it stands: who can't read it (axe-core), and what doesn't fit into its window.

With `SHOTS=/tmp/shots` in the environment each page looked at is also written there as pictures.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import BrowserContext, Page

SHOTS = os.environ.get("SHOTS")
WINDOWS = {1280: 800, 390: 844, 320: 568}
COLOURS = ["color-contrast", "link-in-text-block"]  # rules of axe-core that depend on them
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# What axe finds and calls serious or critical, as lines to read.
_FINDINGS = """async (rules) => {
  const options = { resultTypes: ['violations'], rules };
  const { violations } = await axe.run(document, options);
  return violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .flatMap((one) => one.nodes.map((node) =>
      `${one.id}: ${node.target.join(' ')} ${node.any[0]?.message ?? node.failureSummary}`));
}"""
# What sticks out of its window, and text that is cut off or leaves its button: an ellipsis or
# something to scroll is on purpose.
_OVERFLOWS = """() => {
  const found = [];
  const told = (what, one) => found.push(
    `${what}: ${one.tagName}.${[...one.classList].join('.')} “${one.textContent.trim()}”`);
  const hasText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
  const onPurpose = (one) => {
    if (!one || one === document.body) return false;
    const style = getComputedStyle(one);
    return style.textOverflow === 'ellipsis' || style.clipPath !== 'none'
      || ['auto', 'scroll'].includes(style.overflowX) || one.matches('.skip, [aria-hidden="true"]')
      || onPurpose(one.parentElement);
  };
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} wide`);
  const range = document.createRange();
  for (const one of document.querySelectorAll('body *')) {
    const words = [...one.childNodes].find(hasText);
    if (!words || onPurpose(one)) continue;
    if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const clips = getComputedStyle(one).overflowX !== 'visible';
    if (clips && one.scrollWidth > one.clientWidth + 1) told('cut off', one);
    range.selectNode(words);
    const { left, right } = range.getBoundingClientRect();
    if (right > innerWidth + 1 || left < -1) told('outside of the window', one);
    const frame = one.closest('button, .button, dialog, .panel, .side, .tile, .notice, .toast');
    const box = frame?.getBoundingClientRect();
    if (box && (right > box.right + 1 || left < box.left - 1)) told('outside of its frame', one);
  }
  return found;
}"""


async def can_be_looked_at(context: BrowserContext) -> None:
    """Have axe-core in all pages of a context, which must be made with `bypass_csp=True`."""
    await context.add_init_script(_AXE)


def _asked(width: int, scheme: str, at: tuple[int, ...], everything: bool) -> bool | None:
    """Return whether axe is asked for colours, too, here; None if it isn't asked at all.

    Its rules are what takes the time, those of colours most of it. Style sheets know nothing of the
    dark but other colours, and nothing of the narrow but another layout: the first of the widths is
    looked at in the light, the next in the dark. In other languages nothing is other than words.
    """
    if not everything:
        return False if (width, scheme) == (390, "light") else None
    place = at.index(width)
    return True if place < len(SCHEMES) and scheme == SCHEMES[place] else None


async def look(
    page: Page, name: str, *, at: tuple[int, ...] = (1280, 390), everything: bool = True
) -> list[str]:
    """Return what is wrong with a page at these widths.

    `everything` is for the first language in which it is looked at: see `_asked`.
    """
    wrong: list[str] = []
    for width in at:
        await page.set_viewport_size({"width": width, "height": WINDOWS[width]})
        wrong += [f"{name} at {width}: {one}" for one in await page.evaluate(_OVERFLOWS)]
        for scheme in SCHEMES:
            colours = _asked(width, scheme, at, everything)
            if colours is None and not SHOTS:
                continue
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if colours is not None:
                rules = {} if colours else {one: {"enabled": False} for one in COLOURS}
                found: list[Any] = await page.evaluate(_FINDINGS, rules)
                wrong += [f"{name} at {width}, {scheme}: {one}" for one in found]
            if SHOTS:
                await page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png")
    return wrong
