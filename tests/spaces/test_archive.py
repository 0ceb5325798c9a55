"""Everything of a space as one ZIP: whole, for its owners alone, and never falsely whole."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pytest

from core.services import ARCHIVES
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.own_postgres import OwnPostgres
from tests.support.raw_http import Line
from tests.support.talks import Talk
from tests.support.visitors import Visitor
from tests.support.waiting import wait_until

JSON = {"Accept": "application/json"}
# Lines that don't compress well, so that nobody can have all of them in a buffer.
MANY = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
    SELECT p.session_id, 'm', n::text, 1000 + n, identity,
        (SELECT string_agg(md5(n || '.' || k), ' ') FROM generate_series(1, 12) k), n, n + 1
    FROM participants p JOIN sessions s ON s.id = p.session_id, generate_series(1, 6000) n
    WHERE s.slug = $1 LIMIT 6000"""


@pytest.fixture(scope="module")
def server(make_server_in: MakeServer) -> AppServer:
    return make_server_in(RATE_LIMIT_FACTOR="20")


@pytest.fixture(scope="module")
def talk(server: AppServer) -> Talk:
    """A session with a correction, a hidden line and what an AI made of it; another goes on."""
    ada = Visitor(server.url).sign_in("Ada Lovelace")
    talk = Talk.begin(server, ada, "../Harbour: plans", "Bo")
    said = talk.say("Ada Lovelace", "Good morning.", 1.0)
    talk.translate(said, "de", "Guten Morgen.")
    talk.translate(said, "ru", "Доброе утро.")
    talk.write("Bo", "hello", 2.0)
    hidden = talk.say("Bo", "a secret", 3.0)
    talk.correct(hidden, "a secret", 3.0, "Bo", hidden=True)
    talk.tables(
        "INSERT INTO corrections (session_id, name, kind, seq, part, before, after)"
        """ SELECT id, 'Ada', 'HIDE', $2, 0, '{"hidden": false}', '{"hidden": true}' """
        "FROM sessions WHERE slug = $1",
        talk.slug,
        hidden,
    )
    talk.tables(
        "INSERT INTO analyses (session_id, title, tasks)"
        """ SELECT id, 'Piers', '["Write the letter"]' FROM sessions WHERE slug = $1""",
        talk.slug,
    )
    ada.end(talk.slug)
    talk.translate(hidden, "de", "ein Geheimnis")
    form = {"days": "7", "chat": "on"}
    assert ada.http.post(f"/s/{talk.slug}/share", data=form, headers=JSON).status_code == 204
    ada.start_session("Goes on")
    return talk


def space_of(talk: Talk) -> str:
    found: UUID = talk.tables.one("SELECT space_id FROM sessions WHERE slug = $1", talk.slug)
    return str(found)


def address(talk: Talk) -> str:
    return f"/spaces/{space_of(talk)}/archive.zip"


