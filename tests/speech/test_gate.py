"""The voice gate hears speech, and neither silence nor clicks."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from core.speech.gate import VoiceGate
from tests.emulators.wordaudio import silence, speak
from tests.support import ROOT
from tests.support.speech_samples import beckett, two_cities

SPEECH = silence(0.5) + speak("good morning everybody") + silence(1.0)


def pieces(pcm: bytes, size: int) -> list[bytes]:
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


def heard_at(pcm: bytes, size: int) -> list[float]:
    """Return where speech was heard, in seconds."""
    gate = VoiceGate()
    heard = [gate.hear(piece) for piece in pieces(pcm, size)]
    return [at * size / BYTES_PER_SECOND for at, yes in enumerate(heard) if yes]


def test_speech_is_heard_where_it_is() -> None:
    places = heard_at(SPEECH, 640)
    spoken_until = 0.5 + (len(SPEECH) / BYTES_PER_SECOND - 1.5)
    assert places[0] == pytest.approx(0.5, abs=0.1)
    assert places[-1] == pytest.approx(spoken_until, abs=0.15)


def test_a_real_voice_is_heard() -> None:
    voice = beckett()
    assert len(heard_at(voice, 640)) > 0.3 * len(voice) / 640


def test_silence_is_no_speech() -> None:
    assert heard_at(silence(2.0), 640) == []


def test_faint_noise_is_no_speech_once_the_detector_knows_it() -> None:
    source = random.Random(1)
    noise = b"".join(
        source.randint(-30, 30).to_bytes(2, "little", signed=True) for _ in range(32000)
    )
    assert all(at < 0.2 for at in heard_at(noise, 640))


def test_a_click_is_too_short_to_open_it() -> None:
    click = speak("a")[:1200]
    assert heard_at(silence(0.3) + click + silence(0.3), 640) == []


def test_it_tells_how_long_it_has_been_silent() -> None:
    gate = VoiceGate()
    gate.hear(speak("hello there"))
    gate.hear(silence(3.0))
    assert gate.silent_for == pytest.approx(3.0, abs=0.15)
    gate.hear(speak("again"))
    assert gate.silent_for < 0.15


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.integers(1, 4000))
def test_how_audio_is_cut_into_frames_makes_no_difference(samples: int) -> None:
    whole, cut = VoiceGate(), VoiceGate()
    heard = whole.hear(SPEECH)
    parts = [cut.hear(piece) for piece in pieces(SPEECH, 2 * samples)]
    assert any(parts) == heard
    assert cut.silent_for == whole.silent_for


def test_what_a_page_lets_go_as_silence_is_none_of_its_speech() -> None:
    """Else a whisper in an outage would be lost. A voice twice as loud isn't heard either."""
    script = (ROOT / "static/js/room/speech.js").read_text()
    [quiet] = re.findall(r"^const QUIET = (\d+) / 32_767;$", script, re.MULTILINE)
    loudest = int(quiet)
    for voice in (beckett(), two_cities(), SPEECH):
        faint = np.frombuffer(voice, dtype="<i2").astype(float)
        faint *= 2 * loudest / np.abs(faint).max()
        assert not VoiceGate().hear(faint.astype("<i2").tobytes())
    for seed in range(20):
        noise = np.random.default_rng(seed).uniform(-loudest, loudest, 3 * SAMPLE_RATE)
        assert not VoiceGate().hear(noise.astype("<i2").tobytes())
