"""Every environment variable of Sessions, declared once.

`VARIABLES` is the single list: what is read, what `check` prints, and what `make docs` makes
docs/configuration.md and .env.example of. Its words are English, and marked for translation.
"""

from __future__ import annotations

from core.settings import of_audio, of_providers, of_speech
from core.settings import parsing as accept
from core.settings.variable import (
    AI,
    FILES,
    LIMITS,
    NETWORK,
    PRODUCTION,
    SIGN_IN,
    SPEECH,
    VIDEO,
    Variable,
)
from core.spoken import MAX_LANGUAGES, MAX_TARGETS
from core.words import N_

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "NODE_ENV",
        "production",
        PRODUCTION,
        N_("`production` demands real services and forbids the development sign-in."),
        "development",
        accept.production,
        example="production",
    ),
    Variable(
        "DATABASE_URL",
        "database_url",
        PRODUCTION,
        N_(
            "PostgreSQL 13 or newer, as postgresql://user:password@host/name; `embedded` has "
            "production do with one in DATA_DIR, too."
        ),
        N_("an embedded PostgreSQL in DATA_DIR"),
        accept.postgres_url,
        example="postgresql://user:password@localhost/sessions",
        required=True,
        secret=True,
    ),
    Variable(
        "DATABASE_SCHEMA",
        "database_schema",
        PRODUCTION,
        N_(
            "The schema of that database that the tables are in, so that another program may "
            "have the same database. Tables that an earlier release made in public are moved there."
        ),
        "sessions",
        accept.schema,
        example="sessions",
    ),
    Variable(
        "NEXTAUTH_URL",
        "public_url",
        PRODUCTION,
        N_(
            "The address people open, without a slash at the end. Google's redirect address "
            "is this plus /api/auth/callback/google."
        ),
        N_("http://localhost and PORT"),
        accept.origin,
        example="https://meet.example.com",
        required=True,
    ),
    Variable(
        "NEXTAUTH_SECRET",
        "login_secret",
        PRODUCTION,
        N_("Signs the login cookie. Make one with `openssl rand -base64 32`."),
        N_("made once and kept in DATA_DIR"),
        accept.secret,
        aliases=("SECRET_KEY_BASE",),
        required=True,
        secret=True,
    ),
    Variable(
        "TRANSCRIPTION_JWT_SECRET",
        "transcription_secret",
        PRODUCTION,
        N_("Signs the tokens of /ws. May equal NEXTAUTH_SECRET."),
        "NEXTAUTH_SECRET",
        accept.secret,
        secret=True,
    ),
    Variable(
        "LOGIN_IDLE_DAYS",
        "login_idle_days",
        SIGN_IN,
        N_("Days without use after which a login ends. After 30 days it ends in any case."),
        "14",
        accept.number(0.01, 30),
        example="14",
    ),
    Variable(
        "GOOGLE_CLIENT_ID",
        "google_client_id",
        SIGN_IN,
        N_("Google sign-in: console.cloud.google.com, Credentials, OAuth client of type web."),
        N_("no sign-in with Google"),
        example="1234-abcd.apps.googleusercontent.com",
    ),
    Variable(
        "GOOGLE_CLIENT_SECRET",
        "google_client_secret",
        SIGN_IN,
        N_("The secret of that OAuth client."),
        N_("no sign-in with Google"),
        secret=True,
    ),
    Variable(
        "GOOGLE_METADATA_URL",
        "google_metadata_url",
        SIGN_IN,
        N_(
            "OpenID Connect metadata of who stands behind “Continue with Google”. Only tests need "
            "it; other providers have variables of their own."
        ),
        N_("Google's"),
        accept.metadata_url,
        example="https://accounts.google.com/.well-known/openid-configuration",
    ),
    *of_providers.variables(),
    Variable(
        "ALLOWED_EMAILS",
        "allowed_emails",
        SIGN_IN,
        N_(
            "E-mail addresses whose accounts may sign in, with commas between them. Guests by "
            "link need none."
        ),
        N_("any account, unless ALLOWED_EMAIL_DOMAINS is set"),
        accept.emails,
        example="ada@example.com,grace@example.com",
    ),
    Variable(
        "ALLOWED_EMAIL_DOMAINS",
        "allowed_email_domains",
        SIGN_IN,
        N_(
            "Domains of e-mail addresses whose accounts may sign in, such as example.com, "
            "with commas. An account of Google Workspace must belong to one of them, too."
        ),
        N_("any account, unless ALLOWED_EMAILS is set"),
        accept.domains,
        example="example.com",
    ),
    Variable(
        "INVITED_MAY_SIGN_IN",
        "invited_may_sign_in",
        SIGN_IN,
        N_(
            "Whether an invitation to a space lets in accounts that ALLOWED_EMAILS and "
            "ALLOWED_EMAIL_DOMAINS don't name, as long as they are a member there."
        ),
        "off",
        accept.switch,
        example="on",
    ),
    Variable(
        "ADMIN_EMAILS",
        "admin_emails",
        SIGN_IN,
        N_(
            "Verified e-mail addresses of those who run this server, with commas: they see what "
            "`check` says at /setup, and people, spaces, usage and errors at /admin."
        ),
        N_("nobody"),
        accept.emails,
        example="ada@example.com",
    ),
    Variable(
        "LIVEKIT_URL",
        "livekit_url",
        VIDEO,
        N_(
            "The LiveKit server for video as browsers reach it: wss://host, or wss://host/path. "
            "`off` is a server with captions and no calls."
        ),
        N_("ws://localhost:7880, what `livekit-server --dev` answers to"),
        accept.livekit_url,
        example="wss://video.example.com",
        aliases=("NEXT_PUBLIC_LIVEKIT_URL",),
        required=True,
    ),
    Variable(
        "LIVEKIT_API_URL",
        "livekit_api_url",
        VIDEO,
        N_(
            "The same LiveKit server as this one reaches it, such as http://livekit:7880: where "
            "the two stand side by side, the way through the proxy is needless."
        ),
        "LIVEKIT_URL",
        accept.url("https", "http", "wss", "ws"),
        example="http://livekit:7880",
        aliases=("LIVEKIT_HTTP_URL",),
    ),
    Variable(
        "LIVEKIT_API_KEY",
        "livekit_api_key",
        VIDEO,
        N_("LiveKit's API key."),
        "devkey",
        required=True,
    ),
    Variable(
        "LIVEKIT_API_SECRET",
        "livekit_api_secret",
        VIDEO,
        N_("LiveKit's API secret."),
        "secret",
        required=True,
        secret=True,
    ),
    Variable(
        "GLADIA_API_KEY",
        "gladia_api_key",
        SPEECH,
        N_("Gladia's key for speech recognition: app.gladia.io, API keys."),
        N_("the local English engine"),
        required=True,
        secret=True,
    ),
    Variable(
        "SPEECH_ENGINE",
        "speech_engine",
        SPEECH,
        N_("Which engine transcribes: auto, gladia, local or off."),
        N_("gladia with a key, else local"),
        accept.choice("auto", "gladia", "local", "off"),
        example="auto",
    ),
    *of_speech.variables(),
    Variable(
        "GLADIA_API_URL",
        "gladia_api_url",
        SPEECH,
        N_("Gladia's address; for tests against an emulator."),
        "https://api.gladia.io",
        accept.url("https", "http"),
        example="https://api.gladia.io",
    ),
    Variable(
        "GLADIA_REGION",
        "gladia_region",
        SPEECH,
        N_(
            "Where Gladia processes live speech: eu-west or us-west. Recordings are processed "
            "where Gladia chooses."
        ),
        N_("Gladia's choice"),
        accept.choice("eu-west", "us-west"),
        example="eu-west",
    ),
    Variable(
        "GLADIA_MAX_STREAMS",
        "gladia_max_streams",
        SPEECH,
        N_("Live streams that the Gladia plan allows at once: 1 on the free plan."),
        "30",
        accept.integer(1, 10_000),
        example="30",
    ),
    Variable(
        "LANGUAGES",
        "languages",
        SPEECH,
        N_(
            "Codes of the languages that are spoken in sessions, with commas, where neither a "
            "space nor a session says it: one is certain, of several each is recognised."
        ),
        N_("whatever is spoken is recognised, as far as the engine knows it"),
        accept.languages(MAX_LANGUAGES),
        example="ru,en",
    ),
    Variable(
        "CODE_SWITCHING",
        "code_switching",
        SPEECH,
        N_(
            "`on` has the engine look for the language anew in each sentence, for people who mix "
            "several of LANGUAGES: it then errs more."
        ),
        "off",
        accept.switch,
        example="on",
    ),
    Variable(
        "VOCABULARY",
        "vocabulary",
        SPEECH,
        N_(
            "Names and terms that are said in sessions, as they are written, with commas; spaces "
            "and sessions add theirs. Gladia hears them more easily."
        ),
        N_("those of spaces and sessions"),
        accept.vocabulary,
        example="Nyquist,PostgreSQL",
    ),
    Variable(
        "TRANSLATE_TO",
        "translate_to",
        SPEECH,
        N_(
            "Codes of up to three languages into which Gladia translates what is said, with "
            "commas, where neither a space nor a session says it."
        ),
        N_("nothing is translated"),
        accept.languages(MAX_TARGETS),
        example="en,de",
    ),
    Variable(
        "STREAM_IDLE_SECONDS",
        "stream_idle_seconds",
        SPEECH,
        N_("Seconds of silence after which a stream is finished: billed audio follows speech."),
        "8",
        accept.number(2, 25),
        example="8",
    ),
    Variable(
        "VOICE_GATE",
        "voice_gate",
        SPEECH,
        N_("`off` sends every frame to the engine, also silence. For measurements."),
        "on",
        accept.switch,
        example="on",
    ),
    Variable(
        "COST_PER_MINUTE",
        "cost_per_minute",
        SPEECH,
        N_(
            "Price of a minute that a service transcribes, for the usage that members of the space "
            "see. What was sent before keeps its price; the local engine costs nothing."
        ),
        "0.01",
        accept.number(0, 1000),
        example="0.01",
    ),
    Variable(
        "OPENAI_API_KEY",
        "openai_api_key",
        AI,
        N_(
            "Key of an OpenAI-compatible service. So far only `check` uses it: it says whether "
            "that service answers."
        ),
        N_("none is asked"),
        secret=True,
    ),
    Variable(
        "OPENAI_BASE_URL",
        "openai_base_url",
        AI,
        N_("Address of that service."),
        "https://api.openai.com/v1",
        accept.url("https", "http"),
        example="https://api.openai.com/v1",
    ),
    Variable(
        "OPENAI_MODEL",
        "openai_model",
        AI,
        N_("The model that the service must have."),
        N_("any"),
        example="gpt-5-mini",
    ),
    Variable(
        "PORT",
        "port",
        NETWORK,
        N_("Port to listen on."),
        "8000",
        accept.integer(1, 65_535),
        example="8000",
        aliases=("WS_PORT",),
    ),
    Variable(
        "HOST",
        "host",
        NETWORK,
        N_("Address to listen on."),
        N_("127.0.0.1; 0.0.0.0 in production"),
        accept.address,
        example="127.0.0.1",
    ),
    Variable(
        "METRICS_TOKEN",
        "metrics_token",
        NETWORK,
        N_(
            "Lets Prometheus read `/metrics`, as its bearer token. Make one with `openssl rand "
            "-base64 32`."
        ),
        N_("`/metrics` answers on this computer only, and not through a proxy"),
        accept.secret,
        secret=True,
    ),
    Variable(
        "NEXT_PUBLIC_WS_HOST",
        "websocket_host",
        NETWORK,
        N_("Host of /ws when it isn't the page's own; a host only."),
        N_("the page's own"),
        accept.host,
        example="ws.example.com",
    ),
    Variable(
        "NEXT_PUBLIC_WS_PORT",
        "websocket_port",
        NETWORK,
        N_("Port of /ws when it isn't the page's own."),
        N_("the page's own"),
        accept.integer(1, 65_535),
        example="443",
    ),
    Variable(
        "SPACE_MINUTES_PER_DAY",
        "space_minutes_per_day",
        LIMITS,
        N_(
            "Minutes of audio that all sessions of one space together may have transcribed in "
            "a day (UTC): with it nobody who may sign in can spend all that you have prepaid."
        ),
        N_("no bound"),
        accept.number(1, 1_000_000),
        example="600",
    ),
    Variable(
        "SPACE_MINUTES_PER_MONTH",
        "space_minutes_per_month",
        LIMITS,
        N_(
            "The same in a month (UTC): captions pause when it is reached, and hosts are warned "
            "at four fifths of it. Administrators grant a space more or less, owners choose less."
        ),
        N_("no bound"),
        accept.number(1, 1_000_000),
        example="6000",
    ),
    Variable(
        "UPLOAD_MAX_MB",
        "upload_max_mb",
        LIMITS,
        N_(
            "Megabytes that a recording may have that somebody uploads to have it transcribed, all "
            "its files together. 0: nobody can upload any."
        ),
        "1000",
        accept.integer(0, 100_000),
        example="1000",
    ),
    Variable(
        "RATE_LIMIT_FACTOR",
        "rate_limit_factor",
        LIMITS,
        N_("Multiplies all rate limits: raise it when many people share one address."),
        "1",
        accept.number(0.1, 1000),
        example="1",
    ),
    Variable(
        "LOG_FORMAT",
        "log_format",
        FILES,
        N_("How lines of the log are: `text` for people, `json` for programs."),
        N_("text; json in production"),
        accept.choice("text", "json"),
        example="json",
    ),
    Variable(
        "DATA_DIR",
        "data_dir",
        FILES,
        N_(
            "Folder of what the process keeps: embedded database, generated secret, text that "
            "waits for the database."
        ),
        ".data",
        accept.path,
        example=".data",
    ),
    *of_audio.variables(),
)
