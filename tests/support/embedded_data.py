"""A DATA_DIR that has the data of an embedded PostgreSQL already."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.database import EmbeddedPostgres


@contextmanager
def embedded_data() -> Iterator[Path]:
    """Make one, and delete it afterwards; no server runs on it."""
    path = Path(tempfile.mkdtemp())
    embedded = EmbeddedPostgres(path)
    embedded.start()
    embedded.stop()
    yield path
    shutil.rmtree(path)
