"""The short table that a start prints: what each part runs on, and the address to open."""

from __future__ import annotations

from collections.abc import Mapping

from core.settings import Settings
from core.speech.engine import Engine, Health
from core.speech.reasons import Reason, ReasonCode
from core.words import N_
from web.words import gettext

# Why an engine is off at the start; the room has the words for all that may come later.
_OFF: Mapping[ReasonCode, str] = {
    "switched_off": N_("captions are switched off by SPEECH_ENGINE"),
    "key_missing": N_("captions need GLADIA_API_KEY"),
    "no_package": N_(
        "the local speech engine has no package for this platform: set GLADIA_API_KEY to"
        " transcribe with Gladia"
    ),
    "not_loadable": N_("the local speech engine can’t be loaded (%(detail)s): set GLADIA_API_KEY"),
    "model_not_loadable": N_(
        "the speech model can’t be loaded (%(detail)s): python app.py check says more"
    ),
}


def banner(settings: Settings, engine: Engine, own: str | None, link: str | None = None) -> str:
    """Return the table; it names hosts, never secrets, but for a link that makes the first account.

    `own` is where this computer reaches it, None when that can't be told; `link` is that link,
    where nobody has an account yet and no provider makes one.
    """
    rows = [
        (gettext("database"), *_database(settings)),
        (gettext("login"), *_login(settings)),
        (gettext("video"), *_video(settings)),
        (gettext("speech"), *_speech(engine, settings.speech_model)),
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"  {part:{first}}  {kind:{second}}  {what}" for part, kind, what in rows]
    return "\n".join(["", *lines, "", *_where(settings, own), *_first(link), ""])


def _first(link: str | None) -> list[str]:
    if link is None:
        return []
    return [
        "",
        "  "
        + gettext("Nobody has an account here yet. This link makes the first, once, for an hour:"),
        f"  {link}",
    ]


def _where(settings: Settings, own: str | None) -> list[str]:
    """Say where to open it, as far as that is known, and what others would need."""
    public = settings.public_url
    if settings.production:
        return ["  " + gettext("Open %(address)s", address=public)]
    if settings.https:
        here = ["  " + gettext("Open %(address)s on this computer", address=own)] if own else []
        return [*here, "  " + gettext("Open %(address)s on others", address=public)]
    here = ["  " + gettext("Open %(address)s", address=own)] if own else []
    alone = gettext("On this computer only: “Other computers” in the README says what others need.")
    checks = gettext("What is set, and what works: %(address)s/setup", address=own)
    return [*here, "  " + alone, *(["  " + checks] if own else [])]


def _database(settings: Settings) -> tuple[str, str]:
    if settings.database_url:
        return gettext("configured"), gettext("PostgreSQL at DATABASE_URL")
    folder = settings.data_dir / "postgres"
    return gettext("embedded"), gettext("PostgreSQL in %(folder)s", folder=folder)


def _login(settings: Settings) -> tuple[str, str]:
    if settings.providers:
        return gettext("configured"), ", ".join(one.name for one in settings.providers)
    if settings.production:
        return gettext("embedded"), gettext("one-time links: `python app.py link` prints one")
    return gettext("embedded"), gettext("a name and e-mail, on this computer only")


def _video(settings: Settings) -> tuple[str, str]:
    address = settings.livekit_url
    if not settings.calls:
        return gettext("off"), gettext("captions only (LIVEKIT_URL)")
    if settings.livekit_api_key != "devkey":
        return gettext("configured"), address
    return gettext("default"), gettext(
        "%(address)s (`livekit-server --dev`); without it, captions only", address=address
    )


def _speech(engine: Engine, model: str | None) -> tuple[str, str]:
    health = engine.health()
    if health.health is Health.OFF:
        return gettext("off"), _why(health.reason)
    if engine.name == "gladia":
        return gettext("configured"), "Gladia"
    if model is not None:
        return gettext("embedded"), gettext("local engine, %(model)s", model=model)
    return gettext("embedded"), gettext("local engine, English")


def _why(reason: Reason | None) -> str:
    if reason is None:
        return ""
    words = _OFF.get(reason.code)
    return str(reason) if words is None else gettext(words, detail=reason.detail)
