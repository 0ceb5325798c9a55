"""What the process was told, typed; and which addresses mean this computer."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.settings.accounts import Accounts
from core.settings.keys import COOKIE, TOKEN, derived
from core.settings.of_audio import REGION
from core.settings.providers import GOOGLE_METADATA_URL, Provider, google
from core.spoken import Spoken

DEVELOPMENT_LIVEKIT_URL = "ws://localhost:7880"
OPENAI_BASE_URL = "https://api.openai.com/v1"
GLADIA_API_URL = "https://api.gladia.io"

DEFAULT_PORT = 8000

SpeechChoice = Literal["auto", "gladia", "local", "off"]
Format = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told, typed. Secrets are kept out of `repr`."""

    production: bool = False
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    data_dir: Path = Path(".data")
    database_url: str | None = field(default=None, repr=False)
    database_schema: str = "sessions"
    login_secret: str = field(default="", repr=False)
    login_idle_days: float = 14.0
    public_url: str = "http://localhost:8000"
    google_client_id: str | None = None
    google_client_secret: str | None = field(default=None, repr=False)
    google_metadata_url: str = GOOGLE_METADATA_URL
    oidc: tuple[Provider, ...] = ()  # of the variables OIDC_…
    livekit_url: str = DEVELOPMENT_LIVEKIT_URL  # the browsers'; may have a path
    livekit_api_url: str = DEVELOPMENT_LIVEKIT_URL  # this server's own way to it
    livekit_api_key: str = field(default="devkey", repr=False)
    livekit_api_secret: str = field(default="secret", repr=False)
    transcription_secret: str = field(default="", repr=False)
    metrics_token: str | None = field(default=None, repr=False)
    log_format: Format = "text"
    websocket_host: str | None = None
    websocket_port: int | None = None
    speech_engine: SpeechChoice = "auto"
    speech_model: str | None = None  # of the local engine: a name or a folder; English if unset
    speech_model_url: str | None = None  # where else than in their catalogue models are fetched
    gladia_api_key: str | None = field(default=None, repr=False)
    gladia_api_url: str = GLADIA_API_URL
    gladia_region: str | None = None
    gladia_max_streams: int = 30
    voice_gate: bool = True
    stream_idle_seconds: float = 8.0
    languages: tuple[str, ...] = ()
    code_switching: bool = False
    vocabulary: tuple[str, ...] = ()
    translate_to: tuple[str, ...] = ()
    audio_bucket: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_region: str = REGION
    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str = OPENAI_BASE_URL
    openai_model: str | None = None
    cost_per_minute: float = 0.01
    space_minutes_per_day: float | None = None
    space_minutes_per_month: float | None = None
    upload_max_mb: int = 1_000  # of a recording with all its files; 0: none is taken
    rate_limit_factor: float = 1.0
    allowed_emails: frozenset[str] = frozenset()
    allowed_email_domains: frozenset[str] = frozenset()
    invited_may_sign_in: bool = False
    admin_emails: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def cookie_key(self) -> str:
        """What signs the login cookie."""
        return derived(self.login_secret, COOKIE)

    @property
    def token_key(self) -> str:
        """What signs the tokens of /ws: a secret of their own as it is, else a key of their own."""
        if self.transcription_secret != self.login_secret:
            return self.transcription_secret
        return derived(self.login_secret, TOKEN)

    @property
    def accounts(self) -> Accounts:
        """Whose accounts may sign in."""
        return Accounts(self.allowed_emails, self.allowed_email_domains)

    @property
    def google_sign_in(self) -> bool:
        """Whether people can sign in with Google."""
        return bool(self.google_client_id and self.google_client_secret)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The OpenID providers that people can sign in with, in the order of their buttons."""
        client_id, client_secret = self.google_client_id, self.google_client_secret
        if not client_id or not client_secret:
            return self.oidc
        return (google(client_id, client_secret, self.google_metadata_url), *self.oidc)

    @property
    def spoken(self) -> Spoken:
        """What holds of languages and words where neither a space nor a session says it."""
        return Spoken(
            self.languages,
            self.code_switching,
            self.vocabulary,
            targets=self.translate_to,
        )

    @property
    def engine(self) -> Literal["gladia", "local", "off"]:
        """The speech engine in use: the chosen one, else Gladia when it has a key."""
        if self.speech_engine != "auto":
            return self.speech_engine
        return "gladia" if self.gladia_api_key else "local"

    @property
    def calls(self) -> bool:
        """Whether there is a LiveKit server; without one, people read each other only."""
        return bool(self.livekit_url)

    @property
    def https(self) -> bool:
        """Whether people reach Sessions by https, so that cookies must be Secure."""
        return self.public_url.startswith("https://")


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, means this computer."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
