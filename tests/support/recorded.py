"""A recording that nobody had to speak for: its row, and its file on a server's shelf."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from tests.support.tables import Tables

SOUND = b"OggS and no sound"


def shelved(data_dir: Path, session: str, identity: str, recording: str) -> str:
    """Put a file on a server's shelf, and return the statement that makes its row."""
    folder = data_dir / "audio" / session
    folder.mkdir(exist_ok=True)
    (folder / f"{recording}.opus").write_bytes(SOUND)
    place = f"disk:{(data_dir / 'audio' / 'name').read_text()}"
    return (
        "INSERT INTO recordings (id, session_id, identity, client, first_sample, samples, start_s,"
        f" bytes, place, created_at, expires_at) VALUES ('{recording}', '{session}',"
        f" '{identity}', '', 0, 16000, 0, {len(SOUND)}, '{place}', now(),"
        " now() + interval '1 day');"
    )


def recorded(tables: Tables, data_dir: Path, session: str, identity: str) -> str:
    """Make a recording, and return its id."""
    recording = str(uuid4())
    tables.script(shelved(data_dir, session, identity, recording))
    return recording
