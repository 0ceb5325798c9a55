"""Corrections through the door that pages and programs use: what becomes of lines, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.conftest import MakeServer
from tests.support.sign_in import LOGIN_SECRET
from tests.support.standings import STANDINGS, Stage, World
from tests.support.tables import Tables

FAMILY = "👩\u200d👧"  # one picture of two


@dataclass
class Transcript:
    """A stage whose guest and owner have spoken by turns, a word or two each second."""

    world: World
    stage: Stage

    def ask(
        self, method: str, path: str, who: str = "member", **form: str
    ) -> tuple[int, dict[str, Any]]:
        address = f"/s/{self.stage.slug}/transcript/{path}"
        answer = self.world.request(
            who, self.stage, method, address, form=form, accept="application/json"
        )
        return answer.status_code, answer.json() if answer.content else {}

    def correct(self, path: str, who: str = "member", **form: str) -> list[dict[str, Any]]:
        status, told = self.ask("POST", path, who, **form)
        assert status == 200, told
        return list(told["lines"])

    def refused(self, path: str, who: str = "member", **form: str) -> tuple[int, str]:
        status, told = self.ask("POST", path, who, **form)
        return status, told.get("error", {}).get("code", "")

    def line(self, name: str) -> dict[str, Any]:
        status, told = self.ask("GET", f"lines/{name}")
        assert status == 200, told
        return told

    def revision(self, name: str) -> str:
        return str(self.line(name)["revision"])

    def rows(self) -> list[tuple[Any, ...]]:
        return [
            tuple(row)
            for row in self.world.tables(
                "SELECT seq, part, text, speaker, hidden, joined_seq FROM corrected_lines"
                " WHERE session_id = $1 ORDER BY seq, part",
                UUID(self.stage.session),
            )
        ]

    def logged(self) -> list[tuple[Any, ...]]:
        return [
            tuple(row)
            for row in self.world.tables(
                "SELECT kind, name, seq, part FROM corrections WHERE session_id = $1 ORDER BY id",
                UUID(self.stage.session),
            )
        ]


@pytest.fixture(scope="module")
def world(make_server_in: MakeServer, make_database: Callable[[], str]) -> World:
    url = make_database()
    server = make_server_in(
        DATABASE_URL=url,
        LIVEKIT_URL="ws://localhost:9",
        NEXTAUTH_SECRET=LOGIN_SECRET,
        RATE_LIMIT_FACTOR="100",
    )
    return World(server, Tables(url))


@pytest.fixture
def transcript(world: World) -> Transcript:
    return Transcript(world, spoken(world))


def spoken(world: World) -> Stage:
    """Return a stage in which 1, 2 and 5 are the guest's, 3 and 4 the owner's; 6 is a gap."""
    stage = world.stage()
    guest, owner = stage.identity("guest"), stage.identity("owner")
    world.tables("DELETE FROM utterances WHERE session_id = $1", UUID(stage.session))
    said = [
        (1, guest, "good morning everybody"),
        (2, guest, "shall we begin"),
        (3, owner, "yes please"),
        (4, owner, "I am ready"),
        (5, guest, "then let us"),
    ]
    for seq, identity, text in said:
        world.tables(
            "INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s,"
            " end_s) VALUES ($1, 's', $2, $3, $4, $5, $6, $7)",
            UUID(stage.session),
            str(seq),
            seq,
            identity,
            text,
            float(seq),
            seq + 1.0,
        )
    world.tables(
        "INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s,"
        " end_s, lost_s) VALUES ($1, 's', 'gap-1', 6, $2, '', 6, 7, 1)",
        UUID(stage.session),
        guest,
    )
    return stage


def test_words_of_a_line_are_others(transcript: Transcript) -> None:
    [line] = transcript.correct("lines/1", text="  Good  morning! ", revision="0")
    assert line["text"] == "Good morning!"
    assert line["revision"] > 0
    assert transcript.line("1") == line
    # What is as it was is no correction.
    assert transcript.correct("lines/1", text="Good morning!", revision=str(line["revision"])) == []
    assert transcript.logged() == [("EDIT", "member", 1, 0)]
    utterance = transcript.world.tables.one(
        "SELECT text FROM utterances WHERE session_id = $1 AND seq = 1",
        UUID(transcript.stage.session),
    )
    assert utterance == "good morning everybody"
    # Who saw it before is shown what it is now, and can have it their way.
    status, told = transcript.ask("POST", "lines/1", "owner", text="Hello", revision="0")
    assert (status, told["error"]["code"], told["lines"]) == (409, "changed_meanwhile", [line])
    [again] = transcript.correct("lines/1", "owner", text="Hello", revision=str(line["revision"]))
    assert again["text"] == "Hello"
    _, history = transcript.ask("GET", "lines/1/history")
    assert [one["text"] for one in history["heard"]] == ["good morning everybody"]
    steps = [(one["by"], one["before"]["text"], one["after"]["text"]) for one in history["steps"]]
    assert steps == [
        ("member", "good morning everybody", "Good morning!"),
        ("owner", "Good morning!", "Hello"),
    ]


def test_odd_characters_stay_whole(transcript: Transcript) -> None:
    for text, kept in (
        ("שלום עולם \u200f!", "שלום עולם \u200f!"),
        (f"we are {FAMILY}", f"we are {FAMILY}"),
        ("me\u0301rci \u202e\u2066beaucoup", "me\u0301rci beaucoup"),
        ("a\tb\u0007c", "a b c"),
        ("می‌خواهم", "می‌خواهم"),
    ):
        [line] = transcript.correct("lines/1", text=text, revision=transcript.revision("1"))
        assert line["text"] == kept
    # A break within what is drawn as one moves behind it.
    for text, texts in (
        (f"we {FAMILY[:2]}\n{FAMILY[2:]} two", [f"we {FAMILY}", "two"]),
        ("me\n\u0301 rci", ["me\u0301", "rci"]),
        ("ok 👍\n🏽 then", ["ok 👍🏽", "then"]),
    ):
        lines = transcript.correct("lines/2", text=text, revision=transcript.revision("2"))
        assert [one["text"] for one in lines] == texts


def test_a_line_is_split_and_joined_and_restored(transcript: Transcript) -> None:
    lines = transcript.correct("lines/1", text="good morning\r\n\r\neverybody", revision="0")
    assert [(one["id"], one["text"]) for one in lines] == [
        ("1", "good morning"),
        ("1.1", "everybody"),
    ]
    assert lines[0]["start"] == 1.0
    assert lines[1]["end"] == 2.0
    assert lines[0]["end"] == lines[1]["start"] == pytest.approx(1 + 11 / 20)
    # Its first part once more: the new one stands between them, whatever its number.
    more = transcript.correct("lines/1", text="good\nmorning", revision=str(lines[0]["revision"]))
    assert [one["id"] for one in more] == ["1", "1.2"]
    assert transcript.line("1.2")["start"] < transcript.line("1.1")["start"]
    # 1, 1.2, 1.1, 2 are the guest's and follow each other.
    for first, second in (("1.1", "2"), ("1.2", "1.1"), ("1", "1.2")):
        form = {"next": second, "next_revision": transcript.revision(second)}
        joined = transcript.correct(
            f"lines/{first}/join", revision=transcript.revision(first), **form
        )
        assert joined[1]["joined"] == first
    whole = transcript.line("1")
    assert whole["text"] == "good morning everybody shall we begin"
    assert (whole["start"], whole["end"]) == (1.0, 3.0)
    assert transcript.line("2")["joined"] == "1"
    # What was joined isn't there any more: who corrects it is shown where it is.
    status, told = transcript.ask("POST", "lines/2", text="no", revision=transcript.revision("2"))
    assert (status, told["lines"]) == (409, [whole])
    _, history = transcript.ask("GET", "lines/1/history")
    assert [one["id"] for one in history["heard"]] == ["1", "2"]
    seen = str(history["seen"])
    assert transcript.refused("lines/1/restore", seen=str(int(seen) - 1)) == (
        409,
        "changed_meanwhile",
    )
    restored = transcript.correct("lines/1/restore", seen=seen)
    assert [(one["id"], one["text"], one["revision"]) for one in restored] == [
        ("1", "good morning everybody", 0),
        ("2", "shall we begin", 0),
    ]
    assert transcript.rows() == []
    # A revision doesn't come twice: who saw a part of the former split isn't let into another.
    anew = transcript.correct("lines/1", text="good\nbye", revision="0")
    assert anew[1]["id"] == "1.1"
    old = str(lines[1]["revision"])
    assert transcript.refused("lines/1.1", text="x", revision=old)[0] == 409
    kinds = [one[0] for one in transcript.logged()]
    assert kinds == ["SPLIT"] * 4 + ["JOIN"] * 6 + ["RESTORE"] * 2 + ["SPLIT"] * 2


def test_lines_that_are_no_neighbours_stay_apart(transcript: Transcript) -> None:
    def join(first: str, second: str) -> tuple[int, str]:
        return transcript.refused(
            f"lines/{first}/join",
            revision=transcript.revision(first),
            next=second,
            next_revision=transcript.revision(second),
        )

    apart = (409, "not_neighbours")
    assert join("2", "3") == apart  # another's
    assert join("2", "5") == apart  # the same one's, further on
    assert join("2", "1") == apart  # the wrong way round
    assert join("1", "1")[0] in (404, 409)
    assert join("5", "6") == (409, "not_speech")
    transcript.correct("lines/2/hide", revision="0")
    assert join("1", "2") == apart
    transcript.correct("lines/2/show", revision=transcript.revision("2"))
    # Of another's after reassigning, they are.
    guest = transcript.stage.identity("guest")
    transcript.correct("lines/3", speaker=guest, revision="0")
    form = {"next": "3", "next_revision": transcript.revision("3")}
    joined = transcript.correct("lines/2/join", revision=transcript.revision("2"), **form)
    assert joined[0]["text"] == "shall we begin yes please"
    for seq in (4, 5):
        transcript.world.tables(
            "UPDATE utterances SET text = $1, identity = $2 WHERE session_id = $3 AND seq = $4",
            "x" * 3000,
            transcript.stage.identity("owner"),
            UUID(transcript.stage.session),
            seq,
        )
    assert join("4", "5") == (422, "line_too_long")


def test_speakers(transcript: Transcript) -> None:
    owner, guest = transcript.stage.identity("owner"), transcript.stage.identity("guest")
    # A run, all or none.
    run = transcript.correct("lines/1", speaker=owner, revision="0", run="2:0 5:0")
    assert [(one["id"], one["speaker"]["name"]) for one in run] == [
        ("1", "owner"),
        ("2", "owner"),
        ("5", "owner"),
    ]
    before = transcript.rows()
    status, told = transcript.ask(
        "POST", "lines/3", speaker=guest, revision="0", run=f"4:0 5:{int(run[2]['revision']) - 1}"
    )
    assert status == 409
    assert [one["id"] for one in told["lines"]] == ["5"]
    assert transcript.rows() == before
    # Several people in one room, and somebody who had no microphone; the same ones the next time.
    several = transcript.correct("lines/3", speaker="several", revision="0")[0]["speaker"]
    assert several["name"] is None
    assert transcript.correct("lines/4", speaker="several", revision="0")[0]["speaker"] == several
    zoe = transcript.correct(
        "lines/3", speaker="new", name=" Zoë ", revision=transcript.revision("3")
    )[0]["speaker"]
    assert zoe["name"] == "Zoë"
    again = transcript.correct(
        "lines/4", speaker="new", name="zoë", revision=transcript.revision("4")
    )[0]["speaker"]
    assert again == zoe
    # Names: of a participant, and back; of the room.
    assert transcript.refused(f"speakers/{guest}", name="Grace Hopper", revision="0")[0] == 204
    transcript.correct("lines/3", speaker=guest, revision=transcript.revision("3"))
    assert transcript.line("3")["speaker"]["name"] == "Grace Hopper"
    status, told = transcript.ask("POST", f"speakers/{guest}", name="Ada", revision="0")
    assert (status, told["speaker"]["name"]) == (409, "Grace Hopper")
    revision = str(told["speaker"]["revision"])
    assert transcript.refused(f"speakers/{guest}", name="guest", revision=revision)[0] == 204
    assert transcript.line("3")["speaker"]["name"] == "guest"
    assert transcript.refused(f"speakers/{several['id']}", name="Room 4", revision="1")[0] == 204
    # Refusals: of no session, of another, of who never came.
    other = transcript.world.tables.one(
        "INSERT INTO participants (identity, session_id, name, hue, role, state, joined_at)"
        " SELECT 'p_stranger_' || $1, id, 'Stranger', 1, 'GUEST', 'ADMITTED', now() FROM sessions"
        " WHERE slug = $2 RETURNING identity",
        str(transcript.stage.number),
        f"over-{transcript.stage.number}",
    )
    for nobody in (other, "p_nobody", transcript.stage.identity("waiting"), "x_000000000000"):
        assert transcript.refused("lines/5", speaker=nobody, revision="0")[0] in (404, 409)
        assert transcript.refused("lines/6", speaker=nobody, revision="0")[0] in (404, 409)
        assert transcript.refused(f"speakers/{nobody}", name="X", revision="0")[0] == 404
    last = transcript.revision("5")
    assert transcript.refused("lines/5", speaker=other, revision=last) == (404, "not_found")
    for name in ("", " \u0301", "\u2066"):
        assert transcript.refused("lines/5", speaker="new", name=name, revision=last) == (
            422,
            "no_words",
        )
        assert transcript.refused(f"speakers/{guest}", name=name, revision="0")[0] == 422
    transcript.world.tables(
        "INSERT INTO speakers (session_id, speaker, name, hue)"
        " SELECT $1, 'x_' || n, 'Extra ' || n, 0 FROM generate_series(1, 48) AS n",
        UUID(transcript.stage.session),
    )
    full = transcript.refused("lines/5", speaker="new", name="One more", revision=last)
    assert full == (409, "too_many_speakers")
    assert transcript.correct("lines/5", speaker="new", name="Extra 7", revision=last)


def test_of_two_at_the_same_moment_one_is_first(transcript: Transcript) -> None:
    def edit(n: int) -> int:
        who = "owner" if n % 2 else "member"
        return transcript.ask("POST", "lines/1", who, text=f"number {n}", revision="0")[0]

    def move(n: int) -> int:
        first, second = ("3", "4") if n % 2 else ("4", "3")
        return transcript.ask(
            "POST", f"lines/{first}", speaker="new", name=f"N{n}", revision="0", run=f"{second}:0"
        )[0]

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(edit, range(8))) == [200] + [409] * 7
        assert sorted(pool.map(move, range(8))) == [200] + [409] * 7
    assert [row[:2] for row in transcript.rows()] == [(1, 0), (3, 0), (4, 0)]
    made = transcript.world.tables(
        "SELECT FROM speakers WHERE session_id = $1", UUID(transcript.stage.session)
    )
    assert len(made) == 1  # a refused one leaves no speaker behind
    assert len(transcript.logged()) == 3


def test_what_cant_be_corrected(transcript: Transcript) -> None:
    for name in ("0", "01", "1.0", "chat-1", "pause-0", "99", "1.1", "x", "9999999999", "%00"):
        assert transcript.refused(f"lines/{name}", text="x", revision="0") == (404, "not_found")
        assert transcript.ask("GET", f"lines/{name}")[0] == 404
        assert transcript.ask("GET", f"lines/{name}/history")[0] == 404
        assert transcript.refused(f"lines/{name}/restore", seen="0") == (404, "not_found")
    for form in ({}, {"revision": ""}, {"revision": "-1"}, {"revision": "1e3"}, {"revision": "²"}):
        assert transcript.refused("lines/1", text="x", **form)[0] == 422, form
    for run in ("chat-1:0", "2", "2:x", "2:0,3:0"):
        assert transcript.refused("lines/1", speaker="several", run=run, revision="0")[0] == 422
    again = transcript.refused("lines/1", speaker="several", run="1:0", revision="0")
    assert again[0] == 422
    many = " ".join(f"{n}:0" for n in range(2, 503))
    assert transcript.refused("lines/1", speaker="several", run=many, revision="0")[0] == 422
    for text in ("", " \n ", "\u200b\u2060", "\u0301"):
        assert transcript.refused("lines/1", text=text, revision="0") == (422, "no_words"), text
    assert transcript.refused("lines/1", text="x" * 5001, revision="0") == (422, "line_too_long")
    assert transcript.refused("lines/1", text="a\0b", revision="0")[0] == 422
    assert transcript.correct("lines/1", text="x" * 5000, revision="0")
    for act in ("", "/hide", "/show"):
        form = {"text": "x"} if not act else {}
        assert transcript.refused(f"lines/6{act}", revision="0", **form) == (409, "not_speech")
    parts = transcript.correct("lines/2", text="a\n" * 100, revision="0")
    assert [one["id"] for one in parts] == ["2", *(f"2.{n}" for n in range(1, 100))]
    full = transcript.refused("lines/2.7", text="a\nb", revision=str(parts[7]["revision"]))
    assert full == (409, "too_many_parts")


def test_whose_transcript_it_is_not(transcript: Transcript) -> None:
    transcript.correct("lines/2", text="Shall we?", revision="0")
    second = transcript.revision("2")
    for who in STANDINGS:
        line = transcript.ask("GET", "lines/1", who)[0]
        told = transcript.ask("GET", "lines/1/history", who)[0]
        acts = [
            transcript.refused("lines/1", who, text=f"by {who}", revision=transcript.revision("1"))[
                0
            ],
            transcript.refused("lines/1/hide", who, revision=transcript.revision("1"))[0],
            transcript.refused("lines/1/show", who, revision=transcript.revision("1"))[0],
            transcript.refused("lines/1/restore", who, seen=transcript.revision("1"))[0],
            transcript.refused("lines/1/join", who, revision="0", next="2", next_revision=second)[
                0
            ],
            transcript.refused("lines/2/restore", who, seen="99999999")[0],
            transcript.refused(
                f"speakers/{transcript.stage.identity('guest')}", who, name="guest", revision="0"
            )[0],
        ]
        if who in ("member", "owner", "host", "write token"):
            assert (line, told) == (200, 200), who
            assert set(acts) <= {200, 204}, (who, acts)
            transcript.correct("lines/2", text="Shall we?", revision="0")
            second = transcript.revision("2")
        elif who == "read token":
            assert (line, told) == (200, 200)
            assert set(acts) == {403}, acts
        else:
            assert {line, told, *acts} <= {401, 404}, (who, acts)


def test_hidden_lines_are_for_who_may_correct(transcript: Transcript) -> None:
    def shown(who: str) -> str:
        address = f"/s/{transcript.stage.slug}/transcript.txt"
        answer: httpx2.Response = transcript.world.request(who, transcript.stage, "GET", address)
        assert answer.status_code == 200
        return answer.text

    transcript.correct("lines/1/hide", "host", revision="0")
    assert transcript.correct("lines/1/hide", "owner", revision=transcript.revision("1")) == []
    assert transcript.line("1")["hidden"] is True
    assert [one[:2] for one in transcript.logged()] == [("HIDE", "host")]
    transcript.correct("lines/1/show", revision=transcript.revision("1"))
    assert transcript.line("1")["hidden"] is False
