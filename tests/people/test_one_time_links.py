"""One-time links: a server's first account without a provider, and an account's next browser."""

from __future__ import annotations

import base64
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from core.signed_links import account_link, owner_link
from tests.conftest import MakeServer
from tests.emulators.openid import METADATA
from tests.support import forked
from tests.support.app_server import AppServer
from tests.support.http import Browser, outside
from tests.support.sign_in import (
    GOOGLE,
    LOGIN_SECRET,
    google_sign_in,
    is_signed_in,
    know,
    name_shown,
)
from tests.support.tables import Tables

# The provider's own library warns of itself; in this process, that would be an error.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

SECRET = "b85f1d2c6e0a47939d3e5c7a1f60824b"
ALONE = {
    "NODE_ENV": "production",
    "HOST": "127.0.0.1",
    "NEXTAUTH_URL": "{url}",
    "NEXTAUTH_SECRET": SECRET,
    "LIVEKIT_URL": "ws://localhost:1",
    "LIVEKIT_API_KEY": "key",
    "LIVEKIT_API_SECRET": SECRET,
    "ALLOWED_EMAIL_DOMAINS": "example.com",
    "LOG_FORMAT": "text",
}
ADA = {"name": "Ada Lovelace", "email": "Ada@example.com"}
FORM = "Make the first account"
USED, RUN_OUT = "This link has been used.", "This link has run out."
NOT_VALID, TAKEN = "This link isn’t valid here.", "There is an account here already."
ANOTHER = "“python app.py link”"
LINK = re.compile(r"http://\S+/sign-in/link\?token=[\w-]+")


@pytest.fixture(scope="module")
def alone(make_server_in: MakeServer) -> AppServer:
    """Sessions in production, without a provider."""
    return make_server_in(**ALONE)


@pytest.fixture
def empty(alone: AppServer) -> AppServer:
    """The same, in which nobody has an account."""
    Tables(alone.database_url)("DELETE FROM users")
    Tables(alone.database_url)("DELETE FROM spaces")
    return alone


@pytest.fixture
def ada(empty: AppServer) -> Browser:
    """Whoever made the first account."""
    visitor = Browser(empty.url)
    assert visitor.http.post(first(empty), data=ADA).status_code == 303
    return visitor


def first(server: AppServer, secret: str = SECRET, age: float = 0) -> str:
    """Return a link for the first account that is so many seconds old."""
    return owner_link(secret, server.url, time.time() - age)


def of(server: AppServer, email: str = "ada@example.com", age: float = 0) -> str:
    """Return a link for the account of that address."""
    user = Tables(server.database_url).one("SELECT id FROM users WHERE email = $1", email)
    return account_link(SECRET, server.url, str(user), time.time() - age)


def command(server: AppServer, words: str, folder: Path, **environ: str) -> tuple[int, str]:
    """Run a command beside the server; return its exit code and all that it printed."""
    return forked.run(words, folder, server.environment | environ)


def assert_refused(server: AppServer, link: str, title: str, status: int = 403) -> None:
    """The link is refused to be looked at and to be used, with what to do, and makes nothing."""
    visitor = Browser(server.url)
    for answer in (visitor.http.get(link), visitor.http.post(link, data=ADA)):
        assert answer.status_code == status, answer.text
        assert f"<h1>{title}</h1>" in answer.text
        assert "python app.py link" in answer.text
        assert "set-cookie" not in answer.headers
        if token := token_of(link):
            assert token not in answer.text


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query).get("token", [""])[0]


def people(server: AppServer) -> list[tuple[str, str, str, bool, str, str]]:
    """Return everybody with what they are, and in which spaces."""
    rows = Tables(server.database_url)(
        """
        SELECT u.name, u.email, a.provider, u.administrator, m.role, s.name AS space FROM users u
        JOIN accounts a ON a.user_id = u.id JOIN members m ON m.user_id = u.id
        JOIN spaces s ON s.id = m.space_id
        """
    )
    return [tuple(row.values()) for row in rows]


# The first account


def test_a_start_prints_a_link_that_makes_the_first_account(alone: AppServer) -> None:
    """And no later start prints one."""
    (link,) = LINK.findall(alone.log)
    visitor = Browser(alone.url)
    for _ in range(3):  # whoever only looks spends nothing
        page = outside("GET", link)
        assert FORM in page.text
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        assert outside("HEAD", link).status_code == 200
    assert people(alone) == []
    answer = visitor.http.post(link, data=ADA)
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome/space")
    assert people(alone) == [
        ("Ada Lovelace", "ada@example.com", "link", True, "OWNER", "Ada Lovelace’s space")
    ]
    assert name_shown(visitor) == "Ada Lovelace"
    assert visitor.http.get("/setup").status_code == 200, "they run this server"
    assert visitor.start_session("First")
    assert_refused(alone, link, USED, 410)

    alone.interrupt()
    alone.start()
    assert LINK.findall(alone.log) == [link]
    assert token_of(link) not in alone.log.replace(link, "")
    assert re.search(r"audit signed_in user=\S+ address=127.0.0.1", alone.log)
    assert re.search(r"audit sign_in_failed why=link_used address=127.0.0.1", alone.log)


