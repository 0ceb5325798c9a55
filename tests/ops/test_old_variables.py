"""The variables of the two deployments that this replaces start Sessions as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.emulators.gladia import API_KEY, GladiaEmulator
from tests.emulators.openid import CLIENT_ID, CLIENT_SECRET, METADATA, Provider
from tests.ops.test_settings import check
from tests.support.app_server import free_port
from tests.support.forked import ForkedServer
from tests.support.http import outside
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

# As dashboards for environment variables export them: of the pages' host, of the sockets'.
PAGES = """
# Created by the dashboard's command line
NODE_ENV="production"
DATABASE_URL="{database}"
NEXTAUTH_URL="https://meet.example.com/"
NEXTAUTH_SECRET="kq3uGd2mW8xTz7LwPf4RnVb6YcJh1Es9"
GOOGLE_CLIENT_ID="{client}"
GOOGLE_CLIENT_SECRET="{secret}"
LIVEKIT_URL="wss://video.example.com"
NEXT_PUBLIC_LIVEKIT_URL="wss://video.example.com"
LIVEKIT_API_KEY="APIx8Jr2LkWq"
LIVEKIT_API_SECRET="h3Vn8Rk1Zs6Yp0Qw4Tb9Xm2Lc7Gd5Fj"
TRANSCRIPTION_JWT_SECRET="9f2c7ab04d1e8863bb5a60fe93d2c417"
NEXT_PUBLIC_WS_HOST="https://meet.example.com"
NEXT_PUBLIC_WS_PORT="443"
WS_SERVER_URL="https://meet.example.com"
OPENAI_API_KEY="sk-made-up"
"""
SOCKETS = """
export WS_PORT={port}
export LIVEKIT_HTTP_URL=https://video.example.com
export GLADIA_API_KEY={gladia}
export TRANSCRIPTION_JWT_SECRET=9f2c7ab04d1e8863bb5a60fe93d2c417
"""
WELL = ("ok", "note")


@pytest.fixture
def pasted(tmp_path: Path, make_database: Callable[[], str]) -> tuple[Path, int]:
    """A folder with both in its .env, and the port."""
    port = free_port()
    values = {
        "database": make_database(),
        "client": CLIENT_ID,
        "secret": CLIENT_SECRET,
        "gladia": API_KEY,
        "port": port,
    }
    (tmp_path / ".env").write_text((PAGES + SOCKETS).format(**values))
    return tmp_path, port


def test_the_variables_of_the_old_pair_start_one_process(pasted: tuple[Path, int]) -> None:
    folder, port = pasted
    with Provider() as provider, GladiaEmulator() as gladia:
        # What only a test sets: where its own services are.
        own = {
            "HOST": "127.0.0.1",
            "GOOGLE_METADATA_URL": provider.url + METADATA,
            "GLADIA_API_URL": gladia.url,
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
        }
        server = ForkedServer(own, folder / "log", "serve", folder)
        try:
            url = f"http://localhost:{port}"
            wait_until(lambda: _answers(url), news=(folder / "log").read_text)
            there = {"Host": "meet.example.com", "X-Forwarded-Proto": "https"}
            answer = Visitor(url).http.get("/sign-in/google", headers=there)
            assert answer.status_code == 303
            assert "meet.example.com%2Fapi%2Fauth%2Fcallback%2Fgoogle" in answer.headers["location"]
            assert Visitor(url).http.get("/setup").status_code == 404, "production, and nobody"
            policy = Visitor(url).http.get("/").headers["content-security-policy"]
            assert "wss://meet.example.com wss://video.example.com" in policy
            wait_until(lambda: _told_after_the_start(folder, url))
            _, told = check(folder, "check --json", **own)
            _, offline = check(folder, **own)
        finally:
            server.kill()
    states = {one["name"]: one["state"] for one in json.loads(told)["settings"]}
    assert set(states.values()) == {"set", "default"}
    assert states["LIVEKIT_API_URL"] == "set"
    checks = {one["check"]: one["state"] for one in json.loads(told)["checks"]}
    assert checks["database"] in WELL
    assert checks["sign-in"] == checks["speech"] == "ok"
    assert checks["video"] == checks["ai"] == checks["outside"] == "failed", "nobody is there"
    assert "Production would start." in offline
    assert re.search(r"^set +NEXTAUTH_URL: .*the slash at its end was removed$", offline, re.M)
    assert re.search(r"^set +PORT or WS_PORT: \d+, by the name WS_PORT$", offline, re.M)


def _told_after_the_start(folder: Path, url: str) -> bool:
    """Whether the start has said what doesn't work, and who asks whether it is ready hears that."""
    known = outside("GET", f"{url}/health/ready").json()["checks"]
    if not known:
        return False
    assert known["database"] in WELL, "a note where this machine is busy"
    assert known["sign-in"] == known["speech"] == "ok"
    assert known["video"] == known["ai"] == "failed"
    assert "outside" not in known, "a proxy may wait for us to be ready"
    told = (folder / "log").read_text()
    return "Video: LiveKit can't be reached" in told and "→ Start LiveKit" in told


def _answers(url: str) -> bool:
    try:
        return outside("GET", f"{url}/health").status_code == 200
    except httpx2.TransportError:
        return False
