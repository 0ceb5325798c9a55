"""Backup and restore of the embedded PostgreSQL: a dump beside its data, for who copies DATA_DIR.

The files of a running PostgreSQL can't be copied one after the other: the copy has each of another
moment. So `back_up` writes a dump, which is of one moment, and whoever copies the folder then may
take as long as it needs; `restore` makes the database anew of the dump and leaves what was copied
of the old one aside. ONCE calls the two by /hooks.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from core.database.embedded import EmbeddedPostgres
from core.database.errors import DatabaseStartError
from core.starting import of_file
from core.words import N_

ASIDE = "postgres.before-restore"


def dump_of(data_dir: Path) -> Path:
    """Return where the dump is."""
    return data_dir / "backup" / "database.dump"


def back_up(data_dir: Path) -> Path:
    """Write the dump, beside a server that runs or without one. Raises DatabaseStartError."""
    file = dump_of(data_dir)
    postgres = EmbeddedPostgres(data_dir)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        postgres.start()
        postgres.dump(file)
    except OSError as problem:
        raise DatabaseStartError(
            N_("DATA_DIR takes no backup (%(why)s)"), why=of_file(problem)
        ) from problem
    finally:
        postgres.stop()
    return file


def restore(data_dir: Path) -> Path | None:
    """Make the database anew of the dump, and return where the old one is, if there was one.

    When that fails, the old one is back in its place. Raises DatabaseStartError, also while
    somebody uses the database.
    """
    data, aside = data_dir / "postgres", data_dir / ASIDE
    postgres = EmbeddedPostgres(data_dir)
    try:
        with postgres.unused():
            had = data.exists()
            if had:
                shutil.rmtree(aside, ignore_errors=True)
                data.rename(aside)
        try:
            postgres.start()
            postgres.load(dump_of(data_dir))
        except DatabaseStartError:
            postgres.stop()
            shutil.rmtree(data, ignore_errors=True)
            if had:
                aside.rename(data)
            raise
    except OSError as problem:
        raise DatabaseStartError(
            N_("DATA_DIR can't be changed (%(why)s)"), why=of_file(problem)
        ) from problem
    finally:
        postgres.stop()
    return aside if had else None