def test_of_many_at_once_one_makes_the_account(empty: AppServer) -> None:
    same = first(empty)
    links = [same, same, same, *(first(empty) for _ in range(3))]

    def use(number: int) -> tuple[int, str]:
        form = {"name": f"N{number}", "email": f"n{number}@example.com"}
        answer = Browser(empty.url).http.post(links[number], data=form)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(len(links)) as pool:
        answers = list(pool.map(use, range(len(links))))
    assert sorted(status for status, _ in answers if status != 410).count(303) == 1
    assert {status for status, _ in answers} <= {303, 403, 410}
    assert len(people(empty)) == 1
    assert Tables(empty.database_url).one("SELECT count(*) FROM spaces") == 1


def test_a_link_of_before_the_first_account_is_of_no_use_after_it(
    empty: AppServer, ada: Browser
) -> None:
    assert is_signed_in(ada)
    assert_refused(empty, first(empty), TAKEN)
    assert len(people(empty)) == 1


def changed(link: str, at: int) -> str:
    """Return a link with one byte of its token changed."""
    token = token_of(link)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[at] ^= 1
    return link.replace(token, base64.urlsafe_b64encode(raw).decode().rstrip("="))


@pytest.mark.parametrize(
    ("kind", "title", "status"),
    [
        ("another secret", NOT_VALID, 403),
        ("the cookie's key", NOT_VALID, 403),
        ("another id", NOT_VALID, 403),
        ("a later end", NOT_VALID, 403),
        ("another seal", NOT_VALID, 403),
        ("cut off", NOT_VALID, 403),
        ("nothing", NOT_VALID, 403),
        ("no token", NOT_VALID, 403),
        ("letters", NOT_VALID, 403),
        ("far too long", NOT_VALID, 403),
        ("for an account, made one for the first", NOT_VALID, 403),
        ("an hour old", RUN_OUT, 410),
    ],
)
def test_what_is_not_ours_is_refused(empty: AppServer, kind: str, title: str, status: int) -> None:
    link = first(empty)
    account = account_link(SECRET, empty.url, "00000000-0000-4000-8000-000000000000", time.time())
    short = base64.urlsafe_b64decode(token_of(account) + "==")
    links = {
        "another secret": first(empty, secret=SECRET[::-1]),
        "the cookie's key": first(empty, secret=""),
        "another id": changed(link, 0),
        "a later end": changed(link, 18),
        "another seal": changed(link, -1),
        "cut off": link[:-3],
        "nothing": link.partition("=")[0] + "=",
        "no token": link.partition("?")[0],
        "letters": link.partition("=")[0] + "=%F0%9F%91%8B%00/../=",
        "far too long": link + "A" * 3000,
        "for an account, made one for the first": link.replace(
            token_of(link),
            base64.urlsafe_b64encode(short[:21] + short[-16:]).decode().rstrip("="),
        ),
        "an hour old": first(empty, age=3601),
    }
    assert_refused(empty, links[kind], title, status)
    assert people(empty) == []
    assert ANOTHER in Browser(empty.url).http.get(links[kind]).text


