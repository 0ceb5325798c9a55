"""How a start ends that doesn't succeed: with a sentence, where a server would print a trace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import FindingsError
from core.starting import StartError, of_file
from web.command_line import told
from web.signals import PassOn, heard_first
from web.words import gettext, of_environment, said, speaking

FAILED = "lifespan.startup.failed"


class Starting:
    """Middleware: tells the server in one sentence why the lifespan could not begin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: Message | None = None
        begun = False

        async def hold(message: Message) -> None:
            nonlocal failed, begun
            if message["type"] == FAILED:
                failed = message  # a trace; what it is about is raised next
            else:
                begun = True
                await send(message)

        try:
            await self._app(scope, receive, hold)
        except BaseException as problem:
            sentence = _sentence(problem)
            answer = {"type": FAILED, "message": sentence} if sentence else failed
            if begun or answer is None:
                raise
            # An app that raises untold is served all the same, as one without a lifespan.
            await send(answer)
            if not sentence:
                raise


def refusal(problem: StartError) -> str:
    """Return why Sessions can't start, in the language of the terminal that started it."""
    with speaking(of_environment(os.environ)):
        if isinstance(problem, FindingsError):
            return gettext("Sessions can't start:") + "\n" + told(problem.findings)
        return gettext("Sessions can't start: %(why)s.", why=said(problem.words))


def _sentence(problem: BaseException) -> str | None:
    """Say what a person must know of an expected problem; None for any other."""
    if isinstance(problem, OSError) and problem.filename is not None:
        problem = StartError("%(why)s", why=of_file(problem))
    if isinstance(problem, StartError):
        return refusal(problem)
    if isinstance(problem, asyncio.CancelledError):
        with speaking(of_environment(os.environ)):
            return gettext("Sessions was stopped before it had started.")
    return None


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a wait inside: uvicorn looks at them only after the start."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None, pass_on: PassOn) -> None:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)
        pass_on(number, frame)

    with heard_first(stop):
        yield
