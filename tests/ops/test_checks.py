"""Each thing that `check` looks at, whole and broken: it says what is wrong and what to do."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from core import checks, probe, proof
from core.checks import CHECKS, OUTSIDE, Check, Outcome, asking
from core.settings import Settings, load
from core.words import Words
from tests.conftest import MakeServer
from tests.emulators.gladia import API_KEY, GladiaEmulator
from tests.emulators.livekit.server import LiveKitServer
from tests.emulators.openid import CLIENT_ID, CLIENT_SECRET, METADATA, TOKEN, Provider
from tests.ops.test_settings import SECRET, check
from tests.support.app_server import AppServer, free_port
from tests.support.call import real_environment
from tests.support.database_line import DatabaseLine
from tests.support.http import Browser
from tests.support.own_postgres import OwnPostgres
from tests.support.proxy import Proxy, proxy
from tests.support.sign_in import GOOGLE, claims_of, quick_sign_in
from tests.support.tls import behind_tls
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

ALL = {one.name: one for one in (*CHECKS, *OUTSIDE)}
SOCKET_TROUBLE = "The socket doesn't connect"
LOGIN_TROUBLE = "Login returns to the login page"
SPEECH_TROUBLE = "No transcription"


async def found(settings: Settings, name: str) -> list[Outcome]:
    """Return what one check finds."""
    return await checks.run(settings, checks=(ALL[name],))


async def only(settings: Settings, name: str) -> Outcome:
    """Return the one thing that a check finds."""
    (outcome,) = await found(settings, name)
    return outcome


def assert_failed(outcome: Outcome, what: str, todo: str, why: str = "") -> None:
    """It failed, for this reason, and says why that matters and what to do."""
    assert outcome.state == "failed", outcome
    assert what in outcome.what
    assert outcome.todo is not None
    assert todo in outcome.todo
    assert outcome.why is not None
    assert why in outcome.why


# PostgreSQL


@pytest.fixture
def database(make_database: Callable[[], str]) -> str:
    """The address of an empty database."""
    return make_database()


def name_of(address: str) -> str:
    """Return the database's name."""
    return address.partition("@/")[2].partition("?")[0]


async def test_a_database_tells_what_it_is(database: str) -> None:
    outcome = await only(Settings(database_url=database), "database")
    assert outcome.state == "ok"
    assert "without TLS" in outcome.what
    assert "tables: made at the next start" in outcome.what
    assert outcome.facts["tls"] is None
    assert str(outcome.facts["version"])[0].isdigit()
    assert abs(float(outcome.facts["clock_ahead_s"] or 0)) < 5


async def test_a_database_that_isn_t_there_is_told() -> None:
    address = f"postgresql://ada:hunter2@localhost:{free_port()}/sessions"
    outcome = await only(Settings(database_url=address), "database")
    assert_failed(outcome, "PostgreSQL is away (ConnectionRefusedError)", "correct DATABASE_URL")
    assert "hunter2" not in repr(outcome)


async def test_a_database_of_another_name_is_told(database: str) -> None:
    address = database.replace("?", "_gone?")
    outcome = await only(Settings(database_url=address), "database")
    assert_failed(outcome, "no database of the name in DATABASE_URL", "DATABASE_URL")


async def test_a_database_that_hangs_has_its_time() -> None:
    with OwnPostgres() as postgres:
        with postgres.frozen():
            outcome = await only(Settings(database_url=postgres.url), "database")
        assert outcome.state == "failed"
        assert "PostgreSQL is away" in outcome.what


@pytest.mark.parametrize(
    ("statements", "user", "what", "todo"),
    [
        (
            ["ALTER DATABASE {database} SET default_transaction_read_only = on"],
            "postgres",
            "read-only",
            "primary server",
        ),
        (
            ["CREATE ROLE {database}_reader LOGIN", "REVOKE ALL ON SCHEMA public FROM PUBLIC"],
            "{database}_reader",
            "doesn't let our user make tables",
            "the owner of its database",
        ),
    ],
)
async def test_a_database_that_refuses_is_told(
    database: str, statements: list[str], user: str, what: str, todo: str
) -> None:
    name = name_of(database)
    connection = await asyncpg.connect(database)
    for statement in statements:
        await connection.execute(statement.format(database=name))
    await connection.close()
    asked = database.replace("postgres:@", f"{user.format(database=name)}:@")
    outcomes = await found(Settings(database_url=asked), "database")
    assert [one.state for one in outcomes] == ["ok", "failed"]
    assert_failed(outcomes[1], what, todo)


