"""A transcript's page by its addresses: which lines it has, what is found, who spoke when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote

import pytest

from routes.lines import LINES, LINES_ABOVE, MOST_FOUND
from tests.conftest import MakeServer
from tests.support.tables import Tables
from tests.support.visitors import Visitor

SAY = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s,
        language)
    SELECT session_id, 's', $2::int::text, $2, identity, $3, $4::float8, $5::float8, $6
    FROM participants WHERE identity = $1"""


@dataclass
class Talk:
    """A session that is over, by how its host reads it."""

    host: Visitor
    tables: Tables
    slug: str
    identities: dict[str, str] = field(default_factory=dict)

    def get(self, query: str = "") -> str:
        answer = self.host.http.get(f"/s/{self.slug}{query}", follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    def lines(self, query: str) -> str:
        answer = self.host.http.get(f"/s/{self.slug}/transcript/lines{query}")
        assert answer.status_code == 200
        return answer.text

    def find(self, words: str, **more: str) -> dict[str, object]:
        asked = {"q": words} | more
        answer = self.host.http.get(f"/s/{self.slug}/transcript/find", params=asked)
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()
        return found

    def say(self, who: str, seq: int, text: str, *times: float, lang: str | None = None) -> None:
        self.tables(SAY, self.identities[who], seq, text, *times, lang)


Talks = Callable[..., Talk]


@pytest.fixture(scope="module")
def talks(make_server_in: MakeServer, make_database: Callable[[], str]) -> Talks:
    database = make_database()
    server = make_server_in(DATABASE_URL=database)

    def made(*names: str) -> Talk:
        host = Visitor(server.url).sign_in("Ada Lovelace")
        slug = host.start_session("Ferries")
        talk = Talk(host, Tables(database), slug)
        talk.identities["Ada Lovelace"] = host.join(slug)["you"]["identity"]
        for name in names:
            guest = Visitor(server.url).be_guest(slug, name)
            talk.identities[name] = guest.join(slug)["you"]["identity"]
        return talk

    return made


def ids(html: str) -> list[str]:
    return re.findall(r'<p class="words[^"]*" id="u-([^"]+)"', html)


@pytest.fixture(scope="module")
def long(talks: Talks) -> Talk:
    """Ada and Bo by turns, a line every ten seconds for over an hour, and one of ferries in ten."""
    talk = talks("Bo")
    for seq in range(1, 401):
        who = "Ada Lovelace" if seq % 2 else "Bo"
        text = f"Line {seq}" + (" of a Ferry, <b>Ёлка</b>." if seq % 10 == 0 else ".")
        talk.say(who, seq, text, seq * 10.0, seq * 10.0 + 4)
    talk.host.end(talk.slug)
    return talk


def test_a_link_to_a_line_has_it_and_those_around_it(long: Talk) -> None:
    html = long.get("?line=200")
    assert ids(html) == [str(n) for n in range(200 - LINES_ABOVE, 200 + LINES)]
    assert 'rel="prev" href="?before=180"' in html
    assert 'rel="next" href="?after=299"' in html
    first = long.get("?line=5")
    assert (ids(first)[0], 'rel="prev"' in first) == ("1", False)
    last = long.get("?line=399")
    assert (ids(last)[-1], 'rel="next"' in last) == ("400", False)


@pytest.mark.parametrize("named", ["9999", "0", "-1", "x", "chat-1", "200.5x", "9" * 40, "%00"])
def test_a_link_to_no_line_has_the_beginning(long: Talk, named: str) -> None:
    assert ids(long.get(f"?line={named}"))[0] == "1"
    path = f"/s/{long.slug}/transcript/lines?after={named}"
    # A fragment has nothing to say where a page still has all the rest.
    known = re.fullmatch(r"[1-9]\d{0,8}|chat-\d", named)
    assert long.host.http.get(path).status_code == (404 if known else 200)


def test_a_second_leads_to_the_line_that_follows(long: Talk) -> None:
    for second, line in (("0", 1), ("1501", 151), ("1510", 151), ("4000", 400)):
        answer = long.host.http.get(f"/s/{long.slug}?at={second}")
        where = f"/s/{long.slug}?line={line}#u-{line}"
        assert (answer.status_code, answer.headers["location"]) == (303, where)
    for second in ("9999", "-1", "1e3", "٣", "1" * 30, "", "1٣"):
        answer = long.host.http.get(f"/s/{long.slug}", params={"at": second})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/s/{long.slug}")


def test_lines_come_behind_and_before_others(long: Talk) -> None:
    assert ids(long.lines("?after=100")) == [str(n) for n in range(101, 201)]
    above = long.lines("?before=150")
    assert ids(above) == [str(n) for n in range(50, 150)]
    assert 'rel="next"' not in above  # what is behind them stands in the page already
    assert 'rel="prev"' not in long.lines("?after=100")
    assert ids(long.lines("?line=200"))[0] == "180"
    assert ids(long.lines("?since=380")) == [str(n) for n in range(380, 401)]
    # A part is asked for anew, whatever has come among its lines: within a bound.
    assert ids(long.lines("?since=80&to=120")) == [str(n) for n in range(80, 121)]
    assert ids(long.lines("?to=3")) == ["1", "2", "3"]
    lines = f"/s/{long.slug}/transcript/lines"
    assert long.host.http.get(f"{lines}?since=80&to=9999").status_code == 404
    assert len(ids(long.lines("?all"))) == 400


def test_one_speakers_lines_stand_alone(long: Talk) -> None:
    bo = long.identities["Bo"]
    html = long.get(f"?speaker={bo}")
    assert ids(html) == [str(n) for n in range(2, 202, 2)]
    assert f'rel="next" href="?after=200&amp;speaker={bo}"' in html
    assert ids(long.lines(f"?after=200&speaker={bo}")) == [str(n) for n in range(202, 401, 2)]
    assert len(ids(long.lines(f"?all&speaker={bo}"))) == 200  # printed as it is shown
    for nobody in ("nobody", "%00", "x" * 500, "'--"):
        html = long.get(f"?speaker={nobody}")
        assert (ids(html), "There is no line of theirs." in html) == ([], True)


def test_words_are_found_in_all_of_it(long: Talk) -> None:
    expected = [str(n) for n in range(10, 401, 10)]
    for words in ("ferry", "FERRY", "  of  a ferry", "елка", "ЁЛКА", "<b>"):
        assert long.find(words) == {"lines": expected, "more": False}, words
    assert long.find("ferry", speaker=long.identities["Ada Lovelace"])["lines"] == []
    assert long.find("line 399") == {"lines": ["399"], "more": False}
    for nothing in ("", "  ", "ferries", "\x00", "of  the"):
        assert long.find(nothing) == {"lines": [], "more": False}
    assert len(long.find("l" * 500)["lines"]) == 0  # type: ignore[arg-type]


def test_what_is_found_is_a_page_without_scripts(long: Talk) -> None:
    answer = long.host.http.get(
        f"/s/{long.slug}?q=ferry,%20%3Cb", headers={"accept-encoding": "gzip"}
    )
    html = answer.text
    assert "content-encoding" not in answer.headers  # what was looked for is in it: BREACH
    assert ids(html) == [str(n) for n in range(10, 401, 10)]
    assert "40 lines with “ferry, &lt;b”." in html
    assert "of a <mark>Ferry, &lt;b</mark>&gt;Ёлка" in html
    assert '<a class="at" href="?line=10#u-10">' in html
    assert "No line has these words." in long.get("?q=nothing")
    for odd in ("\x00", '"><script>', "%", "\\", "ё" * 300):
        assert "<script>" not in long.get(f"?q={quote(odd)}").replace("<script ", "")


def test_too_many_lines_with_the_words_are_said_to_be_too_many(talks: Talks) -> None:
    talk = talks()
    talk.tables(
        """
        INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s)
        SELECT p.session_id, 's', n::text, n, p.identity, 'word', n, n FROM participants p,
            generate_series(1, $2) n WHERE p.identity = $1
        """,
        talk.identities["Ada Lovelace"],
        MOST_FOUND + 5,
    )
    talk.host.end(talk.slug)
    found = talk.find("word")
    assert (len(found["lines"]), found["more"]) == (MOST_FOUND, True)  # type: ignore[arg-type]
    html = talk.get("?q=word")
    assert f"The first {MOST_FOUND} lines with “word”." in html
    assert len(ids(html)) == MOST_FOUND


def test_it_says_who_spoke_how_long_and_when(long: Talk, talks: Talks) -> None:
    html = unescape(long.get())
    assert "Ada Lovelace spoke for 13 min, 50 % of all talk: show only that" in html
    talk = talks("Bo", "Cy")
    for seq in range(1, 4):
        talk.say("Ada Lovelace", seq, "word", seq, seq + 30.0)
    talk.say("Bo", 4, "word", 590.0, 600.0)
    talk.say("Bo", 5, "word", 580.0, 590.0)
    # What was given to Cy counts as theirs, what was hidden as nobody's; what was joined is counted
    # with what it was joined to.
    talk.tables(
        """
        INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s, speaker,
            hidden, joined_seq, joined_part)
        SELECT session_id, seq, 0, 1, 'word', start_s, end_s, $1, seq = 3,
            CASE seq WHEN 5 THEN 2 END, CASE seq WHEN 5 THEN 0 END FROM utterances
        WHERE session_id = (SELECT session_id FROM participants WHERE identity = $1)
        AND seq IN (2, 3, 5)
        """,
        talk.identities["Cy"],
    )
    talk.host.end(talk.slug)
    html = talk.get()
    said = re.findall(r'aria-label="(\w+)[^"]* spoke for (\d+ s), (\d+) %', html)
    assert said == [("Ada", "30 s", "43"), ("Cy", "30 s", "43"), ("Bo", "10 s", "14")]
    paths = re.findall(r'class="voice-bars".*?<path fill="currentColor" d="([^"]*)"', html)
    assert [path[:5] for path in paths] == ["M0 24", "M0 24", "M580 "]  # 590 of 600 s, of 60 bars
    # Who may correct it still reads what was hidden, as such.
    assert ids(html) == ["1", "2", "3", "4"]
    assert html.count('class="words is-hidden"') == 1


def test_overlapping_speakers_and_all_scripts_stand_in_their_order(talks: Talks) -> None:
    talk = talks("נועה", "Максим 🚢")
    talk.say("Ada Lovelace", 1, "I begin first", 1.0, 9.0, lang="en")
    talk.say("נועה", 3, "שלום לכולם", 2.0, 4.0, lang="he")
    talk.say("Максим 🚢", 2, "Привет 👩🏽‍🚀", 3.0, 3.5, lang="ru")
    talk.say("Ada Lovelace", 4, "and go on.", 9.0, 10.0, lang="en")
    talk.host.end(talk.slug)
    html = talk.get()
    said = re.findall(r'<p class="words" id="u-(\d)" dir="auto" lang="(\w\w)">([^<]*)</p>', html)
    assert said == [
        ("1", "en", "I begin first"),
        ("3", "he", "שלום לכולם"),
        ("2", "ru", "Привет 👩🏽‍🚀"),
        ("4", "en", "and go on."),
    ]
    names = re.findall(r'class="turn-name"><span class="name">([^<]*)<', html)
    assert names == ["Ada Lovelace", "נועה", "Максим 🚢", "Ada Lovelace"]


def test_a_session_without_a_word_says_so(talks: Talks) -> None:
    talk = talks()
    talk.host.end(talk.slug)
    html = talk.get()
    assert "Nothing was said in this session." in html
    assert "Words are written down while somebody’s microphone is on" in html
    assert 'id="save"' not in html, "there is nothing to save"
    assert 'role="search"' not in html


def test_a_session_that_goes_on_is_asked_for_more(talks: Talks) -> None:
    talk = talks()
    talk.say("Ada Lovelace", 1, "first", 1.0, 2.0)
    html = talk.get("/transcript")
    again = re.search(r'hx-get="([^"]*)" hx-trigger="every 10s"', html)
    assert again is not None
    talk.say("Ada Lovelace", 2, "second", 3.0, 4.0)
    talk.say("Ada Lovelace", 3, "late", 0.5, 0.9)
    answer = talk.host.http.get(unescape(again[1])).text
    assert ids(answer) == ["3", "1", "2"]
    for seq in range(4, LINES + 10):
        talk.say("Ada Lovelace", seq, "more", seq, seq + 1)
    answer = talk.host.http.get(unescape(again[1])).text
    assert len(ids(answer)) == LINES
    assert "every 10s" not in answer  # the last part asks, once it is there
    behind = re.search(r'hx-get="([^"]*after=[^"]*)"', answer)
    assert behind is not None
    tail = talk.host.http.get(unescape(behind[1])).text
    again = re.search(r'hx-get="([^"]*)" hx-trigger="every 10s"', tail)
    assert again is not None
    assert ids(talk.host.http.get(unescape(again[1])).text) == ids(tail)
