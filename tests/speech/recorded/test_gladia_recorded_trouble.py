"""Recordings through Gladia when something goes wrong: refusals, cuts, nonsense, and ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.speech.engine import EngineError, NoSlotError
from core.speech.recorded.model import Begun, Track
from tests.emulators.gladia.recorded_faults import RecordedFaults, Route, RouteFault
from tests.speech.recorded.gladia_recordings import (
    Stored,
    World,
    quick,
    recording,
    said_at,
)

Json = dict[str, Any]


async def refusal(world: World, track: Track, stored: Stored, **how: Any) -> tuple[str, bool]:
    """Return why a track couldn't be transcribed, and whether to try again."""
    with pytest.raises(EngineError) as refused:
        await world.run(track, stored, **how)
    assert world.gladia.api_key not in f"{refused.value!r} {refused.value}"
    assert refused.value.__cause__ is None
    return str(refused.value), refused.value.retry


@pytest.mark.parametrize("route", ["upload", "create"])
@pytest.mark.parametrize(
    ("status", "reason", "retry"),
    [
        (401, "key_refused", False),
        (402, "credit_used_up", False),
        (403, "plan_forbids", False),
        (413, "audio_refused (413)", False),
        (422, "settings_refused (colour)", False),
        (404, "not_the_service (404)", False),
        (503, "service_trouble (503)", True),
    ],
)
async def test_refusals_say_what_to_do(
    *,
    world: World,
    faults: RecordedFaults,
    track: Track,
    route: Route,
    status: int,
    reason: str,
    retry: bool,
) -> None:
    fault = faults.refuse(route, status, times=None, body={"message": "colour"})
    stored = Stored()
    assert await refusal(world, track, stored) == (reason, retry)
    assert fault.fired == (3 if retry else 1)  # what may pass by itself is tried again
    assert (stored.finals, stored.paid, world.gladia.recordings) == ([], 0.0, [])
    fault.cancel()
    assert await world.run(track, stored)
    assert (stored.text, len(world.gladia.recordings)) == ("good morning", 1)
    assert world.count("POST", "upload") == (fault.fired + 1 if route == "upload" else 1)


@pytest.mark.parametrize("route", ["upload", "create"])
async def test_a_service_that_is_full_is_asked_later(
    world: World, faults: RecordedFaults, track: Track, route: Route
) -> None:
    faults.refuse(route, 429)
    stored = Stored()
    with pytest.raises(NoSlotError):
        await world.run(track, stored)
    assert await world.run(track, stored)
    assert (stored.text, len(world.gladia.recordings)) == ("good morning", 1)


