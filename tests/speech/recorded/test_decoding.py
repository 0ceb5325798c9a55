"""Recordings of all kinds as sound, and files that are none, or want to do harm."""

from __future__ import annotations

import random
import shutil
from contextlib import aclosing
from pathlib import Path

import av
import pytest

from core.speech.engine import BYTES_PER_SECOND, SAMPLE_RATE
from core.speech.recorded import decoding
from core.speech.recorded.decoding import Piece, facts_of, sound
from core.speech.recorded.model import Facts, Track, UnreadableError
from tests.support.media import KINDS, cut_off, damaged, later, mixed, wav, write_media
from tests.support.speech_samples import beckett, opening


async def read(path: Path, channel: int | None = None, start: float = 0.0) -> list[Piece]:
    """Return all pieces of a track."""
    async with aclosing(sound(Track(path, channel), start)) as pieces:
        return [piece async for piece in pieces]


def whole(pieces: list[Piece]) -> bytes:
    """Return pieces as sound, with silence where there is none; they follow each other."""
    position = pieces[0].start
    pcm = bytearray()
    for piece in pieces:
        assert piece.start == position
        assert len(piece.pcm) in (0, 2 * piece.samples)
        position += piece.samples
        pcm += piece.pcm or bytes(2 * piece.samples)
    return bytes(pcm)


def lost(pieces: list[Piece]) -> float:
    """Return how many seconds of them are lost."""
    return sum(piece.samples for piece in pieces if piece.is_lost) / SAMPLE_RATE


@pytest.mark.parametrize("suffix", KINDS)
async def test_a_channel_sounds_as_it_was_recorded_and_when(suffix: str, tmp_path: Path) -> None:
    path = write_media(tmp_path / f"call{suffix}", opening(), beckett(), film=suffix == ".mp4")
    facts = facts_of(path)
    assert facts.channels == 2
    assert facts.seconds == pytest.approx(15, abs=0.1)
    right = whole(await read(path, 1))
    assert len(right) / BYTES_PER_SECOND == pytest.approx(15, abs=0.1)
    assert abs(later(right, beckett())) < 0.05
    rest = whole(await read(path, 0, start=4.0))  # as after a restart
    assert len(rest) / BYTES_PER_SECOND == pytest.approx(11, abs=0.1)
    assert abs(later(rest, opening()[4 * BYTES_PER_SECOND :])) < 0.05


async def test_all_channels_are_mixed_to_one(tmp_path: Path) -> None:
    path = write_media(tmp_path / "table.flac", opening(), beckett(), *4 * [bytes(2)])
    assert facts_of(path) == Facts(15.0, 6)
    both = whole(await read(path))
    wanted = mixed(opening(), beckett())
    assert abs(later(both, wanted)) < 0.01
    assert max(both) > 0


@pytest.mark.parametrize(
    ("suffix", "told"), [(".flac", 7.8), (".wav", 0.0), (".ogg", 0.0), (".webm", 0.0)]
)
async def test_what_was_cut_off_is_heard_as_far_as_it_goes(
    suffix: str, told: float, tmp_path: Path
) -> None:
    path = cut_off(write_media(tmp_path / f"cut{suffix}", opening()), 0.5)
    pieces = await read(path)
    assert lost(pieces) == pytest.approx(told, abs=1.0)  # where the file says how long it was
    heard = whole([piece for piece in pieces if not piece.is_lost])
    assert 5 < len(heard) / BYTES_PER_SECOND < 9
    assert abs(later(heard, opening())) < 0.05


@pytest.mark.parametrize("suffix", [".m4a", ".ogg", ".flac", ".webm", ".mkv"])
async def test_what_is_damaged_is_lost_and_what_follows_it_stays_in_time(
    suffix: str, tmp_path: Path
) -> None:
    path = damaged(write_media(tmp_path / f"bad{suffix}", opening()), 0.4, 0.55)
    pieces = await read(path)
    assert 1 < lost(pieces) < 6
    assert (
        abs(later(whole(pieces)[10 * BYTES_PER_SECOND :], opening()[-5 * BYTES_PER_SECOND :])) < 0.1
    )


NOT_MEDIA = {
    "empty.wav": b"",
    "noise.mp3": random.Random(1).randbytes(50_000),
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(1_000),
    "text.wav": b"Once upon a time. " * 1_000,
    "no_channels.wav": wav(0),
    "65535_channels.wav": wav(65_535),
    "no_rate.wav": wav(rate=0),
    "slow.wav": wav(rate=1),
    "fast.wav": wav(rate=2**31 - 1),
    "playlist.m3u8": b"#EXTM3U\n#EXTINF:10,\n%s\n#EXT-X-ENDLIST\n",
    "list.txt": b"ffconcat version 1.0\nfile '%s'\n",
    "stream.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
}


