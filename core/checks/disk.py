"""DATA_DIR: what waits for the database must find a place there, or words are lost in an outage."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from core.checks.outcome import Outcome
from core.settings import Settings
from core.starting import of_system
from core.words import N_, Words

TOO_LITTLE = 100 << 20  # bytes: an hour of 1,000 people speaking, were the database away so long
LITTLE = 1 << 30  # bytes


async def look(settings: Settings) -> list[Outcome]:
    """Look whether DATA_DIR takes files, and has room for them."""
    folder = settings.data_dir
    try:
        free = _free(folder)
    except OSError as problem:
        return [
            Outcome(
                "disk",
                "failed",
                Words(
                    N_("%(folder)s takes no files: %(why)s"), folder=folder, why=of_system(problem)
                ),
                Words(
                    N_(
                        "What is said while the database is away has no place to wait for it, and"
                        " is lost with a restart."
                    )
                ),
                Words(N_("Let the user that runs Sessions write to that folder, or set DATA_DIR.")),
            )
        ]
    gigabytes = f"{free / (1 << 30):.1f}"
    facts = {"free_bytes": free}
    if free >= LITTLE:
        what = Words(
            N_("%(folder)s takes files; %(free)s GB are free"), folder=folder, free=gigabytes
        )
        return [Outcome("disk", "ok", what, facts=facts)]
    return [
        Outcome(
            "disk",
            "failed" if free < TOO_LITTLE else "note",
            Words(N_("only %(free)s GB are free in %(folder)s"), folder=folder, free=gigabytes),
            Words(
                N_(
                    "Once it is full, the embedded database takes no writes, and what is said while"
                    " another one is away is lost with a restart."
                )
            ),
            Words(N_("Make room there, or set DATA_DIR to a folder of a larger disk.")),
            facts,
        )
    ]


def _free(folder: Path) -> int:
    """Write a file there, remove it and return how many bytes are free. Raises OSError.

    A folder that isn't there yet is made by the start: what counts is the one that it is made in.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied", str(there))
    with tempfile.TemporaryFile(dir=there) as file:
        file.write(b"sessions")
        file.flush()
    return shutil.disk_usage(there).free
