"""What is said of languages and words, by whom it may be, and what Gladia is asked for then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import PAUSE, WORDS, beside
from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import RoomPage, Visitor
from tests.support.waiting import until

JSON, HTML = {"Accept": "application/json"}, {"Accept": "text/html"}


@pytest.fixture
def host(place: AppServer, request: pytest.FixtureRequest) -> Visitor:
    """Somebody with a space of their own."""
    return Visitor(place.url).sign_in(request.node.name[-30:])


def space_of(place: AppServer, slug: str) -> str:
    tables = Tables(place.database_url)
    return str(tables.one("SELECT space_id FROM sessions WHERE slug = $1", slug))


def say(visitor: Visitor, path: str, **form: str) -> tuple[int, str]:
    """Say something of languages and words; return the status, and a problem's code if any."""
    answer = visitor.http.post(f"{path}/languages", data=form, headers=JSON)
    body = answer.json() if answer.content else {}
    return answer.status_code, body.get("error", {}).get("code", "")


async def asked(gladia: GladiaEmulator, page: RoomPage, *words: str) -> dict[str, Any]:
    """Say words, wait for them, and return what Gladia was asked for."""
    before, seen = len(gladia.sessions), len(page.finals)
    await page.speak(speak(" ".join(words)) + silence(PAUSE))
    await page.until(lambda: len(page.finals) > seen)
    assert len(gladia.sessions) > before, "a stretch of its own"
    config: dict[str, Any] = gladia.sessions[-1].config
    return config


async def over(page: RoomPage, gladia: GladiaEmulator) -> None:
    """Turn the microphone off, so that what is said next is a stretch of its own."""
    await page.mic(False)
    await gladia.until(lambda: all(one.status == "done" for one in gladia.sessions))
    await page.mic(True)


