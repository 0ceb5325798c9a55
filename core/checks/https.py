"""The address that people open: whether it fits the cookies, the socket and the proxy's headers.

Nothing is asked here; what the address answers is told by `outside`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from core.checks.outcome import Outcome
from core.settings import Settings, is_loopback
from core.words import N_, Words

NO_SOCKET = N_(
    "The socket doesn't connect: the room stays at “Connecting…”, without captions, chat or the"
    " others' names."
)


async def look(settings: Settings) -> list[Outcome]:
    """Look whether the addresses that are set fit together."""
    public = urlsplit(settings.public_url)
    found = []
    if not settings.https:
        here = is_loopback(public.hostname or "")
        what = Words(N_("people open %(address)s, without https"), address=settings.public_url)
        if here:
            return [Outcome("address", "ok", what, facts={"https": False})]
        found.append(
            Outcome(
                "address",
                "failed",
                what,
                Words(
                    N_(
                        "Browsers give no microphone to a page without https, and logins travel in"
                        " clear."
                    )
                ),
                Words(N_("Put a proxy with TLS in front, and set NEXTAUTH_URL to https://…")),
            )
        )
    host = settings.websocket_host
    if host and host.lower() != (public.hostname or ""):
        found.append(
            Outcome(
                "address",
                "note",
                Words(
                    N_("/ws is at another host than the pages: %(host)s (NEXT_PUBLIC_WS_HOST)"),
                    host=host,
                ),
                Words(NO_SOCKET),
                Words(
                    N_(
                        "One process serves both now: remove NEXT_PUBLIC_WS_HOST and"
                        " NEXT_PUBLIC_WS_PORT, unless that host leads here as well."
                    )
                ),
            )
        )
    if not found:
        what = Words(
            N_("people open %(address)s; cookies are kept to it and to https"),
            address=settings.public_url,
        )
        found.append(Outcome("address", "ok", what, facts={"https": settings.https}))
    return found
