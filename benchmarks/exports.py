"""What a transcript costs as a file: `python -m benchmarks.exports [FOLDER]`.

Ten hours, 20,000 lines, saved over and over in each format. Told are the seconds of CPU of the
server for one, and how much the process has grown at the most meanwhile. FOLDER is another checkout
of Sessions, whose server is asked for the same after it.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.tables import Tables
from tests.support.visitors import Visitor

LINES, HOURS = 20_000, 10
TIMES = 8  # that each format is saved
ENDINGS = ("txt", "vtt", "md", "srt", "json", "docx")
MB = 1024 * 1024
WRITE = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s,
        language)
    SELECT p.session_id, 's', n::text, n, p.identity, 'The harbour needs another pier, and the one'
        || ' that we have is too short for what comes in from the north: ' || md5(n::text) || '.',
        n * 3600.0 * $2 / $1, n * 3600.0 * $2 / $1 + 1.5, 'en'
    FROM participants p, generate_series(1, $1) n WHERE p.name = 'Ada Lovelace'"""


@dataclass
class Grown:
    """How many bytes a process had when it was first looked at, and at the most since."""

    before: int
    most: int


@contextmanager
def watched(pid: int) -> Iterator[Grown]:
    """Look at a process's memory every few milliseconds."""
    process, over = psutil.Process(pid), threading.Event()
    grown = Grown(process.memory_info().rss, 0)

    def look() -> None:
        while not over.wait(0.003):
            grown.most = max(grown.most, process.memory_info().rss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield grown
    finally:
        over.set()
        thread.join()


def measure(where: Path) -> None:
    """Print what the checkout there needs."""
    with tempfile.TemporaryDirectory() as data, OwnPostgres() as postgres:
        server = AppServer(
            Path(data),
            {"DATABASE_URL": postgres.url, "SPEECH_ENGINE": "off", "PYTHONPATH": str(where)},
            [sys.executable, str(where / "app.py"), "serve"],
        ).start()
        try:
            ada = Visitor(server.url).sign_in("Ada Lovelace")
            slug = ada.start_session("Ten hours")
            ada.join(slug)
            Tables(postgres.url)(WRITE, LINES, HOURS)
            path = f"/s/{slug}/transcript."
            print(f"{where}:")
            for ending in ENDINGS:
                if ada.http.get(path + ending).status_code == 404:
                    continue
                process = psutil.Process(server.pid)
                with watched(server.pid) as grown:
                    began = sum(process.cpu_times()[:2])
                    for _ in range(TIMES):
                        size = len(ada.http.get(path + ending).content)
                    each = (sum(process.cpu_times()[:2]) - began) / TIMES
                more = (grown.most - grown.before) / MB
                print(
                    f"  {ending}: {each:.2f} s of CPU, {size / MB:.1f} MB;"
                    f" {grown.most / MB:.0f} MB at the most ({more:+.0f})"
                )
        finally:
            server.stop()


def main() -> None:
    """Measure each checkout."""
    measure(Path(__file__).parent.parent)
    for folder in sys.argv[1:]:
        measure(Path(folder).resolve())


if __name__ == "__main__":
    main()
