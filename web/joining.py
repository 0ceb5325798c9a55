"""Joins what a page imports into one file, when it is served: its modules, or its style sheets.

Sources stay plain files, one for each component, without a build step. As they are, a room would be
seventy requests, and compressed one by one they weigh half as much again as together.

What joins modules well (Rollup, esbuild) needs Node where Sessions runs; what Python has (rjsmin,
rcssmin) shortens one file at a time. So this is ours, for the one way in which our sources are
written; whatever else a module could say is refused, in the suite rather than in front of a user.
Each module becomes a function that runs once, after those of what it imports:

    const lib$times = (() => {
    const { LOCALE } = lib$words;…
    return { localTime, shortTime };
    })();

Lines are joined where none has to end, which spares a room one byte in a hundred.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

# What pages name, and the worklet, which a module names. Nothing else is joined.
SCRIPTS = frozenset(
    f"js/{name}.js"
    for name in (
        "connection/main",
        "frame/main",
        "home/main",
        "lib/times",
        "people/main",
        "room/main",
        "room/worklet",
        "search/main",
        "spaces/main",
        "transcript/main",
        "transcript/shared",
        "transcript/sharing",
        "uploads/main",
    )
)
SHEETS = frozenset(
    f"css/pages/{name}.css"
    for name in (
        "account",
        "connection",
        "home",
        "landing",
        "panel",
        "profile",
        "room",
        "search",
        "settings",
        "setup",
        "sharing",
        "sign-in",
        "spaces",
        "transcript",
        "uploads",
        "usage",
        "welcome",
    )
)

Words = Mapping[str, str | list[str]]  # by the English ones; the forms of a plural by its singular
_WORDS = "js/lib/words.js"
_STRING = r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*\""""
_SAID = re.compile(rf"(?<=\bt\()(\s*)({_STRING})")
_STAYS = re.compile(  # or else is a comment
    rf"(?=['\"`/])(?:({_STRING}|`(?:\\.|[^`\\])*`)|/\*\*.*?\*/|(?:^|(?<=\s))//[^\n]*)",
    re.DOTALL | re.MULTILINE,
)
_IMPORT = re.compile(r"^import (?:\{([^}]*)\} from )?'([^']+)';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:class|const|function|async function) (\w+))", re.MULTILINE)
_REFUSED = re.compile(r"^(?:import|export)\b(?!\.).*|\bimport\s*\(.*", re.MULTILINE)
_WAITS = re.compile(r"^(?!\s|.*\basync\b).*\bawait\b.*", re.MULTILINE)
_OPEN = re.compile(r"([;{,(\[])\n")  # a line that goes on, or whose end shows without a new one
_SHEET = re.compile(r"^@import ()'([^']+)';\n", re.MULTILINE)


class JoiningError(ValueError):
    """A source can't be joined; says which, and why."""


def script(static: Path, entry: str, words: Words) -> str:
    """Return a module with all it imports, in the language of these words.

    They stand in place of the English ones where those are said, in `t('…')`. What else is needed
    of them, such as plurals, is told to lib/words.js.
    """
    exports: dict[str, list[str]] = {}
    blocks: dict[str, str] = {}

    def translated(said: re.Match[str]) -> str:
        there = words.get(_text(said[2]))
        literal = json.dumps(there, ensure_ascii=False) if isinstance(there, str) else said[2]
        return said[1] + literal

    for path, code in _in_order(static, entry, _bare_script, _IMPORT).items():
        if "import.meta" in code and posixpath.dirname(path) != posixpath.dirname(entry):
            raise JoiningError(f"{path}: import.meta would be that of {entry}")
        exports[path] = _EXPORT.findall(code)
        blocks[path] = _SAID.sub(translated, _block(path, code, exports))
    strings = [
        _text(part[1]) for code in blocks.values() for part in _STAYS.finditer(code) if part[1]
    ]
    rest = {text: words[text] for text in strings if text in words}
    if rest and _WORDS in blocks:
        blocks[_WORDS] += f"{_name(_WORDS)}.speak({json.dumps(rest, ensure_ascii=False)});\n"
    return "".join(blocks.values())


def sheet(static: Path, entry: str) -> str:
    """Return a style sheet with all it imports."""
    sheets = _in_order(static, entry, _bare_sheet, _SHEET).values()
    return "".join(_tight(_SHEET.sub("", css)) for css in sheets)


def catalogue(module: str) -> Words:
    """Return the words in a module that `make words` has written."""
    words: Words = json.loads(module[module.index("speak(") + 6 : module.rindex(");")])
    return words


def _in_order(
    static: Path, entry: str, bare: Callable[[str, str], str], imports: re.Pattern[str]
) -> dict[str, str]:
    """Return the code of a file and of all it imports by path, each after what it imports."""
    found: dict[str, str] = {}

    def visit(path: str, above: tuple[str, ...]) -> None:
        way = (*above, path)
        if path in above:
            raise JoiningError(f"{' → '.join(way)}: imports in a circle")
        if path in found:
            return
        if not (static / path).is_file():
            raise JoiningError(f"{' → '.join(way)}: isn't there")
        code = bare(path, (static / path).read_text("utf-8"))
        for _, other in imports.findall(code):
            visit(_beside(path, other), way)
        found[path] = code

    visit(entry, ())
    return found


def _bare_script(path: str, code: str) -> str:
    """Return a module without comments and indentation, if it can be joined."""

    def kept(part: re.Match[str]) -> str:
        if part[1] and "\n" in part[1]:
            raise JoiningError(f"{path}: a template of several lines: {part[1]}")
        return part[1] or ""

    code = _STAYS.sub(kept, code)
    waits, code = _WAITS.search(code), _lines(code)
    if refused := waits or _REFUSED.search(_EXPORT.sub("", _IMPORT.sub("", code))):
        raise JoiningError(f"{path}: {refused[0]}")
    return code


def _bare_sheet(path: str, css: str) -> str:
    """Return a style sheet without comments, indentation and such, if it can be joined."""
    css = re.sub(r" (?=\{)|(?<=\w:) ", "", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    css = _lines(css)
    if refused := re.search(r".*(?:url\(|@import|@charset).*", _SHEET.sub("", css)):
        raise JoiningError(f"{path}: {refused[0]}")
    return css


def _lines(code: str) -> str:
    return "".join(f"{line.strip()}\n" for line in code.splitlines() if line.strip())


def _tight(code: str) -> str:
    """Return code with fewer lines; what goes over several as a string does is refused or gone."""
    return _OPEN.sub(r"\1", code)


def _block(path: str, code: str, exports: Mapping[str, list[str]]) -> str:
    """Return a module as a function, given what those export that run before it."""
    heads = []
    for names, other in _IMPORT.findall(code):
        source = _beside(path, other)
        for name in re.findall(r"(\w+)(?: as \w+)?", names):
            if name not in exports[source]:
                raise JoiningError(f"{path}: {source} exports no {name}")
        if names:
            heads.append(f"const {{{names.replace(' as ', ': ')}}} = {_name(source)};\n")
    body = "".join(heads) + _EXPORT.sub("", _IMPORT.sub("", code))
    given = f"return {{ {', '.join(exports[path])} }};\n" if exports[path] else ""
    return f"const {_name(path)} = (() => {{\n{_tight(body + given)}}})();\n"


def _name(path: str) -> str:
    return re.sub(r"[^\w/]", "_", path[3:-3]).replace("/", "$")


def _beside(path: str, other: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), other))


def _text(literal: str) -> str:
    return re.sub(r"\\(['\"\\])", r"\1", literal[1:-1])
