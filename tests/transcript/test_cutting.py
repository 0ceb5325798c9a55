"""Subtitles of what was said: short, in order, whole, and never cut within a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.graphemes import graphemes
from core.transcript.exports.cutting import COLUMNS, LONGEST, Cue, columns, cut

FAMILY = "👨‍👩‍👧‍👦"
SPEECH = (
    "I have thought about it for a while. The harbour needs another pier, and the one that we have"
    " is too short for what comes in from the north, as everybody who works there knows; so let us"
    " ask for both, and see what they say! Who would like to write the letter?"
)


def cues(text: str, seconds: float = 20.0, lead: float = 0.0) -> list[Cue]:
    return list(cut(text, 100.0, 100.0 + seconds, lead))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 0),
        ("abc", 3),
        ("e\u0301a", 2),
        (FAMILY + "👍🏽", 2),
        ("🇩🇪🇫🇷🇷🇺", 3),
        ("한국어", 3),
        ("\u1112\u1161\u11ab\u1100", 2),
        ("क्षत्रिय", 3),
        ("שָׁלוֹם", 4),
        ("1\ufe0f\u20e3x", 2),
        ("🏴\U000e0067\U000e0062\U000e007f!", 2),
    ],
)
def test_characters_are_what_a_reader_takes_for_one(text: str, parts: int) -> None:
    found = list(graphemes(text))
    assert "".join(found) == text
    assert len(found) == parts


def test_a_cut_comes_at_the_end_of_a_sentence_or_clause() -> None:
    assert [one.lines for one in cues(SPEECH)] == [
        ("I have thought about it for a while.", "The harbour needs another pier,"),
        ("and the one that we have is too short", "for what comes in from the north,"),
        ("as everybody who works there", "knows; so let us ask for both,"),
        ("and see what they say! Who", "would like to write the letter?"),
    ]


def test_a_short_sentence_is_one_cue_with_its_own_times() -> None:
    assert cues("At nine.", 2.0) == [Cue(100.0, 102.0, ("At nine.",))]
    two = cues("The harbour needs another pier before the winter comes.", 4.0)
    assert [one.lines for one in two] == [
        ("The harbour needs another", "pier before the winter comes.")
    ]


def test_no_cue_stays_longer_than_seven_seconds() -> None:
    (only,) = cues("Well", 60.0)
    assert only.end - only.start == 7.0
    slow = cues("Well … I think … yes, perhaps we should …", 40.0)
    assert len(slow) >= 5
    assert all(one.end - one.start <= LONGEST for one in slow)


def test_three_hours_of_one_person_are_many_cues() -> None:
    found = cues(SPEECH * 600, 3 * 3600.0)
    assert len(found) > 1500
    assert found[0].start == 100.0
    assert found[-1].end == pytest.approx(100.0 + 3 * 3600, abs=5)
    assert all(1.0 <= one.end - one.start <= LONGEST for one in found)


def test_chinese_and_japanese_have_shorter_lines_and_begin_with_no_comma() -> None:
    text = (
        "私は港について少し考えました。新しい桟橋が必要です、北から来る船には今の桟橋は短すぎます。"
    )
    found = [line for one in cues(text * 3, 30.0) for line in one.lines]
    assert max(map(len, found)) <= 16
    assert "".join(found) == text * 3
    assert not [line for line in found if line[0] in "。、"]


def test_nothing_is_cut_within_a_character_however_long_a_word_is() -> None:
    long = (FAMILY * 40, "e\u0301" * 200, "🇩🇪" * 90, "क्षि" * 100)
    # Lines end elsewhere with a letter or three before it.
    for word in (before + one for one in long for before in ("", "x", "xyz")):
        found = [line for one in cues(word) for line in one.lines]
        assert "".join(found) == word
        whole = set(graphemes(word))
        assert all(one in whole for line in found for one in graphemes(line))
        assert len(found) > 1


WORDS = st.lists(
    st.text("aбש字語。,.!? é👍\u0301\u200d🇩🇪(", min_size=1, max_size=70), min_size=1, max_size=60
)


@given(words=WORDS, seconds=st.floats(0, 600), lead=st.integers(0, 26))
def test_cues_are_whole_in_order_and_fit(words: list[str], seconds: float, lead: int) -> None:
    text = " ".join(" ".join(words).split())
    found = cues(text, seconds, lead)
    assert "".join("".join(one.lines) for one in found).replace(" ", "") == text.replace(" ", "")
    for one, following in zip(found, [*found[1:], None], strict=False):
        assert one.start <= one.end <= 100.0 + seconds + 1e-6
        assert one.end - one.start <= LONGEST + 1e-6
        assert 1 <= len(one.lines) <= 2
        assert all(one.lines)
        if following:
            assert one.start <= following.start
            assert one.end <= following.start + 1e-6
        # One character of several may be wider than a line by itself.
        alone = [line for line in one.lines if len(list(graphemes(line))) > 3]
        assert all(columns(line) <= COLUMNS for line in alone)
        assert columns(one.lines[0]) + lead <= COLUMNS or len(list(graphemes(one.lines[0]))) <= 3
