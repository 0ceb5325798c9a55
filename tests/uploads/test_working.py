"""What becomes of an upload that was started: a session, whatever happens meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core.speech.engine import BYTES_PER_SECOND
from tests.conftest import MakeServer
from tests.support.speech_samples import beckett, opening, two_cities
from tests.support.waiting import wait_until
from tests.uploads.uploader import HTML, JSON, Uploader, hum, wav

NOON = "1714557600000"  # 2024-05-01, 10:00 UTC


def has(words: str, lines: list[tuple[str, str]], speaker: str) -> bool:
    """Whether a speaker says these words, whatever is between them and however they are written."""
    said = " ".join(text for name, text in lines if name == speaker)
    return re.sub(r"\W+", " ", words.lower()) in re.sub(r"\W+", " ", said.lower())


def recording(seconds: float = 15) -> tuple[bytes, bytes]:
    """Return two who speak at the same time, as PCM16 of the same length."""
    size = int(seconds * BYTES_PER_SECOND)
    return opening()[:size].ljust(size, b"\0"), beckett()[:size].ljust(size, b"\0")


def test_files_and_channels_become_a_session(ada: Uploader) -> None:
    one, two = recording()
    ada.make(title="Two cities", planned="2024-05-01T10:00")
    ada.send("both.wav", wav(one, two), NOON)
    ada.send("again.wav", wav(two))
    names = {"separate-1": "on", "name-1-1": "Charles", "name-1-2": "Samuel", "name-2": "Samuel"}
    slug = ada.start(**names, **{"file-1": "on", "file-2": "on"})
    # It is there at once, and says that it goes on.
    page = ada.http.get(f"/s/{slug}", headers=HTML).text
    assert "Two cities" in page
    ada.wait_for("DONE")
    assert ada.http.get(ada.path, headers=HTML).headers["location"] == f"/s/{slug}"
    wait_until(lambda: not ada.files)  # nothing of the sound stays
    found = ada.http.get(f"/s/{slug}/transcript.json", headers=JSON).json()
    lines = ada.lines(slug)
    assert has("it was the best of times", lines, "Charles")
    assert has("ever tried", lines, "Samuel")
    assert not has("ever tried", lines, "Charles")
    starts = [one["start"] for one in found["lines"]]
    assert starts == sorted(starts)
    rows = ada.tables(
        "SELECT seq, until, end_s, client FROM utterances u JOIN sessions s ON s.id = u.session_id"
        " WHERE s.slug = $1 ORDER BY seq",
        slug,
    )
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert all(abs(row[1] / 16000 - row[2]) < 0.01 for row in rows)
    session = ada.tables(
        "SELECT status, started_at, ended_at, (SELECT count(*) FROM participants p"
        " WHERE p.session_id = s.id), id FROM sessions s WHERE slug = $1",
        slug,
    )[0]
    assert (session[0], session[3]) == ("ENDED", 2)  # one who speaks twice is one
    assert session[1] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert session[2] - session[1] == timedelta(seconds=15)
    # It is counted, as live speech is.
    sent = ada.tables.one("SELECT sum(sent_s) FROM space_usage WHERE session_id = $1", session[4])
    assert 10 < sent <= 45
    streams = ada.tables("SELECT stream, sent_s FROM streams WHERE session_id = $1", session[4])
    assert {row[0] for row in streams} == {"t1", "t2", "t3"}
    assert abs(sum(row[1] for row in streams) - sent) < 0.01
    # And all that is done with a transcript is done with this one.
    hits = ada.http.get("/search?q=Darkness+-nothing", headers=HTML).text
    assert f"/s/{slug}" not in hits
    hits = ada.http.get("/search?q=%22best+of%22", headers=HTML).text
    assert f"/s/{slug}" in hits
    assert "Charles" in ada.http.get(f"/s/{slug}/transcript.srt").text
    charles = _identity(ada, slug, "Charles")
    renamed = ada.http.post(
        f"/s/{slug}/transcript/speakers/{charles}",
        data={"name": "Dickens", "revision": "0"},
        headers=JSON,
    )
    assert renamed.status_code == 204
    assert ada.http.post(f"/s/{slug}/share", data={"days": "7"}, headers=JSON).status_code in (
        201,
        204,
    )
    page = ada.http.get(f"/s/{slug}", headers=HTML).text
    assert "Dickens" in page
    assert "still being transcribed" not in page
    assert ada.http.post(f"/s/{slug}/delete", headers=JSON).status_code == 204
    assert ada.row() is None


def _identity(ada: Uploader, slug: str, name: str) -> str:
    return str(
        ada.tables.one(
            "SELECT identity FROM participants p JOIN sessions s ON s.id = p.session_id"
            " WHERE s.slug = $1 AND p.name = $2",
            slug,
            name,
        )
    )


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_another_process_goes_on_where_one_ended(make_server: MakeServer, end: str) -> None:
    place = make_server(SPEECH_ENGINE="auto")
    ada = Uploader(place)
    ada.make()
    ada.send("cities.wav", wav(two_cities()))
    slug = ada.start(**{"file-1": "on", "name-1": "Charles"})
    count = "(SELECT count(*) FROM utterances WHERE session_id = uploads.session_id)"
    wait_until(lambda: ada.row(count))
    getattr(place, end)()
    before = ada.row(count)
    assert ada.row() == "WORKING"
    place.start()
    ada.wait_for("DONE")
    lines = ada.lines(slug)
    assert before < len(lines)
    said = " ".join(text for _, text in lines).lower()
    for words in ("best of times", "worst of times", "epoch of belief", "winter of despair"):
        assert said.count(words) == 1, said
    sent = ada.row("(SELECT sum(sent_s) FROM streams WHERE session_id = uploads.session_id)")
    assert sent <= 44.5  # nothing is counted twice


def test_what_is_stopped_stops_and_what_is_there_stays(ada: Uploader) -> None:
    ada.make(title="Long")
    ada.send("cities.wav", wav(two_cities() * 2))
    slug = ada.start(**{"file-1": "on", "name-1": "Charles"})
    count = "(SELECT count(*) FROM utterances WHERE session_id = uploads.session_id)"
    wait_until(lambda: ada.row(count))
    page = ada.http.get(f"/s/{slug}", headers=HTML).text
    assert "still being transcribed" in page
    assert "You can close this page" in ada.http.get(ada.path, headers=HTML).text
    assert ada.act("stop").status_code == 204
    assert ada.row() is None
    wait_until(lambda: not ada.files)
    page = ada.http.get(f"/s/{slug}", headers=HTML).text
    assert "could not be transcribed" in page  # the rest, as a gap
    assert "still being transcribed" not in page
    # Nothing more comes.
    lines = ada.lines(slug)
    ada.make()
    ada.send("short.wav", wav(opening()))
    ada.start(**{"file-1": "on", "name-1": "Charles"})
    ada.wait_for("DONE")
    assert ada.lines(slug) == lines


def test_one_that_waits_and_is_stopped_leaves_nothing(uploader: Callable[[], Uploader]) -> None:
    ada, ben = uploader(), uploader()
    ada.make()
    ada.send("cities.wav", wav(two_cities() * 2))
    ada.start(**{"file-1": "on", "name-1": "Charles"})
    ben.make()
    ben.send("short.wav", wav(opening()))
    slug = ben.start(**{"file-1": "on", "name-1": "Charles"})
    assert ben.row() == "WAITING"  # one at a time
    assert ben.act("stop").status_code == 204
    assert ben.http.get(f"/s/{slug}", headers=HTML).status_code == 404
    assert ada.act("stop").status_code == 204


def test_its_session_and_its_space_take_it_along(uploader: Callable[[], Uploader]) -> None:
    ada, ben = uploader(), uploader()
    for one in (ada, ben):
        one.make()
        one.send("cities.wav", wav(two_cities()))
    slug = ada.start(**{"file-1": "on", "name-1": "Charles"})
    wait_until(lambda: ada.row() == "WORKING")
    assert ada.http.post(f"/s/{slug}/delete", headers=JSON).status_code == 204
    assert ada.row() is None
    # The next one is worked on, which it isn't before the first is given up.
    slug = ben.start(**{"file-1": "on", "name-1": "Charles"})
    ben.wait_for("DONE")
    assert ben.lines(slug)
    assert "could not be worked on" not in ada.place.log


def test_silence_is_a_session_without_words(ada: Uploader) -> None:
    ada.make()
    ada.send("silence.wav", wav(hum(5)))
    slug = ada.start(**{"file-1": "on", "name-1": "Nobody"})
    ada.wait_for("DONE")
    assert ada.lines(slug) == []
    assert "Nothing was said" in ada.http.get(f"/s/{slug}", headers=HTML).text


def test_a_space_without_minutes_has_nothing_transcribed(ada: Uploader) -> None:
    space = ada.space
    ada.make()
    ada.send("cities.wav", wav(opening()))
    chosen = ada.http.post(f"/spaces/{space}/minutes", data={"minutes": "0"}, headers=JSON)
    assert chosen.status_code == 204
    names = {"file-1": "on", "name-1": "Charles"}
    answer = ada.http.post(f"{ada.path}/start", data=names, headers=HTML)
    assert (answer.status_code, "used up the minutes" in answer.text) == (409, True)
    assert ada.row() == "COLLECTING"
    # They run out in the middle: it waits, and says why.
    ada.http.post(f"/spaces/{space}/minutes", data={"minutes": "0.02"}, headers=JSON)
    ada.start(**names)
    wait_until(
        lambda: (
            ada.row("state || reason") == "WAITINGspace_choice_used_up 2026" or ada.row("reason")
        )
    )
    assert ada.row("reason").startswith("space_choice_used_up")
    assert "used up the minutes" in ada.http.get(ada.path, headers=HTML).text
    ada.http.post(f"/spaces/{space}/minutes", data={"minutes": ""}, headers=JSON)
    ada.tables("UPDATE uploads SET retry_at = now() WHERE id = $1", ada.upload)
    ada.wait_for("DONE")


def test_sound_is_kept_where_the_space_has_it_so(ada: Uploader) -> None:
    ada.http.post(f"/spaces/{ada.space}/audio", data={"keep": "yes", "days": "7"}, headers=JSON)
    one, two = recording()
    ada.make()
    assert "kept for 7 days" in ada.http.get(f"/spaces/{ada.space}/uploads", headers=HTML).text
    ada.send("both.wav", wav(one, two))
    names = {"separate-1": "on", "name-1-1": "Charles", "name-1-2": "Samuel", "file-1": "on"}
    slug = ada.start(**names)
    ada.wait_for("DONE")
    page = ada.http.get(f"/s/{slug}", headers=HTML).text
    sounds = dict(re.findall(r'data-sound="([0-9a-f-]{36}) ([0-9.]+ [0-9.]+)"', page))
    assert len(sounds) == 2
    for one_of in sounds:
        answer = ada.http.get(f"/s/{slug}/audio/{one_of}")
        assert (answer.status_code, answer.content[:4]) == (200, b"OggS")
    kept = ada.tables(
        "SELECT samples, expires_at - now() FROM recordings r JOIN sessions s"
        " ON s.id = r.session_id WHERE s.slug = $1",
        slug,
    )
    assert all(14 * 16000 < row[0] <= 15.1 * 16000 for row in kept)
    assert all(timedelta(days=6) < row[1] <= timedelta(days=7) for row in kept)


def test_old_words_are_kept_from_the_upload_on(ada: Uploader) -> None:
    space = ada.space
    ada.http.post(f"/spaces/{space}/keeping", data={"days": "30", "was": ""}, headers=JSON)
    ada.make(planned="2024-05-01T10:00")
    page = ada.http.get(f"/spaces/{space}/uploads", headers=HTML).text
    assert "30 days after it was uploaded" in page
    ada.send("short.wav", wav(opening()))
    slug = ada.start(**{"file-1": "on", "name-1": "Charles"})
    ada.wait_for("DONE")
    assert ada.tables.one(
        "SELECT count(*) FROM sessions s WHERE s.slug = $1 AND "
        " s.ended_at < now() - interval '1 year' AND s.uploaded_at > now() - interval '1 hour'",
        slug,
    )
    answer = ada.http.post(
        f"/spaces/{space}/keeping", data={"days": "20", "was": "30"}, headers=JSON
    )
    assert answer.status_code == 204  # no question of what would go at once
    said = re.search(
        r"deletes what was said here at this time:.*?datetime=\"([^\"]+)\"",
        ada.http.get(f"/s/{slug}", headers=HTML).text,
        re.DOTALL,
    )
    assert said is not None
    days = datetime.fromisoformat(said[1]) - datetime.now(UTC)
    assert timedelta(days=19) < days <= timedelta(days=20)


def test_another_disk_says_so(ada: Uploader) -> None:
    ada.make()
    ada.send("short.wav", wav(hum(1)))
    ada.tables("UPDATE uploads SET place = 'disk:elsewhere' WHERE id = $1", ada.upload)
    assert "another one has the files" in ada.http.get(ada.path, headers=HTML).text
    assert ada.begin("x.wav", 10).status_code == 409
    assert ada.act("start", **{"file-1": "on", "name-1": "A"}).status_code == 409
    assert ada.act("files/1/remove").status_code == 409
    assert ada.act("stop").status_code == 204
