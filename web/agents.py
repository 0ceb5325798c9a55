"""Which browser somebody has, by its own word for itself (`User-Agent`).

Only to tell one's own browsers apart: anybody can send any word. Browsers that are built on another
one name that, too, so the more special one is looked for first. What isn't known stays unnamed.
"""

from __future__ import annotations

import re

# By what a browser writes, in the order in which it is looked for.
BROWSERS = (
    (re.compile(r"\bEdg(?:e|A|iOS)?/"), "Edge"),
    (re.compile(r"\b(?:OPR|OPT|OPiOS|Opera)/"), "Opera"),
    (re.compile(r"\bYaBrowser/"), "Yandex Browser"),
    (re.compile(r"\bVivaldi/"), "Vivaldi"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\b(?:Firefox|FxiOS)/"), "Firefox"),
    (re.compile(r"\b(?:Chrome|CriOS|HeadlessChrome)/"), "Chrome"),
    (re.compile(r"\bVersion/[\d.]+ (?:Mobile/\w+ )?Safari/"), "Safari"),
)
# An iPad that asks for pages as a desktop says that it is a Mac: nothing tells it from one.
SYSTEMS = (
    (re.compile(r"\b(?:iPhone|iPad|iPod)\b"), "iOS"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bCrOS\b"), "ChromeOS"),
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\bMac(?:intosh| OS X)\b"), "macOS"),
    (re.compile(r"\bLinux\b"), "Linux"),
)


def browser_of(agent: str) -> tuple[str | None, str | None]:
    """Return a browser and its system by their names, None for what isn't known."""
    browser = next((name for known, name in BROWSERS if known.search(agent)), None)
    system = next((name for known, name in SYSTEMS if known.search(agent)), None)
    return browser, system