async def test_a_database_in_another_encoding_is_told(database: str) -> None:
    name = name_of(database)
    connection = await asyncpg.connect(database)
    await connection.execute(
        f"CREATE DATABASE {name}_old ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    )
    await connection.close()
    settings = Settings(database_url=database.replace(name, f"{name}_old"))
    outcomes = await found(settings, "database")
    assert_failed(outcomes[1], "SQL_ASCII, not in UTF-8", "ENCODING 'UTF8'")


# The OpenID provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def google(provider: Provider) -> Iterator[Settings]:
    """Settings of a provider that behaves."""
    provider.behave()
    yield Settings(
        public_url="https://meet.example.com",
        google_client_id=CLIENT_ID,
        google_client_secret=CLIENT_SECRET,
        google_metadata_url=provider.url + METADATA,
    )
    provider.instead.clear()


async def test_a_provider_that_knows_us_is_told_with_the_address_to_register(
    google: Settings,
) -> None:
    outcome = await only(google, "sign-in")
    assert outcome.state == "ok"
    assert "https://meet.example.com/api/auth/callback/google" in outcome.what


async def test_a_client_that_the_provider_doesn_t_know_is_told(google: Settings) -> None:
    outcome = await only(replace(google, google_client_secret="hunter2"), "sign-in")
    assert_failed(outcome, "doesn't know this client", "GOOGLE_CLIENT_SECRET", LOGIN_TROUBLE)
    assert "hunter2" not in repr(outcome)


async def test_without_a_provider_production_is_told_how_to_sign_in() -> None:
    outcome = await only(Settings(production=True), "sign-in")
    assert outcome.state == "skipped"
    assert "`python app.py link`" in outcome.what


async def test_every_provider_is_looked_at(provider: Provider, google: Settings) -> None:
    with Provider(tail="/") as other:
        other.ways = ["client_secret_post"]
        given = {"OIDC_ISSUER": other.issuer, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_NAME": "Lab"}
        lab = load(given | {"OIDC_CLIENT_SECRET": CLIENT_SECRET}).oidc
        first, second = await found(replace(google, oidc=lab), "sign-in")
        assert (first.state, second.state) == ("ok", "ok"), second
        assert "Google knows this client" in first.what
        assert "Lab knows this client" in second.what
        assert second.what.endswith("https://meet.example.com/api/auth/callback/oidc")
        assert other.proofs == ["client_secret_post"]
        other.tail = ""
        _, second = await found(replace(google, oidc=lab), "sign-in")
        assert_failed(second, f"another issuer: {other.url}", "Set OIDC_ISSUER", LOGIN_TROUBLE)


@pytest.mark.parametrize(
    ("answer", "state", "what"),
    [
        ((400, '{"error": "redirect_uri_mismatch"}'), "failed", "our redirect address"),
        ((400, '{"error": "invalid_request"}'), "note", "doesn't tell whether it knows"),
        ((500, "<html>"), "note", "doesn't tell whether it knows"),
    ],
)
async def test_other_answers_of_the_provider_are_told(
    provider: Provider, google: Settings, answer: tuple[int, str], state: str, what: str
) -> None:
    provider.instead[TOKEN] = answer
    outcome = await only(google, "sign-in")
    assert outcome.state == state
    assert what in outcome.what
    said = f"{outcome.what} {outcome.todo}"
    assert "https://meet.example.com/api/auth/callback/google" in said


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((404, "<html>"), "isn't an OpenID provider (404)"),
        ((200, "<html>"), "isn't an OpenID provider (200)"),
        ((200, "[]"), "isn't an OpenID provider (200)"),
        ((200, '{"issuer": "https://other.example"}'), "another issuer: https://other.example"),
        ((200, '{"issuer": "ISSUER"}'), "authorization_endpoint, token_endpoint, jwks_uri"),
        ((200, "[" * 100_000), "isn't an OpenID provider (200)"),
        ((200, " " * (2 << 20)), "has no end"),
    ],
)
async def test_metadata_that_can_t_be_used_are_told(
    provider: Provider, google: Settings, answer: tuple[int, str], what: str
) -> None:
    provider.instead[METADATA] = answer[0], answer[1].replace("ISSUER", provider.url)
    assert_failed(await only(google, "sign-in"), what, "", LOGIN_TROUBLE)


