"""Where this server is on the net, as links say it that people send to each other."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from core.settings import Settings, is_loopback


def own_origin(connection: HTTPConnection, settings: Settings) -> str:
    """Return the origin to put into links: in development without TLS, the one the browser used."""
    if settings.production or settings.https:
        return settings.public_url
    return f"{connection.url.scheme}://{connection.url.netloc}"


def is_local(origin: str) -> bool:
    """Whether only this computer finds what is at this origin."""
    try:
        return is_loopback(urlsplit(origin).hostname or "")
    except ValueError:  # a Host header can be anything
        return False