@pytest.fixture(scope="module")
def installed(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    """Sessions with languages and words of its own."""
    yield from beside(
        gladia,
        make_server_in,
        LANGUAGES="ru,en",
        CODE_SWITCHING="on",
        VOCABULARY="Nyquist",
        TRANSLATE_TO="de",
    )


async def test_a_session_inherits_from_its_space_and_that_from_the_installation(
    gladia: GladiaEmulator, installed: AppServer
) -> None:
    host = await asyncio.to_thread(Visitor(installed.url).sign_in, "Ada Lovelace")
    slug = await asyncio.to_thread(host.start_session)
    space = await asyncio.to_thread(space_of, installed, slug)
    async with host.page(slug) as page:
        await page.mic(True)
        config = await asked(gladia, page, *WORDS[:2])
        assert config["language_config"] == {"languages": ["ru", "en"], "code_switching": True}
        realtime = config["realtime_processing"]
        assert realtime["translation_config"]["target_languages"] == ["de"]
        words = realtime["custom_vocabulary_config"]["vocabulary"]
        assert words == ["Nyquist", "Ada Lovelace"]
        assert page.welcome["session"]["targets"] == ["de"]

        of_space = {
            "spoken": "these",
            "language-1": "fr",
            "vocabulary": "Sessions\n Ada  King ",
            "spelling": "Gorgias = gorgeous, gorgious",
            "translated": "none",
        }
        assert await asyncio.to_thread(say, host, f"/spaces/{space}", **of_space) == (204, "")
        await page.until(lambda: page.of_type("session"))  # who reads is told
        assert page.of_type("session")[-1]["targets"] == []
        await over(page, gladia)
        config = await asked(gladia, page, *WORDS[2:4])
        assert config["language_config"] == {"languages": ["fr"], "code_switching": False}
        realtime = config["realtime_processing"]
        assert realtime["translation"] is False
        words = realtime["custom_vocabulary_config"]["vocabulary"]
        assert words == ["Sessions", "Ada King", "Nyquist", "Ada Lovelace"]
        dictionary = realtime["custom_spelling_config"]["spelling_dictionary"]
        assert dictionary == {"Gorgias": ["gorgeous", "gorgious"]}

        of_session = {
            "languages": "en,de",
            "switching": "on",
            "targets": "ru",
            "spelling": "Ada = Aida",
        }
        assert await asyncio.to_thread(say, host, f"/s/{slug}", **of_session) == (204, "")
        await over(page, gladia)
        config = await asked(gladia, page, *WORDS[4:6])
        assert config["language_config"] == {"languages": ["en", "de"], "code_switching": True}
        realtime = config["realtime_processing"]
        assert realtime["translation_config"]["target_languages"] == ["ru"]
        dictionary = realtime["custom_spelling_config"]["spelling_dictionary"]
        assert dictionary == {"Gorgias": ["gorgeous", "gorgious"], "Ada": ["Aida"]}
    shown = await asyncio.to_thread(host.http.get, f"/s/{slug}/languages")
    assert "As the space has it: French" in shown.text
    assert "Sessions, Ada King, Nyquist" in shown.text
    page_of_space = await asyncio.to_thread(host.http.get, f"/spaces/{space}/languages")
    assert "As this server has it: Russian, English" in page_of_space.text
    assert "As this server has it: German" in page_of_space.text
    # The next one of the same space inherits; whoever plans it may say otherwise at once.
    form = {"title": "Next", "spoken": "any", "vocabulary": "Tides"}
    made = await asyncio.to_thread(host.http.post, "/sessions", data=form)
    async with host.page(made.headers["location"].rpartition("/")[2]) as page:
        await page.mic(True)
        config = await asked(gladia, page, *WORDS[6:8])
        assert config["language_config"]["languages"] == []
        words = config["realtime_processing"]["custom_vocabulary_config"]["vocabulary"]
        assert words[:2] == ["Tides", "Sessions"]


async def test_names_of_who_is_here_are_heard_and_no_address(
    place: AppServer, gladia: GladiaEmulator, host: Visitor
) -> None:
    slug = await asyncio.to_thread(host.start_session)
    async with AsyncExitStack() as here:
        for name in ("Grace Hopper", "eve@example.com", "one two three four five six"):
            guest = await asyncio.to_thread(Visitor(place.url).be_guest, slug, name)
            page = await here.enter_async_context(guest.page(slug))
            await page.mic(True)
        config = await asked(gladia, page, *WORDS[:2])
    words = config["realtime_processing"]["custom_vocabulary_config"]["vocabulary"]
    assert words == ["Grace Hopper"]


WRONG = [
    {"languages": "en,xx"},
    {"spoken": "these", "language-1": "klingon"},
    {"spoken": "these"},
    {"spoken": "perhaps"},
    {"languages": "en,ru,de,fr,es,it"},
    {"targets": "en,ru,de,fr"},
    {"targets": "e\0"},
    {"vocabulary": "\n".join(f"term{number}" for number in range(101))},
    {"vocabulary": "one two three four five six"},
    {"vocabulary": "x" * 10_001},
    {"vocabulary": "x" * 20_001},
    {"spelling": "no rule"},
    {"spelling": "= nothing"},
    {"spelling": "right ="},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: str(one)[:30])
def test_what_cannot_be_is_refused_in_words_and_nothing_changes(
    place: AppServer, host: Visitor, wrong: dict[str, str]
) -> None:
    slug = host.start_session()
    assert say(host, f"/s/{slug}", languages="en", vocabulary="Kept") == (204, "")
    for path in (f"/s/{slug}", f"/spaces/{space_of(place, slug)}"):
        status, code = say(host, path, **wrong)
        assert (status, code) in ((422, "invalid"), (422, "invalid_input"), (422, "failed")), code
        shown = host.http.post(f"{path}/languages", data=wrong, headers=HTML)
        assert shown.status_code == 422
    kept = Tables(place.database_url)(
        "SELECT languages, vocabulary FROM sessions WHERE slug = $1", slug
    )[0]
    assert tuple(kept) == (["en"], ["Kept"])


def test_control_characters_go_and_words_stay(place: AppServer, host: Visitor) -> None:
    slug = host.start_session()
    odd = {"vocabulary": "Ny\u202equist\x07, Ada\r\nTides", "spelling": "A\u200bda = Ai\x00da"}
    assert say(host, f"/s/{slug}", **odd) == (204, "")
    row = Tables(place.database_url)(
        "SELECT vocabulary, spelling FROM sessions WHERE slug = $1", slug
    )[0]
    assert row["vocabulary"] == ["Ny quist", "Ada", "Tides"]
    assert row["spelling"] == '{"A da": ["Ai da"]}'


def test_who_changes_what_they_have_not_seen_is_shown_both(place: AppServer, host: Visitor) -> None:
    slug = host.start_session()
    for path in (f"/s/{slug}", f"/spaces/{space_of(place, slug)}"):
        page = host.http.get(f"{path}/languages").text
        was = page.partition('name="was" value="')[2].partition('"')[0]
        assert len(was) == 32
        assert say(host, path, was=was, vocabulary="First", languages="de") == (204, "")
        assert say(host, path, was=was, vocabulary="First", languages="de") == (204, ""), "as it is"
        late = {"was": was, "vocabulary": "Second", "languages": "fr"}
        assert say(host, path, **late) == (409, "changed_meanwhile")
        shown = host.http.post(f"{path}/languages", data=late, headers=HTML)
        assert shown.status_code == 409
        assert "First" in shown.text
        assert "Second" in shown.text
        was = shown.text.partition('name="was" value="')[2].partition('"')[0]
        assert say(host, path, **(late | {"was": was})) == (204, "")


def test_only_hosts_and_owners_change_it(place: AppServer, host: Visitor) -> None:
    slug = host.start_session()
    space = space_of(place, slug)
    guest = Visitor(place.url).be_guest(slug, "Guest")
    guest.join(slug)
    stranger = Visitor(place.url).sign_in("Somebody Else")
    nobody = Visitor(place.url)
    for path in (f"/s/{slug}", f"/spaces/{space}"):
        assert say(nobody, path, languages="de")[0] == 401
        for who, status in ((guest, 404 if path.startswith("/s/") else 401), (stranger, 404)):
            assert say(who, path, languages="de")[0] == status
            assert who.http.get(f"{path}/languages", headers=JSON).status_code in (303, 401, 404)
    Tables(place.database_url)(
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT s.space_id, u.id, 'MEMBER' FROM sessions s, users u"
        " WHERE s.slug = $1 AND u.name = 'Somebody Else'",
        slug,
    )
    for path in (f"/s/{slug}", f"/spaces/{space}"):
        assert say(stranger, path, languages="de")[0] == 404, "a member is no host and no owner"
    assert say(host, f"/s/{slug}", languages="de") == (204, "")
    assert host.end(slug).status_code == 303
    assert say(host, f"/s/{slug}", languages="fr") == (403, "ended")


def test_the_next_meeting_of_a_room_is_as_the_last_one_was(place: AppServer, host: Visitor) -> None:
    space = space_of(place, host.start_session())
    made = host.http.post(f"/spaces/{space}/rooms", data={"title": "Weekly"})
    room = made.headers["location"].split("/")[2]
    meeting = host.http.get(f"/r/{room}").headers["location"].rpartition("/")[2]
    words = {"languages": "ru,en", "switching": "on", "vocabulary": "Tides", "targets": "de"}
    assert say(host, f"/s/{meeting}", **words, spelling="Ada = Aida") == (204, "")
    assert host.end(meeting).status_code == 303
    following = host.http.get(f"/r/{room}").headers["location"].rpartition("/")[2]
    assert following != meeting
    row = Tables(place.database_url)(
        "SELECT languages, code_switching, vocabulary, spelling, targets FROM sessions"
        " WHERE slug = $1",
        following,
    )[0]
    assert tuple(row) == (["ru", "en"], True, ["Tides"], '{"Ada": ["Aida"]}', ["de"])


async def test_what_somebody_says_they_speak_holds_from_their_next_stretch_on(
    place: AppServer, gladia: GladiaEmulator, host: Visitor
) -> None:
    slug = await asyncio.to_thread(host.start_session)
    await asyncio.to_thread(say, host, f"/s/{slug}", languages="en,de", switching="on")
    async with host.page(slug) as page, host.page(slug) as other:
        await page.send({"type": "take"})
        await page.mic(True)
        before = len(gladia.sessions)
        # In the middle of a sentence: what is being said ends as it is, and no word is lost.
        said = speak(" ".join(WORDS[:4]))
        await page.speak(said[: len(said) // 2])
        await gladia.until(lambda: len(gladia.sessions) > before)
        await page.send({"type": "speak", "language": "ru"})
        await page.until(lambda: page.of_type("spoken"))
        assert page.of_type("spoken")[-1]["language"] == "ru"
        await page.speak(said[len(said) // 2 :] + silence(1.5))
        await page.speak(speak(" ".join(WORDS[4:8])) + silence(PAUSE))
        await page.until(lambda: page.text.split() == list(WORDS[:8]))
        asked_for = [one.config["language_config"] for one in gladia.sessions[before:]]
        assert asked_for[0] == {"languages": ["en", "de"], "code_switching": True}
        assert asked_for[-1] == {"languages": ["ru"], "code_switching": False}
        await other.until(lambda: other.of_type("spoken"))
        for wrong in ("xx", "klingon", 7, "RU"):
            await page.send({"type": "speak", "language": wrong})
        await page.until(lambda: len(page.of_type("error")) == 4)
        assert {one["code"] for one in page.of_type("error")} == {"bad_message"}
        # Whoever comes back is who they were, here and in another process.
        await page.drop()
        await page.connect()
        assert page.welcome["language"] == "ru"
    stored = "SELECT language FROM participants WHERE language IS NOT NULL"
    tables = Tables(place.database_url)
    await until(lambda: asyncio.to_thread(tables, stored))


async def test_what_somebody_speaks_by_their_profile_is_fixed_in_their_next_sessions(
    place: AppServer, gladia: GladiaEmulator, host: Visitor
) -> None:
    for wrong in ("xx", "e", "ru,en"):
        refused = await asyncio.to_thread(host.http.post, "/profile/look", data={"spoken": wrong})
        assert refused.status_code == 422
    look = {"spoken": "uk"}
    saved = await asyncio.to_thread(host.http.post, "/profile/look", data=look, headers=HTML)
    assert saved.headers["location"] == "/profile?saved=spoken"
    slug = await asyncio.to_thread(host.start_session)
    async with host.page(slug) as page:
        assert page.welcome["language"] == "uk"
        await page.mic(True)
        config = await asked(gladia, page, *WORDS[:2])
        assert config["language_config"]["languages"] == ["uk"]
        await page.send({"type": "speak", "language": None})
        await page.until(lambda: page.of_type("spoken"))
        await over(page, gladia)
        config = await asked(gladia, page, *WORDS[2:4])
        assert config["language_config"]["languages"] == []


def test_an_engine_that_takes_no_words_says_so_where_they_would_be_typed(
    make_server: MakeServer,
) -> None:
    server = make_server(SPEECH_ENGINE="local", VOCABULARY="")
    host = Visitor(server.url).sign_in("Ada")
    slug = host.start_session("Plain")
    space = space_of(server, slug)

    def told(path: str, language: str) -> str:
        headers = HTML | {"Accept-Language": language}
        return host.http.get(f"{path}/languages", headers=headers).text

    for path in (f"/s/{slug}", f"/spaces/{space}"):
        page = told(path, "en")
        assert "It takes no vocabulary and no spellings." in page
        assert "are kept, and count again" not in page
        assert 'name="vocabulary"' not in page
        assert 'name="spelling"' not in page
        assert "Словаря и правил написания оно не принимает" in told(path, "ru")
    tables = Tables(server.database_url)
    tables("UPDATE spaces SET vocabulary = '{Nyquist}'")  # as before another engine was chosen
    for path in (f"/s/{slug}", f"/spaces/{space}"):
        assert "are kept, and count again" in told(path, "en")
