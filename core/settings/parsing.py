"""How a variable's text becomes a value: each parser says what it accepts and what it mends."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from core import spoken
from core.settings.guessing import guessable
from core.settings.providers import WELL_KNOWN
from core.text import one_line
from core.words import N_, Words

MAX_LABEL = 40  # characters


EMBEDDED, OFF = "embedded", "off"  # of DATABASE_URL and LIVEKIT_URL: production does without


class InvalidError(ValueError):
    """One value is unusable; the words say why without repeating it."""

    def __init__(self, text: str, **values: object) -> None:
        self.words = Words(text, **values)
        super().__init__(self.words)


Parsed = tuple[Any, Words | None]
"""A parsed value and a warning about what was mended on the way."""


def text(value: str) -> Parsed:
    """Accept anything."""
    return value, None


def integer(low: int, high: int) -> Callable[[str], Parsed]:
    """Accept a whole number of this range."""

    def parse(value: str) -> Parsed:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise InvalidError(
                N_("must be a whole number from %(low)s to %(high)s"), low=low, high=high
            )
        return int(value), None

    return parse


def number(low: float, high: float) -> Callable[[str], Parsed]:
    """Accept a number of this range."""

    def parse(value: str) -> Parsed:
        try:
            found = float(value)
        except ValueError:
            found = float("nan")
        if not low <= found <= high:
            raise InvalidError(
                N_("must be a number from %(low)s to %(high)s"), low=f"{low:g}", high=f"{high:g}"
            )
        return found, None

    return parse


def choice(*allowed: str) -> Callable[[str], Parsed]:
    """Accept one of these."""

    def parse(value: str) -> Parsed:
        if value not in allowed:
            raise InvalidError(N_("must be one of %(those)s"), those=", ".join(allowed))
        return value, None

    return parse


def switch(value: str) -> Parsed:
    """Accept on or off."""
    if value not in {"on", "off"}:
        raise InvalidError(N_("must be on or off"))
    return value == "on", None


def production(value: str) -> Parsed:
    """Accept the values that Node.js programs know: a typing error must not open development."""
    if value.lower() not in {"production", "development", "test"}:
        raise InvalidError(N_("must be production, development or test"))
    return value.lower() == "production", None


def path(value: str) -> Parsed:
    """Accept a path; ~ is the home folder."""
    try:
        return Path(value).expanduser(), None
    except RuntimeError:
        raise InvalidError(N_("begins with ~ and a user who isn't known here")) from None


def _split(value: str) -> SplitResult:
    """Split an address; an impossible port or host is found here, not by who uses it."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise InvalidError(N_("isn't an address that can be understood")) from None
    return parts


def url(*schemes: str) -> Callable[[str], Parsed]:
    """Accept an address of one of `schemes`; a trailing slash is removed with a warning.

    A slash at the end of NEXTAUTH_URL once made every Google redirect mismatch.
    """

    def parse(value: str) -> Parsed:
        trimmed = value.rstrip("/")
        parts = _split(trimmed)
        if parts.scheme not in schemes or not parts.hostname:
            raise InvalidError(
                N_("must be an address that starts with %(schemes)s://"),
                schemes=" / ".join(schemes),
            )
        if parts.username is not None:
            raise InvalidError(N_("must not carry a user name or password: addresses are shown"))
        return trimmed, Words(N_("the slash at its end was removed")) if trimmed != value else None

    return parse


def metadata_url(value: str) -> Parsed:
    """Accept the address of an issuer's metadata, which says who the issuer is."""
    found, warning = url("https", "http")(value)
    if WELL_KNOWN not in found:
        raise InvalidError(N_("must be the issuer's address and %(rest)s"), rest=WELL_KNOWN)
    return found, warning


def issuer(value: str) -> Parsed:
    """Accept an issuer's address as it is: it is compared letter by letter, a last slash too."""
    url("https", "http")(value)
    parts = _split(value)
    if parts.query or parts.fragment or WELL_KNOWN in value:
        raise InvalidError(
            N_("must be the issuer itself, without %(rest)s, ? and #"), rest=WELL_KNOWN
        )
    return value, None


def label(value: str) -> Parsed:
    """Accept what fits on a button."""
    if one_line(value, MAX_LABEL) != value:
        raise InvalidError(N_("must be one line of %(most)s characters at most"), most=MAX_LABEL)
    return value, None