async def test_a_wrong_key_is_told_and_never_shown(
    world: World, track: Track, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "a-wrong-key-that-is-secret"
    assert await refusal(world, track, Stored(), key=key) == ("key_refused", False)
    assert key not in caplog.text
    good = world.gladia.api_key
    answer = {"message": f"user of {good} unknown"}
    world.gladia.faults.recorded.refuse("upload", 400, body=answer)
    why = await refusal(world, track, Stored())
    assert why == ("settings_refused (user of … unknown)", False)
    assert good not in caplog.text


async def test_a_connection_that_is_cut_in_an_upload_is_made_anew(
    world: World, faults: RecordedFaults, tmp_path: Path
) -> None:
    sentence = "one two three four five six seven eight"
    track = Track(recording(tmp_path, said_at(*((at * 4.0, sentence) for at in range(1, 9)))))
    cut = faults.cut_upload(after_bytes=100_000, times=2)
    stored = await world.all_of(track)
    assert cut.fired == 2
    assert stored.text == " ".join([sentence] * 8)
    assert len(world.gladia.recordings) == 1
    faults.cut_upload(after_bytes=1, times=None)
    assert await refusal(world, track, Stored()) == ("unreachable", True)


@pytest.mark.parametrize("route", ["upload", "create", "get", "delete"])
async def test_a_request_that_fails_once_changes_nothing(
    world: World, faults: RecordedFaults, track: Track, route: Route
) -> None:
    world.timeouts = quick(answer_s=0.5, upload_s=0.5, trouble_s=5.0)
    plans: list[Callable[[], RouteFault]] = [
        lambda: faults.drop(route),
        lambda: faults.lose_answer(route),
        lambda: faults.refuse(route, 500),
    ]
    if route != "delete":  # where any good status will do
        plans.append(lambda: faults.answer_raw(route, b"<html>a proxy's page</html>"))
    if route != "create":  # which would be done after it was looked for, and is then paid twice
        plans.append(lambda: faults.slow(route, 0.7))
    for plan in plans:
        before = len(world.gladia.recordings)
        fault = plan()
        stored = await world.all_of(track)
        assert fault.fired == 1
        assert (stored.text, len(world.gladia.recordings) - before) == ("good morning", 1)
        assert stored.paid == pytest.approx(world.gladia.recordings[-1].billed_seconds)
        assert world.gladia.recordings[-1].is_deleted


async def test_a_job_that_nobody_was_told_of_is_found(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    faults.lose_answer("create")
    faults.refuse("list", 500)
    stored = Stored()
    assert await refusal(world, track, stored) == ("service_trouble (500)", True)
    assert await world.run(track, stored)
    assert (stored.text, len(world.gladia.recordings)) == ("good morning", 1)
    assert stored.paid == pytest.approx(world.gladia.billed_seconds)
    # Of another service that knows no such list, or lists whatever it has, it isn't: then it is
    # better paid twice than never had.
    for answer in (b'{"items": [{"id": "1", "custom_metadata": null}]}', b""):
        faults.lose_answer("create")
        if answer:
            faults.answer_raw("list", answer)
        else:
            faults.refuse("list", 404)
        assert (await world.all_of(track)).text == "good morning"


async def test_a_job_that_is_made_too_late_is_deleted_as_well(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    world.timeouts = quick(answer_s=0.3, trouble_s=60.0)
    faults.slow("create", 0.6)
    away = faults.refuse("get", 502, times=None)
    running = asyncio.create_task(world.all_of(track))
    await world.gladia.until(lambda: len(world.gladia.recordings) == 2)
    away.cancel()
    stored = await running
    assert stored.text == "good morning"
    first, second = world.gladia.recordings
    await world.gladia.until(lambda: first.status == second.status == "done")
    assert (first.is_deleted, second.is_deleted) == (True, True)
    assert stored.paid == pytest.approx(first.billed_seconds)


async def test_a_job_that_failed_is_made_anew_and_counted_once(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    faults.fail_job(503)
    stored = Stored()
    assert await refusal(world, track, stored) == ("service_trouble (503)", True)
    assert stored.paid > 0
    assert await world.run(track, stored)
    assert (stored.text, len(world.gladia.recordings)) == ("good morning", 2)
    assert stored.paid == pytest.approx(world.gladia.recordings[-1].billed_seconds)
    assert world.gladia.uploads == []
    # What the service says can't be heard isn't asked again.
    faults.fail_job(422)
    assert await refusal(world, track, Stored()) == ("audio_refused (422)", False)


async def test_what_fails_again_and_again_is_given_up(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    faults.fail_job(500, times=None)
    stored = Stored()
    told = [await refusal(world, track, stored) for _ in range(5)]
    assert told == [("service_trouble (500)", True)] * 4 + [("service_trouble (500)", False)]
    assert (world.gladia.uploads, len(world.gladia.recordings)) == ([], 5)


async def test_a_job_that_never_ends_is_left(
    world: World, faults: RecordedFaults, track: Track, caplog: pytest.LogCaptureFixture
) -> None:
    world.timeouts = quick(job_s=0.5, forget_s=0.1)
    faults.stick_job()
    stored = Stored()
    assert await refusal(world, track, stored) == ("unfinished", True)
    world.timeouts = quick(forget_s=0.1)
    assert await world.run(track, stored)
    assert stored.text == "good morning"
    stuck, done = world.gladia.recordings
    assert (stuck.is_deleted, done.is_deleted) == (False, True)
    # It can't be deleted while it is worked on; somebody is told which it is.
    assert stuck.id in caplog.text


async def test_a_service_that_is_away_for_long_is_gone_back_to(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    away = [faults.refuse("get", 502, times=None), faults.drop("get", times=None)]
    stored = Stored()
    assert await refusal(world, track, stored) == ("service_trouble (502)", True)
    away[0].cancel()
    assert await refusal(world, track, stored) == ("unreachable", True)
    away[1].cancel()
    nonsense = faults.answer_raw("get", b'{"status": "melted"}', times=None)
    assert await refusal(world, track, stored) == ("unexpected_answer", True)
    nonsense.cancel()
    faults.refuse("get", 429, times=3)
    assert await world.run(track, stored)
    assert (stored.text, len(world.gladia.recordings)) == ("good morning", 1)
    faults.refuse("get", 401)
    assert await refusal(world, track, Stored()) == ("key_refused", False)


async def test_a_job_that_somebody_deleted_is_made_anew(world: World, track: Track) -> None:
    stored = Stored()
    await world.run(track, stored, until=2)
    (job,) = world.gladia.recordings
    job.is_deleted = True
    assert (await refusal(world, track, stored))[1]
    assert await world.run(track, stored)
    assert stored.text == "good morning"


async def test_an_answer_is_bounded(world: World, faults: RecordedFaults, track: Track) -> None:
    answer = b'{"audio_url": "https://example.org/"}' + b" " * 1_100_000
    faults.answer_raw("upload", answer, times=None)
    assert await refusal(world, track, Stored()) == ("unexpected_answer", True)


@pytest.mark.parametrize("made", ["../../v2/live", "", "x" * 200, "a b", 7])
async def test_an_id_that_is_none_never_becomes_part_of_an_address(
    world: World, faults: RecordedFaults, track: Track, made: object
) -> None:
    faults.answer_raw("create", json.dumps({"id": made}).encode(), times=None)
    assert await refusal(world, track, Stored()) == ("unexpected_answer", True)
    assert {one.path for one in world.gladia.requests} == {"/v2/upload", "/v2/pre-recorded"}


async def test_no_address_of_an_answer_is_followed(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    asked = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as trap:
        host, port = trap.sockets[0].getsockname()
        url = f"http://{host}:{port}/secret"
        faults.answer_raw("upload", json.dumps({"audio_url": url}).encode())
        assert await refusal(world, track, Stored()) == ("audio_refused (400)", False)
        assert world.gladia.recordings[0].init["audio_url"] == url
        fault = faults.refuse("create", 307)
        fault.headers = (("location", url),)
        why = await refusal(world, track, Stored())
        assert why == ("not_the_service (307)", False)
    assert asked == []
    faults.answer_raw("upload", b'{"audio_url": "file:///etc/passwd"}', times=None)
    assert await refusal(world, track, Stored()) == ("unexpected_answer", True)


async def test_forgetting_deletes_what_is_there(world: World, track: Track) -> None:
    for step in (1, 2, 3):
        stored = Stored()
        await world.run(track, stored, until=step)
        if step == 1:  # a job was made and nobody told of it
            await world.run(track, Stored(begun=stored.begun), until=1, loses_last=True)
        await world.gladia.until(lambda: world.gladia.recordings[-1].status == "done")
        await world.transcriber().forget(stored.begun)
        assert world.gladia.recordings[-1].is_deleted, step
    assert world.gladia.uploads == []


async def test_forgetting_waits_for_a_job_and_never_raises(
    world: World, faults: RecordedFaults, track: Track, caplog: pytest.LogCaptureFixture
) -> None:
    stored = Stored()
    await world.run(track, stored, until=2)
    faults.refuse("delete", 403)
    faults.drop("delete")
    await world.transcriber().forget(stored.begun)
    assert world.gladia.recordings[0].is_deleted
    assert caplog.text == ""

    stored = Stored()
    await world.run(track, stored, until=2)
    world.gladia.reachable = False
    await world.transcriber().forget(stored.begun)
    assert world.gladia.recordings[1].id in caplog.text
    await world.transcriber().forget(Begun())
    await world.transcriber().forget(Begun(7.0, "nonsense"))


async def test_what_could_not_be_deleted_is_deleted_later(
    world: World, faults: RecordedFaults, track: Track
) -> None:
    world.timeouts = quick(forget_s=0.1)
    away = faults.refuse("delete", 500, times=None)
    stored = await world.all_of(track)
    (job,) = world.gladia.recordings
    assert [job.is_deleted for job in world.gladia.recordings] == [False]
    away.cancel()
    assert await world.run(track, stored)
    assert job.is_deleted
    assert stored.text == "good morning"
