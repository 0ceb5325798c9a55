"""All checks, side by side, each with its own time: what is wrong with one holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.checks import ai, database, disk, https, outside, sign_in, sound, speech, video
from core.checks.outcome import Outcome
from core.settings import VARIABLES, Settings
from core.words import N_, Words

TIMEOUT_S = 5.0  # for each of them

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """Something that can be looked at while nothing is served, too."""

    name: str  # a code, that its outcomes have
    title: str  # for people
    look: Callable[[Settings], Awaitable[list[Outcome]]]
    needs: tuple[str, ...] = ()  # fields of Settings without which there is nothing to ask
    # What people notice if it doesn't answer at all.
    why: str = N_("What is this slow is so for people, too, or this machine is busy.")


CHECKS = (
    Check("address", N_("Address"), https.look, ("public_url", "websocket_host")),
    Check("database", N_("Database"), database.look, ("database_url",), database.NOTHING_KEPT),
    Check(
        "sign-in",
        N_("Sign-in"),
        sign_in.look,
        ("google_metadata_url", "google_client_secret", "public_url"),
        sign_in.NOBODY_SIGNS_IN,
    ),
    Check(
        "video",
        N_("Video"),
        video.look,
        ("livekit_url", "livekit_api_url", "livekit_api_key", "livekit_api_secret"),
        video.NO_CALL,
    ),
    Check(
        "speech",
        N_("Speech recognition"),
        speech.look,
        ("speech_engine", "gladia_api_url", "gladia_api_key", "data_dir"),
        speech.NO_TRANSCRIPTION,
    ),
    Check("ai", N_("AI"), ai.look, ("openai_base_url", "openai_api_key")),
    Check("disk", N_("Disk"), disk.look, ("data_dir",)),
    Check(
        "sound",
        N_("Kept sound"),
        sound.look,
        ("audio_bucket", "aws_access_key_id", "aws_secret_access_key", "aws_region"),
        sound.NOT_MOVED,
    ),
)
# Through the proxy: there is nothing to ask before somebody serves, nor while the proxy waits for
# us to be healthy.
OUTSIDE = (
    Check(
        "outside",
        N_("From outside"),
        outside.look,
        ("public_url", "login_secret", "transcription_secret"),
        https.NO_SOCKET,
    ),
)
TITLES = {one.name: one.title for one in (*CHECKS, *OUTSIDE)} | {"socket": N_("Socket")}


async def run(
    settings: Settings, wrong: frozenset[str] = frozenset(), checks: tuple[Check, ...] = CHECKS
) -> list[Outcome]:
    """Run checks and return what they found, in their order.

    `wrong` are fields that can't be used: what needs one of them is skipped.
    """
    found = await asyncio.gather(*(_one(check, settings, wrong) for check in checks))
    return [outcome for outcomes in found for outcome in outcomes]


async def _one(check: Check, settings: Settings, wrong: frozenset[str]) -> list[Outcome]:
    if lacking := wrong.intersection(check.needs):
        names = [one.name for one in VARIABLES if one.field in lacking]
        what = Words(N_("not asked: %(those)s can't be used"), those=", ".join(names))
        return [Outcome(check.name, "skipped", what)]
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check.look(settings)
    except TimeoutError:
        what = Words(N_("no answer within %(seconds)s s"), seconds=f"{TIMEOUT_S:.0f}")
        why = Words(check.why)
        todo = Words(N_("Check again; if it stays so, look at what lies between the two."))
        return [Outcome(check.name, "failed", what, why, todo)]
    except Exception as problem:  # one that fails itself must not take the others with it
        log.warning("the check %s failed", check.name, exc_info=True)
        what = Words(N_("the check itself failed (%(why)s)"), why=type(problem).__name__)
    return [Outcome(check.name, "failed", what)]
