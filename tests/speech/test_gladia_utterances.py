"""Utterances: each once, its partials before its final, under one name."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.speech.engine import Recognition
from core.speech.gladia.utterances import Utterances


def take(
    utterances: Utterances, id_: str, text: str, start: float, end: float, *, final: bool = True
) -> Recognition | None:
    return utterances.take(id_, text, start, end, final=final)


def test_partials_come_trimmed_and_never_after_their_final() -> None:
    utterances = Utterances()
    partial = take(utterances, "0", " good ", 0.1, 0.4, final=False)
    assert partial == Recognition("0", "good", 0.1, 0.4, False)
    waiting = utterances.any_open
    final = take(utterances, "0", " good morning", 0.1, 0.8)
    assert final == Recognition("0", "good morning", 0.1, 0.8, True)
    assert (waiting, utterances.any_open) == (True, False)
    assert take(utterances, "0", " good", 0.1, 0.4, final=False) is None
    assert take(utterances, "0", " good morning", 0.1, 0.8) is None


def test_a_partial_is_reported_when_its_text_changes_and_counts_to_its_end_anyway() -> None:
    utterances = Utterances()
    texts = ["good", "good ", "good morning", " good morning", "", "good", "good"]
    reported = [
        take(utterances, "0", text, 0, 1 + number / 5, final=False)
        for number, text in enumerate(texts)
    ]
    assert [one.text for one in reported if one] == ["good", "good morning", "good"]
    assert utterances.close_open() == [Recognition("0", "good", 0, 2.2, True)]


def test_a_final_without_text_withdraws_its_partials_only() -> None:
    utterances = Utterances()
    assert take(utterances, "0", "  ", 0, 1) is None
    assert take(utterances, "1", "", 1, 2, final=False) is None
    take(utterances, "2", "hm", 2, 3, final=False)
    assert take(utterances, "2", " ", 2, 3) == Recognition("2", "", 2, 3, False)
    assert not utterances.any_open


def test_a_last_partial_stands_for_a_final_that_never_comes() -> None:
    utterances = Utterances()
    take(utterances, "0", "one", 0, 1, final=False)
    take(utterances, "1", "two", 2, 3, final=False)
    assert utterances.open_before("1", 2)
    assert not utterances.open_before("0", 0)
    assert not utterances.open_before("0", 2)
    closed = utterances.close_open()
    assert closed == [Recognition("0", "one", 0, 1, True), Recognition("1", "two", 2, 3, True)]
    assert take(utterances, "0", "one", 0, 1) is None
    assert utterances.close_open() == []


def test_ids_that_begin_anew_get_new_names() -> None:
    utterances = Utterances()
    spoken = [("0", "one", 0, 1), ("1", "two", 1, 2), ("0", "three", 3, 4), ("1", "four", 4, 5)]
    names = []
    for id_, text, start, end in spoken:
        partial = take(utterances, id_, text, start, end - 0.5, final=False)
        final = take(utterances, id_, text, start, end)
        assert partial is not None
        assert final is not None
        assert partial.utterance == final.utterance
        names.append(final.utterance)
    assert len(set(names)) == 4


def test_the_same_words_of_the_same_audio_are_one_utterance() -> None:
    utterances = Utterances()
    assert take(utterances, "0", "yes", 1.0, 1.3) is not None
    assert take(utterances, "5", "Yes", 1.05, 1.35) is None
    assert take(utterances, "6", "yes", 1.4, 1.7) is not None
    assert take(utterances, "7", "no", 1.0, 1.3) is not None


def test_the_partials_of_a_repetition_are_withdrawn() -> None:
    utterances = Utterances()
    take(utterances, "0", "yes", 1.0, 1.3)
    partial = take(utterances, "5", "yes", 1.0, 1.3, final=False)
    assert partial is not None
    withdrawn = take(utterances, "5", "yes", 1.0, 1.3)
    assert withdrawn == Recognition(partial.utterance, "", 1.0, 1.3, False)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from(["", "a", "b"])), max_size=40
    )
)
def test_nothing_follows_a_final_of_its_name(steps: list[tuple[int, bool, str]]) -> None:
    utterances = Utterances()
    said = [
        utterances.take(str(id_), text, at * 0.3, at * 0.3 + 0.7, final=final)
        for at, (id_, final, text) in enumerate(steps)
    ]
    reported = [recognition for recognition in said if recognition is not None]
    for index, recognition in enumerate(reported):
        if recognition.final:
            assert all(later.utterance != recognition.utterance for later in reported[index + 1 :])
    finals = [recognition for recognition in reported if recognition.final]
    assert all(first.start < second.start for first, second in pairwise(finals))
