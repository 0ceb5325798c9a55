"""Every environment variable of Sessions, declared once.

`VARIABLES` is the single list: what is read, what `check` prints and the README's table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.settings import parsing as accept
from core.settings.parsing import Parsed
from core.settings.values import DEVELOPMENT_LIVEKIT_URL, GLADIA_API_URL


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: how it is read, and what people need to know of it."""

    name: str
    field: str
    purpose: str
    unset: str
    parse: Callable[[str], Parsed] = accept.text
    aliases: tuple[str, ...] = ()
    required: bool = False
    secret: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All names it is read under, the first one set wins."""
        return (self.name, *self.aliases)


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "NODE_ENV",
        "production",
        "`production` demands real services and forbids the development sign-in.",
        "development",
        accept.production,
    ),
    Variable(
        "DATABASE_URL",
        "database_url",
        "PostgreSQL 13 or newer, as postgresql://user:password@host/name.",
        "an embedded PostgreSQL in DATA_DIR",
        accept.postgres_url,
        required=True,
        secret=True,
    ),
    Variable(
        "NEXTAUTH_URL",
        "public_url",
        "The address people open, without a slash at the end. Google's redirect address is this"
        " plus /api/auth/callback/google.",
        "http://localhost and PORT",
        accept.origin,
        required=True,
    ),
    Variable(
        "NEXTAUTH_SECRET",
        "login_secret",
        "Signs the login cookie: `openssl rand -base64 32`.",
        "made once and kept in DATA_DIR",
        accept.long_secret,
        required=True,
        secret=True,
    ),
    Variable(
        "LOGIN_IDLE_DAYS",
        "login_idle_days",
        "Days without use after which a login ends. After 30 days it ends in any case.",
        "14",
        accept.number(0.01, 30),
    ),
    Variable(
        "GOOGLE_CLIENT_ID",
        "google_client_id",
        "Google sign-in: console.cloud.google.com, Credentials, OAuth client of type web.",
        "development sign-in, on this computer only",
        required=True,
    ),
    Variable(
        "GOOGLE_CLIENT_SECRET",
        "google_client_secret",
        "The secret of that OAuth client.",
        "development sign-in, on this computer only",
        required=True,
        secret=True,
    ),
    Variable(
        "GOOGLE_METADATA_URL",
        "google_metadata_url",
        "OpenID Connect metadata of the provider behind “Sign in with Google”. Only tests and"
        " other providers need it.",
        "Google's",
        accept.metadata_url,
    ),
    Variable(
        "ALLOWED_EMAILS",
        "allowed_emails",
        "E-mail addresses whose accounts may sign in, with commas between them. Guests by link need"
        " none.",
        "any account, unless ALLOWED_EMAIL_DOMAINS is set",
        accept.emails,
    ),
    Variable(
        "ALLOWED_EMAIL_DOMAINS",
        "allowed_email_domains",
        "Domains of e-mail addresses whose accounts may sign in, such as example.com, with commas."
        " An account of Google Workspace must belong to one of them, too.",
        "any account, unless ALLOWED_EMAILS is set",
        accept.domains,
    ),
    Variable(
        "LIVEKIT_URL",
        "livekit_url",
        "The LiveKit server for video, as wss://host.",
        f"{DEVELOPMENT_LIVEKIT_URL}, what `livekit-server --dev` answers to",
        accept.livekit_url,
        aliases=("NEXT_PUBLIC_LIVEKIT_URL",),
        required=True,
    ),
    Variable(
        "LIVEKIT_API_KEY",
        "livekit_api_key",
        "LiveKit's API key.",
        "devkey",
        required=True,
    ),
    Variable(
        "LIVEKIT_API_SECRET",
        "livekit_api_secret",
        "LiveKit's API secret.",
        "secret",
        required=True,
        secret=True,
    ),
    Variable(
        "TRANSCRIPTION_JWT_SECRET",
        "transcription_secret",
        "Signs the tokens of /ws. May equal NEXTAUTH_SECRET.",
        "NEXTAUTH_SECRET",
        accept.long_secret,
        secret=True,
    ),
    Variable(
        "GLADIA_API_KEY",
        "gladia_api_key",
        "Gladia's key for speech recognition: app.gladia.io, API keys.",
        "the local English engine",
        required=True,
        secret=True,
    ),
    Variable(
        "SPEECH_ENGINE",
        "speech_engine",
        "Which engine transcribes: auto, gladia, local or off.",
        "auto: gladia with a key, else local",
        accept.choice("auto", "gladia", "local", "off"),
    ),
    Variable(
        "GLADIA_API_URL",
        "gladia_api_url",
        "Gladia's address; for tests against an emulator.",
        GLADIA_API_URL,
        accept.url("https", "http"),
    ),
    Variable(
        "GLADIA_REGION",
        "gladia_region",
        "Where Gladia processes speech: eu-west or us-west.",
        "Gladia's choice",
        accept.choice("eu-west", "us-west"),
    ),
    Variable(
        "GLADIA_MAX_STREAMS",
        "gladia_max_streams",
        "Live streams that the Gladia plan allows at once: 1 on the free plan.",
        "30",
        accept.integer(1, 10_000),
    ),
    Variable(
        "STREAM_IDLE_SECONDS",
        "stream_idle_seconds",
        "Seconds of silence after which a stream is finished: billed audio follows speech.",
        "8",
        accept.number(2, 25),
    ),
    Variable(
        "VOICE_GATE",
        "voice_gate",
        "`off` sends every frame to the engine, also silence. For measurements.",
        "on",
        accept.switch,
    ),
    Variable(
        "COST_PER_MINUTE",
        "cost_per_minute",
        "Price of a minute of transcribed audio, for the usage that hosts see.",
        "0.01",
        accept.number(0, 1000),
    ),
    Variable(
        "SPACE_MINUTES_PER_DAY",
        "space_minutes_per_day",
        "Minutes of audio that all sessions of one space together may have transcribed in a day"
        " (UTC): with it nobody who may sign in can spend all that you have prepaid.",
        "no bound",
        accept.number(1, 1_000_000),
    ),
    Variable(
        "RATE_LIMIT_FACTOR",
        "rate_limit_factor",
        "Multiplies all rate limits: raise it when many people share one address.",
        "1",
        accept.number(0.1, 1000),
    ),
    Variable(
        "PORT",
        "port",
        "Port to listen on.",
        "8000",
        accept.integer(1, 65_535),
        aliases=("WS_PORT",),
    ),
    Variable(
        "HOST",
        "host",
        "Address to listen on.",
        "127.0.0.1; 0.0.0.0 in production",
        accept.address,
    ),
    Variable(
        "NEXT_PUBLIC_WS_HOST",
        "websocket_host",
        "Host of /ws when it isn't the page's own; a host only.",
        "the page's own",
        accept.host,
    ),
    Variable(
        "NEXT_PUBLIC_WS_PORT",
        "websocket_port",
        "Port of /ws when it isn't the page's own.",
        "the page's own",
        accept.integer(1, 65_535),
    ),
    Variable(
        "DATA_DIR",
        "data_dir",
        "Folder of what the process keeps: embedded database, generated secret, text that waits for"
        " the database.",
        ".data",
        accept.path,
    ),
)
