"""A plain meeting with its transcript and its sound: what pictures show of Sessions."""

from __future__ import annotations

from typing import Any

from tests.support.app_server import AppServer
from tests.support.recorded import sounded
from tests.support.speech_samples import beckett
from tests.support.talks import Talk
from tests.support.visitors import Visitor

Said = tuple[tuple[Any, ...], ...]

TITLE = "Planning the spring release"
ADA, GRACE, ALAN = "Ada Lovelace", "Grace Hopper", "Alan Turing"
# Who said what at which second, and for how long.
SAID = (
    (ADA, "Good morning, both of you. Shall we start with the date?", 4, 4),
    (GRACE, "Please. I would ship in the first week of April, before people are away.", 9, 5),
    (ADA, "That leaves five weeks. Is the importer ready by then?", 15, 4),
    (GRACE, "The importer is done, apart from files over two gigabytes.", 20, 4),
    (
        GRACE,
        "Those need another week: we read them in one piece at the moment, and a server with"
        " little memory doesn’t survive that.",
        25,
        8,
    ),
    (ALAN, "I can take that. I have the tests for it already.", 34, 3),
    (ADA, "Thank you. Then the date stands, the sixth of April.", 38, 4),
    (
        ALAN,
        "One thing about the price list. We promised to tell people a month ahead, so the letter"
        " has to go out this week.",
        43,
        8,
    ),
    (ADA, "Good point. Who writes it?", 62, 2),
    (GRACE, "I do. You will both have a draft on Wednesday.", 65, 4),
    (ALAN, "I read it the same day.", 70, 2),
    (
        ADA,
        "Then that’s the importer for Alan, the letter for Grace, and I talk to the translators."
        " Same time next week?",
        73,
        7,
    ),
    (GRACE, "Same time. Until then.", 81, 2),
)
# The same link in the chat as in what was said around it.
WRITTEN = ((GRACE, "The list of open points: https://example.com/spring-release", 54),)
# Meetings of before: their title, how many days ago, and what was said.
BEFORE = (
    ("Prices for next year", 12, ((GRACE, "The letter goes to everybody who pays us.", 64),)),
    ("Weekly meeting", 33, ((ADA, "Has anybody seen the letters that we sent last year?", 9),)),
)
_AGO = """
    UPDATE sessions SET created_at = created_at - make_interval(days => $2),
        started_at = started_at - make_interval(days => $2),
        ended_at = ended_at - make_interval(days => $2)
    WHERE slug = $1"""
_LASTED = "UPDATE sessions SET ended_at = started_at + make_interval(secs => $2) WHERE slug = $1"


def play(server: AppServer, ada: Visitor) -> str:
    """Have the meetings in a space that keeps its sound, and return the slug of the newest."""
    for title, days, said in BEFORE:
        _told(server, ada, title, said, days)
    talk = _told(server, ada, TITLE, SAID)
    for who, text, second in WRITTEN:
        talk.write(who, text, second)
    sounded(talk.tables, server.data_dir, talk.slug, beckett())
    return talk.slug


def _told(server: AppServer, ada: Visitor, title: str, said: Said, days: int = 0) -> Talk:
    talk = Talk.begin(server, ada, title, GRACE, ALAN)
    for who, text, start, *seconds in said:
        talk.say(who, text, start, *seconds)
    ada.end(talk.slug)
    talk.tables(_LASTED, talk.slug, said[-1][2] + 3.0)
    talk.tables(_AGO, talk.slug, days)
    return talk
