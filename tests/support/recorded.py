"""A recording that nobody had to speak for: its row, and its file on a server's shelf."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from core.audio.opus import OpusFile
from core.audio.shelf import Shelf
from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
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


def sounded(tables: Tables, data_dir: Path, slug: str, pcm: bytes) -> None:
    """Have all utterances of a session in sound: each speaker said this, over and over."""
    rows = tables(
        "UPDATE utterances u SET until = end_s * 16000 FROM sessions s"
        " WHERE s.id = u.session_id AND slug = $1 RETURNING s.id, identity, end_s",
        slug,
    )
    session, seconds = str(rows[0]["id"]), int(max(row["end_s"] for row in rows)) + 2
    shelf, sound = Shelf(data_dir), b""
    for identity in sorted({row["identity"] for row in rows}):
        recording = uuid4()
        path = shelf.path(session, str(recording))
        path.parent.mkdir(exist_ok=True)
        sound = sound or _opus(path, pcm, seconds)
        path.write_bytes(sound)
        tables(
            "INSERT INTO recordings VALUES"
            " ($1, $2, $3, '', 0, $4, 0, $5, $6, now(), now() + interval '7 days')",
            recording,
            rows[0]["id"],
            identity,
            seconds * SAMPLE_RATE,
            len(sound),
            shelf.place,
        )


def _opus(path: Path, pcm: bytes, seconds: int) -> bytes:
    """Return so many seconds of it, over and over, as a file has them."""
    size = seconds * BYTES_PER_SECOND
    file = OpusFile(path)
    file.write((pcm * (size // len(pcm) + 1))[:size])
    file.close()
    return path.read_bytes()
