"""The OpenAI-compatible service: whether it answers, and has the model that is asked for."""

from __future__ import annotations

from core.checks.asking import NoAnswerError, ask
from core.checks.outcome import Outcome
from core.settings import Settings
from core.words import N_, Words

HTTP_OK, UNAUTHORIZED, FORBIDDEN = 200, 401, 403
SHOWN = 5  # models that are named


async def look(settings: Settings) -> list[Outcome]:
    """Ask for the service's models, which is free."""
    if not settings.openai_api_key:
        what = Words(N_("no OpenAI-compatible service is set, and nothing needs one"))
        return [Outcome("ai", "skipped", what)]
    try:
        answer = await ask(
            f"{settings.openai_base_url}/models",
            headers={"Authorization": f"Bearer {settings.openai_api_key}"},
        )
    except NoAnswerError as problem:
        return [
            _failed(
                Words(
                    N_("the OpenAI-compatible service can't be reached: %(why)s"), why=problem.words
                ),
                Words(N_("Correct OPENAI_BASE_URL, or start what should answer there.")),
            )
        ]
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        return [
            _failed(
                Words(N_("the OpenAI-compatible service refuses OPENAI_API_KEY")),
                Words(N_("Set the key that this service has given you.")),
            )
        ]
    listed = answer.json()
    rows = listed.get("data") if isinstance(listed, dict) else None
    if answer.status != HTTP_OK or not isinstance(rows, list):
        return [
            _failed(
                Words(
                    N_("OPENAI_BASE_URL isn't a service like OpenAI's: /models answers %(status)s"),
                    status=answer.status,
                ),
                Words(N_("Set it to what ends in /v1 with most services.")),
            )
        ]
    models = sorted(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)
    wanted = settings.openai_model
    if wanted and wanted not in models:
        return [
            _failed(
                Words(
                    N_("the service has no model %(wanted)s; it has %(models)s"),
                    wanted=wanted,
                    models=", ".join(models[:SHOWN]) or "–",
                ),
                Words(N_("Set OPENAI_MODEL to one that it has.")),
            )
        ]
    what = Words(N_("the OpenAI-compatible service answers; models: %(count)s"), count=len(models))
    return [Outcome("ai", "ok", what, facts={"models": len(models), "model": wanted})]


def _failed(what: Words, todo: Words) -> Outcome:
    return Outcome("ai", "failed", what, Words(N_("What asks it gets nothing.")), todo)