# LiveKit


@pytest.fixture
async def livekit() -> AsyncIterator[LiveKitServer]:
    async with LiveKitServer() as running:
        yield running


@pytest.mark.livekit
@pytest.mark.filterwarnings("ignore:The HMAC key is")  # of `livekit-server --dev`
async def test_a_real_livekit_is_looked_at_from_both_sides() -> None:
    real = real_environment()
    settings = Settings(
        livekit_url=real["LIVEKIT_URL"],
        livekit_api_url=real["LIVEKIT_URL"].replace("ws", "http", 1),
        livekit_api_key=real["LIVEKIT_API_KEY"],
        livekit_api_secret=real["LIVEKIT_API_SECRET"],
    )
    inner, outer = await found(settings, "video")
    assert (inner.state, outer.state) == ("ok", "ok"), (inner, outer)
    assert inner.facts["clock_ahead_s"] is not None
    assert_failed(
        await only(replace(settings, livekit_api_secret="hunter2" * 8), "video"),
        "doesn't take LIVEKIT_API_KEY",
        "LIVEKIT_KEYS",
    )


def calls(livekit: LiveKitServer) -> Settings:
    """Settings of this LiveKit."""
    return Settings(
        livekit_url=livekit.url.replace("http", "ws"),
        livekit_api_url=livekit.url,
        livekit_api_key=livekit.key,
        livekit_api_secret=livekit.secret,
    )


async def test_livekit_is_looked_at_from_both_sides(livekit: LiveKitServer) -> None:
    inner, outer = await found(calls(livekit), "video")
    assert (inner.state, outer.state) == ("ok", "ok"), (inner, outer)
    assert abs(float(inner.facts["clock_ahead_s"] or 0)) < 5
    assert not livekit.rooms, "the room that was made to look is gone"


async def test_a_key_that_livekit_doesn_t_take_is_told(livekit: LiveKitServer) -> None:
    settings = replace(calls(livekit), livekit_api_secret="hunter2" * 8)
    outcome = await only(settings, "video")
    assert_failed(outcome, "doesn't take LIVEKIT_API_KEY", "LIVEKIT_KEYS", "There is no call")
    assert "hunter2" not in repr(outcome)


async def test_a_livekit_that_isn_t_there_is_told(livekit: LiveKitServer) -> None:
    nowhere = f"http://localhost:{free_port()}"
    outcome = await only(replace(calls(livekit), livekit_api_url=nowhere), "video")
    assert_failed(outcome, "nothing listens at localhost", f"LIVEKIT_API_URL ({nowhere})")


async def test_an_outer_address_without_websockets_is_told(livekit: LiveKitServer) -> None:
    with proxy(livekit.url) as front:
        settings = replace(calls(livekit), livekit_url=front.url.replace("http", "ws"))
        inner, outer = await found(settings, "video")
    assert inner.state == "ok"
    assert_failed(outer, "browsers can't connect to LiveKit", "pass WebSockets", "no call")


async def test_two_different_livekit_servers_are_told(livekit: LiveKitServer) -> None:
    async with LiveKitServer() as other:
        settings = replace(calls(livekit), livekit_url=other.url.replace("http", "ws"))
        _, outer = await found(settings, "video")
    assert_failed(outer, "two different LiveKit servers", "outer and inner address", "can't mute")


async def test_what_isn_t_livekit_is_told(livekit: LiveKitServer) -> None:
    with proxy() as front:
        front.instead = 404, {}
        settings = replace(calls(livekit), livekit_url="ws://x", livekit_api_url=front.url)
        outcome = await only(settings, "video")
    assert_failed(outcome, "isn't LiveKit's API (404)", "without /rtc")


async def test_clocks_that_differ_are_told(livekit: LiveKitServer) -> None:
    with proxy(livekit.url) as front, late_api(front):
        settings = replace(calls(livekit), livekit_api_url=front.url)
        outcome = (await found(settings, "video"))[0]
    assert_failed(outcome, "clock and this server's are", "NTP", "can't join the call")


