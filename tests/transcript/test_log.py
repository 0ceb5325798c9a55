"""The log: numbers, what a page lacks, and when a final may be stored."""

from __future__ import annotations

import math

import pytest

from core.model import Page, Utterance
from core.transcript import numbers
from core.transcript.log import TranscriptLog
from core.transcript.outbox import Entry

ADA, BOB = ("p_ada", "client-a"), ("p_bob", "client-b")


class Room:
    """FinalsWriter and LogSink: notes what it is told, and stores nothing until told to."""

    def __init__(self) -> None:
        self.kept: list[Entry[Utterance]] = []
        self.shown: list[str] = []
        self.told: list[str] = []

    def keep(self, said: Entry[Utterance]) -> None:
        self.kept.append(said)

    def encode(self, said: Utterance) -> str:
        return f"{said.seq} {said.text or said.lost}"

    def show(self, shown: str) -> None:
        self.shown.append(shown)

    def stored(self, said: Utterance) -> None:
        self.told.append(f"stored {said.text or said.lost}")

    def refused(self, said: Utterance, seconds: float) -> None:
        self.told.append(f"{seconds} s of {said.text} lost")

    @property
    def words(self) -> list[str]:
        return [one.value.text for one in self.kept]


def said(text: str, page: Page = ADA, *, seq: int = 0, until: int = 16_000) -> Utterance:
    identity, client = page
    times = {"start": 1.0, "end": 2.0, "language": None, "until": until}
    who = {"identity": identity, "client": client, "name": "Somebody", "hue": 1}
    return Utterance("session", "stream", text, seq, text=text, **who, **times)  # type: ignore[arg-type]


def log_of(room: Room, *past: Utterance, first: bool = True) -> TranscriptLog[str]:
    return TranscriptLog(list(past), room, room, epoch=7, first=first)


def test_finals_are_numbered_shown_and_kept_and_their_page_is_told() -> None:
    room = Room()
    log = log_of(room, said("one", seq=1), first=False)
    log.open(said("two"))
    log.add(said("two"), 0, math.inf)
    assert room.shown == ["0 two", "2 two"]
    assert [(one.value.seq, one.value.epoch) for one in room.kept] == [(2, 7)]
    assert [one.text for one in log.unstored] == ["two"]
    room.kept[0].stored()
    assert log.unstored == []
    assert room.told == ["stored two"]
    assert log.catch_up(BOB, 0) == (2, ["1 one", "2 two"])


def test_what_overtook_an_older_stretch_is_shown_at_once_and_kept_in_turn() -> None:
    room = Room()
    log = log_of(room)
    log.add(said("later"), 500, 100)
    log.add(said("another's", BOB), 900, 900)
    log.add(said("earlier"), 100, 100)
    assert room.shown == ["1 later", "2 another's", "3 earlier"]
    assert room.words == ["another's", "earlier"]
    log.turn(ADA, 500)  # its own may have more, but nothing older has
    assert room.words == ["another's", "earlier", "later"]
    log.turn(ADA, math.inf)
    assert len(room.kept) == 3


def test_what_a_page_will_say_anew_to_the_next_owner_is_held_and_not_stored() -> None:
    room = Room()
    log = log_of(room)
    log.add(said("overtook"), 500, 100)
    log.leave_to_next([ADA])
    log.add(said("late"), 100, 100)
    log.add(said("another's", BOB), 0, math.inf)
    log.turn(ADA, math.inf)
    assert room.words == ["another's"]
    assert {one.text for one in log.held} == {"overtook", "late"}
    assert room.shown == ["1 overtook", "2 another's"]
    assert [one.text for one in log.unstored] == ["another's"]


def test_what_is_refused_becomes_a_gap_in_its_place_and_what_finds_no_place_does_not() -> None:
    room = Room()
    log = log_of(room)
    log.add(said("one"), 0, math.inf)
    log.add(said("two"), 0, math.inf)
    room.kept[0].lost(True)
    room.kept[1].lost(False)
    assert room.told == ["1.0 s of one lost", "1.0 s of two lost"]
    assert log.catch_up(BOB, 0)[1] == ["1 1.0", "2 two"]
    room.kept[2].lost(True)  # the gap, too
    assert len(room.kept) == 3


def test_in_a_room_that_nobody_had_before_every_page_is_believed() -> None:
    log = log_of(Room())
    for word in ("one", "two", "three"):
        log.add(said(word), 0, math.inf)
    assert log.catch_up(BOB, 2) == (3, ["3 three"])
    assert log.catch_up(BOB, 9) == (3, ["1 one", "2 two", "3 three"]), "no such number was given"


def test_who_may_have_seen_another_owners_numbers_is_told_again_what_has_them_now() -> None:
    log = log_of(Room(), said("one", seq=1), first=False)
    log.catch_up(ADA, 1)  # it has seen nothing above what is stored
    for word in ("two", "three"):
        log.add(said(word), 0, math.inf)
    assert log.catch_up(ADA, 3) == (3, [])
    assert log.catch_up(BOB, 3) == (1, ["2 two", "3 three"])
    assert log.catch_up(BOB, 3) == (1, ["2 two", "3 three"]), "it may not have got the answer"
    log.trust(BOB)
    assert log.catch_up(BOB, 3) == (3, [])


def test_after_numbers_were_given_anew_nobody_is_believed_above_them() -> None:
    room = Room()
    log = log_of(room, said("one", seq=1), first=False)
    log.catch_up(ADA, 1)
    log.add(said("mine"), 0, math.inf)
    log.renumber([said("one", seq=1), said("foreign", BOB, seq=2)], room.kept)
    assert room.shown[1:] == ["2 foreign", "3 mine"]
    assert room.kept[0].value.seq == 3
    assert log.catch_up(ADA, 2) == (1, ["2 foreign", "3 mine"])
    assert log.catch_up(ADA, 1) == (3, ["2 foreign", "3 mine"])


def test_only_so_many_pages_are_remembered_the_oldest_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbers, "MAX_TRUSTED", 2)
    log = log_of(Room(), said("one", seq=1), first=False)
    for client in "abc":
        log.catch_up(("p_ada", client), 1)
    log.add(said("two"), 0, math.inf)
    assert [log.catch_up(("p_ada", client), 2)[0] for client in "abc"] == [1, 2, 2]


def test_what_waits_of_an_owner_before_gets_numbers_here_too_each_its_own() -> None:
    room = Room()
    log = log_of(room, said("one", seq=1), first=False)
    before = [Entry(said(word, BOB, seq=3)) for word in ("old", "older")]
    log.renumber([said("one", seq=1), said("foreign", seq=3)], before)
    assert [one.value.seq for one in before] == [4, 5]
    assert log.catch_up(ADA, 0) == (5, ["1 one", "3 foreign", "4 old", "5 older"])
