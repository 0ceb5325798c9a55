"""The log: timed, bounded, and without anything that opens a door."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

import httpx2
import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from core import audit
from core.api_token import new_token
from core.signed_links import invitation_path, shared_path
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.http import outside
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until
from web.logs import (
    ACCESS_PER_MINUTE,
    MAX_LINE,
    PER_MINUTE,
    TRACES_PER_MINUTE,
    Bounded,
    Lines,
    Objects,
)
from web.request_id import RequestId, request_id

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR) [a-z_.]+ \S")
SLUG = "abcd-efgh-jkmn-pqrs"


@pytest.fixture(scope="module", params=["text", "json"])
def place(
    make_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[AppServer]:
    """A server that says all that production does, in both formats."""
    environment = {"DATABASE_URL": make_database(), "SPEECH_ENGINE": "off"}
    environment["LOG_FORMAT"] = request.param
    server = AppServer(tmp_path_factory.mktemp("logs"), environment)
    server.command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(server.port)]
    yield server.start()
    server.stop()


def lines(place: AppServer, *words: str) -> list[str]:
    """Return the lines with all these words; those of a request come after its answer."""
    told = map(as_text, place.log.splitlines())
    return [line for line in told if all(word in line for word in words)]


def as_text(line: str) -> str:
    """Return a line as it is in text, whatever it is in."""
    if not line.startswith("{"):
        return line
    told = json.loads(line)
    number = f" request={told['request']}" if "request" in told else ""
    return f"{told['time']} {told['level']} {told['logger']} {told['message']}{number}"


def test_an_operator_reads_what_happened_and_no_secret(place: AppServer) -> None:
    # No name that hexadecimal digits can spell: the log has ids.
    ada = Visitor(place.url).sign_in("Augusta Lovelace")
    slug = ada.start_session("Budget", admission="KNOCK")
    guest = Visitor(place.url).be_guest(slug, "Mallory")
    assert guest.knock(slug)[0] == 202
    token = ada.join(slug)["transcription"]["token"]
    assert ada.host(slug, "mute-all")[0] in {200, 204}
    assert ada.host(slug, "people/p_nobody/mute") == (404, "not_found")
    made = ada.http.post("/profile/tokens", data={"name": "Script", "scope": "READ"})
    good, wrong = made.json()["token"], new_token()
    for shown, status in ((good, 200), (wrong, 401)):
        headers = {"Authorization": f"Bearer {shown}"}
        assert outside("GET", f"{place.url}/spaces", headers=headers).status_code == status
    encoded = "".join(f"%{ord(letter):02x}" for letter in slug)
    for address in (
        f"/s/{encoded}",
        f"/s/{slug}?%74oken={token}",
        f"/?c%6fde={token}",
        f"/sign-in?next=/s/{slug}",
        f"/nowhere/{slug}/{quote(token)}",
        f"/ws?token={token}",
        (shared := shared_path("secret", str(uuid4()))),
        f"{shared}/lines",
        (invitation := invitation_path("secret", str(uuid4()))),
        f"/%73hared/{shared.rpartition('/')[2]}/find",
        f"/spaces?token={good}",
        f"/{wrong}",
        f"/s/{slug}/people/%0a2026-01-01T00:00:00.000Z%20ERROR%20core%20forged/mute",
    ):
        outside("GET", place.url + address)
    outside("BREW", f"{place.url}/{slug}")
    asyncio.run(_refused_socket(place, token))
    outside("POST", f"{place.url}/s/{slug}/end", headers={"Origin": "https://elsewhere.example"})
    ada.http.post("/sign-out")

    for words in (
        ["INFO audit signed_in user=", "address=127.0.0.1"],
        ["INFO audit session_started session="],
        ["INFO audit host_act act=mute by=", "session="],
        ["INFO audit refused why=not_found address=127.0.0.1"],
        ["INFO audit refused why=foreign_origin address=127.0.0.1"],
        ["INFO audit refused why=bad_token address=127.0.0.1"],
        ["INFO audit signed_out"],
        ["INFO audit api_token act=create user=", "scope=read"],
        ["INFO audit refused why=invalid_token address=127.0.0.1"],
        ["INFO access POST /s/{slug}/join 202", " ms"],
        ["INFO access GET /s/{slug} 200"],
        ["INFO access GET /shared/{token}/lines 404"],
        ["INFO access GET /invitations/{token} 404"],
        ["INFO access GET (no such address) 404"],
        ["INFO access WS /ws 401"],
    ):
        wait_until(lambda words=words: lines(place, *words), news=lambda: place.log)  # type: ignore[misc]
    told = lines(place)
    first = next(number for number, line in enumerate(told) if " INFO " in line)
    for line in [one for one in told[first:] if one.strip() and not one.startswith(" ")]:
        assert LINE.match(line), line
        assert "request=" in line or " access " not in line, line
    read = unquote(unquote(place.log)).lower()
    names = ("augusta", "lovelace", "mallory", "budget", "forged")
    links = [one.rpartition("/")[2] for one in (shared, invitation)]
    for secret in (slug, token, *links, token.split(".")[2], good[9:], wrong[9:], *names):
        assert secret.lower() not in read, secret
    assert "completing handshake" not in read, "a refusal is no error of ours"


async def _refused_socket(place: AppServer, token: str) -> None:
    with pytest.raises(InvalidStatus):
        await connect(f"ws://localhost:{place.port}/ws?token={token}&%74oken={token[:-3]}")


def test_an_outsider_cannot_fill_the_log(place: AppServer) -> None:
    before = len(place.log)
    for _ in range(PER_MINUTE * 3):
        outside("POST", f"{place.url}/sessions", headers={"Origin": "https://elsewhere.example"})
    refusals = lines(place, "audit refused why=foreign_origin")
    assert len(refusals) <= PER_MINUTE + 1  # of the test before, one more
    assert len(place.log) - before < PER_MINUTE * 3 * 360  # in JSON


def record(text: str, *values: object, name: str = "core.test", **extra: str) -> logging.LogRecord:
    """Return what a logger would make of a call."""
    line = logging.LogRecord(name, logging.WARNING, "file.py", 1, text, values, None)
    line.__dict__.update(extra)
    return line


def test_what_is_left_out_is_counted_and_others_are_still_told() -> None:
    bounded = Bounded()
    passed = [bounded.filter(record("away: %d", number)) for number in range(100)]
    assert sum(passed) == PER_MINUTE
    assert bounded.filter(record("something else"))
    for kind in bounded._kinds.values():
        kind.began -= 61
    next_one = record("away: %d", 100)
    assert bounded.filter(next_one)
    assert next_one.getMessage() == f"away: 100 ({100 - PER_MINUTE} more of these were left out)"


def test_kinds_are_bounded_each_in_its_own_way() -> None:
    bounded = Bounded()

    def passed(many: int, *values: object, **kind: str) -> int:
        return sum(bounded.filter(record("%s", *values, **kind)) for _ in range(many))

    assert passed(2000, "GET", name="access", kind="4") == ACCESS_PER_MINUTE
    assert passed(1, "GET", name="access", kind="2") == 1, "refusals don't crowd out the others"
    assert passed(100, "a", name="audit", kind="refused") == PER_MINUTE
    assert passed(1, "a", name="audit", kind="signed_in") == 1
    others = [bounded.filter(record(f"text {number}")) for number in range(2000)]
    assert sum(others) < 600, "texts with a value in them share a bound"
    traces = [record("broken") for _ in range(50)]
    for one in traces:
        one.exc_info = (ValueError, ValueError("x"), None)
    bounded = Bounded()
    assert sum(bounded.filter(one) for one in traces) == TRACES_PER_MINUTE


@pytest.mark.parametrize(
    "text",
    [
        f"GET /s/{SLUG}/join",
        f"GET /s/{SLUG.upper()}",
        f"GET /r/{SLUG}/settings",
        f"see https://meet.example.org/s/{SLUG}?x=1",
        f"next=/s/{SLUG}",
        f"room {SLUG} is gone",
        "/s/%61bcd-efgh-jkmn-pqrs",
        "https://meet.example.org/shared/abcd_EFGH-1234/lines?after=3",
        "POST /invitations/abcd_EFGH-1234",
        "/%73hared%2fabcd_EFGH-1234",
        "/s/%2561bcd-efgh-jkmn-pqrs",
        "/s%2fabcd-efgh-jkmn-pqrs",
        "/%73/abcd%2defgh%2djkmn%2dpqrs",
        quote(quote(quote(quote(quote("/s/abcd-efgh-jkmn-pqrs", "")), ""))),
    ],
)
@pytest.mark.parametrize("formatter", [Lines, Objects])
def test_no_slug_however_it_is_encoded(text: str, formatter: type[Lines]) -> None:
    line = record("%s", text, event="refused")
    line.fields = {"why": text}
    printed = formatter().format(line)
    for _ in range(9):
        printed = unquote(printed)
    assert "abcd" not in printed.lower(), printed


@pytest.mark.parametrize(
    "text",
    [
        "/ws?token=hunter2",
        "/ws?%74oken=hunter2",
        "/api/auth/callback/google?c%6fde=hunter2&state=1",
        "postgresql://sessions:hunter2@db/sessions",
        "invalid input for query argument $2: 'hunter2' (expected bytes)",
        "duplicate key\nDETAIL: Key (name)=(hunter2) already exists.",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0hunter2.c2ln",
        "client_secret=hunter2",
    ],
)
@pytest.mark.parametrize("formatter", [Lines, Objects])
def test_no_token_code_or_value(text: str, formatter: type[Lines]) -> None:
    line = record("%s", "as text")
    line.exc_info = (ValueError, ValueError(text), None)
    assert "hunter2" not in formatter().format(line)
    assert "hunter2" not in formatter().format(record("%s", text)) or (
        "DETAIL" in text  # of a trace only: a line has no lines
    )


def test_a_line_break_begins_no_line() -> None:
    for separator in ("\n", "\r", "\x1b[31m", "\x85", "\u2028"):
        printed = Lines().format(record("no such name: %s", f"a{separator}2026 ERROR forged"))
        assert separator not in printed
        assert len(printed.splitlines()) == 1


def test_an_object_is_one_line_whatever_is_in_it() -> None:
    forged = '"}\n{"time": "2026", "level": "ERROR", "message": "forged"}\r\x1b[31m\x85\u2028'
    line = record("no such name: %s", forged, event="refused")
    line.fields = {"why": forged, "level": "ERROR", "time": "2026", "tries": 3}
    line.exc_info = (ValueError, ValueError(forged), None)
    printed = Objects().format(line)
    assert len(printed.splitlines()) == 1
    told = json.loads(printed)
    assert (told["level"], told["event"], told["tries"]) == ("WARNING", "refused", 3)
    assert told["time"] > "2026-"
    assert set(told) == {"time", "level", "logger", "event", "message", "why", "tries", "trace"}
    for text in (told["message"], told["why"]):
        assert len(text.splitlines()) == 1
        assert "\x1b" not in text
    long = json.loads(Objects().format(record("%s", "x" * 5000)))
    assert len(long["message"]) == MAX_LINE


def test_what_was_left_out_is_a_number_for_programs() -> None:
    bounded = Bounded()
    for number in range(100):
        bounded.filter(record("away: %d", number))
    for kind in bounded._kinds.values():
        kind.began -= 61
    next_one = record("away: %d", 100)
    assert bounded.filter(next_one)
    assert json.loads(Objects().format(next_one))["left_out"] == 100 - PER_MINUTE


def numbered(answer: httpx2.Response, place: AppServer, *words: str) -> str:
    """Return the id in an answer, once it is in a line with these words."""
    number = answer.headers["x-request-id"]
    wait_until(lambda: lines(place, f" request={number}", *words), news=lambda: place.log)
    return number


def test_all_lines_of_a_request_have_the_id_in_its_answer(place: AppServer) -> None:
    form = {"name": "Ada", "email": "ada@example.com"}
    answer = Visitor(place.url).http.post("/sign-in/dev", data=form)
    number = numbered(answer, place, "access POST /sign-in/dev 303")
    assert re.fullmatch(r"[0-9a-f]{16}", number)
    assert numbered(answer, place, "audit signed_in user=") == number
    again = numbered(outside("GET", f"{place.url}/s/nowhere"), place, "access")
    assert again != number
    for file in ("/static/favicon.svg", "/health"):
        assert outside("GET", place.url + file).headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("7b1c0e52-9f3d-4c1a-8e77-0d2b6f1a9c34", True),
        ("Root=1-67891233-abcdef012345678912345678", True),
        ("short", False),
        ("x" * 65, False),
        ("two words", False),
        ('","level":"ERROR"', False),
        ("somebody@example.com", False),
        ("/s/abcd-efgh-jkmn-pqrs", False),
        (SLUG, False),
        (f"room:{SLUG.upper()}", False),
    ],
)
def test_a_trusted_proxy_may_give_the_id(place: AppServer, given: str, taken: bool) -> None:
    headers = {"X-Request-Id": given, "X-Forwarded-For": "203.0.113.7"}
    answer = outside("GET", f"{place.url}/s/nowhere", headers=headers)
    number = numbered(answer, place, "access GET /s/{slug} 404")
    assert (number == given) is taken


async def test_a_socket_has_one_too(place: AppServer) -> None:
    given = {"X-Request-Id": "socket-of-this-test"}
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://localhost:{place.port}/ws", additional_headers=given)
    assert refused.value.response.headers["x-request-id"] == "socket-of-this-test"
    ada = await asyncio.to_thread(Visitor(place.url).sign_in, "Ada")
    slug = await asyncio.to_thread(ada.start_session)
    async with ada.page(slug) as page:
        response = page.socket.response
        assert response is not None
        number = response.headers["x-request-id"]
        await page.send({"type": "nonsense"})
    words = (f" request={number}", "access WS /ws 1000")
    await asyncio.to_thread(wait_until, lambda: lines(place, *words), news=lambda: place.log)
    assert lines(place, " request=socket-of-this-test", "access WS /ws 401")


def test_nobody_else_chooses_it(make_server: MakeServer) -> None:
    server = make_server(FORWARDED_ALLOW_IPS="", LOG_FORMAT="json")
    headers = {"X-Request-Id": "chosen-by-somebody"}
    answer = outside("GET", f"{server.url}/s/nowhere", headers=headers)
    assert answer.headers["x-request-id"] != "chosen-by-somebody"


async def test_what_outlives_a_request_is_not_taken_for_it() -> None:
    seen: list[str | None] = []
    may_go_on = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    async def outlive() -> None:
        seen.append(request_id())
        await may_go_on.wait()
        seen.append(request_id())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        left.append(asyncio.create_task(outlive()))
        await asyncio.sleep(0)

    async def nothing(*_: object) -> Any:
        return None

    await RequestId(app)({"type": "http", "headers": []}, nothing, nothing)
    may_go_on.set()
    await left[0]
    during, after = seen
    assert during is not None
    assert after is None


def test_a_value_is_one_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "audit")
    audit.note("host_act", act="mute", of="p_1 by=u_2\nx", session=None)
    assert caplog.messages == ["host_act act=mute of=p_1_by=u_2_x"]


def test_the_inventory_is_documented() -> None:
    table = (Path(ROOT) / "docs/limits.md").read_text()
    missing = [event for event in audit.EVENTS if f"| `{event}` |" not in table]
    assert missing == []
    assert set(audit.EVENTS) > audit.ALARMING
