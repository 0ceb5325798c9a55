"""Who is measured: Sessions itself, plain TCP pass-throughs, and minimal relays."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

import jwt

from benchmarks.rig import BUILD, GENERATOR_CORE, HERE, RELAY_PORT, SCRATCH, UPSTREAM_PORT
from core import tokens
from core.database import Database
from core.model import Participant, Session
from core.store import participants, sessions, spaces
from core.store import people as users
from core.store.keys import digest_of, new_key
from tests.support.own_postgres import OwnPostgres

UPSTREAM_URL = f"http://127.0.0.1:{UPSTREAM_PORT}"
SECRET = "only-for-the-benchmark-and-long-enough"
PYTHON = sys.executable
NGINX_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Contender(Protocol):
    """A relay that can be put under load."""

    name: str
    passthrough: bool
    acks: bool  # whether the upstream acknowledges every frame
    once: bool  # whether one round is enough
    most: int | None  # streams that are worth trying
    searched: bool  # whether to look for the most streams that it carries

    def missing(self) -> str | None:
        """Return what has to be installed first, None when it can run."""

    def services(self) -> AbstractContextManager[None]:
        """Whatever it needs for all its measurements."""

    def command(self) -> list[str]:
        """Return how it is started, on RELAY_PORT and towards UPSTREAM_URL."""

    def environment(self) -> Mapping[str, str]:
        """Return its environment beside ours."""

    def tokens(self, streams: int, room: int) -> list[str]:
        """Make places for that many browsers and return their tokens."""


class _Plain:
    """What a relay without accounts and database has in common."""

    passthrough = False
    acks = True
    once = True
    most: int | None = None
    searched = False

    def services(self) -> AbstractContextManager[None]:
        """Contender."""
        return nullcontext()

    def environment(self) -> Mapping[str, str]:
        """Contender."""
        return {}

    def tokens(self, streams: int, room: int) -> list[str]:
        """Contender."""
        return [f"r{number // room}.p{number}" for number in range(streams)]


class Nginx(_Plain):
    """nginx's `stream` module: bytes in, bytes out, the least a proxy can do."""

    NAME = "nginx stream (pass-through)"
    WITH_ACKS = f"{NAME}, with acknowledgments"
    passthrough = True

    def __init__(self, *, acks: bool = False) -> None:
        self.name = self.WITH_ACKS if acks else self.NAME
        self.acks = acks
        self.once = False

    def missing(self) -> str | None:
        """Contender."""
        if shutil.which("nginx") and NGINX_STREAM_MODULE.exists():
            return None
        return "nginx with its stream module (apt-get install nginx libnginx-mod-stream)"

    def command(self) -> list[str]:
        """Contender."""
        config = SCRATCH / "nginx.conf"
        config.write_text(
            f"load_module {NGINX_STREAM_MODULE};\n"
            "daemon off; master_process off; worker_rlimit_nofile 65536;\n"
            f"pid {SCRATCH}/nginx.pid; error_log stderr;\n"
            "events { worker_connections 32768; }\n"
            f"stream {{ server {{ listen 127.0.0.1:{RELAY_PORT} backlog=4096;"
            f" proxy_pass 127.0.0.1:{UPSTREAM_PORT}; tcp_nodelay on; }} }}\n"
        )
        return ["nginx", "-e", "stderr", "-p", str(SCRATCH), "-c", str(config)]


class HAProxy(_Plain):
    """HAProxy in TCP mode, one thread."""

    name = "HAProxy TCP (pass-through)"
    passthrough = True
    acks = False

    def missing(self) -> str | None:
        """Contender."""
        return None if shutil.which("haproxy") else "HAProxy (apt-get install haproxy)"

    def command(self) -> list[str]:
        """Contender."""
        config = SCRATCH / "haproxy.cfg"
        config.write_text(
            "global\n  nbthread 1\n  maxconn 8000\n"
            "defaults\n  mode tcp\n"
            "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
            f"listen relay\n  bind 127.0.0.1:{RELAY_PORT} backlog 4096\n"
            f"  server upstream 127.0.0.1:{UPSTREAM_PORT}\n"
        )
        return ["haproxy", "-db", "-f", str(config)]