def test_a_link_is_good_for_an_hour_and_no_longer(empty: AppServer) -> None:
    assert FORM in outside("GET", first(empty, age=3590)).text


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}]
)
def test_no_other_site_uses_a_link(empty: AppServer, headers: dict[str, str]) -> None:
    link = first(empty)
    answer = outside("POST", link, data=ADA, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert token_of(link) not in answer.text
    assert Browser(empty.url).http.post(link, data=ADA).status_code == 303, "it isn't spent"


def test_what_is_missing_is_asked_for_and_spends_nothing(empty: AppServer) -> None:
    link, visitor = first(empty), Browser(empty.url)
    for form in ({}, {"name": "Ada <b>"}, {"name": " ", "email": "ada@example.com"}):
        answer = visitor.http.post(link, data=form)
        assert answer.status_code == 422
        assert "Give a name and an e-mail address." in answer.text
        assert "<b>" not in answer.text
    stranger = visitor.http.post(link, data=ADA | {"email": "ada@other.test"})
    assert stranger.status_code == 403
    assert "<h1>Your account can’t sign in here.</h1>" in stranger.text
    assert people(empty) == []
    assert visitor.http.post(link, data=ADA).status_code == 303


# An account's next browser


def test_the_command_makes_a_link_for_the_first_account_and_then_for_accounts(
    empty: AppServer, tmp_path: Path
) -> None:
    code, told = command(empty, "link", tmp_path)
    assert code == 0, told
    assert "Makes the first account" in told
    (link,) = LINK.findall(told)
    visitor = Browser(empty.url)
    assert visitor.http.post(link, data=ADA).status_code == 303

    code, told = command(empty, "link", tmp_path, LANG="ru_RU.UTF-8")
    assert code == 1
    assert not LINK.search(told)
    assert "учётная запись уже есть; укажите чья: `python app.py link EMAIL`" in told
    code, told = command(empty, "link eve@example.com", tmp_path)
    assert (code, LINK.findall(told)) == (1, [])
    assert "nobody has an account here with eve@example.com" in told

    code, told = command(empty, "link ADA@example.com", tmp_path)
    assert code == 0, told
    assert "Signs in as Ada Lovelace (ada@example.com, link)." in told
    (link,) = LINK.findall(told)
    other = Browser(empty.url)
    assert "<h1>Sign in as Ada Lovelace</h1>" in other.http.get(link).text
    assert not is_signed_in(other)
    assert other.http.post(link).status_code == 303
    assert name_shown(other) == name_shown(visitor) == "Ada Lovelace"
    assert other.http.get("/setup").status_code == 200
    assert len(people(empty)) == 1
    assert_refused(empty, link, USED, 410)


def test_a_link_is_for_one_account_as_long_as_that_may_sign_in(
    empty: AppServer, ada: Browser, tmp_path: Path
) -> None:
    link, old = of(empty), of(empty, age=3601)
    tables = Tables(empty.database_url)
    assert_refused(empty, old, RUN_OUT, 410)
    assert_refused(empty, changed(link, 25), NOT_VALID)

    tables("UPDATE users SET email = 'ada@other.test'")  # what isn't allowed any more
    answer = Browser(empty.url).http.post(link)
    assert answer.status_code == 403
    assert "Your account can’t sign in here." in answer.text
    assert command(empty, "link ada@other.test", tmp_path)[0] == 1
    tables("UPDATE users SET email = 'ada@example.com', disabled_at = now()")
    code, told = command(empty, "link ada@example.com", tmp_path)
    assert (code, LINK.findall(told)) == (1, [])
    assert "python app.py enable ada@example.com" in told
    answer = Browser(empty.url).http.post(link)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert "Your account is disabled." in answer.text
    gone = of(empty)
    tables("DELETE FROM users")
    assert_refused(empty, gone, NOT_VALID)


def test_where_a_provider_is_only_accounts_that_are_there_have_links(
    google: AppServer, accounts: str, tmp_path: Path
) -> None:
    know(accounts, "marie", name="Marie")
    google_sign_in(Browser(google.url), "marie")
    link = owner_link(LOGIN_SECRET, google.url, time.time())
    for answer in (outside("GET", link), Browser(google.url).http.post(link, data=ADA)):
        assert answer.status_code == 403
        assert "<h1>People sign in with Google here.</h1>" in answer.text
    code, told = command(google, "link", tmp_path)
    assert (code, LINK.findall(told)) == (1, [])
    assert "people sign in with Google here" in told
    # Also while the provider can't be had.
    environ = {"GOOGLE_METADATA_URL": f"http://localhost:1{METADATA}", **GOOGLE}
    code, told = command(google, "link marie@example.com", tmp_path, **environ)
    assert "(marie@example.com, google)" in told
    (link,) = LINK.findall(told)
    visitor = Browser(google.url)
    assert visitor.http.post(link).status_code == 303
    assert name_shown(visitor) == "Marie"
    found = "SELECT administrator FROM users WHERE email = 'marie@example.com'"
    assert Tables(google.database_url).one(found) is False, "that is the first account's alone"


def test_the_pages_are_in_russian_too(empty: AppServer, ada: Browser) -> None:
    visitor = Browser(empty.url, **{"Accept-Language": "ru"})
    assert "Войти как Ada Lovelace" in visitor.http.get(of(empty)).text
    told = visitor.http.get(first(empty)).text
    assert "Учётная запись здесь уже есть." in told
    assert "командой «python app.py link EMAIL»" in told
    Tables(empty.database_url)("DELETE FROM users")
    link = first(empty)
    page = visitor.http.get(link).text
    assert "Создать учётную запись" in page
    # Who chooses a language there still has the link.
    (back,) = re.findall(r'name="next" value="([^"]+)"', page)
    answer = visitor.http.post("/language", data={"next": back, "language": "en"})
    assert answer.headers["location"] == back
    assert FORM in visitor.http.get(back).text
    assert (
        "одноразовой ссылке" in Browser(empty.url, **{"Accept-Language": "ru"}).http.get("/").text
    )


def test_no_link_is_in_the_log(empty: AppServer, ada: Browser) -> None:
    """Neither of those above, nor a token that is no link at all."""
    outside("GET", f"{empty.url}/sign-in/link?token=hunter2hunter2")
    printed = LINK.findall(empty.log)
    log = empty.log
    for link in printed:  # by starts, for whoever runs it
        log = log.replace(link, "")
    assert "token=" not in log
    assert "hunter2" not in log
    assert "access GET /sign-in/link 403" in log
