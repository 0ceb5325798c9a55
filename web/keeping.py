"""The commands `backup` and `restore`: of the embedded database, for whoever copies DATA_DIR."""

from __future__ import annotations

import sys

from core.database.errors import DatabaseStartError
from core.database.keeping import back_up, dump_of, restore
from core.settings import Settings
from web.words import gettext, said


def run(command: str, settings: Settings) -> int:
    """Do one of the two, say what came of it, and return the exit code."""
    if settings.database_url is not None:
        print(gettext("The database isn’t in DATA_DIR: back it up and restore it where it is."))
        return 0
    try:
        print(_backup(settings) if command == "backup" else _restored(settings))
    except DatabaseStartError as problem:
        print(gettext("Nothing was changed: %(why)s.", why=said(problem.words)), file=sys.stderr)
        return 1
    return 0


def _backup(settings: Settings) -> str:
    file = back_up(settings.data_dir)
    return gettext("The database is in %(file)s: DATA_DIR can be copied now.", file=file)


def _restored(settings: Settings) -> str:
    file = dump_of(settings.data_dir)
    if not file.is_file():
        return gettext("There is no %(file)s, so the database stays as it is.", file=file)
    aside = restore(settings.data_dir)
    told = gettext("The database is as it was when %(file)s was written.", file=file)
    if aside is None:
        return told
    more = gettext(
        "What was there before is in %(folder)s; remove it once all is well.", folder=aside
    )
    return f"{told} {more}"
