"""The command `speech-model`: which models there are for the local engine, and to fetch one."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from core.settings import Settings
from core.speech.local.catalogue import CATALOGUE, Model
from core.speech.local.choice import FOLDER, ModelError, chosen
from core.speech.local.download import FetchError, Progress, fetch
from web.words import gettext, said

_MEGA = 1_000_000
_EVERY_S = 0.2  # how often a terminal's line is written anew
_EVERY_SHARE = 10  # per cent of the way, where nobody looks at a line that changes


def run(settings: Settings, name: str | None) -> int:
    """List the models, or fetch one; say what came of it, and return the exit code."""
    if name is None:
        print("\n".join(_row(model, settings.data_dir) for model in CATALOGUE.values()))
        return 0
    model = CATALOGUE.get(name)
    if model is None:
        those = ", ".join(CATALOGUE)
        print(
            gettext("No model is called %(name)s. There are %(those)s.", name=name, those=those),
            file=sys.stderr,
        )
        return 1
    told = gettext(
        "%(name)s: %(size)s MB, licence %(licence)s",
        name=name,
        size=model.size // _MEGA,
        licence=model.licence,
    )
    print(told, flush=True)
    line = _Line()
    try:
        folder = fetch(model, settings.data_dir, settings.speech_model_url, line.show)
    except FetchError as problem:
        line.end()
        print(gettext("It was not fetched: %(why)s.", why=said(problem.words)), file=sys.stderr)
        return 1
    line.end()
    print(gettext("It is in %(folder)s, and each file is what it should be.", folder=folder))
    try:
        chosen(name, settings.data_dir)
    except ModelError as problem:  # the package is missing
        print(f"{said(problem.words)}. {said(problem.todo)}", file=sys.stderr)
        return 1
    if settings.speech_model != name:
        print(gettext("Set SPEECH_MODEL=%(name)s and start Sessions again.", name=name))
    return 0


def _row(model: Model, data_dir: Path) -> str:
    languages = ", ".join(model.languages) or gettext("about 100 languages")
    there = gettext("fetched") if (data_dir / FOLDER / model.name).is_dir() else ""
    size = gettext("%(size)s MB", size=model.size // _MEGA)
    return f"{model.name:24}{size:>9}  {model.licence:6}{languages:22}{there}".rstrip()


class _Line:
    """How far it is: a line that changes on a terminal, else one for each tenth of the way."""

    def __init__(self) -> None:
        self._changes = sys.stderr.isatty()
        self._shown = -_EVERY_SHARE  # per cent
        self._next = 0.0
        self._open = False

    def show(self, progress: Progress) -> None:
        """Show it, if there is something new to see."""
        share = 100 * progress.done // progress.total
        now = time.monotonic()
        if self._changes:
            if now < self._next and share < 100:
                return
            self._next = now + _EVERY_S
        elif share < self._shown + _EVERY_SHARE:
            return
        self._shown = share
        text = gettext(
            "%(share)s %% of %(total)s MB: %(file)s",
            share=share,
            total=progress.total // _MEGA,
            file=progress.file,
        )
        self._open = self._changes
        start, end = ("\r\x1b[K", "") if self._changes else ("", "\n")
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)

    def end(self) -> None:
        """End the line, if one is open."""
        if self._open:
            print(file=sys.stderr, flush=True)
