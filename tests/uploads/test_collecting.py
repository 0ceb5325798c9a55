"""Files of an upload as they come: in pieces, whole, broken off, too large, and not at all."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from core.store.upload_files import MAX_FILES
from core.store.uploads import OPEN_OF_PERSON
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.raw_http import Line
from tests.support.waiting import wait_until
from tests.uploads.uploader import HTML, JSON, PIECE, Uploader, hum, wav

SOUND = wav(hum(2))
BOUNDARY = "----here"


def form_with(*files: tuple[str, bytes], field: str = "file") -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: audio/wav\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def whole(ada: Uploader, body: bytes) -> int:
    kind = {**JSON, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return ada.http.post(f"{ada.path}/files", content=body, headers=kind).status_code


def test_a_file_comes_in_pieces_and_is_known(ada: Uploader) -> None:
    ada.make(title="Talk")
    begun = ada.begin("C:\\talks\\Ada_King.wav", len(SOUND), 1_600_000_000_000)
    assert begun.json() == {"number": 1, "received": 0}
    half = len(SOUND) // 2
    assert ada.piece(1, 0, SOUND[:half]).json()["received"] == half
    # Out of order, twice, with an overlap: it says from where it goes on, and takes nothing.
    for offset in (0, 10, half - 1, half + 1, len(SOUND), 10**14):
        answer = ada.piece(1, offset, b"other")
        assert (answer.status_code, answer.json()) == (409, {"received": half})
    # After a reload: the same file goes on.
    again = ada.begin("Ada_King.wav", len(SOUND), 1_600_000_000_000)
    assert again.json() == {"number": 1, "received": half}
    assert ada.piece(1, half, SOUND[half:]).json() == {"received": len(SOUND), "flaw": None}
    assert ada.files[0].read_bytes() == SOUND
    page = ada.http.get(ada.path, headers=HTML).text
    assert "Ada_King.wav" in page
    assert 'value="Ada King"' in page  # who speaks, by the file's name, until somebody says else
    assert "2 s" in page
    assert "2020-09-13T12:26" in page  # when it was recorded: its last change is its end


def test_what_is_no_sound_is_said(ada: Uploader) -> None:
    ada.make()
    ada.send("notes.txt", b"no sound" * 100)
    assert "no sound of a kind we know" in ada.http.get(ada.path, headers=HTML).text
    assert ada.act("start").status_code == 422
    assert ada.act("files/1/remove").status_code == 204
    assert ada.files == []
    assert "notes.txt" not in ada.http.get(ada.path, headers=HTML).text


def test_what_broke_off_is_there_as_far_as_it_came(ada: Uploader) -> None:
    ada.make()
    data = wav(hum(60))
    ada.begin("long.wav", len(data))
    key = ada.http.cookies["sessions_login"]
    with Line(ada.place) as line:
        line.send(
            f"POST {ada.path}/files/1?offset=0 HTTP/1.1\r\nHost: localhost\r\n"
            f"Sec-Fetch-Site: same-origin\r\nCookie: sessions_login={key}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        line.send(data[:700_000])
        wait_until(lambda: ada.files and ada.files[0].stat().st_size > 500_000)
        # Meanwhile nobody else writes into it.
        there = ada.files[0].stat().st_size
        answer = ada.piece(1, there, b"x")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "upload_busy")
    wait_until(lambda: ada.row("(SELECT received FROM upload_files WHERE upload_id = id)"))
    there = ada.begin("long.wav", len(data)).json()["received"]
    assert 0 < there <= 700_000
    assert ada.files[0].read_bytes() == data[:there]
    assert ada.send("long.wav", data) == 1
    assert ada.files[0].read_bytes() == data


def test_what_can_not_be_taken_is_refused(ada: Uploader) -> None:
    ada.make()
    ada.begin("a.wav", 1000)
    assert ada.piece(1, 0, b"x" * 1001).status_code == 413
    assert ada.piece(1, 0, b"x" * (4 * 1024 * 1024 + 1)).status_code == 413
    assert ada.piece(2, 0, b"x").status_code == 404
    for odd in ("", "-1", "x", "١", "9" * 16):
        assert ada.piece(1, odd, b"x").status_code == 400, odd
    for number in ("0", "x", "1000", "%00"):
        address = f"{ada.path}/files/{number}?offset=0"
        found = ada.http.post(address, content=b"x", headers=PIECE).status_code
        assert found in (404, 415), number
    address = f"{ada.path}/files/1?offset=0"
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {**JSON, "Content-Type": kind}
        assert ada.http.post(address, content=b"x", headers=headers).status_code == 415
    assert ada.http.get(address).status_code == 405
    for size in ("", "0", "-1", "x", "1.5", "9" * 16, "١٢"):
        assert ada.begin("b.wav", 0, "").status_code == 422
        form = {"name": "b.wav", "size": size}
        answer = ada.http.post(f"{ada.path}/begin", data=form, headers=JSON)
        assert answer.status_code == 422, size
    assert ada.begin("b.wav", 6_000_001).status_code == 413
    assert ada.begin("b.wav", 5_999_500).status_code == 413  # together with the first
    assert ada.begin("\0\u202e/..\\", 10).json()["number"] == 2  # any name can be one
    assert ada.begin("c.wav", 10, "9" * 30).status_code == 200  # and any time none


def test_there_is_room_for_so_many_files(ada: Uploader) -> None:
    ada.make()
    for number in range(MAX_FILES):
        assert ada.begin(f"{number}.wav", 10).status_code == 200
    assert ada.begin("more.wav", 10).status_code == 409
    assert ada.begin("1.wav", 10).json()["number"] == 2


def test_files_come_whole_without_scripts(ada: Uploader) -> None:
    ada.make()
    assert whole(ada, form_with(("Ada.wav", SOUND), ("Ben «Б».wav", SOUND))) == 204
    assert [one.name for one in ada.files] == ["1", "2"]
    assert ada.files[1].read_bytes() == SOUND
    page = ada.http.get(ada.path, headers=HTML).text
    assert "Ben «Б».wav" in page
    assert whole(ada, form_with(("", b""))) == 204  # nothing was chosen
    assert whole(ada, form_with(("Cleo.wav", SOUND), field="other")) == 400
    assert whole(ada, form_with(("Cleo.wav", SOUND))[:-20]) == 400  # it broke off
    assert whole(ada, form_with(("large.wav", bytes(6_100_000)))) == 413
    assert whole(ada, form_with(*[(f"{n}.wav", b"x") for n in range(MAX_FILES + 1)])) in (400, 409)
    kind = {**JSON, "Content-Type": "application/x-www-form-urlencoded"}
    assert ada.http.post(f"{ada.path}/files", content=b"x=1", headers=kind).status_code == 415
    assert all(one.name.isdigit() for one in ada.files)  # nothing half is left


def test_what_is_said_of_it_can_be_changed_until_it_starts(ada: Uploader) -> None:
    assert ada.http.get(f"/spaces/{ada.space}/uploads", headers=HTML).status_code == 200
    home = ada.http.get("/", headers=HTML).text
    assert f'href="/spaces/{ada.space}/uploads"' in home
    address = f"/spaces/{ada.space}/uploads"
    ahead = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}"
    for odd in ("yesterday", ahead, "1492-10-12T10:00", "2026-02-31T10:00"):
        form = {"planned": odd, "title": "Kept <b>"}
        answer = ada.http.post(address, data=form, headers=HTML)
        assert answer.status_code == 422, odd
        assert "That is no time" in answer.text
        assert "Kept &lt;b&gt;" in answer.text
    assert ada.http.post(address, data={"spoken": "odd"}, headers=JSON).status_code == 422
    answer = ada.http.post(address, data={"planned": "2024-05-01T10:00", "offset": "120"})
    assert answer.status_code == 303
    ada.upload = answer.headers["location"].rpartition("/")[2]
    page = ada.http.get(ada.path, headers=HTML).text
    assert "<h1>Recording</h1>" in page
    assert 'value="2024-05-01T08:00"' in page
    assert ada.http.post(ada.path, data={"title": "x\0y" + "z" * 300}).status_code == 204
    page = ada.http.get(ada.path, headers=HTML).text
    assert f"<h1>x y{'z' * 117}</h1>" in page
    assert 'value="2024-05-01T08:00"' in page
    assert ada.http.post(ada.path, data={"planned": "x"}, headers=JSON).status_code == 422


def test_somebody_has_so_many_unfinished_ones(ada: Uploader) -> None:
    for _ in range(OPEN_OF_PERSON):
        ada.make()
    answer = ada.http.post(f"/spaces/{ada.space}/uploads", data={"title": "More"}, headers=HTML)
    assert answer.status_code == 409
    assert "Finish or stop one of them" in answer.text
    assert ada.act("stop").status_code == 204
    ada.make()


def test_who_else_sees_it_and_what_they_can_do(
    place: AppServer, uploader: Callable[[], Uploader]
) -> None:
    owner, member, fellow, stranger = (uploader() for _ in range(4))
    space = owner.space
    for one in (member, fellow):
        owner.tables(
            "INSERT INTO members (space_id, user_id, role)"
            " SELECT $1, user_id, 'MEMBER' FROM members WHERE space_id = $2",
            space,
            one.space,
        )
    answer = member.http.post(f"/spaces/{space}/uploads", data={"title": "Mine"}, headers=JSON)
    member.upload = answer.json()["upload"]
    member.send("Ada.wav", SOUND)
    acts = ("", "/begin", "/speakers", "/start", "/again", "/files/1/remove")
    for one, sees in ((owner, True), (fellow, False), (stranger, False)):
        one.upload = member.upload
        assert one.http.get(one.path, headers=HTML).status_code == (200 if sees else 404)
        assert [one.http.post(one.path + act).status_code for act in acts] == [404] * len(acts)
        assert one.piece(1, len(SOUND), b"").status_code == 404
        assert whole(one, form_with(("x.wav", SOUND))) == 404
        listed = one.http.get(f"/spaces/{space}/uploads", headers=HTML)
        if one is stranger:
            assert listed.status_code == 404
            assert one.http.post(f"/spaces/{space}/uploads").status_code == 404
        else:
            assert ("Mine" in listed.text) is sees
    assert fellow.act("stop").status_code == 404
    nobody = Browser(place.url)
    assert nobody.http.get(member.path).status_code == 303
    assert nobody.http.post(f"{member.path}/stop").status_code == 401
    assert nobody.http.post(f"{member.path}/begin").status_code == 401
    for odd in ("x", str(uuid4()), "%00"):
        assert member.http.get(f"/uploads/{odd}", headers=HTML).status_code == 404
        assert member.http.post(f"/uploads/{odd}/stop").status_code == 404
    assert [one.name for one in member.files] == ["1"]
    # Who is no member any more has none of it.
    owner.tables(
        "DELETE FROM members WHERE space_id = $1 AND user_id IN"
        " (SELECT user_id FROM members WHERE space_id = $2)",
        space,
        member.space,
    )
    assert member.http.get(member.path, headers=HTML).status_code == 404
    assert owner.act("stop").status_code == 204
    wait_until(lambda: not owner.files)
    assert owner.row() is None


def test_it_starts_once_nothing_lacks(ada: Uploader) -> None:
    ada.make()
    html = {"headers": HTML}
    assert "Add a file first" in ada.http.post(f"{ada.path}/start", **html).text  # type: ignore[arg-type]
    ada.begin("half.wav", 100)
    assert "Not all of “half.wav”" in ada.http.post(f"{ada.path}/start", **html).text  # type: ignore[arg-type]
    ada.act("files/1/remove")
    number = ada.send("both.wav", wav(hum(1), hum(1)))
    nameless = {f"file-{number}": "on", f"separate-{number}": "on", f"name-{number}-1": "Ada"}
    answer = ada.http.post(f"{ada.path}/start", data=nameless, headers=HTML)
    assert answer.status_code == 422
    assert "Say who speaks in “both.wav”" in answer.text
    assert 'value="Ada"' in answer.text  # what was typed stays
    assert (
        ada.act("speakers", **nameless, **{f"name-{number}-2": "\u202e\u0301"}).status_code == 204
    )
    assert ada.act("start").status_code == 422
    space = ada.space
    ada.http.post(f"/spaces/{space}/consent", data={"consent": "REQUIRED"}, headers=JSON)
    both = {**nameless, f"name-{number}-2": "Ben"}
    answer = ada.http.post(f"{ada.path}/start", data=both, headers=HTML)
    assert (answer.status_code, "Say that everybody agrees" in answer.text) == (422, True)
    slug = ada.start(**both, agreed="on")
    # From now on it is what it is.
    assert ada.act("start", **both, agreed="on").status_code == 409
    assert ada.begin("more.wav", 10).status_code == 409
    assert ada.act("files/1/remove").status_code in (404, 409)
    assert ada.act("speakers", **both).status_code in (204, 409)
    assert ada.http.post(ada.path, data={"title": "Other"}, headers=JSON).status_code == 409
    assert ada.act("again").status_code == 409
    assert ada.http.get(f"/s/{slug}", headers=HTML).status_code == 200


def test_its_files_go_with_its_space(ada: Uploader) -> None:
    ada.make()
    ada.send("Ada.wav", SOUND)
    folder = ada.files[0].parent
    ada.http.post("/spaces", data={"name": "Another"}, headers=JSON)
    ada.tables(
        "DELETE FROM spaces WHERE id = (SELECT space_id FROM uploads WHERE id = $1)", ada.upload
    )
    old = time.time() - 3600
    os.utime(folder, (old, old))
    wait_until(lambda: not folder.exists())


def test_what_nobody_goes_on_with_goes_after_a_day(ada: Uploader) -> None:
    ada.make()
    ada.send("Ada.wav", SOUND)
    folder = ada.files[0].parent
    ada.tables(
        "UPDATE uploads SET changed_at = now() - interval '23 hours' WHERE id = $1", ada.upload
    )
    assert ada.row() == "COLLECTING"
    ada.tables(
        "UPDATE uploads SET changed_at = now() - interval '25 hours' WHERE id = $1", ada.upload
    )
    ada.wait_for(None)
    old = time.time() - 3600
    os.utime(folder, (old, old))
    wait_until(lambda: not folder.exists())


def test_a_server_that_takes_none_offers_none(make_server_in: MakeServer) -> None:
    off = Uploader(make_server_in(SPEECH_ENGINE="auto", UPLOAD_MAX_MB="0"))
    assert "/uploads" not in off.http.get("/", headers=HTML).text
    assert "/uploads" not in off.http.get(f"/spaces/{off.space}", headers=HTML).text
    assert off.http.get(f"/spaces/{off.space}/uploads", headers=HTML).status_code == 404
    assert off.http.post(f"/spaces/{off.space}/uploads").status_code == 404


HASTE = """
import os, uvicorn
from core.uploads import shelf
from web.http import bounds as b
b.PIECE_TIMEOUT_S, b.PACE_S, b.PACE = 1.0, 1.0, 100_000
if os.environ['SPEECH_MODEL_URL']: shelf.LEFT_FREE = 1 << 60
uvicorn.main(['app:app', '--port', os.environ['PORT']])
"""


def test_who_is_slow_keeps_no_connection_for_ever(make_server_in: MakeServer) -> None:
    command = [sys.executable, "-c", HASTE.replace("os.environ['SPEECH_MODEL_URL']", "False")]
    eve = Uploader(make_server_in(command=command, SPEECH_ENGINE="auto"))
    eve.make()
    eve.begin("a.wav", 3_000_000)
    key = eve.http.cookies["sessions_login"]
    head = f"Host: localhost\r\nSec-Fetch-Site: same-origin\r\nCookie: sessions_login={key}\r\n"
    with Line(eve.place) as line:
        line.send(f"POST {eve.path}/files/1?offset=0 HTTP/1.1\r\n{head}")
        line.send("Content-Type: application/octet-stream\r\nContent-Length: 3000000\r\n\r\nx")
        assert line.answer()[0] == 408
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    body = form_with(("slow.wav", bytes(2_000_000)))
    with Line(
        eve.place
    ) as line:  # as fast as it must be: it takes several times as long as a piece may
        line.send(
            f"POST {eve.path}/files HTTP/1.1\r\n{head}{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        for at in range(0, 1_000_000, 50_000):
            assert line.send(body[at : at + 50_000])
            time.sleep(0.15)
        assert line.age > 2.5
        assert line.answer()[0] == 408  # and then nothing comes
    # What comes after a refusal isn't taken for ever either.
    with Line(eve.place) as line:
        line.send(
            f"POST /uploads/{uuid4()}/files HTTP/1.1\r\n{head}{kind}"
            "Content-Length: 90000000\r\n\r\n"
        )
        sent = sum(line.send(bytes(100_000)) * 100_000 for _ in range(900))
        assert sent < 60_000_000


def test_a_disk_that_is_nearly_full_takes_nothing(make_server_in: MakeServer) -> None:
    command = [sys.executable, "-c", HASTE.replace("os.environ['SPEECH_MODEL_URL']", "True")]
    eve = Uploader(make_server_in(command=command, SPEECH_ENGINE="auto"))
    eve.make()
    assert eve.begin("a.wav", 1000).status_code == 507
    assert whole(eve, form_with(("a.wav", SOUND))) == 507
    assert "a.wav" not in eve.http.get(eve.path, headers=HTML).text
