"""The short table that a start prints: what each part runs on, and the address to open."""

from __future__ import annotations

from core.settings import Settings
from core.speech.engine import Engine, Health


def banner(settings: Settings, engine: Engine, own: str | None) -> str:
    """Return the table; it names hosts, never secrets.

    `own` is where this computer reaches it, None when that can't be told.
    """
    rows = [
        ("database", *_database(settings)),
        ("login", *_login(settings)),
        ("video", *_video(settings)),
        ("speech", *_speech(engine)),
    ]
    lines = [f"  {part:9} {kind:11} {what}" for part, kind, what in rows]
    return "\n".join(["", *lines, "", *_where(settings, own), ""])


def _where(settings: Settings, own: str | None) -> list[str]:
    """Say where to open it, as far as that is known, and what others would need."""
    if settings.production:
        return [f"  Open {settings.public_url}"]
    if settings.https:
        here = [f"  Open {own} on this computer"] if own else []
        return [*here, f"  Open {settings.public_url} on others"]
    here = [f"  Open {own}"] if own else []
    return [
        *here,
        "  On this computer only: “Other computers” in the README says what others need.",
    ]


def _database(settings: Settings) -> tuple[str, str]:
    if settings.database_url:
        return "configured", "PostgreSQL at DATABASE_URL"
    return "embedded", f"PostgreSQL in {settings.data_dir}/postgres"


def _login(settings: Settings) -> tuple[str, str]:
    if settings.google_sign_in:
        return "configured", "Google"
    return "embedded", "a name and e-mail, on this computer only"


def _video(settings: Settings) -> tuple[str, str]:
    if settings.livekit_api_key != "devkey":
        return "configured", settings.livekit_url
    return "default", f"{settings.livekit_url} (`livekit-server --dev`); without it, captions only"


def _speech(engine: Engine) -> tuple[str, str]:
    health = engine.health()
    if health.health is Health.OFF:
        return "off", str(health.reason or "")
    if engine.name == "gladia":
        return "configured", "Gladia"
    return "embedded", "local engine, English"
