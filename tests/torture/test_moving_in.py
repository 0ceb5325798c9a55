"""A hundred thousand utterances of the replaced product are moved in a bounded time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables

pytestmark = pytest.mark.torture

OLD = (ROOT / "tests/ops/previous-product.sql").read_text().partition("-- What somebody did")[0]
UTTERANCES = 100_000
MAX_MB = 160  # of the process; the same with a hundredth of the rows takes 80
MAX_S = 120.0
ROWS = f"""
    INSERT INTO "User" (id, email, name)
        SELECT 'u' || i, 'u' || i || '@example.com', 'User ' || i FROM generate_series(1, 1000) i;
    INSERT INTO "Space" (id, name, "ownerId")
        SELECT 's' || i, 'Space ' || i, 'u' || i FROM generate_series(1, 1000) i;
    INSERT INTO "VideoSession" (id, slug, "spaceId", "createdByUserId", status, "createdAt",
            "startedAt", "endedAt")
        SELECT 'v' || i, 'slug' || i, 's' || (i % 1000 + 1), 'u' || (i % 1000 + 1), 'ENDED', at, at,
            at + interval '1 hour'
        FROM generate_series(0, 1999) i,
            LATERAL (SELECT timestamp '2026-03-01' + i * interval '1 hour' AS at) t;
    INSERT INTO "Participant" (id, "videoSessionId", identity, name, "joinedAt")
        SELECT 'p' || i, 'v' || (i % 2000), 'i' || i, 'Guest ' || i, '2026-03-01'
        FROM generate_series(0, 7999) i;
    INSERT INTO "TranscriptSegment" (id, "videoSessionId", "participantId", "utteranceId", text,
            "isFinal", "startedAt")
        SELECT 't' || i, 'v' || (i % 2000), CASE WHEN i % 10 > 0 THEN 'p' || (i % 8000) END,
            CAST(i AS text), repeat('Words that somebody has said. ', 1 + i % 30), true,
            timestamp '2026-03-01' + (i % 2000) * interval '1 hour' + i * interval '20 ms'
        FROM generate_series(1, {UTTERANCES}) i;
    INSERT INTO "TranscriptionUsage" (id, "videoSessionId", "participantId", "durationSeconds",
            "durationMinutes", "totalCost")
        SELECT 'c' || i, 'v' || (i % 2000), 'p' || i, 60, 1, 0.01 FROM generate_series(0, 7999) i;
"""


def test_much_is_moved_in_bounds_and_not_twice(tmp_path: Path) -> None:
    with OwnPostgres() as postgres:
        tables = Tables(postgres.url)
        tables.script(f"SET search_path TO public; {OLD}; {ROWS}")
        environ = {"PATH": "/usr/bin:/bin", "DATABASE_URL": postgres.url, "DATA_DIR": str(tmp_path)}
        for run in ("first", "again"):
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "app.py", "import-previous"],
                cwd=ROOT,
                env=environ,
                capture_output=True,
                text=True,
                check=True,
            )
            took = time.monotonic() - began
            most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{run}: {took:.1f} s, at most {most:.0f} MB\n{done.stdout}")
            assert took < MAX_S
            assert most < MAX_MB
            assert tables.one("SELECT count(*) FROM utterances") == UTTERANCES
            assert tables.one("SELECT count(*) FROM streams") == 8_000
            assert tables.one("SELECT max(seq) FROM utterances") == UTTERANCES / 2_000
            assert tables.one("SELECT count(*) FROM participants") == 8_000 + 200
