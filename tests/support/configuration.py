"""Writes what people read about the settings from where they are declared: `make docs`.

docs/configuration.md, its Russian sibling and .env.example are made here and nowhere else, so that
none of them can say what the code doesn't do. tests/ops/test_docs.py fails when one differs.
"""

from __future__ import annotations

import contextvars
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.settings import VARIABLES, Settings, Variable
from tests.support import ROOT
from web.words import Language, gettext, language, speak

WIDTH = 100
PAGES: tuple[tuple[Language, str], ...] = (
    ("en", "configuration.md"),
    ("ru", "configuration.ru.md"),
)


@dataclass(frozen=True)
class Frame:
    """What stands around the variables' own words, which the catalogue translates."""

    title: str
    about: str
    in_files: str  # of secrets, whose names follow
    heads: tuple[str, ...]
    either: str
    yes: str


FRAMES: dict[Language, Frame] = {
    "en": Frame(
        "Configuration",
        "Everything is set by environment variables; a file `.env` in the working directory fills"
        " in what the environment lacks. Nothing is needed to try Sessions on your own computer."
        " `python app.py check` says what is set, missing or invalid for production.\n\n"
        "`make docs` makes this page of `core/settings/variables.py`.",
        "A secret may be in a file instead, as engines of containers hand them in: with `_FILE` at"
        " the end of the variable's name, its value is the file's. These may:",
        ("Variable", "Needed in production", "Unset", "Example", "What for"),
        " or ",
        "yes",
    ),
    "ru": Frame(
        "Настройки",
        "Всё задаётся переменными окружения; чего нет в окружении, берётся из файла `.env` в"
        " рабочей папке. Чтобы попробовать Sessions на своём компьютере, задавать ничего не нужно."
        " `python app.py check` скажет, что задано, чего не хватает и что неверно для рабочего"
        " сервера.\n\n"
        "Эту страницу создаёт `make docs` из `core/settings/variables.py`.",
        "Секрет может лежать и в файле, как их передают в контейнеры: если к имени переменной"
        " добавить `_FILE`, её значением станет путь к этому файлу. Так можно задать:",
        ("Переменная", "Обязательна на рабочем сервере", "Если не задана", "Пример", "Для чего"),
        " или ",
        "да",
    ),
}


def outputs() -> Iterator[tuple[Path, str]]:
    """Yield every file that is made here, and what it should hold."""
    yield ROOT / ".env.example", _in("en", env_example)
    for code, name in PAGES:
        yield ROOT / "docs" / name, _in(code, page)


def _in(code: Language, write: Callable[[], str]) -> str:
    """Write something in a language, which nobody else speaks for it."""

    def written() -> str:
        speak(code)
        return write()

    return contextvars.copy_context().run(written)


def page() -> str:
    """Return the page with a table for each group."""
    frame = FRAMES[language()]
    secrets = ", ".join(f"`{one.name}`" for one in VARIABLES if one.secret)
    lines = [f"# {frame.title}", "", frame.about, "", f"{frame.in_files} {secrets}."]
    for group, variables in itertools.groupby(VARIABLES, lambda one: one.group):
        lines += ["", f"## {gettext(group)}", "", _row(frame.heads), _row(["---"] * 5)]
        lines += [_row(_cells(one, frame)) for one in variables]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(variable: Variable, frame: Frame) -> list[str]:
    names = frame.either.join(f"`{name}`" for name in variable.names)
    return [
        names,
        frame.yes if variable.required else "",
        gettext(variable.unset),
        f"`{variable.example}`" if variable.example else "",
        gettext(variable.purpose),
    ]


def env_example() -> str:
    """Return a file that changes nothing when it is copied: every line is a comment."""
    lines = [
        "# Copy this file to .env and remove the # before what you set. Nothing here is needed to",
        "# try Sessions on your own computer; `python app.py check` says what production needs.",
        "# The values shown are the defaults, or examples of what production needs. `make docs`",
        "# makes this file of core/settings/variables.py.",
    ]
    for group, variables in itertools.groupby(VARIABLES, lambda one: one.group):
        lines += ["", f"# {group}"]
        for one in variables:
            lines += ["", *_commented(one)]
    return "\n".join(lines) + "\n"


def _commented(variable: Variable) -> Iterator[str]:
    told = f"{variable.purpose} Unset: {variable.unset}."
    if variable.example and not _shown(variable):
        told += f" Example: {variable.example}"
    if variable.aliases:
        told += " The second name means the same."
    for line in textwrap.wrap(told, WIDTH - 2, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"
    yield f"# {variable.name}={_shown(variable)}"
    yield from (f"# {alias}=" for alias in variable.aliases)


def _shown(variable: Variable) -> str:
    """Return the example if it is the default, or if there is nothing that works by itself."""
    if not variable.example or variable.required:
        return variable.example
    value, _ = variable.parse(variable.example)
    default = getattr(Settings(), variable.field, None)  # of a provider there is none
    return variable.example if value == default else ""


def main() -> int:
    """Write what has changed."""
    for path, content in outputs():
        if not path.exists() or path.read_text("utf-8") != content:
            path.write_text(content, "utf-8")
            print("written:", path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
