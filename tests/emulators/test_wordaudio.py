"""Sound that says words: what arrives whole is understood, everything else shows."""

from __future__ import annotations

import random

import numpy as np
import pytest
import webrtcvad

from tests.emulators.wordaudio import (
    DAMAGED,
    WordDecoder,
    decode,
    seconds,
    silence,
    speak,
    vocabulary,
)

FRAME = 640


def decode_in_pieces(pcm: bytes, size: int) -> list[str]:
    decoder = WordDecoder()
    heard = []
    for at in range(0, len(pcm), size):
        heard += decoder.feed(pcm[at : at + size])
    return [word.text for word in heard + decoder.finish()]


def voiced_share(pcm: bytes, mode: int = 2) -> float:
    detector = webrtcvad.Vad(mode)
    frames = [pcm[at : at + FRAME] for at in range(0, len(pcm) - FRAME + 1, FRAME)]
    return sum(bool(detector.is_speech(frame, 16_000)) for frame in frames) / len(frames)


def test_words_survive_the_round_trip() -> None:
    words = [*vocabulary(600), "a", "0123456789ab", "naïve", "日本語", "x" * 48]
    assert len(set(words)) == len(words)
    assert decode(silence(0.3) + speak(words) + silence(0.3)) == words


@pytest.mark.parametrize("size", [37, 320, 1001, 3200, 50_000])
def test_pieces_of_any_size_give_the_same_words(size: int) -> None:
    pcm = b"".join(speak(word) + silence(0.13) for word in vocabulary(12, seed=3))
    broken = pcm[:9_000] + pcm[9_400:]
    assert decode_in_pieces(pcm, size) == vocabulary(12, seed=3)
    assert decode_in_pieces(broken, size) == decode(broken)


def test_words_take_the_time_of_speech_and_tell_where_they_are() -> None:
    assert 0.24 <= seconds(speak("a", gap=0)) <= seconds(speak("abcdefghijkl", gap=0)) <= 0.32
    words = WordDecoder().feed(silence(1) + speak("first second") + silence(1))
    assert [word.start for word in words] == [16_000, 16_000 + len(speak("first")) // 2]
    assert words[0].end - words[0].start == len(speak("first", gap=0)) // 2


def test_a_voice_detector_takes_words_for_speech_and_silence_for_silence() -> None:
    assert voiced_share(speak(vocabulary(200))) >= 0.9
    assert voiced_share(silence(3)) == 0
    assert voiced_share(speak("quieter words too", gain=0.3)) >= 0.9


def test_a_missing_piece_of_any_size_damages_the_word() -> None:
    source = random.Random(5)
    word, following = speak("alpha", gap=0), silence(0.04) + speak("beta")
    for _ in range(150):
        size = source.choice([2, 4, 20, 640, 3200])
        at = source.randrange(0, len(word) - size - 200) & ~1
        heard = decode(word[:at] + word[at + size :] + following)
        assert "alpha" not in heard
        assert heard[0] == DAMAGED


def test_a_cut_word_is_damaged_and_the_next_one_is_found() -> None:
    pcm = speak("alpha beta gamma")
    half, one = len(speak("alpha")) // 2 & ~1, len(speak("alpha"))
    assert decode(pcm[half:]) == [DAMAGED, "beta", "gamma"]
    assert decode(pcm[:half] + pcm[one:]) == [DAMAGED, "beta", "gamma"]
    assert decode(pcm[:-half]) == ["alpha", "beta", DAMAGED]


def test_doubled_and_swapped_audio_shows() -> None:
    pcm = speak("alpha beta gamma")
    half, one = len(speak("alpha")) // 2 & ~1, len(speak("alpha"))
    assert decode(pcm[:one] + pcm) == ["alpha", "alpha", "beta", "gamma"]
    assert decode(pcm[:half] + pcm) == [DAMAGED, "alpha", "beta", "gamma"]
    doubled_inside = pcm[:half] + pcm[half - 640 :]
    assert decode(doubled_inside) == [DAMAGED, "beta", "gamma"]
    assert decode(pcm[one:] + pcm[:one]) == ["beta", "gamma", "alpha"]
    swapped = pcm[:1280] + pcm[2560:3840] + pcm[1280:2560] + pcm[3840:]
    assert decode(swapped) == [DAMAGED, "beta", "gamma"]


def test_shifted_bytes_and_foreign_sound_are_no_words() -> None:
    assert set(decode(speak("alpha beta")[1:])) == {DAMAGED}
    noise = np.random.default_rng(0).normal(0, 4_000, 16_000).astype("<i2").tobytes()
    heard = decode(noise + silence(0.5) + speak("yes"))
    assert heard[-1] == "yes"
    assert set(heard[:-1]) == {DAMAGED}
    mixed = np.frombuffer(speak("one"), "<i2") // 2 + np.frombuffer(speak("two"), "<i2") // 2
    assert set(decode(mixed.astype("<i2").tobytes())) == {DAMAGED}


def test_resampled_sound_is_understood_when_asked() -> None:
    words = vocabulary(20, seed=9)
    pcm = np.frombuffer(silence(0.2) + speak(words) + silence(0.2), "<i2").astype(float)
    at_48k = np.interp(np.arange(len(pcm) * 3) / 3, np.arange(len(pcm)), pcm)
    shifted = np.interp(np.arange(len(pcm) - 1) * 3 + 1.4, np.arange(len(at_48k)), at_48k)
    noisy = shifted * 0.6 + np.random.default_rng(2).normal(0, 60, len(shifted))
    assert decode(noisy.astype("<i2").tobytes(), exact=False) == words


@pytest.mark.parametrize("word", ["", "two words", "x" * 49])
def test_what_is_no_word_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="a word has"):
        speak([word])
