"""Uploads that Gladia transcribes: what is paid, what is said of it, and a service in trouble."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.speech.gladia_rooms import beside
from tests.speech.recorded.gladia_recordings import said_at
from tests.support.app_server import AppServer
from tests.support.waiting import wait_until
from tests.uploads.uploader import HTML, Uploader, wav

ONE = said_at((1.0, "good morning"), (12.0, "all of you"), end=20)
TWO = said_at((6.0, "hello there"), end=20)
BOTH = {"file-1": "on", "separate-1": "on", "name-1-1": "Ada", "name-1-2": "Ben"}


@pytest.fixture(scope="module")
def gladia() -> Iterator[GladiaEmulator]:
    with GladiaEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def place(gladia: GladiaEmulator, make_server_in: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server_in, COST_PER_MINUTE="0.6")


def test_what_gladia_hears_is_a_session_and_is_paid_once(
    gladia: GladiaEmulator, place: AppServer
) -> None:
    ada = Uploader(place)
    ada.make()
    ada.send("both.wav", wav(ONE, TWO))
    assert "The sound goes to Gladia" in ada.http.get(ada.path, headers=HTML).text
    before = gladia.billed_seconds
    slug = ada.start(**BOTH)
    ada.wait_for("DONE")
    assert ada.lines(slug) == [
        ("Ada", "good morning"),
        ("Ben", "hello there"),
        ("Ada", "all of you"),
    ]
    paid = gladia.billed_seconds - before
    sent, cost = ada.tables(
        "SELECT sum(u.sent_s), sum(u.cost) FROM space_usage u JOIN sessions s"
        " ON s.id = u.session_id WHERE s.slug = $1",
        slug,
    )[0]
    assert sent == pytest.approx(paid)
    assert cost == pytest.approx(paid / 60 * 0.6)
    assert gladia.uploads == []  # nothing of it stays there


def test_a_service_in_trouble_is_asked_again(gladia: GladiaEmulator, place: AppServer) -> None:
    ada = Uploader(place)
    ada.make()
    ada.send("both.wav", wav(ONE, TWO))
    fault = gladia.faults.recorded.refuse("upload", 503, times=None)
    slug = ada.start(**BOTH)
    wait_until(lambda: ada.row("reason") and ada.row("tries"))
    assert ada.row("state || ' ' || reason") == "WAITING service_trouble 503"
    page = ada.http.get(ada.path, headers=HTML).text
    assert "It is tried again by itself" in page
    fault.cancel()
    ada.tables("UPDATE uploads SET retry_at = now() WHERE id = $1", ada.upload)
    ada.wait_for("DONE")
    assert len(ada.lines(slug)) == 3


def test_a_refusal_is_said_and_can_be_tried_again(gladia: GladiaEmulator, place: AppServer) -> None:
    ada = Uploader(place)
    ada.make()
    ada.send("both.wav", wav(ONE, TWO))
    fault = gladia.faults.recorded.refuse("upload", 402, times=None)
    slug = ada.start(**BOTH)
    ada.wait_for("FAILED")
    page = ada.http.get(ada.path, headers=HTML).text
    assert "The credit at the speech service is used up." in page
    # What may pass is no more tried again by itself than this, once it has failed.
    for code, words in (
        ("service_trouble 503", "The speech service has trouble."),
        ("audio_refused 413", "The speech service can’t read the sound."),
        ("settings_refused", "refuses the languages or words of this recording"),
    ):
        ada.tables("UPDATE uploads SET reason = $2 WHERE id = $1", ada.upload, code)
        page = ada.http.get(ada.path, headers=HTML).text
        assert words in page
        assert "tried again by itself" not in page
    assert "Not all of this recording" in ada.http.get(f"/s/{slug}", headers=HTML).text
    fault.cancel()
    assert ada.act("again").status_code == 204
    ada.wait_for("DONE")
    assert len(ada.lines(slug)) == 3


@pytest.fixture
def at_gladia(gladia: GladiaEmulator, place: AppServer) -> Iterator[tuple[Uploader, str]]:
    """An upload that Gladia has, and that another process is said to have taken since; its link."""
    ada = Uploader(place)
    ada.make()
    ada.send("both.wav", wav(ONE, TWO))
    never = gladia.faults.recorded.slow("get", 60.0, times=None)
    slug = ada.start(**BOTH)
    wait_until(lambda: ada.tables(AT_GLADIA, ada.upload))
    logged = len(place.log)
    ada.tables(TAKEN, ada.upload, "another", 3600.0)
    wait_until(lambda: "is another process's" in place.log[logged:])
    never.cancel()
    yield ada, slug


AT_GLADIA = "SELECT FROM upload_tracks WHERE upload_id = $1 AND state LIKE '%\"job\":%'"
TAKEN = """
    UPDATE uploads SET taken_by = $2, taken_until = now() + $3 * interval '1 second'
    WHERE id = $1"""


@pytest.mark.parametrize(
    "delete",
    [
        "DELETE FROM sessions WHERE slug = $1",
        "DELETE FROM spaces WHERE id = (SELECT space_id FROM sessions WHERE slug = $1)",
    ],
)
def test_a_service_forgets_what_is_deleted(
    gladia: GladiaEmulator, at_gladia: tuple[Uploader, str], delete: str
) -> None:
    ada, slug = at_gladia
    assert len(gladia.uploads) == 1
    ada.tables(delete, slug)
    wait_until(lambda: gladia.uploads == [])
    wait_until(lambda: not ada.tables("SELECT FROM discarded_tracks"))


def test_who_comes_next_goes_on_with_what_a_service_has(
    gladia: GladiaEmulator, at_gladia: tuple[Uploader, str]
) -> None:
    ada, slug = at_gladia
    before = gladia.billed_seconds
    ada.tables(TAKEN, ada.upload, "another", 0.0)  # which died
    ada.wait_for("DONE")
    assert len(ada.lines(slug)) == 3
    paid = gladia.billed_seconds - before
    assert paid < 20, "the other channel alone"
    assert gladia.uploads == []