def origin(value: str) -> Parsed:
    """Accept an origin and write it as browsers do: small letters, no port that goes without."""
    found, warning = url("https", "http")(value)
    parts = _split(found)
    if parts.path or parts.query or parts.fragment:
        raise InvalidError(N_("must be an origin such as https://meet.example.com, without a path"))
    netloc = parts.netloc.lower()
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return f"{parts.scheme}://{netloc.removesuffix(usual)}", warning


def livekit_url(value: str) -> Parsed:
    """Accept LiveKit's address as people copy it: browsers need ws:// or wss://. `off` is none."""
    if value == OFF:
        return "", None
    found, warning = url("wss", "ws", "https", "http")(value)
    scheme, _, rest = found.partition("://")
    if scheme.startswith("http"):
        return f"{scheme.replace('http', 'ws')}://{rest}", Words(
            N_("its scheme was changed to ws(s)://")
        )
    return found, warning


def postgres_url(value: str) -> Parsed:
    """Accept PostgreSQL's address; `embedded` is none, as in development when it is unset."""
    if value == EMBEDDED:
        return None, None
    if _split(value).scheme not in {"postgres", "postgresql"}:
        raise InvalidError(N_("must start with postgresql://"))
    return value, None


def schema(value: str) -> Parsed:
    """Accept the name of a schema that needs no quotes anywhere; PostgreSQL's own aren't ours."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value) or value.startswith("pg_"):
        raise InvalidError(
            N_("must be small letters, digits and _, at most 63, and not begin with a digit or pg_")
        )
    if value == "information_schema":
        raise InvalidError(N_("is PostgreSQL's own"))
    return value, None


def host(value: str) -> Parsed:
    """Accept a host name; a scheme in front of it is removed with a warning."""
    scheme, found, rest = value.partition("://")
    name = (rest if found else scheme).rstrip("/")
    if not name or any(c in name for c in "/ ?#@:"):
        raise InvalidError(N_("must be a host name only; a port goes into NEXT_PUBLIC_WS_PORT"))
    mended = Words(N_("it must be a host only: the scheme or slash was removed"))
    return name, mended if name != value else None


def address(value: str) -> Parsed:
    """Accept an IP address or localhost."""
    if value != "localhost":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise InvalidError(N_("must be an IP address or localhost")) from None
    return value, None


def secret(value: str) -> Parsed:
    """Accept a secret; one that can be guessed is warned of."""
    return value, guessable(value)


def _several(value: str) -> list[str]:
    """Return what stands between the commas, in small letters."""
    found = [one.strip().lower() for one in value.split(",") if one.strip()]
    if not found:
        raise InvalidError(
            N_("must have at least one entry: a list of nobody would lock everybody out")
        )
    return found


def emails(value: str) -> Parsed:
    """Accept e-mail addresses with commas between them."""
    found = _several(value)
    if not all(re.fullmatch(r"[^\s@]+@[^\s@]+", one) for one in found):
        raise InvalidError(N_("must be e-mail addresses such as ada@example.com, with commas"))
    return frozenset(found), None


def languages(most: int) -> Callable[[str], Parsed]:
    """Accept codes of languages with commas between them."""

    def parse(value: str) -> Parsed:
        try:
            return spoken.codes_of(value.split(","), spoken.CODES, most), None
        except spoken.MistakeError:
            raise InvalidError(
                N_("must be codes of languages such as en or ru, with commas, at most %(most)s"),
                most=most,
            ) from None

    return parse


def vocabulary(value: str) -> Parsed:
    """Accept names and terms with commas between them."""
    try:
        return spoken.vocabulary_of(value), None
    except spoken.MistakeError:
        raise InvalidError(
            N_("must be at most %(most)s names or terms of up to %(words)s words, with commas"),
            most=spoken.MAX_ENTRIES,
            words=spoken.MAX_WORDS,
        ) from None


def domains(value: str) -> Parsed:
    """Accept the domains of e-mail addresses with commas between them; an @ in front may stand."""
    found = [one.removeprefix("@") for one in _several(value)]
    if not all(re.fullmatch(r"[^\s@*/:.]+(\.[^\s@*/:.]+)+", one) for one in found):
        raise InvalidError(
            N_("must be domains such as example.com, with commas; no * and no address")
        )
    return frozenset(found), None
