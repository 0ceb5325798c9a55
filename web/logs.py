"""The log: one line per thing that happened, with its time, bounded, and without secrets.

Whoever can reach the port can cause lines. So each kind of line has a bound a minute, what is
beyond it is counted and told with the next one, and a line break in what an outsider sent can't
begin a line of its own. What a line says of an address that was asked for is its route
(`/s/{slug}`), never the address: the slug is the key to a session, and a query may hold a token.
What libraries write, and traces, are rewritten as the last thing before they are printed.

A line is text, or for programs a JSON object (LOG_FORMAT). Both say the same within the same
bounds, and both name the request that a line belongs to: see web.request_id.
"""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass
from typing import TextIO
from urllib.parse import unquote

from core.settings.values import Format
from web.recent import recent
from web.request_id import request_id

PER_MINUTE = 60  # lines of one kind: 8 MB a day at most, in JSON three times as much
ACCESS_PER_MINUTE = 600  # requests of one class of answers: a busy team's, 80 MB a day at most
TRACES_PER_MINUTE = 10  # a trace has 30 lines
MAX_KINDS = 500  # ours are about 150; what were to make more shares one bound
MAX_LINE = 2000  # characters; a trace may have eight times as many
OURS = ("audit", "access", "core", "routes", "web", "uvicorn")

# uvicorn's words for what is told by lines of ours already: a socket's way, a refused handshake.
_TOLD_ELSEWHERE = (
    '%s - "WebSocket %s"',
    "connection open",
    "connection rejected",
    "connection closed",
    "ASGI callable returned without completing handshake.",
)
# A trace says nothing about these: an outsider sent rubbish.
_WITHOUT_TRACE = ("Invalid UTF-8 sequence received from client.",)

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
_CONTROLS_OF_TRACE = {code: shown for code, shown in _CONTROLS.items() if code != ord("\n")}
_SECRETS = [
    (re.compile(pattern, flags), replacement)
    for pattern, replacement, flags in (
        (r"\b[a-z2-9]{4}(?:-[a-z2-9]{4}){3}\b", "…", re.IGNORECASE),  # a slug
        (r"/([rs])/(?!\{slug\})[^/\s?\"'<>]+", r"/\1/…", 0),
        (r"/(shared|invitations)/(?!\{(?:token|invitation)\})[^/\s?\"'<>]+", r"/\1/…", 0),
        (r"sessions_[0-9a-f]{8,}", "…", re.IGNORECASE),  # an API token
        (r"\beyJ[\w-]+\.[\w-]*\.?[\w-]*", "…", 0),  # a JSON Web Token
        (r"\?[^\s\"'<>]*=[^\s\"'<>]*", "?…", 0),  # a query
        (r"\b([\w-]*(?:token|code|state|secret|password|key))=[^\s&\"']+", r"\1=…", re.I),
        (r"(://)[^/\s@:]+:[^/\s@]+@", r"\1…@", 0),  # a password in an address
        # PostgreSQL and asyncpg quote the values that they couldn't take.
        (r"(invalid input for query argument \$\d+: ).*", r"\1…", 0),
        (r"(?m)^(DETAIL|CONTEXT): .*$", r"\1: …", 0),
    )
]
_ENCODED = re.compile(r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*")


def without_secrets(text: str) -> str:
    """Return `text` without slugs, tokens and the like, however often they are percent-encoded."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return _ENCODED.sub(_decoded_if_harmless, text)


def _decoded_if_harmless(found: re.Match[str]) -> str:
    before = found[0]
    for _ in range(4):  # encoded once more each time; who goes further is taken out as a whole
        after = unquote(before)
        if after == before:
            return found[0]
        if any(pattern.search(after) for pattern, _ in _SECRETS):
            return "…"
        before = after
    return "…"


class Lines(logging.Formatter):
    """Formats a record as `2026-01-01T10:00:00.000Z WARNING core.leases text request=4f…`."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Format what is one line, whatever was in it."""
        record.message = _one_line(record.message)
        number = request_id()
        return super().formatMessage(record) + (f" request={number}" if number else "")

    def format(self, record: logging.LogRecord) -> str:
        """Format all of it, a trace included, and take out what must not be there."""
        return without_secrets(super().format(record)[: MAX_LINE * 8])


class Objects(Lines):
    """Formats a record as a JSON object in a line: docs/limits.md has its keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Format all of it; each text in it is rewritten as it would be in a line of text."""
        told: dict[str, str | int | float] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
        }
        if event := getattr(record, "event", None):
            told["event"] = event
        told["message"] = without_secrets(_one_line(record.getMessage()))
        for key, value in getattr(record, "fields", {}).items():
            told.setdefault(key, _harmless(value))
        if left_out := getattr(record, "left_out", 0):
            told["left_out"] = left_out
        if number := request_id():
            told["request"] = number
        if record.exc_info:
            trace = self.formatException(record.exc_info)[: MAX_LINE * 8]
            told["trace"] = without_secrets(trace.translate(_CONTROLS_OF_TRACE))
        return json.dumps(told, ensure_ascii=False)