@pytest.mark.parametrize("name", NOT_MEDIA)
async def test_what_is_no_recording_is_refused(name: str, tmp_path: Path) -> None:
    """Playlists name a file that is one: only the bytes of what was given may be opened."""
    other = write_media(tmp_path / "secret.wav", beckett())
    path = tmp_path / name
    path.write_bytes(NOT_MEDIA[name].replace(b"%s", str(other).encode()))
    with pytest.raises(UnreadableError) as refused:
        facts_of(path)
    assert refused.value.why == "not_media"
    with pytest.raises(UnreadableError) as refused:
        await read(path)
    assert refused.value.why == "not_media"


async def test_bounds_and_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "many.wav"
    path.write_bytes(wav(64))
    film = tmp_path / "silent.mp4"
    _silent_film(film)
    for made, channel, why in [
        (path, None, "too_many_channels"),
        (film, None, "no_sound"),
        (write_media(tmp_path / "mono.wav", beckett()), 1, "no_sound"),
        (tmp_path / "away.wav", None, "gone"),
    ]:
        with pytest.raises(UnreadableError) as refused:
            await read(made, channel)
        assert refused.value.why == why


@pytest.mark.parametrize("says", [0, 2**31, 2**32 - 1])
async def test_a_wrong_length_is_not_believed(says: int, tmp_path: Path) -> None:
    path = tmp_path / "lies.wav"
    path.write_bytes(wav(says=says))
    assert facts_of(path).seconds == pytest.approx(1.0)
    pieces = await read(path)
    assert len(whole(pieces)) == BYTES_PER_SECOND
    assert not lost(pieces)


async def test_a_recording_of_more_than_a_day_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MAX_SECONDS", 9.0)
    path = write_media(tmp_path / "long.mp3", beckett())
    with pytest.raises(UnreadableError) as refused:
        facts_of(path)
    assert refused.value.why == "too_long"
    # One that hides it: frames of MP3 go on after those that its header counts.
    hidden = write_media(tmp_path / "hidden.mp3", beckett()[: 5 * BYTES_PER_SECOND])
    with hidden.open("ab") as file:
        file.write(path.read_bytes())
    with pytest.raises(UnreadableError) as refused:
        await read(hidden)
    assert refused.value.why == "too_long"


async def test_a_decoder_that_hangs_or_crashes_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_media(tmp_path / "fine.wav", beckett())
    child = tmp_path / "child.py"
    monkeypatch.setattr(decoding, "_CHILD", child)
    monkeypatch.setattr(decoding, "SILENT_TIMEOUT_S", 2.0)
    monkeypatch.setattr(decoding, "FACTS_TIMEOUT_S", 2.0)
    for program in (
        "while True: pass",
        "import os; os.kill(os.getpid(), 11)",
        "print('nonsense' * 9)",
        "import os; os.write(1, b'P' + (2**40).to_bytes(8, 'little'))",
    ):
        child.write_text(program)
        with pytest.raises(UnreadableError) as refused:
            await read(path)
        assert refused.value.why == "too_hard"
        with pytest.raises(UnreadableError) as refused:
            facts_of(path)
        assert refused.value.why == "too_hard"
    # In the middle: what it said is kept, the rest of what the file promised is lost.
    about = b'{"seconds": 10.0, "channels": 1}'
    said = b"F" + len(about).to_bytes(8, "little") + about + b"P" + (4).to_bytes(8, "little")
    child.write_text(f"import os; os.write(1, {said!r} + bytes(4)); os.kill(os.getpid(), 11)")
    pieces = await read(path)
    assert [piece.samples for piece in pieces] == [2, 10 * SAMPLE_RATE - 2]
    assert [piece.is_lost for piece in pieces] == [False, True]


async def test_the_process_that_reads_files_can_open_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own program, with a step more: what a decoder that was taken over could do."""
    source = decoding._CHILD.read_text()
    child = tmp_path / "child.py"
    monkeypatch.setattr(decoding, "_CHILD", child)
    monkeypatch.setenv("GLADIA_API_KEY", "secret")
    path = write_media(tmp_path / "fine.wav", beckett())
    for attempt in (
        "open('/etc/passwd')",
        "open('written', 'w')",
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "os.environ['GLADIA_API_KEY']",
        "bytearray(2 ** 31)",
    ):
        step = f"    try:\n        {attempt}\n    except BaseException:\n        os._exit(0)\n"
        marked = source.replace("    give_up_rights(cpu)\n", f"    give_up_rights(cpu)\n{step}")
        assert marked != source
        child.write_text(marked)
        with pytest.raises(UnreadableError):
            facts_of(path)
    shutil.copy(Path(decoding.__file__).with_name("child.py"), child)
    assert facts_of(path).channels == 1


def _silent_film(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as file:
        picture = file.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            file.mux(picture.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(picture.encode(None))
