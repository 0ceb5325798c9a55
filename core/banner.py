"""The short table that a start prints: what each part runs on, and the address to open."""

from __future__ import annotations

from core.settings import Settings
from core.speech.engine import Engine, Health


def banner(settings: Settings, engine: Engine) -> str:
    """Return the table; it names hosts, never secrets."""
    rows = [
        ("database", *_database(settings)),
        ("login", *_login(settings)),
        ("video", *_video(settings)),
        ("speech", *_speech(engine)),
        ("AI", *_ai(settings)),
    ]
    lines = [f"  {part:9} {kind:11} {what}" for part, kind, what in rows]
    return "\n".join(["", *lines, "", f"  Open {settings.public_url}", ""])


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
    return "default", f"{settings.livekit_url} (`livekit-server --dev`); captions work without"


def _speech(engine: Engine) -> tuple[str, str]:
    health = engine.health()
    if health.health is Health.OFF:
        return "off", health.reason or ""
    if engine.name == "gladia":
        return "configured", "Gladia"
    return "embedded", "local engine, English"


def _ai(settings: Settings) -> tuple[str, str]:
    if settings.openai_api_key:
        return "configured", f"{settings.openai_model} at {settings.openai_base_url}"
    return "off", "set OPENAI_API_KEY for titles and topics"
