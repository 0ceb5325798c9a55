"""What is said in a space that has its sound kept can be heard, and nothing else is kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from core.speech.engine import BYTES_PER_SECOND
from tests.audio.kept import JSON, Kept, over, says, sound_of, words_in
from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.emulators.wordaudio import silence, speak
from tests.speech.gladia_rooms import WORDS, beside
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor
from tests.support.waiting import until

FAR = 0.3  # seconds: no line's time is further from its sound
SAID = "The sound of what is transcribed is kept for"


@pytest.fixture
def kept(place: AppServer) -> Kept:
    return Kept(place)


def test_owners_choose_and_every_door_says_so(place: AppServer) -> None:
    kept = Kept(place, days=None)
    guest, stranger = kept.guest(), Visitor(place.url)
    doors = [who.http for who in (kept.owner, guest, stranger)]

    def said() -> list[bool]:
        return [SAID in http.get(f"/s/{kept.slug}").text for http in doors]

    assert said() == [False] * 3
    for days in ("0", "366", "-7", "7.5", "٧", "", "1e1"):
        form = {"keep": "yes", "days": days}
        answer = kept.owner.http.post(f"/spaces/{kept.space}/audio", data=form, headers=JSON)
        assert answer.status_code == 422
    assert said() == [False] * 3
    assert kept.keep(30) == 204
    assert said() == [True] * 3
    assert "kept for 30 days" in guest.http.get(f"/s/{kept.slug}").text
    assert 'data-audio="30"' in guest.http.get(f"/s/{kept.slug}").text
    russian = stranger.http.get(f"/s/{kept.slug}", headers={"Accept-Language": "ru"}).text
    assert "хранится 30 дней" in russian
    for consent in ("NOTICE", "REQUIRED"):
        form = {"consent": consent}
        kept.owner.http.post(f"/spaces/{kept.space}/consent", data=form, headers=JSON)
        assert said() == [True] * 3
    assert kept.keep(None) == 204
    assert said() == [False] * 3
    log = kept.owner.http.get(f"/spaces/{kept.space}/events").text
    assert "kept; days: 30" in log
    assert "kept no more" in log


async def test_a_line_can_be_heard_where_its_times_say(kept: Kept) -> None:
    """Also behind a silence, a lost connection, and in the words of another person."""
    first, second = WORDS[:4], WORDS[4:8]
    guest = await asyncio.to_thread(kept.guest)
    page, other = kept.page(guest), kept.page(kept.owner)
    async with page, other:
        assert page.welcome["audio"] == other.welcome["audio"] == 7
        await says(page, *first)
        await says(other, *WORDS[8:12])
        page.record(silence(3))
        await page.drop()
        page.record(speak(second[:2]))
        await asyncio.sleep(3 + len(speak(second[:2])) / BYTES_PER_SECOND)  # as long as it takes
        await page.connect()
        await page.mic(True)
        await page.resend()
        await says(page, *second[2:])
    await over(kept, recordings=2)
    lines = await asyncio.to_thread(kept.lines)
    said = " ".join(line.text for line in lines).split()
    assert sorted(said) == sorted([*first, *second, *WORDS[8:12]])
    for line in lines:
        answer = await asyncio.to_thread(kept.hear, guest, line.recording)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "audio/ogg"
        heard = words_in(sound_of(answer.content))
        words = [word for word in line.text.split() if word in heard]
        assert len(words) > len(line.text.split()) / 2
        assert set(heard) <= {*first, *second} or set(heard) <= {*WORDS[8:12]}, "one page's"
        for word in words:
            assert line.first - FAR <= heard[word] <= line.last + FAR, word
        if line.text.split()[0] in heard:
            assert abs(heard[line.text.split()[0]] - line.first) < FAR


async def test_parts_of_it_are_had_by_who_may_read(place: AppServer, kept: Kept) -> None:
    guest = await asyncio.to_thread(kept.guest)
    async with kept.page(guest) as page:
        await says(page, *WORDS[:6])
    await over(kept)
    [(recording, size, _)] = await asyncio.to_thread(kept.rows)
    await asyncio.to_thread(_asks, place, kept, guest, recording, size)


def _asks(place: AppServer, kept: Kept, guest: Visitor, recording: str, size: int) -> None:
    whole = kept.hear(guest, recording)
    assert (whole.status_code, len(whole.content)) == (200, size)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "private, no-store"
    tag = whole.headers["etag"]
    for asked, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=10-99", 10, 99),
        ("bytes=100-", 100, size - 1),
        (f"bytes=100-{size + 1000}", 100, size - 1),
        ("bytes=-7", size - 7, size - 1),
        (f"bytes=-{size + 7}", 0, size - 1),
    ):
        answer = kept.hear(guest, recording, Range=asked)
        assert answer.status_code == 206, asked
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert answer.headers["content-length"] == str(last - first + 1)
        assert answer.content == whole.content[first : last + 1]
    odd_ones = ("bytes=9-5", "bytes=0-1,5-9", "items=0-1", "bytes=-", "bytes=a-b")
    for odd in (*odd_ones, f"bytes=0-{9**30}"):
        assert kept.hear(guest, recording, Range=odd).status_code == 200, odd
    for behind in (f"bytes={size}-", "bytes=-0"):
        answer = kept.hear(guest, recording, Range=behind)
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer.headers["content-range"] == f"bytes */{size}"
    same, other = {"Range": "bytes=0-1", "If-Range": tag}, {"Range": "bytes=0-1", "If-Range": '"x"'}
    assert kept.hear(guest, recording, **same).status_code == 206
    assert kept.hear(guest, recording, **other).status_code == 200
    head = guest.http.head(kept.address(recording), headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.headers["content-length"], head.content) == (206, "10", b"")
    # Who may not read it, and what there is none of, looks the same.
    strangers = [Visitor(place.url), Visitor(place.url).sign_in("Somebody Else")]
    waiting = Visitor(place.url)
    another = Kept(place)
    for who in (*strangers, waiting, another.owner):
        assert kept.hear(who, recording).status_code == 404
    for odd in ("0" * 8, "..%2f..%2fnodes", recording[:-1], f"{recording}0", another.space):
        assert kept.hear(kept.owner, odd).status_code == 404, odd
    assert another.hear(another.owner, recording).status_code == 404, "by another session's address"
    assert kept.hear(kept.owner, recording).status_code == 200
    form = {"name": "x", "scope": "READ"}
    made = kept.owner.http.post("/profile/tokens", data=form, headers=JSON)
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    assert Visitor(place.url).http.get(kept.address(recording), headers=bearer).status_code == 200


async def test_nothing_else_is_kept(place: AppServer) -> None:
    """A space that keeps none, a page that didn't say so, a pause, and who hasn't agreed."""
    kept = await asyncio.to_thread(Kept, place, None)
    async with kept.page(kept.owner) as page:
        await says(page, *WORDS[:3])
        assert await asyncio.to_thread(kept.keep, 7) == 204
        await page.drop()
        await page.connect()
        assert page.welcome["audio"] == 0, "it began without"
        await says(page, *WORDS[3:6])
    await asyncio.to_thread(kept.owner.end, kept.slug)
    kept.slug = await asyncio.to_thread(kept.owner.start_session)
    form = {"consent": "REQUIRED"}
    consent = f"/spaces/{kept.space}/consent"
    await asyncio.to_thread(kept.owner.http.post, consent, data=form, headers=JSON)
    guests = [await asyncio.to_thread(kept.guest, name) for name in ("Fewer", "Silent", "Said")]
    pages = zip(guests, (6, 7, 7), strict=True)
    fewer, silent, said = (kept.page(who, told) for who, told in pages)
    async with fewer, silent, said:
        assert [one.welcome["audio"] for one in (fewer, silent, said)] == [0, 7, 7]
        for who in (guests[0], guests[2]):
            answer = await asyncio.to_thread(who.host, kept.slug, "consent", consent="yes")
            assert answer == (204, "")
        await fewer.until(lambda: bool(fewer.of_type("consent")))
        await said.until(lambda: bool(said.of_type("consent")))
        for page in (fewer, said):
            page.record(silence(60))  # what passed meanwhile, generously
        await silent.mic(True)
        await silent.speak(speak(WORDS[20:26]))
        await says(fewer, *WORDS[30:33])
        await says(said, *WORDS[40:43])
        assert await asyncio.to_thread(kept.owner.host, kept.slug, "pause") == (204, "")
        await said.until(lambda: bool(said.of_type("pauses")))
        await said.speak(speak(WORDS[50:56]))
    await over(kept)
    [(recording, _, seconds)] = await asyncio.to_thread(kept.rows)
    heard = words_in(sound_of((await asyncio.to_thread(kept.hear, kept.owner, recording)).content))
    assert set(heard) <= {*WORDS[40:43]}
    assert heard
    assert seconds < len(speak(WORDS[40:43])) / BYTES_PER_SECOND + 2.5
    assert len(await asyncio.to_thread(kept.files)) == 1


async def test_fewer_days_count_at_once_and_none_ends_it(kept: Kept) -> None:
    async with kept.page(kept.owner, told=30) as page:
        await says(page, *WORDS[:3])
        assert await asyncio.to_thread(kept.keep, 3) == 204
        await page.until(lambda: [one["audio"] for one in page.of_type("session")] == [3])
        assert await asyncio.to_thread(kept.keep, 30) == 204  # for later ones
        await says(page, *WORDS[3:6])
        await page.drop()
        await page.connect()
        assert page.welcome["audio"] == 3
        assert await asyncio.to_thread(kept.keep, None) == 204
        await page.until(lambda: page.of_type("session")[-1]["audio"] == 0)
        await page.mic(True)
        await says(page, *WORDS[6:9])
        assert await asyncio.to_thread(kept.keep, 30) == 204
        await says(page, *WORDS[9:12])
    await over(kept, recordings=2)
    days = await asyncio.to_thread(
        kept.tables,
        "SELECT extract(day FROM expires_at - r.created_at) FROM recordings r"
        " JOIN sessions s ON s.id = r.session_id WHERE slug = $1",
        kept.slug,
    )
    assert [int(one[0]) for one in days] == [3, 3]
    heard: set[str] = set()
    for recording, _, _ in await asyncio.to_thread(kept.rows):
        answer = await asyncio.to_thread(kept.hear, kept.owner, recording)
        heard |= set(words_in(sound_of(answer.content)))
    assert heard & {*WORDS[:6]}
    assert not heard & {*WORDS[6:12]}


@pytest.fixture
def server(gladia: GladiaEmulator, make_server: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server)


async def test_what_a_crash_cut_off_can_be_heard_up_to_there(server: AppServer) -> None:
    kept = await asyncio.to_thread(Kept, server)
    async with kept.page(kept.owner) as page:
        await says(page, *WORDS[:8])
        [file] = await until(lambda: asyncio.to_thread(kept.files))
        await until(lambda: file.stat().st_size > 5_000)
        await asyncio.to_thread(server.kill)
        await page.until_closed()
    size = file.stat().st_size
    with file.open("r+b") as cut:
        cut.truncate(size - 300)  # as where the disk was slower
    await asyncio.to_thread(server.start)
    [(recording, bytes_kept, seconds)] = await until(lambda: asyncio.to_thread(kept.rows))
    assert bytes_kept == size - 300
    answer = await asyncio.to_thread(kept.hear, kept.owner, recording)
    sound = sound_of(answer.content)
    assert abs(len(sound) / BYTES_PER_SECOND - seconds) < 0.1
    assert set(words_in(sound)) & {*WORDS[:8]}
    assert not list((server.data_dir / "audio" / "labels").iterdir())


def test_the_page_says_for_how_long(kept: Kept) -> None:
    text = kept.owner.http.get(f"/s/{kept.slug}").text
    assert re.search(r"data-kept hidden>The sound of what you say is kept for 7 days\.", text)
