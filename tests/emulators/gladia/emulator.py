"""The handle that tests hold: Gladia on this event loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from .faults import Faults
from .recognizers import RecognizerFactory, WordRecognizer
from .recorded import Recording
from .records import HttpRequest, Session
from .service import Service
from .settings import Switches, Timings
from .uploads import Upload

API_KEY = "gladia-test-key"
WAIT_TIMEOUT_S = 60.0  # for what a test expects; busy machines take their time


class GladiaEmulator:
    """Gladia's API v2 on loopback: live sessions, and recordings.

    `async with GladiaEmulator() as emulator` runs it on the current event loop, `with
    GladiaEmulator() as emulator` in a thread of its own. Everything public may be called
    from any thread. `api_keys=None` accepts any key; `max_sessions=None` any number;
    `credit_seconds=None` is a wallet that never gets empty.
    """

    def __init__(
        self,
        *,
        api_keys: Collection[str] | None = (API_KEY,),
        max_sessions: int | None = 30,
        credit_seconds: float | None = None,
        switches: Switches | None = None,
        timings: Timings | None = None,
        recognizer: RecognizerFactory = WordRecognizer,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._service = Service(
            api_keys=api_keys,
            max_sessions=max_sessions,
            credit_seconds=credit_seconds,
            switches=switches or Switches(),
            timings=timings or Timings(),
            recognizer=recognizer,
        )
        self._host, self._port = host, port
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What `GLADIA_API_URL` must be; set it when something stands before the emulator."""
        return self._service.url

    @url.setter
    def url(self, url: str) -> None:
        self._service.url = url

    @property
    def api_key(self) -> str:
        """A key that works."""
        keys = self._service.api_keys
        return next(iter(keys)) if keys else API_KEY

    @property
    def faults(self) -> Faults:
        """Where trouble is planned."""
        return self._service.faults

    @property
    def sessions(self) -> list[Session]:
        """All sessions in the order of their creation."""
        return [session.record for session in list(self._service.sessions.values())]

    @property
    def recordings(self) -> list[Recording]:
        """All jobs of recordings in the order of their creation, deleted ones included."""
        return list(self._service.recordings.jobs.values())

    @property
    def uploads(self) -> list[Upload]:
        """Files that are stored: they came, and no job of them was deleted."""
        return list(self._service.recordings.uploads.values())

    @property
    def requests(self) -> list[HttpRequest]:
        """All HTTP requests so far (not the handshakes)."""
        return list(self._service.requests)

    @property
    def open_slots(self) -> int:
        """Sessions that count against the cap right now."""
        return len(self._service.slots)

    @property
    def peak_slots(self) -> int:
        """The most that ever counted at once."""
        return self._service.peak_slots

    @property
    def billed_seconds(self) -> float:
        """Seconds billed over all sessions and recordings."""
        return self._service.billed_seconds

    @property
    def credit_seconds(self) -> float | None:
        """Seconds of audio that were prepaid, in all; set it to more for a top-up."""
        return self._service.credit_seconds

    @credit_seconds.setter
    def credit_seconds(self, seconds: float | None) -> None:
        self._service.credit_seconds = seconds

    @property
    def max_sessions(self) -> int | None:
        """The cap above which the POST is answered with 429."""
        return self._service.max_sessions

    @max_sessions.setter
    def max_sessions(self, cap: int | None) -> None:
        self._service.max_sessions = cap

    @property
    def reachable(self) -> bool:
        """Whether TCP connections are served; set to False for an outage."""
        return self._service.listener.reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._service.listener.reachable = value
        if not value:
            loop = self._service.loop
            assert loop is not None
            loop.call_soon_threadsafe(self._service.listener.cut)

    async def until(self, condition: Callable[[], bool], within: float = WAIT_TIMEOUT_S) -> None:
        """Wait until the condition holds; raises TimeoutError."""
        waiting = self._service.until(condition, within)
        if self._service.loop is asyncio.get_running_loop():
            await waiting
        else:
            await asyncio.wrap_future(self._on_loop(waiting))

    def wait_until(self, condition: Callable[[], bool], within: float = WAIT_TIMEOUT_S) -> None:
        """Block until the condition holds; raises TimeoutError. Not on the own loop."""
        self._on_loop(self._service.until(condition, within)).result()

    async def __aenter__(self) -> Self:
        await self._service.open(self._host, self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._service.close()

    def __enter__(self) -> Self:
        started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop, thread = self._service.loop, self._thread
        assert loop is not None
        assert thread is not None
        loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._ended.result()

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._main(started))
            self._ended.set_result(None)
        except BaseException as failed:  # who closes it waits for the end, whatever it is
            self._ended.set_exception(failed)

    async def _main(self, started: Future[None]) -> None:
        self._stopping = asyncio.Event()
        try:
            await self._service.open(self._host, self._port)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stopping.wait()
        await self._service.close()

    def _on_loop(self, work: Any) -> Future[None]:
        assert self._service.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._service.loop)