class Node(_Plain):
    """A minimal relay with Node and `ws`."""

    NAME = "Node `ws`, minimal relay"
    WITHOUT_ACKS = f"{NAME}, without acknowledgments"

    def __init__(self, *, acks: bool = True) -> None:
        self.name = self.NAME if acks else self.WITHOUT_ACKS
        self.acks = acks
        self.once = not acks
        self.searched = acks

    def missing(self) -> str | None:
        """Contender."""
        if not shutil.which("node"):
            return "Node.js"
        if (BUILD / "node_modules" / "ws").exists():
            return None
        npm = shutil.which("npm")
        install = [npm or "npm", "install", "--silent", "--no-audit", "--prefix", str(BUILD)]
        if npm and subprocess.run([*install, "ws@8"], check=False).returncode == 0:
            return None
        return "the npm package ws (npm install ws in benchmarks/build)"

    def command(self) -> list[str]:
        """Contender."""
        relay = HERE / "peers" / "node_relay.mjs"
        return ["node", str(relay), str(RELAY_PORT), UPSTREAM_URL]

    def environment(self) -> Mapping[str, str]:
        """Contender."""
        return {"NODE_ENV": "production"}


class Sdk(_Plain):
    """A minimal relay whose upstream client is the official SDK."""

    name = "Starlette + official SDK upstream"
    most: int | None = 40

    def missing(self) -> str | None:
        """Contender."""
        return None

    def command(self) -> list[str]:
        """Contender."""
        return [PYTHON, str(HERE / "peers" / "sdk_relay.py"), str(RELAY_PORT), UPSTREAM_URL]


class Sessions:
    """The product as it is deployed, with a PostgreSQL beside it; its CPU isn't counted."""

    NAME = "Sessions"
    WITHOUT_ACKS = f"{NAME}, without acknowledgments"
    GATED = f"{NAME}, voice gate on"
    passthrough = False
    most: int | None = None

    def __init__(self, *, gated: bool = False, acks: bool = True, root: Path = HERE.parent) -> None:
        self.name = self.GATED if gated else self.NAME if acks else self.WITHOUT_ACKS
        self._root = root  # of the checkout
        self.acks = acks
        self.searched = acks and not gated
        self.once = gated
        self._gated = gated
        self._database_url = ""

    def missing(self) -> str | None:
        """Contender."""
        return None

    @contextmanager
    def services(self) -> Iterator[None]:
        """Run PostgreSQL on the generator's core, so that the relay's stays its own."""
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {GENERATOR_CORE})
        try:
            # Not the embedded one, whose address is good in its own process only.
            with OwnPostgres() as postgres:
                self._database_url = postgres.url
                yield
        finally:
            os.sched_setaffinity(0, cores)

    def command(self) -> list[str]:
        """Contender."""
        return [PYTHON, str(self._root / "app.py"), "serve"]

    def environment(self) -> Mapping[str, str]:
        """Contender."""
        return {
            "DATABASE_URL": self._database_url,
            "DATA_DIR": str(SCRATCH / "data"),
            "NEXTAUTH_URL": f"http://127.0.0.1:{RELAY_PORT}",
            "NEXTAUTH_SECRET": SECRET[::-1],
            "TRANSCRIPTION_JWT_SECRET": SECRET,
            "SPEECH_ENGINE": "gladia",
            "GLADIA_API_KEY": "bench",
            "GLADIA_API_URL": UPSTREAM_URL,
            "GLADIA_MAX_STREAMS": "10000",
            "VOICE_GATE": "on" if self._gated else "off",
            "RATE_LIMIT_FACTOR": "1000",
            "HOST": "127.0.0.1",
            "PORT": str(RELAY_PORT),
        }

    def tokens(self, streams: int, room: int) -> list[str]:
        """Contender."""
        return asyncio.run(_join(self._database_url, self._root, streams, room))


async def _join(url: str, root: Path, streams: int, room: int) -> list[str]:
    """Make sessions with `room` guests each and return the guests' tokens for this checkout."""
    db = Database(url)
    await db.connect()
    try:
        host = await users.create(db, "bench", "host", "Host", "host@example.com")
        space = await spaces.first_space(db, host.id, "Benchmark")
        made: list[str] = []
        while len(made) < streams:
            session = await sessions.create(db, space, host.id, "Benchmark")
            for number in range(min(room, streams - len(made))):
                key, name = new_key(), f"Guest {number}"
                guest = await participants.add_guest(db, session.id, name, "ADMITTED", key=key)
                made.append(_token(root, session, guest, key))
        return made
    finally:
        await db.disconnect()


def _token(root: Path, session: Session, guest: Participant, key: str) -> str:
    token = tokens.mint(SECRET, session, guest, digest_of(key))
    if (root / "core/store/keys.py").exists():
        return token
    # A checkout of before tokens named keys takes none with an audience.
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({name: claims[name] for name in claims if name != "aud"}, SECRET)


def everybody() -> list[Contender]:
    """Return all contenders."""
    return [
        Sessions(),
        Nginx(),
        Nginx(acks=True),
        HAProxy(),
        Node(),
        Sessions(acks=False),
        Node(acks=False),
        Sdk(),
        Sessions(gated=True),
    ]
