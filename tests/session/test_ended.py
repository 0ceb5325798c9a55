"""How a session ends, and its transcript as a page."""

from __future__ import annotations

import re
from uuid import uuid4

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import come_and_go, sql

# Ending


def test_the_host_ends_a_session_once(site: AppServer, database: str) -> None:
    host = Browser(site.url).sign_in("Ada Lovelace")
    slug = host.start_session()
    come_and_go(host, slug=slug)
    question = (
        "SELECT s.status, s.ended_at, s.end_reason, u.name FROM sessions s"
        " JOIN users u ON u.id = s.ended_by WHERE s.slug = $1"
    )
    answer = host.end(slug)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/s/{slug}")
    (first,) = sql(database, question, slug)
    assert (first["status"], first["end_reason"]) == ("ENDED", "ADMIN_ENDED")
    assert first["name"] == "Ada Lovelace"
    assert host.end(slug).status_code == 303
    assert sql(database, question, slug) == [first]
    assert "Nothing was said in this session." in host.http.get(f"/s/{slug}").text


# The transcript


def test_the_transcript_says_who_said_what_when(site: AppServer, database: str) -> None:
    host, guest = Browser(site.url).sign_in("Ada Lovelace"), Browser(site.url)
    slug = host.start_session("Notes <on> the engine")
    guest.be_guest(slug, "Charles")
    come_and_go(host, guest, slug=slug)
    ada, charles = (one.join(slug)["you"]["identity"] for one in (host, guest))
    said = [
        (1, ada, "Good morning.", 1.0),
        (2, charles, "<script>alert(1)</script>", 3725.0),  # spoken last, finished second
        (3, ada, "Can you hear me?", 4.5),
        (4, charles, "Quite & well.", 61.9),
    ]
    for seq, identity, text, start in said:
        sql(
            database,
            "INSERT INTO utterances"
            " (session_id, stream, utterance, seq, identity, text, start_s, end_s)"
            " SELECT id, $2, '1', $3, $4, $5, $6::float8, $6::float8 + 1"
            " FROM sessions WHERE slug = $1",
            slug,
            uuid4().hex,
            seq,
            identity,
            text,
            start,
        )
    host.end(slug)
    html = host.http.get(f"/s/{slug}").text
    assert html == html.replace("<script>alert", "")
    assert "<h1>Notes &lt;on&gt; the engine</h1>" in html
    turns = re.findall(
        r'<span class="name">([^<]*)</span> (.*?)<a class="at" href="([^"]*)">([^<]*)</a></h2>',
        html,
    )
    guest_mark = '<span class="guest">guest</span> '
    assert turns == [
        ("Ada Lovelace", "", "?line=1#u-1", "0:01"),
        ("Charles", guest_mark, "?line=4#u-4", "1:01"),
    ]
    # Later words of a turn show their time where a new minute begins, else when pointed at.
    times = re.findall(
        r'<a class="(at[^"]*)" href="\?line=\d#(u-\d)">([^<]*)</a><p class="words" id="(.*?)"', html
    )
    assert times == [
        ("at aside", "u-3", "0:04", "u-3"),
        ("at", "u-2", "1:02:05", "u-2"),
    ]
    assert '<a class="back no-print" href="/">All sessions</a>' in html
    assert "All sessions" not in guest.http.get(f"/s/{slug}").text
    words = re.findall(r'<p class="words"[^>]*>(.*?)</p>', html)
    assert words == [
        "Good morning.",
        "Can you hear me?",
        "Quite &amp; well.",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ]
    assert guest.http.get(f"/s/{slug}").status_code == 200