@contextmanager
def late_api(front: Proxy) -> Iterator[None]:
    """Let a proxy answer for LiveKit with the clock of last year."""

    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(b"OK")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(b"")  # a ListRoomsResponse without rooms

        def answer(self, body: bytes) -> None:
            self.send_response_only(200)
            self.send_header("Date", "Thu, 27 Nov 2025 12:00:00 GMT")
            self.send_header("Content-Type", "application/protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Late)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    front.url = f"http://localhost:{server.server_address[1]}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Speech and AI


@pytest.fixture(scope="module")
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


async def test_gladia_s_key_is_tried_without_a_session(gladia: GladiaEmulator) -> None:
    settings = Settings(gladia_api_key=API_KEY, gladia_api_url=gladia.url)
    outcome = await only(settings, "speech")
    assert outcome.state == "ok", outcome
    assert "Gladia knows the key" in outcome.what
    assert not gladia.sessions, "no stream was opened, which would cost money"


async def test_a_key_that_gladia_doesn_t_know_is_told(gladia: GladiaEmulator) -> None:
    settings = Settings(gladia_api_key="hunter2", gladia_api_url=gladia.url)
    outcome = await only(settings, "speech")
    assert_failed(outcome, "doesn't know this GLADIA_API_KEY", "app.gladia.io", SPEECH_TROUBLE)
    assert "hunter2" not in repr(outcome)


@pytest.mark.parametrize(
    ("status", "state", "what"),
    [(402, "failed", "refuses this account"), (503, "note", "says nothing of the key")],
)
async def test_other_answers_of_gladia_are_told(status: int, state: str, what: str) -> None:
    with proxy() as front:
        front.instead = status, {}
        settings = Settings(gladia_api_key="key", gladia_api_url=front.url)
        outcome = await only(settings, "speech")
    assert outcome.state == state
    assert what in outcome.what


async def test_a_gladia_that_can_t_be_reached_is_told() -> None:
    address = "https://gladia.invalid"
    outcome = await only(Settings(gladia_api_key="key", gladia_api_url=address), "speech")
    assert_failed(outcome, "DNS has no address for it", address, SPEECH_TROUBLE)


async def test_an_engine_without_a_key_and_one_that_is_off_are_told() -> None:
    outcome = await only(Settings(speech_engine="gladia"), "speech")
    assert_failed(outcome, "GLADIA_API_KEY isn't set", "SPEECH_ENGINE=local", SPEECH_TROUBLE)
    off = await only(Settings(speech_engine="off"), "speech")
    assert off.state == "note"
    assert off.why is not None
    assert SPEECH_TROUBLE in off.why
    assert (await only(Settings(speech_engine="local"), "speech")).state == "ok"


async def test_what_the_engine_doesn_t_use_is_told(gladia: GladiaEmulator) -> None:
    with_key = partial(Settings, gladia_api_key=API_KEY, gladia_api_url=gladia.url)
    first, unused = await found(
        with_key(speech_model="whisper-base", vocabulary=("Nyquist",)), "speech"
    )
    assert (first.state, unused.state) == ("ok", "note")
    assert unused.what == "SPEECH_MODEL isn't used: Gladia transcribes"
    assert unused.todo is not None
    assert "SPEECH_ENGINE=local" in unused.todo
    assert (await only(with_key(vocabulary=("Nyquist",)), "speech")).state == "ok"

    local = Settings(speech_engine="local", vocabulary=("Nyquist",), translate_to=("en",))
    first, unused = await found(local, "speech")
    assert (first.state, unused.state) == ("ok", "note")
    assert "doesn't use VOCABULARY, TRANSLATE_TO" in unused.what
    assert (await only(replace(local, vocabulary=(), translate_to=()), "speech")).state == "ok"


@pytest.mark.parametrize(
    ("answer", "model", "state", "what"),
    [
        ((200, '{"data": [{"id": "small"}, {"id": "large"}]}'), "large", "ok", "models: 2"),
        ((200, '{"data": [{"id": "small"}]}'), "large", "failed", "has no model large; it has sma"),
        ((200, '{"data": [7, {}]}'), None, "ok", "models: 0"),
        ((200, "<html>"), None, "failed", "isn't a service like OpenAI's"),
        ((404, "{}"), None, "failed", "/models answers 404"),
        ((401, "{}"), None, "failed", "refuses OPENAI_API_KEY"),
    ],
)
async def test_an_openai_compatible_service_is_asked_for_its_models(
    provider: Provider, answer: tuple[int, str], model: str | None, state: str, what: str
) -> None:
    provider.instead["/v1/models"] = answer
    address = f"{provider.url}/v1"
    settings = Settings(openai_api_key="hunter2", openai_base_url=address, openai_model=model)
    outcome = await only(settings, "ai")
    assert outcome.state == state, outcome
    assert what in outcome.what
    assert "hunter2" not in repr(outcome)


async def test_a_service_that_answers_drop_by_drop_has_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.5)  # a busy machine isn't to reach the check's own
    with socket.create_server(("localhost", 0)) as silent:
        address = f"http://localhost:{silent.getsockname()[1]}/v1"
        settings = Settings(openai_api_key="key", openai_base_url=address)
        outcome = await only(settings, "ai")
    assert_failed(outcome, "doesn't answer in time", "OPENAI_BASE_URL")


