"""Sessions: routes, middleware, error pages and lifespan.

`python app.py serve` serves it, at the settings' address; `uvicorn app:app --reload` does so just
as safely while one works on it. `python app.py --help` tells of the other commands.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1:] == ["healthcheck"]:
    from web.healthcheck import healthcheck

    sys.exit(healthcheck())  # before all else is imported: it runs twice a minute

import asyncio
import dataclasses
import io
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypedDict

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Lifespan

from core import checks
from core import settings as settings_module
from core.conduct import Conduct
from core.database import Database, DatabaseAwayError, EmbeddedPostgres
from core.leases import Leases
from core.lifecycle import Lifecycle
from core.livekit import calls_of
from core.minutes import Bounds, SpaceMinutes
from core.process import accounts
from core.process.batching import Pacer
from core.process.gc import GcSchedule
from core.process.lag import LoopLag
from core.process.listening import own_address, try_place
from core.process.nodes import take_place
from core.room.rooms import Rooms
from core.services import RateLimits, Services
from core.settings import Settings, SettingsError
from core.speech.engines import make_engine
from core.speech.microphone import MicrophoneOptions
from core.starting import StartError
from core.stopping import Deadline, Stop
from core.transcript.reading import TranscriptReader
from core.transcript.writer import TranscriptWriter
from routes import (
    admin,
    connection,
    home,
    hooks,
    hosting,
    language,
    login,
    one_time_link,
    ops,
    session,
    setup,
    transcript,
    usage,
    ws,
)
from web import command_line, errors, keeping, moving_in, openid, report, setting_up
from web.access_log import AccessLog
from web.banner import banner
from web.cookies import LoginCookie
from web.guard import Guard
from web.healthcheck import healthcheck
from web.language import SpeakTheirLanguage
from web.logs import set_up as set_up_logs
from web.request_id import RequestId
from web.serving import Serving
from web.starting import Starting, refusal, stopped_by_signals
from web.static import VersionedStatic
from web.stopping import patient_with_signals
from web.words import gettext, of_environment, speaking


class State(TypedDict):
    """What the lifespan hands to every request."""

    services: Services
    stop: Stop


ROUTES = [
    Route("/", home.home),
    Route("/sessions", home.session_list, methods=["GET"]),
    Route("/sessions", home.create_session, methods=["POST"]),
    Route("/s/{slug}", session.session_page),
    Route("/s/{slug}/transcript", transcript.so_far),
    Route("/s/{slug}/left", session.left),
    Route("/s/{slug}/forget", session.forget, methods=["POST"]),
    Route("/s/{slug}/transcript.txt", transcript.as_text),
    Route("/s/{slug}/transcript.vtt", transcript.as_vtt),
    Route("/s/{slug}/guest", session.become_guest, methods=["POST"]),
    Route("/s/{slug}/join", session.join, methods=["POST"]),
    Route("/s/{slug}/connection", connection.of_session, methods=["GET"]),
    Route("/s/{slug}/connection", connection.begin_in_session, methods=["POST"]),
    Route("/s/{slug}/end", session.end, methods=["POST"]),
    Route("/s/{slug}/settings", hosting.settings_page, methods=["GET"]),
    Route("/s/{slug}/settings", hosting.settings, methods=["POST"]),
    Route("/s/{slug}/admit-all", hosting.admit_all, methods=["POST"]),
    Route("/s/{slug}/mute-all", hosting.mute_all, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/lower-hand", hosting.lower_hand, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/admit", hosting.admit, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/deny", hosting.deny, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/mute", hosting.mute, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/remove", hosting.remove, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/host", hosting.make_host, methods=["POST"]),
    Route("/spaces/{space}/usage", usage.usage_page),
    Route("/spaces/{space}/usage.csv", usage.usage_file),
    Route("/spaces/{space}/minutes", usage.choose, methods=["POST"]),
    Route("/connection", connection.of_person, methods=["GET"]),
    Route("/connection", connection.begin, methods=["POST"]),
    Route("/admin", admin.overview),
    Route("/admin/people", admin.people),
    Route("/admin/people/{person}/disable", admin.disable, methods=["POST"]),
    Route("/admin/people/{person}/enable", admin.enable, methods=["POST"]),
    Route("/admin/spaces", admin.space_list),
    Route("/admin/spaces/{space}/minutes", admin.grant, methods=["POST"]),
    Route("/sign-in", login.sign_in_page),
    Route("/signed-in", login.signed_in),
    Route("/sign-in/link", one_time_link.show, methods=["GET"]),
    Route("/sign-in/link", one_time_link.use, methods=["POST"]),
    Route("/sign-in/dev", login.dev_sign_in, methods=["POST"]),
    Route("/sign-in/{provider}", login.begin),
    Route("/api/auth/callback/{provider}", login.come_back),
    Route("/sign-out", login.sign_out_page, methods=["POST"]),
    Route("/language", language.choose, methods=["POST"]),
    Route("/health", ops.health),
    Route("/health/proof", setup.prove),
    Route("/setup", setup.setup_page),
    Route("/health/ready", ops.ready),
    Route("/up", ops.health),
    Route("/metrics", ops.metrics),
    Route("/hooks/livekit", hooks.livekit, methods=["POST"]),
    WebSocketRoute("/ws", ws.transcription),
    Mount("/static", VersionedStatic()),
]


def create_app(settings: Settings) -> Starlette:
    """Return the application for these settings."""
    set_up_logs(settings.log_format)
    for warning in settings.warnings:
        logging.getLogger("web").warning(warning)
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(RequestId),
            Middleware(AccessLog, routes=ROUTES),
            Middleware(Starting),
            Middleware(Serving, settings=settings),
            Middleware(SpeakTheirLanguage),
            Middleware(Guard, settings=settings),
            Middleware(LoginCookie, settings=settings),
        ],
        exception_handlers=errors.HANDLERS,
        lifespan=_lifespan(settings),
    )
    app.state.providers = openid.clients(settings.providers)
    return app


def _lifespan(settings: Settings) -> Lifespan[Starlette]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        embedded, deadline = EmbeddedPostgres(settings.data_dir), Deadline()
        try:
            url = settings.database_url
            if url is None:
                url = await asyncio.to_thread(embedded.start)
            db = Database(url, settings.database_schema)
            async with _running(settings, db, deadline) as (services, stop):
                with speaking(of_environment(os.environ)):
                    own, first = (
                        own_address(settings, sys.argv),
                        await accounts.first_link(settings, db),
                    )
                    print(banner(settings, services.rooms.engine, own, first), flush=True)
                looking = asyncio.create_task(_look_around(services))
                with patient_with_signals(stop):
                    yield {"services": services, "stop": stop}
                looking.cancel()
        finally:
            await asyncio.to_thread(embedded.stop, deadline.seconds_left)

    return lifespan


async def _look_around(services: Services) -> None:
    """Say after a start in production what doesn't work; the start itself waits for nobody.

    In development nothing is asked unasked: services are embedded, and /setup says the same.
    """
    if services.settings.production:
        outcomes = await services.checks.begin()
        with speaking(of_environment(os.environ)):
            print(report.troubles(outcomes), end="", flush=True)


@asynccontextmanager
async def _running(
    settings: Settings, db: Database, deadline: Deadline
) -> AsyncIterator[tuple[Services, Stop]]:
    """Start what serves requests, and stop it: core.stopping says in which order."""
    with stopped_by_signals():
        await db.connect()
    node = take_place(settings.data_dir)
    price = settings.cost_per_minute
    writer = TranscriptWriter(db, node.spool, node.abandoned, price=price)
    engine = make_engine(
        settings.engine,
        gladia_api_key=settings.gladia_api_key,
        gladia_api_url=settings.gladia_api_url,
        gladia_region=settings.gladia_region,
        gladia_max_streams=settings.gladia_max_streams,
    )
    microphone = MicrophoneOptions(settings.voice_gate, settings.stream_idle_seconds)
    bounds = Bounds(settings.space_minutes_per_day, settings.space_minutes_per_month)
    minutes = SpaceMinutes(db, bounds, price)
    leases, factor = Leases(db, node.name), settings.rate_limit_factor
    rooms = Rooms(engine, writer, leases, microphone, minutes, factor=factor)
    calls = calls_of(settings)
    conduct = Conduct(db, rooms, calls)
    lifecycle = Lifecycle(db, rooms, calls, conduct, timedelta(days=settings.login_idle_days))
    gc_schedule, pacer, lag = GcSchedule(), Pacer(), LoopLag()
    watch = checks.Watch(settings)
    stop = Stop(
        db,
        deadline,
        before=[lifecycle.close, watch.close],
        rooms=rooms.close,
        after=[minutes.close, writer.close, engine.close, calls.close],
    )
    try:
        await engine.start()
        writer.start()
        rooms.start()
        minutes.start()
        lifecycle.start()
        gc_schedule.start()
        pacer.start()
        lag.start()
        limits = RateLimits(factor)
        reader = TranscriptReader(rooms, writer)
        parts = Services(
            settings,
            db,
            rooms,
            calls,
            conduct,
            lifecycle,
            writer,
            reader,
            limits,
            watch,
            minutes,
        )
        yield parts, stop
    finally:
        lag.close()
        pacer.close()
        await gc_schedule.close()
        await stop.finish()
        node.leave()


def load_settings() -> Settings:
    """Return the settings, or stop the process with the list of what is wrong."""
    try:
        settings = settings_module.load(settings_module.read_environment())
        if settings.login_secret:
            return settings
        secret = settings_module.local_secret(settings.data_dir)
    except SettingsError as problem:
        sys.exit(refusal(problem))
    return dataclasses.replace(
        settings,
        login_secret=secret,
        transcription_secret=settings.transcription_secret or secret,
    )


def serve() -> None:
    """Serve where the settings say, with clean logs; web.serving has the bounds."""
    settings = load_settings()
    try:
        try_place(settings.host, settings.port)
    except StartError as problem:
        sys.exit(refusal(problem))
    uvicorn.run(
        "app:app",
        host=settings.host,
        port=settings.port,
        # None: uvicorn's default. It reads its variable itself, but not in .env.
        forwarded_allow_ips=settings_module.read_environment().get(settings_module.TRUSTED_PROXIES),
        log_level="info" if settings.production else "warning",
    )


def check(*, in_json: bool, offline: bool) -> int:
    """Print what is set and what works. Returns 1 when something is left to do."""
    try:
        environ = settings_module.read_environment()
    except SettingsError as problem:
        sys.exit(refusal(problem))
    settings, _ = settings_module.as_far_as_valid(environ)
    secret = settings_module.kept_secret(settings.data_dir)
    outcomes = [] if offline else asyncio.run(checks.look_once(environ, secret))
    told = report.report(environ, outcomes)
    print(json.dumps(report.as_json(told), indent=2) if in_json else report.as_text(told))
    return 0 if told.well else 1


def set_disabled(email: str, *, disabled: bool) -> int:
    """Disable or enable an account, and print what came of it. Returns 1 when nobody is it."""
    settings = load_settings()
    try:
        changed = accounts.set_disabled(settings, email, disabled=disabled)
    except (StartError, DatabaseAwayError) as problem:
        sys.exit(command_line.unchanged(problem))
    say = command_line.disabled if disabled else command_line.enabled
    print(say(email, changed))
    return 0 if changed else 1


def make_links(email: str | None) -> int:
    """Print one-time links, and on stderr what each is for. Ends with why there is none."""
    settings = load_settings()
    try:
        made = accounts.make_links(settings, email)
    except (StartError, DatabaseAwayError) as problem:
        sys.exit(command_line.no_link(problem))
    for one in made:
        print(command_line.made(one), file=sys.stderr, flush=True)
        print(one.link, flush=True)
    return 0


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks letters shows the rest
        sys.stdout.reconfigure(errors="replace")
    asked = command_line.asked(sys.argv[1:])
    if asked.command in (None, "serve"):
        serve()  # in no language: whoever comes is answered in theirs
        return
    if asked.command == "healthcheck":
        sys.exit(healthcheck())
    with speaking(of_environment(os.environ)):
        if asked.command == "check":
            sys.exit(check(in_json=asked.json, offline=asked.offline))
        if asked.command == "setup":
            sys.exit(setting_up.run(asked.host, asked.email, into=asked.into, check=asked.check))
        try:
            if asked.command in ("backup", "restore"):
                sys.exit(keeping.run(asked.command, load_settings()))
            if asked.command == "link":
                sys.exit(make_links(asked.email))
            if asked.command == "import-previous":
                sys.exit(moving_in.run(load_settings(), asked))
            sys.exit(set_disabled(asked.email, disabled=asked.command == "disable"))
        except KeyboardInterrupt:  # it may wait a minute for the database
            sys.exit(gettext("Stopped before it was done."))


if __name__ == "__main__":
    main()
else:
    app = create_app(load_settings())
