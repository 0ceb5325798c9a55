"""The parts of a running Sessions: made, started and stopped together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from core import checks
from core.audio.archived import Recordings
from core.audio.bucket import bucket_of
from core.audio.rounds import Rounds
from core.audio.shelf import Shelf
from core.conduct import Conduct
from core.correcting import Correcting
from core.database import Database
from core.deletion import Deletion
from core.leases import Leases
from core.lifecycle import Lifecycle
from core.livekit import calls_of
from core.minutes import Bounds, SpaceMinutes
from core.process.batching import Pacer
from core.process.gc import GcSchedule
from core.process.lag import LoopLag
from core.process.nodes import take_place
from core.room.rooms import Rooms
from core.services import RateLimits, Services
from core.settings import Settings
from core.speaking import Speaking
from core.speech.engine import Engine
from core.speech.engines import make_engine
from core.speech.microphone import MicrophoneOptions
from core.starting import of_file
from core.stopping import Deadline, Stop
from core.transcript.reading import TranscriptReader
from core.transcript.writer import TranscriptWriter
from core.uploads.service import Uploads

log = logging.getLogger(__name__)


@asynccontextmanager
async def running(
    settings: Settings, db: Database, deadline: Deadline
) -> AsyncIterator[tuple[Services, Stop]]:
    """Start what serves requests on a database that is connected, and stop it in the end.

    In which order that is done, and within which time, is told by core.stopping.
    """
    node = take_place(settings.data_dir)
    price = settings.cost_per_minute
    writer = TranscriptWriter(db, node.spool, node.abandoned, price=price)
    engine = make_engine(
        settings.engine,
        gladia_api_key=settings.gladia_api_key,
        gladia_api_url=settings.gladia_api_url,
        gladia_region=settings.gladia_region,
        gladia_max_streams=settings.gladia_max_streams,
        speech_model=settings.speech_model,
        data_dir=settings.data_dir,
    )
    microphone = MicrophoneOptions(settings.voice_gate, settings.stream_idle_seconds)
    bounds = Bounds(settings.space_minutes_per_day, settings.space_minutes_per_month)
    minutes = SpaceMinutes(db, bounds, price)
    sound = _sound(settings, db)
    uploads = _uploads(settings, db, node.name, sound=sound, engine=engine, minutes=minutes)
    leases, factor = Leases(db, node.name), settings.rate_limit_factor
    spoken = settings.spoken
    tapes = sound.keeper if sound else None
    rooms = Rooms(
        *(engine, writer, leases, microphone, minutes),
        tapes=tapes,
        factor=factor,
        installation=spoken,
    )
    calls = calls_of(settings)
    conduct, speaking = Conduct(db, rooms, calls), Speaking(db, rooms)
    correcting = Correcting(db, rooms, writer)
    login_idle = timedelta(days=settings.login_idle_days)
    lifecycle = Lifecycle(db, rooms, calls, conduct, correcting, login_idle=login_idle)
    gc_schedule, pacer, lag = GcSchedule(), Pacer(lambda: rooms.quota.taken), LoopLag()
    watch = checks.Watch(settings)
    after = [speaking.close, minutes.close, writer.close, engine.close, calls.close]
    stop = Stop(
        db,
        deadline,
        before=[lifecycle.close, watch.close, *([uploads.close] if uploads else [])],
        rooms=rooms.close,
        after=[*after, sound.close] if sound else after,
    )
    try:
        await engine.start()
        writer.start()
        rooms.start()
        minutes.start()
        if sound is not None:
            sound.start()
        if uploads is not None:
            uploads.start()
        lifecycle.start()
        gc_schedule.start()
        pacer.start()
        lag.start()
        limits = RateLimits(factor)
        reader = TranscriptReader(db, rooms, writer)
        parts = Services(
            settings,
            db,
            rooms,
            calls,
            conduct,
            correcting,
            Deletion(db, rooms, conduct),
            lifecycle,
            writer,
            reader,
            limits,
            watch,
            minutes,
            speaking,
            sound,
            uploads,
            archived=(Recordings(db, sound),) if sound else (),
        )
        yield parts, stop
    finally:
        lag.close()
        pacer.close()
        await gc_schedule.close()
        await stop.finish()
        node.leave()


def _uploads(
    settings: Settings,
    db: Database,
    who: str,
    *,
    sound: Rounds | None,
    engine: Engine,
    minutes: SpaceMinutes,
) -> Uploads | None:
    """Return what takes recordings; None where nobody wants it, or DATA_DIR can have none."""
    if not settings.upload_max_mb or sound is None:
        return None
    try:
        return Uploads(
            db,
            who,
            settings.data_dir,
            sound=sound,
            engine=engine,
            minutes=minutes,
            installation=settings.spoken,
            price=settings.cost_per_minute,
            most=settings.upload_max_mb * 1_000_000,
        )
    except OSError as problem:
        log.warning("no recordings are taken: %s", of_file(problem))
        return None


def _sound(settings: Settings, db: Database) -> Rounds | None:
    """Return what keeps sound; None where DATA_DIR can't have any: captions go on without it."""
    try:
        return Rounds(db, Shelf(settings.data_dir), bucket_of(settings))
    except OSError as problem:
        log.warning("no sound is kept: %s", of_file(problem))
        return None