@pytest.mark.virtual_time
async def test_a_check_that_never_ends_has_its_time_and_holds_up_no_other() -> None:
    async def never(_: Settings) -> list[Outcome]:
        await asyncio.Event().wait()
        raise AssertionError

    async def quick(_: Settings) -> list[Outcome]:
        return [Outcome("quick", "ok", Words("fine"))]

    both = Check("never", "Never", never), Check("quick", "Quick", quick)
    slow, fine = await checks.run(Settings(), checks=both)
    assert_failed(slow, "no answer within 5 s", "Check again", "slow")
    assert fine.state == "ok"


# The disk


async def test_a_folder_that_takes_files_is_told_with_what_is_free(tmp_path: Path) -> None:
    outcome = await only(Settings(data_dir=tmp_path / "made" / "later"), "disk")
    assert outcome.state in ("ok", "note")
    assert int(outcome.facts["free_bytes"] or 0) > 0
    assert not (tmp_path / "made").exists()


async def test_a_folder_that_takes_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = await only(Settings(data_dir=tmp_path / "file"), "disk")
    assert_failed(outcome, "takes no files", "DATA_DIR")


@pytest.mark.parametrize(("free", "state"), [(50 << 20, "failed"), (500 << 20, "note")])
async def test_little_room_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    outcome = await only(Settings(data_dir=tmp_path), "disk")
    assert outcome.state == state
    assert "are free in" in outcome.what


# The address that people open


async def test_an_address_without_https_is_told() -> None:
    outcome = await only(Settings(public_url="http://meet.example.com"), "address")
    assert_failed(outcome, "without https", "NEXTAUTH_URL", "no microphone")
    assert (await only(Settings(), "address")).state == "ok", "but for this computer"


async def test_a_socket_at_another_host_is_told() -> None:
    settings = Settings(public_url="https://a.example", websocket_host="b.example")
    outcome = await only(settings, "address")
    assert outcome.state == "note"
    assert outcome.why is not None
    assert SOCKET_TROUBLE in outcome.why


@pytest.fixture(scope="module")
def behind(make_server_in: MakeServer) -> AppServer:
    """A server, of which the tests know the secret."""
    return make_server_in(NEXTAUTH_SECRET=SECRET)


def settings_of(server: AppServer | None, url: str) -> Settings:
    """Settings of that server, which people reach at this address."""
    tokens = server.secret if server else SECRET
    return Settings(public_url=url, login_secret=SECRET, transcription_secret=tokens)


async def test_an_address_that_leads_here_is_told(behind: AppServer) -> None:
    pages, knocked = await found(settings_of(behind, behind.url), "outside")
    assert (pages.state, knocked.state) == ("ok", "ok"), (pages, knocked)
    assert f"{behind.url} leads here" in pages.what
    assert f"WebSockets come through to ws://localhost:{behind.port}/ws whole" in knocked.what
    told = Browser(behind.url).http.get("/metrics").text
    assert 'sessions_sockets_over_total{code="500"}' not in told, "a probe is no failure"


async def test_a_proxy_that_loses_websockets_is_told(behind: AppServer) -> None:
    with proxy(behind.url) as front:
        pages, knocked = await found(settings_of(behind, front.url), "outside")
    assert pages.state == "ok"
    assert_failed(knocked, "WebSockets don't come through", "Upgrade", SOCKET_TROUBLE)