def _one_line(message: str) -> str:
    return message.strip().translate(_CONTROLS)[:MAX_LINE]


def _harmless(value: str | int | float) -> str | int | float:
    return without_secrets(_one_line(value)) if isinstance(value, str) else value


@dataclass(slots=True)
class _Kind:
    """The lines of one kind in the minute that goes on."""

    began: float  # time.monotonic() of the first of them
    written: int = 0
    left_out: int = 0  # since the last one that was written


class Bounded(logging.Filter):
    """Lets so many lines of each kind pass in a minute, and has the next one tell of the others.

    A kind is an event of the audit log, else a text before its values are put in: of these there
    are as many as places in the code.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        template = str(record.msg)
        if template.startswith(_TOLD_ELSEWHERE):
            return False
        if template in _WITHOUT_TRACE:
            record.exc_info = None
        record.template = template  # which it is no more once its values are in it
        kind = f"{record.name} {getattr(record, 'kind', template)}"
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = ""
        now = time.monotonic()
        lines = self._kinds.setdefault(kind, _Kind(now))
        if now - lines.began >= 60:
            lines.began, lines.written = now, 0
        if lines.written >= _bound(record):
            lines.left_out += 1
            return False
        lines.written += 1
        if lines.left_out:
            record.msg = f"{record.getMessage()} ({lines.left_out} more of these were left out)"
            record.left_out = lines.left_out
            record.args, lines.left_out = (), 0
        return True


def _bound(record: logging.LogRecord) -> int:
    if record.exc_info:
        return TRACES_PER_MINUTE
    return ACCESS_PER_MINUTE if record.name == "access" else PER_MINUTE


class Printed(logging.StreamHandler[TextIO]):
    """Prints, and keeps the last warnings for who runs the server."""

    def emit(self, record: logging.LogRecord) -> None:
        """Handler."""
        super().emit(record)
        if record.levelno < logging.WARNING:
            return
        said = record.getMessage().strip().translate(_CONTROLS)
        problem = record.exc_info[0] if record.exc_info else None
        recent.add(record, without_secrets(f"{said} ({problem.__name__})" if problem else said))


def set_up(how: Format = "text") -> None:
    """Have everything that is logged in this process printed like that, on stderr.

    How much is printed is uvicorn's level (`--log-level`); of libraries, warnings only.
    """
    root = logging.getLogger()
    if any(isinstance(one.formatter, Lines) for one in root.handlers):
        return
    handler = Printed()
    handler.setFormatter(Objects() if how == "json" else Lines())
    handler.addFilter(recent.count)  # first: what isn't printed counts as well
    handler.addFilter(Bounded())
    root.addHandler(handler)
    level = logging.getLogger("uvicorn.error").level or logging.INFO
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.handlers.clear()
    uvicorn.propagate = True
    # uvicorn asks at each connection whether its log of requests has handlers: web.access_log has
    # taken its place.
    requests = logging.getLogger("uvicorn.access")
    requests.handlers.clear()
    requests.propagate = False
