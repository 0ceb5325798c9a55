"""The address that people open, as it looks through its proxy: the pages, and the socket.

Asked from this server, so a network that doesn't lead back to itself (no hairpin) looks as if
nothing answered; that is said as well.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import aiohttp

from core import probe, proof, tokens
from core.checks.asking import PATIENCE_S, Answer, NoAnswerError, ask, why_not
from core.checks.https import NO_SOCKET
from core.checks.outcome import Fact, Outcome
from core.checks.sign_in import NOBODY_SIGNS_IN
from core.settings import Settings, is_loopback
from core.words import N_, Words

HTTP_OK, UNAUTHORIZED = 200, 401
PROOF = "/health/proof"
SOUND, PING = bytes(range(256)) * 10, 32  # as a frame of audio has, and so much of it to ping with
COME_BACK = N_("Pages that were removed or signed out come back again and again.")
# What proxies answer when what is behind them isn't there.
BAD_GATEWAY = (502, 503, 504)


async def look(settings: Settings) -> list[Outcome]:
    """Look at the pages' address, then at the socket's."""
    pages = await _pages(settings)
    silent = pages[0].facts.get("answered") is False
    return pages if silent else [*pages, await _socket(settings)]


async def _pages(settings: Settings) -> list[Outcome]:
    """Ask for a proof at the address that people open."""
    address = settings.public_url
    token, right = proof.question(settings.login_secret)
    try:
        answer = await ask(address + PROOF, headers={"Authorization": f"Bearer {token}"})
    except NoAnswerError as problem:
        if is_loopback(urlsplit(address).hostname or ""):
            what = Words(N_("nothing is served at %(address)s at the moment"), address=address)
            return [Outcome("outside", "skipped", what, facts={"answered": False})]
        return [
            Outcome(
                "outside",
                "failed",
                Words(
                    N_("%(address)s can't be reached from this server: %(why)s"),
                    address=address,
                    why=problem.words,
                ),
                Words(
                    N_("People can't open it, unless only this server's own network is to blame.")
                ),
                Words(
                    N_(
                        "Open %(address)s elsewhere: if it doesn't come up there, look at DNS, the"
                        " firewall and the proxy, in this order."
                    ),
                    address=address,
                ),
                {"answered": False},
            )
        ]
    told = answer.json()
    if not isinstance(told, dict) or told.get("proof") != right:
        return [_elsewhere(address, answer)]
    return _proxied(settings, told, answer)


def _elsewhere(address: str, answer: Answer) -> Outcome:
    """Say what answers there instead of this installation."""
    target = answer.headers.get("location", "")
    if target and urlsplit(target).netloc not in ("", urlsplit(address).netloc):
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(target))
        return Outcome(
            "outside",
            "failed",
            Words(N_("%(address)s leads on to %(origin)s"), address=address, origin=origin),
            Words(NOBODY_SIGNS_IN),
            Words(
                N_("Set NEXTAUTH_URL=%(origin)s, or don't let the proxy lead there."), origin=origin
            ),
            {"status": answer.status},
        )
    if answer.status in BAD_GATEWAY:
        what = Words(
            N_("the proxy at %(address)s doesn't reach Sessions (%(status)s)"),
            address=address,
            status=answer.status,
        )
        todo = Words(N_("Start Sessions, and let the proxy pass requests on to its HOST and PORT."))
        why = Words(N_("People can't open it."))
    else:
        what = Words(
            N_(
                "what answers at %(address)s isn't this installation: it knows another"
                " NEXTAUTH_SECRET, or isn't Sessions at all (%(status)s)"
            ),
            address=address,
            status=answer.status,
        )
        todo = Words(
            N_(
                "Let NEXTAUTH_URL lead here, and give all processes behind it the same"
                " NEXTAUTH_SECRET."
            )
        )
        why = Words(NOBODY_SIGNS_IN)
    return Outcome("outside", "failed", what, why, todo, {"status": answer.status})


def _proxied(settings: Settings, told: dict[str, Fact], answer: Answer) -> list[Outcome]:
    """Say that it is there, and what the proxy leaves out."""
    address = settings.public_url
    facts: dict[str, Fact] = {"latency_ms": round(answer.seconds * 1000)}
    what = Words(
        N_("%(address)s leads here (%(ms)s ms)"),
        address=address,
        ms=f"{answer.seconds * 1000:.0f}",
    )
    found = [Outcome("outside", "ok", what, facts=facts)]
    if told.get("forwarded") is True and told.get("believed") is False:
        found.append(
            Outcome(
                "outside",
                "failed",
                Words(N_("X-Forwarded-For of the proxy isn't believed")),
                Words(
                    N_(
                        "All people count as one address: after a few sign-ins or guests in a"
                        " minute everybody is told to wait."
                    )
                ),
                Words(
                    N_("Set FORWARDED_ALLOW_IPS to the proxy's address: %(peer)s"),
                    peer=told.get("peer"),
                ),
            )
        )
    if settings.https and told.get("scheme") != "https" and told.get("believed") is not False:
        found.append(
            Outcome(
                "outside",
                "note",
                Words(N_("the proxy doesn't say that people came by https")),
                Words(N_("Links and the socket's address are made of NEXTAUTH_URL alone.")),
                Words(N_("Let it set X-Forwarded-Proto.")),
            )
        )
    return found


async def _socket(settings: Settings) -> Outcome:
    """Go through the probe of `/ws` (docs/protocol.md): upgrade, sound, ping, the code of a close.

    A proxy may open a socket and yet spoil it: cut it, answer pings itself, or make every close a
    1006, after which pages that were removed or signed out come back again and again.
    """
    address = socket_address(settings)
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as client:
            return await _probed(client, settings, address)
    except aiohttp.WSServerHandshakeError as problem:
        if problem.status == UNAUTHORIZED:
            return _refused(address)
        why = Words(N_("it answers %(status)s"), status=problem.status)
    except (aiohttp.ClientError, OSError, ValueError) as problem:
        why = why_not(problem, address)
    return Outcome(
        "socket",
        "failed",
        Words(
            N_("WebSockets don't come through to %(address)s: %(why)s"), address=address, why=why
        ),
        Words(NO_SOCKET),
        Words(
            N_("Let the proxy pass Upgrade and Connection on, as docs/deploy.md shows for each.")
        ),
    )


async def _probed(client: aiohttp.ClientSession, settings: Settings, address: str) -> Outcome:
    """Open the probe and say what its socket carries."""
    token = tokens.mint_probe(settings.token_key, "check")
    async with client.ws_connect(
        address,
        protocols=(probe.SUBPROTOCOL, token),
        origin=settings.public_url,
        max_msg_size=probe.LARGEST,
        autoping=False,
    ) as socket:
        begun = time.monotonic()
        await socket.ping(SOUND[:PING])
        pong = await socket.receive()
        milliseconds = (time.monotonic() - begun) * 1000
        await socket.send_bytes(SOUND)
        echo = await socket.receive()
        await socket.send_str(probe.END)
        await socket.receive()
        code = socket.close_code
    carried = (
        pong.type is aiohttp.WSMsgType.PONG and pong.data == SOUND[:PING] and echo.data == SOUND
    )
    if carried and code == probe.CLOSE_END:
        what = Words(
            N_("WebSockets come through to %(address)s whole (%(ms)s ms)"),
            address=address,
            ms=f"{milliseconds:.0f}",
        )
        return Outcome("socket", "ok", what, facts={"latency_ms": round(milliseconds)})
    what = (
        Words(N_("the proxy changes the code with which a socket is closed to %(code)s"), code=code)
        if carried
        else Words(N_("the proxy opens WebSockets and doesn't pass on what is sent in them"))
    )
    return Outcome(
        "socket",
        "failed",
        what,
        Words(COME_BACK if carried else NO_SOCKET),
        Words(
            N_("Let the proxy pass WebSockets on as they are, as docs/deploy.md shows for each.")
        ),
        {"code": code},
    )


def _refused(address: str) -> Outcome:
    """Say that Sessions is there, and was given another secret."""
    return Outcome(
        "socket",
        "failed",
        Words(N_("%(address)s belongs to an installation with other secrets"), address=address),
        Words(NO_SOCKET),
        Words(
            N_(
                "Give all processes the same TRANSCRIPTION_JWT_SECRET and NEXTAUTH_SECRET, and let"
                " NEXT_PUBLIC_WS_HOST lead to them, if it is set."
            )
        ),
    )


def socket_address(settings: Settings) -> str:
    """Return where a page of the public address connects to."""
    public = urlsplit(settings.public_url)
    scheme = "wss" if settings.https else "ws"
    if not settings.websocket_host:
        return f"{scheme}://{public.netloc}/ws"
    port = settings.websocket_port
    host = settings.websocket_host + (f":{port}" if port else "")
    return f"{scheme}://{host}/ws"