@pytest.mark.parametrize(
    ("status", "headers", "what", "todo"),
    [
        (
            301,
            {"Location": "https://www.example.com/x"},
            "leads on to https://www.",
            "=https://www",
        ),
        (502, {}, "doesn't reach Sessions (502)", "Start Sessions"),
        (404, {}, "isn't this installation", "the same NEXTAUTH_SECRET"),
        (200, {}, "isn't Sessions at all (200)", "NEXTAUTH_URL lead here"),
    ],
)
async def test_an_address_that_leads_elsewhere_is_told(
    status: int, headers: dict[str, str], what: str, todo: str
) -> None:
    with proxy() as front:
        front.instead = status, headers
        outcomes = await found(settings_of(None, front.url), "outside")
    assert_failed(outcomes[0], what, todo)
    assert outcomes[1].state == "failed"


async def test_a_server_with_another_secret_is_told(behind: AppServer) -> None:
    other = replace(settings_of(behind, behind.url), login_secret=SECRET[::-1])
    pages, knocked = await found(other, "outside")
    assert_failed(pages, "knows another NEXTAUTH_SECRET", "the same NEXTAUTH", LOGIN_TROUBLE)
    assert knocked.state == "ok"
    other = replace(settings_of(behind, behind.url), transcription_secret=SECRET)
    pages, knocked = await found(other, "outside")
    assert pages.state == "ok"
    assert_failed(knocked, "with other secrets", "TRANSCRIPTION_JWT_SECRET", SOCKET_TROUBLE)


