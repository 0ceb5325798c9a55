"""What is found: words of several languages, phrases, exclusions, beginnings, and odd input."""

from __future__ import annotations

import pytest

from tests.search.conftest import Archive, found, status
from tests.support.visitors import Visitor

SAID = [
    ("Ada", "Обсудим бюджет на следующий год, «ёлки» и договорённости.", "ru"),
    ("Ada", "В бюджете не хватает денег; встречами делу не поможешь", "ru"),
    ("Bob", "The harbour budget was approved at our yearly meetings.", "en"),
    ("Bob", "We are running late, the final budget is a draft", "en-GB"),
    ("Cem", "Die Besprechungen über den Haushalt: Mötley Große Bühne", "de"),
    ("Cem", "Die Besprechung fällt aus", "de"),
    ("Dora", "会議室の予算について話しましょう", "ja"),
    ("Dora", "the price is 1.5 million at example.com/boats", None),
    ("Eva", "next week, not the year after. A year, and then the next", "en"),
    ("Eva", "next year we go to sea", "en"),
    ("Fay", "Γειά σου ΚΌΣΜΕ, ÇA VA? Café au lait", "fr"),
    ("Gus", "state-of-the-art ferries don’t sink 😀ever", "en"),
]


@pytest.fixture(scope="module")
def ada(archive: Archive) -> Visitor:
    """Who has a session with all of that."""
    ada = archive.visitor("Ada Words")
    archive.session(ada, "Everything that was said", *SAID)
    return ada


def lines(visitor: Visitor, q: str) -> list[int]:
    """Return which of these lines are found."""
    texts = [one[1] for one in SAID]
    plain = [one.replace("[", "").replace("]", "") for one in found(visitor, q)]
    return sorted(texts.index(one) for one in plain)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("бюджета ", [0, 1]),  # by its stem, in whichever case
        ("БЮДЖЕТОМ ", [0, 1]),
        ("елки ", [0]),  # written as many do
        ("Ёлка ", [0]),
        ("договоренность ", [0]),
        ("встречи ", [1]),
        ("budgets ", [2, 3]),
        ("run ", [3]),
        ("бюджет budget ", []),  # both are to be there
        ("бюджет OR budget ", [0, 1, 2, 3]),
        ("бюджет ИЛИ harbour ", [0, 1, 2]),
        ("budget -draft", [2]),
        ("budget -drafts", [2]),  # by the stem as well
        ("бюджет -год", [1]),
        ('budget -"final budget"', [2]),
        ("Besprechung ", [5]),  # what is in no language of ours is found as it is
        ("besprechungen ", [4]),
        ("die -Besprechung", [4]),  # and left out as it is
        ("haushalt bühne ", [4]),
        ("GROSSE ", []),
        ("große ", [4]),
        ('"next year"', [9]),
        ("next year ", [8, 9]),
        ('"год ёлки"', [0]),  # commas and quotes are between words, not of them
        ("harb*", [2]),
        ("har* meet* ", [2]),
        ("meeti", [2]),  # as it is typed, though its stem is shorter than that
        ("meetin", [2]),
        ("runni", [3]),
        ("бюдже", [0, 1]),
        ("встречам", [1]),
        ('"harbour bud', [2]),
        ("會議", []),
        ("会議", [6]),  # in the middle of what has no spaces
        ("予算について", [6]),
        ("議会", []),
        ("1.5", [7]),
        ("1.5 -million", []),
        ("boats ", [7]),
        ("example.com/boats", [7]),
        ("κόσμε ", [10]),
        ("ça va ", [10]),
        ("cafe\u0301 ", [10]),  # in two characters
        ("state-of-the-art ", [11]),
        ("state-art ", []),
        ("don't sink ", [11]),
        ("ever ", [11]),
        ("“harbour budget”", [2]),
        ("«harbour budget»", [2]),
        ("the harbour ", [2]),  # who counts on words that nobody looks for
        ("' OR 1=1 -- harbour ", []),
        ("harbour ' & ! | : * ( ) \\ <-> ", [2]),
        ("harbour\x00\x07budget\u202e ", [2]),
        ("budget" + " budget" * 30, [2, 3]),
    ],
)
def test_what_is_found(ada: Visitor, q: str, expected: list[int]) -> None:
    assert lines(ada, q) == expected


@pytest.mark.parametrize(
    ("q", "said"),
    [
        ("", "Search all that was said"),
        ("   ", "Type at least one word."),
        ('"" - * () \'', "Type at least one word."),
        ("\x00\x01", "Type at least one word."),
        ("-budget", "beside those that aren’t"),
        ('-"next year" -бюджет', "beside those that aren’t"),
        ("the of ", "in nearly everything"),
        ("и в ", "in nearly everything"),
        ("zebra ", "Nothing is found."),
        ("budget ", "2 hits"),
        ("harbour ", "1 hit"),
    ],
)
def test_what_is_said_of_it(ada: Visitor, q: str, said: str) -> None:
    page = ada.http.get("/search", params={"q": q})
    assert page.status_code == 200
    assert said in status(page.text)


def test_what_is_too_long_is_cut_and_said_so(ada: Visitor) -> None:
    page = ada.http.get("/search", params={"q": "budget " * 3 + "x" * 5_000})
    assert page.status_code == 200
    assert "only its beginning" in page.text
    assert "only its beginning" not in ada.http.get("/search", params={"q": "budget"}).text


@pytest.mark.parametrize(
    ("q", "marked"),
    [
        ("бюджета", "Обсудим [бюджет] на следующий год, «ёлки» и договорённости."),
        ("ёлка год ", "Обсудим бюджет на следующий [год], «[ёлки]» и договорённости."),
        ("meeti", "The harbour budget was approved at our yearly [meetings]."),
        ('"week not a year"', "next [week], [not] [the] [year] after. A year, and then the next"),
        ('"予算について"', "会議室の[予][算][に][つ][い][て]話しましょう"),
        ("besprech*", "Die [Besprechungen] über den Haushalt: Mötley Große Bühne"),
    ],
)
def test_what_was_found_is_marked(ada: Visitor, q: str, marked: str) -> None:
    assert marked in found(ada, q)


def test_a_long_line_is_shown_around_what_was_found(archive: Archive, ada: Visitor) -> None:
    monologue = " ".join(f"word{n}" for n in range(1_000)) + " wheelhouse " + "and on " * 1_000
    archive.session(ada, "Long", ("Ada", monologue, "en"))
    (text,) = found(ada, "wheelhouses ")
    assert len(text) < 300
    assert "[wheelhouse]" in text
    assert text.startswith("… word")
    assert text.endswith(" …")
