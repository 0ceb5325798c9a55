"""The bucket that kept sound is moved into: whether it takes an object, gives it and deletes it."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress

from core.audio.bucket import NOT_THERE, Bucket, BucketError, bucket_of
from core.checks.asking import PATIENCE_S, why_not
from core.checks.outcome import Outcome
from core.settings import Settings
from core.words import N_, Words

NOT_MOVED = N_("Sound that is kept waits in DATA_DIR, and what is in the bucket can't be heard.")
WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "Unauthorized")
REFUSED = (401, 403)
ELSEWHERE = ("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect")
MOVED = (301, 302, 307, 308)
MAY_NOT = {
    "put": N_("the key may not put objects into the bucket"),
    "get": N_("the key may not get objects from the bucket"),
    "delete": N_("the key may not delete objects of the bucket"),
}


async def look(settings: Settings) -> list[Outcome]:
    """Put a small object there, get it, and delete it."""
    if settings.audio_bucket is None:
        what = Words(N_("no bucket is set: sound that is kept stays in DATA_DIR"))
        return [Outcome("sound", "skipped", what)]
    bucket = bucket_of(settings, PATIENCE_S)
    if bucket is None:
        what = Words(N_("not asked: the bucket of AUDIO_BUCKET has no key"))
        return [Outcome("sound", "skipped", what)]
    try:
        return [await _tried(bucket, settings)]
    finally:
        await bucket.close()


async def _tried(bucket: Bucket, settings: Settings) -> Outcome:
    name, content = f"check-{secrets.token_hex(8)}", secrets.token_bytes(32)
    begun, step, back = time.monotonic(), "put", b""
    try:
        await bucket.put(name, content)
        step = "get"
        try:
            async for piece in bucket.get(name, 0, len(content) - 1):
                back += piece
        except BucketError:
            await _cleared(bucket, name)
            raise
        step = "delete"
        await bucket.delete(name)
    except BucketError as problem:
        if not problem.status:
            return _failed(*_away(problem, settings.audio_bucket or ""))
        return _failed(*_trouble(problem, step, settings))
    if back != content:
        return _failed(
            Words(N_("the bucket gives back something else than was put there")),
            Words(N_("Look at what stands between this server and the bucket.")),
        )
    ms = round((time.monotonic() - begun) * 1000)
    what = Words(N_("the bucket takes objects, gives them and deletes them (%(ms)s ms)"), ms=ms)
    return Outcome("sound", "ok", what, facts={"latency_ms": ms})


async def _cleared(bucket: Bucket, name: str) -> None:
    """Delete what can't be read; what is wrong is told already."""
    with suppress(BucketError):
        await bucket.delete(name)


def _away(problem: BucketError, address: str) -> tuple[Words, Words]:
    """Return why there was no answer, and what to do."""
    why = why_not(problem.__cause__ or problem, address)
    return (
        Words(N_("the bucket can't be reached: %(why)s"), why=why),
        Words(N_("Correct AUDIO_BUCKET, or let this server connect to that address.")),
    )


def _trouble(problem: BucketError, step: str, settings: Settings) -> tuple[Words, Words]:
    """Return what is wrong where it answered, and what to do."""
    address = settings.audio_bucket or ""
    if problem.code == "RequestTimeTooSkewed":
        return (
            Words(N_("the bucket refuses what is signed here: the clocks differ too much")),
            Words(N_("Set this server's clock: have it follow NTP.")),
        )
    if problem.code == "NoSuchBucket" or (step == "put" and problem.status == NOT_THERE):
        return (
            Words(N_("there is no bucket at %(address)s"), address=address),
            Words(N_("Make it, or correct AUDIO_BUCKET: the service's address and its name.")),
        )
    if problem.code in ELSEWHERE or problem.status in MOVED:
        return (
            Words(N_("the bucket isn't in the region %(region)s"), region=settings.aws_region),
            Words(N_("Set AWS_REGION to the bucket's, and AUDIO_BUCKET to its address there.")),
        )
    if problem.code in WRONG_KEY or (problem.status in REFUSED and not problem.code):
        return (
            Words(N_("the bucket refuses the key (%(code)s)"), code=problem.code or problem.status),
            Words(N_("Copy AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY anew.")),
        )
    if problem.status in REFUSED:
        return (
            Words(MAY_NOT[step]),
            Words(N_("Let the key put, get and delete objects in that bucket.")),
        )
    return (
        Words(
            N_("the bucket answers %(status)s (%(code)s)"),
            status=problem.status,
            code=problem.code or "–",
        ),
        Words(N_("Look at what the service says of it, and check again.")),
    )


def _failed(what: Words, todo: Words) -> Outcome:
    return Outcome("sound", "failed", what, Words(NOT_MOVED), todo)