@pytest.mark.parametrize(
    ("carries", "what", "why"),
    [
        (True, "changes the code with which a socket is closed to 1000", "come back again"),
        (False, "doesn't pass on what is sent", SOCKET_TROUBLE),
    ],
)
async def test_a_proxy_that_spoils_websockets_is_told(carries: bool, what: str, why: str) -> None:
    async def spoil(socket: ServerConnection) -> None:
        async for message in socket:
            if message == "end":
                return
            await socket.send(message if carries else b"")

    subprotocol = Subprotocol(probe.SUBPROTOCOL)
    async with serve(spoil, "localhost", 0, subprotocols=[subprotocol]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        outcomes = await found(settings_of(None, f"http://localhost:{port}"), "outside")
    assert_failed(outcomes[-1], what, "pass WebSockets on as they are", why)


@pytest.fixture
def distrustful(make_server: MakeServer) -> AppServer:
    """A server that believes one proxy, which isn't there."""
    return make_server(NEXTAUTH_SECRET=SECRET, FORWARDED_ALLOW_IPS="10.1.2.3")


async def test_a_proxy_that_isn_t_believed_is_told(distrustful: AppServer) -> None:
    with proxy(distrustful.url) as front:
        front.added = {"X-Forwarded-For": "203.0.113.7"}
        settings = settings_of(distrustful, front.url)
        pages, disbelieved, _ = await found(settings, "outside")
    assert pages.state == "ok"
    assert_failed(disbelieved, "isn't believed", "FORWARDED_ALLOW_IPS", "count as one address")
    assert "127.0.0.1" in str(disbelieved.todo)


async def test_a_name_without_an_address_and_a_certificate_of_nobody_are_told(
    tmp_path: Path, behind: AppServer
) -> None:
    nowhere = settings_of(None, "https://meet.invalid")
    assert_failed((await found(nowhere, "outside"))[0], "DNS has no address for it", "look at DNS")
    async with behind_tls(behind.url, tmp_path / "issuer.pem") as address:
        settings = Settings(database_url=None, openai_api_key="key", openai_base_url=address)
        outcome = await only(settings, "ai")
    assert_failed(outcome, "the certificate of localhost", "OPENAI_BASE_URL")


# All of it


async def test_one_check_that_breaks_holds_up_no_other() -> None:
    async def breaks(_: Settings) -> list[Outcome]:
        raise LookupError

    async def hangs(_: Settings) -> list[Outcome]:
        await asyncio.Event().wait()
        raise AssertionError

    broken = Check("ai", "AI", breaks)
    outcomes = await checks.run(Settings(), checks=(broken, ALL["address"]))
    assert [one.state for one in outcomes] == ["failed", "ok"]
    assert "the check itself failed (LookupError)" in outcomes[0].what


def test_check_finds_the_old_troubles_by_name(
    tmp_path: Path, provider: Provider, gladia: GladiaEmulator
) -> None:
    provider.behave()
    with proxy() as front:
        front.instead = 404, {}
        environ = {
            "NEXTAUTH_URL": front.url,
            "NEXTAUTH_SECRET": SECRET,
            "GOOGLE_CLIENT_ID": CLIENT_ID,
            "GOOGLE_CLIENT_SECRET": "hunter2",
            "GOOGLE_METADATA_URL": provider.url + METADATA,
            "GLADIA_API_KEY": "hunter2",
            "GLADIA_API_URL": gladia.url,
        }
        code, told = check(tmp_path, "check", **environ)
    assert code == 1
    for trouble in (SOCKET_TROUBLE, LOGIN_TROUBLE, SPEECH_TROUBLE, "There is no call"):
        assert trouble in told
    assert "What doesn’t work: Sign-in, Video, Speech recognition, From outside, Socket." in told
    assert "hunter2" not in told


def test_what_can_t_be_used_isn_t_asked(tmp_path: Path) -> None:
    _, told = check(tmp_path, "check", DATABASE_URL="mysql://a", LIVEKIT_URL="nowhere")
    assert "not asked Database: not asked: DATABASE_URL can't be used" in told
    assert "not asked Video: not asked: LIVEKIT_URL can't be used" in told


def test_a_key_whose_file_is_gone_isn_t_taken_for_none(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    environ = {f"{name}_FILE": gone for name in ("GLADIA_API_KEY", "OPENAI_API_KEY")}
    _, told = check(tmp_path, "check", **environ)
    assert "not asked Speech recognition: not asked: GLADIA_API_KEY can't be used" in told
    assert "not asked AI: not asked: OPENAI_API_KEY can't be used" in told


# The page


def test_the_page_says_the_same(behind: AppServer) -> None:
    page = Browser(behind.url).http.get("/setup").text
    assert "Check again" in page
    assert "nothing listens at localhost:7880" in page
    assert "There is no call" in page
    assert "captions are switched off by SPEECH_ENGINE" in page
    assert SECRET not in page


def test_the_page_is_for_who_runs_the_server(make_server: MakeServer, provider: Provider) -> None:
    provider.behave()
    environ = {"GOOGLE_METADATA_URL": provider.url + METADATA, **GOOGLE}
    server = make_server(ADMIN_EMAILS="Ada@example.com", **environ)
    proxied = {"X-Forwarded-For": "203.0.113.7"}  # not at this computer
    shown = {}
    for name in ("ada", "grace"):
        provider.claims = claims_of(name, name.title())
        visitor = Browser(server.url)
        assert visitor.http.get("/setup").status_code == 200, "at this computer, in development"
        assert visitor.http.get("/setup", headers=proxied).status_code == 404, "nobody"
        quick_sign_in(visitor)
        shown[name] = visitor.http.get("/setup", headers=proxied).status_code
        assert visitor.http.post("/setup").status_code == 405
    assert shown == {"ada": 200, "grace": 404}


def test_the_page_says_that_the_database_is_away(
    make_server: MakeServer, make_database: Callable[[], str]
) -> None:
    with DatabaseLine(make_database()) as line:
        ada = Visitor(make_server(DATABASE_URL=line.url).url).sign_in("Ada")
        line.cut()

        def told() -> bool:
            page = ada.http.get("/setup")
            assert page.status_code == 200, "who is signed in can't be asked, and needn't be here"
            return "Start it, or correct DATABASE_URL." in page.text

        wait_until(told)  # what was found at the start is shown for some seconds
        elsewhere = ada.http.get("/setup", headers={"X-Forwarded-For": "203.0.113.7"})
        assert elsewhere.status_code == 503


def test_nobody_gets_a_proof_without_the_secret(behind: AppServer) -> None:

    http = Browser(behind.url).http
    token, right = proof.question(SECRET)
    forged, _ = proof.question(SECRET[::-1])
    good = http.get("/health/proof", headers={"Authorization": f"Bearer {token}"})
    assert (good.status_code, good.json()["proof"]) == (200, right)
    for value in ("", "Bearer", f"Bearer {forged}", f"Basic {token}", f"Bearer {token}x" * 30):
        assert http.get("/health/proof", headers={"Authorization": value}).status_code == 404
    assert json.dumps(good.json()).find(SECRET) == -1
