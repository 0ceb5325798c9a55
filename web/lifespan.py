"""The lifespan: the database, the parts on it, and what a start says to its terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.types import Lifespan

from core.database import Database, EmbeddedPostgres
from core.process import accounts
from core.process.listening import own_address
from core.running import running
from core.services import Services
from core.settings import Settings
from core.stopping import Deadline, Stop
from web import report
from web.banner import banner
from web.starting import stopped_by_signals
from web.stopping import patient_with_signals
from web.words import of_environment, speaking


class State(TypedDict):
    """What the lifespan hands to every request."""

    services: Services
    stop: Stop


def lifespan(settings: Settings) -> Lifespan[Starlette]:
    """Return what starts and stops an application for these settings."""

    @asynccontextmanager
    async def run(_: Starlette) -> AsyncIterator[State]:
        embedded, deadline = EmbeddedPostgres(settings.data_dir), Deadline()
        try:
            url = settings.database_url
            if url is None:
                url = await asyncio.to_thread(embedded.start)
            db = Database(url, settings.database_schema)
            with stopped_by_signals():
                await db.connect()
            async with running(settings, db, deadline) as (services, stop):
                with speaking(of_environment(os.environ)):
                    own = own_address(settings, sys.argv)
                    first = await accounts.first_link(settings, db)
                    print(banner(settings, services.rooms.engine, own, first), flush=True)
                looking = asyncio.create_task(_look_around(services))
                with patient_with_signals(stop):
                    yield {"services": services, "stop": stop}
                looking.cancel()
        finally:
            await asyncio.to_thread(embedded.stop, deadline.seconds_left)

    return run


async def _look_around(services: Services) -> None:
    """Say after a start in production what doesn't work; the start itself waits for nobody.

    In development nothing is asked unasked: services are embedded, and /setup says the same.
    """
    if services.settings.production:
        outcomes = await services.checks.begin()
        with speaking(of_environment(os.environ)):
            print(report.troubles(outcomes), end="", flush=True)