def opened(content: bytes) -> dict[str, Any]:
    """Return all files by name; JSON as what it says."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {
            name: json.loads(archive.read(name)) if name.endswith(".json") else archive.read(name)
            for name in archive.namelist()
        }


def test_it_has_everything(talk: Talk, tmp_path: Path) -> None:
    assert talk.host.http.get(address(talk)).status_code == 200
    answer = talk.host.http.get(address(talk))
    assert answer.headers["content-type"] == "application/zip"
    assert "Ada%20Lovelace%E2%80%99s%20space.zip" in answer.headers["content-disposition"]
    files = opened(answer.content)
    assert files["space.json"]["members"][0]["name"] == "Ada Lovelace"
    assert files["space.json"]["space"]["consent"] == "OFF"
    assert [(one["act"], one["who"]) for one in files["log.json"]][-1:] == [
        ("archived", "Ada Lovelace")
    ]
    assert files["usage.json"] == []
    past, goes_on = files["index.json"]["sessions"]
    folder = past["folder"]
    assert folder.startswith("sessions/2")
    assert folder.endswith(f" .. Harbour plans {talk.slug}/")
    assert files[f"{folder}session.json"]["people"][1]["name"] == "Bo"
    told = files[f"{folder}transcript.json"]
    schema = json.loads((ROOT / "docs/transcript-1.schema.json").read_text())
    jsonschema.validate(told, schema)
    assert [one.get("hidden", False) for one in told["lines"]] == [False, False, True]
    text = files[f"{folder}transcript.txt"].decode()
    assert "Ada Lovelace: Good morning." in text
    assert "Bo (chat): hello" in text
    assert "a secret" not in text
    (correction,) = files[f"{folder}corrections.json"]
    assert (correction["kind"], correction["before"]) == ("HIDE", {"hidden": False})
    german = files[f"{folder}transcript.de.txt"].decode()
    assert "Ada Lovelace: Guten Morgen." in german
    assert "Geheimnis" not in german
    assert "Доброе утро." in files[f"{folder}transcript.ru.txt"].decode()
    assert [
        (one["seq"], one["language"], one["text"]) for one in files[f"{folder}translations.json"]
    ] == [(1, "de", "Guten Morgen."), (1, "ru", "Доброе утро."), (2, "de", "ein Geheimnis")]
    (link,) = files[f"{folder}session.json"]["shared_links"]
    assert (link["made_by"], link["chat"], link["openings"]) == ("Ada Lovelace", True, 0)
    assert link["revoked_at"] is link["opened_at"] is None
    assert link["created_at"] < link["expires_at"]
    shared = talk.host.http.get(f"/s/{talk.slug}/share").text
    (token,) = set(re.findall(r"/shared/([\w-]+)", shared))
    id_ = str(talk.tables.one("SELECT id FROM shared_links"))
    for name, content in files.items():
        told = content.decode() if isinstance(content, bytes) else json.dumps(content)
        assert token not in told, name
        assert id_ not in told, name
    assert f"{goes_on['folder']}translations.json" not in files
    assert files[f"{folder}analysis.json"]["tasks"] == ["Write the letter"]
    assert files[f"{goes_on['folder']}transcript.json"]["complete"] is False
    assert f"{goes_on['folder']}corrections.json" not in files
    if unzip := shutil.which("unzip"):
        (tmp_path / "a.zip").write_bytes(answer.content)
        done = subprocess.run([unzip, "-t", tmp_path / "a.zip"], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout
    log = talk.host.http.get(f"/spaces/{space_of(talk)}/events").text
    assert "Saved everything of the space as an archive" in log


def test_sound_that_is_kept_is_in_it(talk: Talk) -> None:
    folder = talk.server.data_dir / "audio"
    session = talk.tables.one("SELECT id FROM sessions WHERE slug = $1", talk.slug)
    sound = bytes(range(256)) * 300
    there, expired, elsewhere = uuid4(), uuid4(), uuid4()
    (folder / str(session)).mkdir()
    for id_, days, place in ((there, 7, ""), (expired, -1, ""), (elsewhere, 7, "0")):
        (folder / str(session) / f"{id_}.opus").write_bytes(sound)
        talk.tables(
            "INSERT INTO recordings (id, session_id, identity, client, first_sample, samples,"
            " start_s, bytes, place, created_at, expires_at) VALUES ($1, $2, $3, $4, 0, 16000, 3.2,"
            " $5, $6, now(), now() + make_interval(days => $7))",
            id_,
            session,
            talk.people["Bo"],
            str(id_)[:8],
            len(sound),
            f"disk:{(folder / 'name').read_text()}{place}",
            days,
        )
    files = opened(talk.host.http.get(address(talk)).content)
    found = {name.rpartition("/")[2]: files[name] for name in files if "/audio/" in name}
    assert found == {f"00003.200 Bo {str(there)[:8]}.ogg": sound}
    # Half of it alone would mislead: nothing is whole then.
    (folder / str(session) / f"{there}.opus").write_bytes(sound[:1000])
    broken = talk.host.http.get(address(talk), headers=JSON)  # so short that nothing was sent yet
    assert (broken.status_code, broken.json()["error"]["code"]) == (503, "sound_away")
    (folder / str(session) / f"{there}.opus").write_bytes(sound)


def test_it_is_for_owners_alone_and_a_link_is_theirs(talk: Talk, server: AppServer) -> None:
    member, stranger = (Visitor(server.url).sign_in(name) for name in ("Mel Member", "Eve"))
    talk.tables(
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT $1, id, 'MEMBER' FROM users WHERE name = 'Mel Member'",
        UUID(space_of(talk)),
    )
    nobody, guest = Visitor(server.url), Visitor(server.url)
    guest.be_guest(talk.host.start_session("Another"), "Gus")
    found = [
        one.http.get(address(talk), headers=JSON).status_code
        for one in (nobody, guest, stranger, member)
    ]
    assert found == [401, 401, 404, 404]
    assert talk.host.http.get("/spaces/nothing/archive.zip", headers=JSON).status_code == 404
    page = f"/spaces/{space_of(talk)}"
    assert "/archive.zip" in talk.host.http.get(page).text
    assert "/archive.zip" not in member.http.get(page).text
    head = talk.host.http.head(address(talk))
    assert (head.status_code, head.content) == (200, b"")


# What takes long


@pytest.fixture(scope="module")
def long(server: AppServer) -> Talk:
    """A space with a session of which nobody can have all in a buffer, and some more behind it."""
    talk = Talk.begin(server, Visitor(server.url).sign_in("Lou Long"), "Long", "Bo")
    talk.tables(MANY, talk.slug)
    talk.host.end(talk.slug)
    for number in range(3):
        talk.host.end(talk.host.start_session(f"Later {number}"))
    return talk


def reading(talk: Talk, who: Visitor | None = None) -> Line:
    """Begin to read an archive, and take little of it."""
    cookies = "; ".join(
        f"{name}={value}" for name, value in (who or talk.host).http.cookies.items()
    )
    line = Line(talk.server, receive_buffer=4096)
    head = f"Host: localhost\r\nCookie: {cookies}\r\nConnection: close"
    line.send(f"GET {address(talk)} HTTP/1.1\r\n{head}\r\n\r\n")
    assert line.read(12) == b"HTTP/1.1 200"
    return line


def test_one_of_a_person_and_few_of_a_process(long: Talk, talk: Talk) -> None:
    assert ARCHIVES == 2
    line = reading(long)
    second = long.host.http.get(address(long), headers=JSON)
    assert (second.status_code, second.json()["error"]["code"]) == (503, "crowded")
    other = Visitor(long.server.url).sign_in("Olga Owner")
    long.tables(
        "INSERT INTO members (space_id, user_id, role)"
        " SELECT $1, id, 'OWNER' FROM users WHERE name = 'Olga Owner'",
        UUID(space_of(long)),
    )
    also = reading(long, other)
    third = talk.host.http.get(address(talk), headers=JSON)
    assert (third.status_code, "retry-after" in third.headers) == (503, True)
    for one in (line, also):  # who goes away gives it back
        one.close()
    wait_until(lambda: talk.host.http.get(address(talk)).status_code == 200)
    wait_until(lambda: long.host.http.get(address(long)).status_code == 200)


def test_a_session_that_is_deleted_meanwhile_is_named(long: Talk) -> None:
    wait_until(lambda: long.host.http.head(address(long)).status_code == 200)
    line = reading(long)
    slug = long.tables.one("SELECT slug FROM sessions WHERE title = 'Later 1'")
    assert long.host.http.post(f"/s/{slug}/delete", headers=JSON).status_code == 204
    files = opened(unchunked(line.rest()))
    line.close()
    gone = [one for one in files["index.json"]["sessions"] if one.get("deleted_meanwhile")]
    assert gone == [{"slug": slug, "title": "Later 1", "folder": None, "deleted_meanwhile": True}]
    assert not [name for name in files if slug in name]
    assert [name for name in files if "Later 2" in name]


def test_who_is_no_longer_an_owner_gets_no_whole_archive(long: Talk) -> None:
    owners = "UPDATE members SET role = $2 WHERE space_id = $1 AND user_id = (SELECT id FROM users"
    space = UUID(space_of(long))
    line = reading(long)
    long.tables(f"{owners} WHERE name = 'Lou Long')", space, "MEMBER")
    broken = line.rest()
    line.close()
    long.tables(f"{owners} WHERE name = 'Lou Long')", space, "OWNER")
    assert not broken.endswith(b"\r\n0\r\n\r\n")
    with pytest.raises(zipfile.BadZipFile):
        opened(unchunked(broken))


def test_a_database_that_goes_away_leaves_no_whole_archive(make_server: MakeServer) -> None:
    with OwnPostgres() as postgres:
        server = make_server(DATABASE_URL=postgres.url)
        talk = Talk.begin(server, Visitor(server.url).sign_in("Ada Lovelace"), "Long", "Bo")
        talk.tables(MANY, talk.slug)
        talk.host.end(talk.slug)
        whole = talk.host.http.get(address(talk))
        assert len(opened(whole.content)) == 7
        line = reading(talk)
        postgres.crash()
        broken = line.rest()
        line.close()
        assert not broken.endswith(b"\r\n0\r\n\r\n")
        with pytest.raises(zipfile.BadZipFile):
            opened(unchunked(broken))
        assert "a file broke off while it was read: database_away" in server.log
        assert "Traceback" not in server.log


def unchunked(told: bytes) -> bytes:
    """Return the body of an answer whose first line was begun: what there is of it."""
    _, _, body = told.partition(b"\r\n\r\n")
    whole = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            break
        whole += body[:length]
        body = body[length + 2 :]
    return bytes(whole)
