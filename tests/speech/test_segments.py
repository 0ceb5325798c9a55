"""The segmenter: whole stretches of speech, no noise, no overlap, whatever the piece size."""

import random
from collections.abc import Iterable

import numpy as np

from core.speech.engine import BYTES_PER_SECOND
from core.speech.local.segments import FRAME_BYTES, Segment, Segmenter
from tests.support.speech_samples import two_cities


def _segments(pieces: Iterable[bytes]) -> list[Segment]:
    segmenter = Segmenter()
    found = [segment for piece in pieces for segment in segmenter.push(piece)]
    last = segmenter.flush()
    return [*found, last] if last else found


def _cut(pcm: bytes, sizes: Iterable[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(pcm[at : at + size])
        at += size
    return [*pieces, pcm[at:]]


def test_segments_are_the_speech_in_order_and_without_overlap() -> None:
    pcm = two_cities()
    segments = _segments([pcm])
    assert [segment.index for segment in segments] == list(range(len(segments)))
    assert len(segments) >= 6
    position = 0
    for segment in segments:
        assert segment.complete
        assert segment.start >= position
        assert segment.audio == pcm[segment.start : segment.end]
        position = segment.end
    spoken = sum(len(segment.audio) for segment in segments)
    assert 0.75 < spoken / len(pcm) < 0.98


def test_the_size_of_the_pieces_makes_no_difference() -> None:
    pcm = two_cities()[: 12 * BYTES_PER_SECOND]
    sizes = random.Random(7).choices([2, 318, 640, 1_600, 3_200, 50_000], k=60)
    assert _segments(_cut(pcm, sizes)) == _segments([pcm])


def test_steady_noise_is_no_speech() -> None:
    noise = np.random.default_rng(3).normal(0, 60, 20 * BYTES_PER_SECOND // 2)
    assert _segments([noise.astype("<i2").tobytes()]) == []


def test_speech_without_a_pause_is_cut_where_it_is_quietest_and_nothing_is_lost() -> None:
    long_line = max(_segments([two_cities()]), key=lambda segment: len(segment.audio)).audio
    frames = [
        long_line[at : at + FRAME_BYTES]
        for at in range(0, len(long_line) - FRAME_BYTES, FRAME_BYTES)
    ]
    loud = b"".join(frame for frame in frames if np.ptp(np.frombuffer(frame, "<i2")) > 1_500)
    pcm = loud * (40 * BYTES_PER_SECOND // len(loud))
    segments = _segments([pcm])
    assert b"".join(segment.audio for segment in segments) == pcm
    assert max(len(segment.audio) for segment in segments) <= 15 * BYTES_PER_SECOND
    assert min(len(segment.audio) for segment in segments[:-1]) > 4 * BYTES_PER_SECOND


def test_skipped_audio_ends_the_speech_and_keeps_positions_true() -> None:
    pcm = two_cities()
    segmenter = Segmenter()
    assert segmenter.push(pcm[: 3 * BYTES_PER_SECOND]) == []
    cut = segmenter.skip(10 * BYTES_PER_SECOND)
    assert cut is not None
    assert cut.end == 3 * BYTES_PER_SECOND
    after = segmenter.push(pcm[13 * BYTES_PER_SECOND : 20 * BYTES_PER_SECOND])
    assert after
    assert all(part.audio == pcm[part.start : part.end] for part in after)
    assert all(part.start >= 13 * BYTES_PER_SECOND for part in after)


def test_it_is_known_where_in_a_segment_the_voice_is() -> None:
    """The model is given some of the pauses around it, too."""
    pcm = two_cities() + bytes(BYTES_PER_SECOND // 2)
    segments = _segments([pcm[: 20 * BYTES_PER_SECOND], pcm[20 * BYTES_PER_SECOND :]])
    loud = np.ptp(np.frombuffer(pcm[: len(pcm) // 640 * 640], "<i2").reshape(-1, 320), axis=1)
    for segment in segments:
        first, last = segment.start // FRAME_BYTES, segment.end // FRAME_BYTES
        heard = np.flatnonzero(loud[first:last] > 300) + first
        begin, end = heard[0] * FRAME_BYTES, (heard[-1] + 1) * FRAME_BYTES
        assert abs(segment.voice[0] - begin) < 0.25 * BYTES_PER_SECOND
        assert abs(segment.voice[1] - end) < 0.25 * BYTES_PER_SECOND
    assert any(segment.lead > 0.3 * BYTES_PER_SECOND for segment in segments)
    cut = _segments([pcm[: segments[0].end + BYTES_PER_SECOND // 4]])
    assert [one.end for one in cut] == [segments[0].end]
