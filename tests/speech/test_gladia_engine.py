"""The Gladia engine through the wire: whatever goes wrong, words out are words in, once."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from core.speech.engine import (
    BYTES_PER_SECOND,
    EngineError,
    Health,
    NoSlotError,
    Recognition,
    StreamOptions,
    StreamUsage,
)
from core.speech.gladia.engine import GladiaEngine
from core.speech.gladia.stream import GladiaStream
from core.speech.gladia.timeouts import Timeouts
from core.speech.memory import AudioBudget
from tests.emulators.gladia import Faults, GladiaEmulator, Switches, Timings
from tests.emulators.wordaudio import silence, speak, vocabulary
from tests.support.tls import behind_tls
from tests.support.waiting import PATIENCE_S

FRAME = BYTES_PER_SECOND // 20
PACE = 0.002  # seconds between frames of 50 ms: 25 times as fast as people speak
MISSED = "results were missed while the connection was broken"
ENGLISH = StreamOptions(("en",))
HASTY = Timeouts(
    connect_s=0.4,
    post_s=1.0,
    backoff_first_s=0.02,
    backoff_max_s=0.1,
    stable_s=0.3,
    watch_s=0.05,
    give_up_s=1.5,
    delayed_s=0.15,
    slow_s=0.25,
    silent_s=0.8,
    missed_s=0.3,
)


async def until(condition: Callable[[], object], within: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - many things may change it
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Speech:
    """Sentences said with pauses in between, and when each begins and ends."""

    pcm: bytes
    sentences: list[str]
    times: list[tuple[float, float]]

    @property
    def words(self) -> list[str]:
        return " ".join(self.sentences).split()


def say(sentences: int = 4, words: int = 3, *, seed: int = 0, pause: float = 0.7) -> Speech:
    """Return sentences of different words, each followed by a pause that closes it."""
    chosen = iter(vocabulary(sentences * words, seed=seed))
    pcm, texts, times = silence(0.3), [], []
    for _ in range(sentences):
        text = " ".join(itertools.islice(chosen, words))
        sound = speak(text)
        start = len(pcm) / BYTES_PER_SECOND
        texts.append(text)
        times.append((start, start + len(sound) / BYTES_PER_SECOND))
        pcm += sound + silence(pause)
    return Speech(pcm, texts, times)


@dataclass
class Listener:
    """A sink, and what the relay does with it: a lost stream is replaced and replayed."""

    engine: GladiaEngine
    heard_all: list[Recognition] = field(default_factory=list)
    delays: list[tuple[bool, str | None]] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    usages: list[StreamUsage] = field(default_factory=list)
    gaps: list[float] | None = None  # seconds that were given up, where that is expected
    memory: AudioBudget = field(default_factory=AudioBudget)
    stream: GladiaStream | None = None
    _origin: int = 0
    _kept: bytes = b""
    _end: int = 0

    @property
    def finals(self) -> list[Recognition]:
        finals = [recognition for recognition in self.heard_all if recognition.final]
        return sorted(finals, key=lambda final: final.start)

    @property
    def words(self) -> list[str]:
        return " ".join(final.text for final in self.finals).split()

    def heard(self, recognition: Recognition) -> None:
        shift = self._origin / BYTES_PER_SECOND
        name = f"{len(self.usages)}/{recognition.utterance}"
        self.heard_all.append(structs.replace(recognition.later(shift), utterance=name))

    def delayed(self, is_delayed: bool, reason: str | None = None) -> None:
        self.delays.append((is_delayed, reason))

    def dropped(self, start: float, end: float) -> None:
        raise AssertionError("audio was dropped")

    def lost(self, reason: str, replay_from: int) -> None:
        assert self.stream is not None
        self.losses.append(reason)
        self._kept = self.stream.tail(replay_from)
        gap = self._end - len(self._kept) - (self._origin + replay_from)
        if self.gaps is None:
            assert gap == 0, "audio was dropped"
        else:
            self.gaps.append(gap / BYTES_PER_SECOND)
        self._origin += replay_from + gap
        self.usages.append(self.stream.usage)
        self.stream.abort()
        self.stream = None

    async def open(self, options: StreamOptions = ENGLISH) -> GladiaStream:
        for _ in range(100):
            try:
                asked = replace(options, memory=self.memory)
                self.stream = await self.engine.open(asked, self)
            except (EngineError, NoSlotError) as problem:
                if isinstance(problem, EngineError) and not problem.retry:
                    raise
                await asyncio.sleep(0.02)
                continue
            self.stream.feed(self._kept)
            return self.stream
        raise AssertionError("no stream could be opened")

    async def feed(self, pcm: bytes, pace: float = PACE) -> None:
        for start in range(0, len(pcm), FRAME):
            frame = pcm[start : start + FRAME]
            stream = self.stream or await self.open()
            self._end += len(frame)
            stream.feed(frame)
            await asyncio.sleep(pace)

    async def finish(self) -> None:
        for _ in range(10):
            stream = self.stream or await self.open()
            await stream.finish()
            if self.stream is stream:
                self.usages.append(stream.usage)
                stream.abort()
                self.stream = None
                return
        raise AssertionError("the stream could not be finished")

    async def transcribe(self, speech: Speech) -> None:
        await self.open()
        await self.feed(speech.pcm)
        await self.finish()

    def assert_all_of(self, speech: Speech) -> None:
        """Every word came once, in order, in time, and partials came before their final."""
        assert self.words == speech.words
        for final in self.finals:
            begun = speech.words.index(final.text.split()[0])
            sentence = begun // (len(speech.words) // len(speech.sentences))
            start, end = speech.times[sentence]
            assert start - 0.3 < final.start <= final.end < end + 0.3
            if final.text == speech.sentences[sentence]:
                assert (final.start, final.end) == pytest.approx((start, end), abs=0.3)
        self.assert_order()

    def assert_order(self) -> None:
        closed: set[str] = set()
        for recognition in self.heard_all:
            assert recognition.utterance not in closed
            assert recognition.text == recognition.text.strip()
            if recognition.final:
                closed.add(recognition.utterance)


@dataclass
class World:
    emulator: GladiaEmulator
    engine: GladiaEngine
    listener: Listener

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    async def open(self) -> GladiaStream:
        """Open a stream and wait until its socket is open too."""
        stream = await self.listener.open()
        await self.emulator.until(lambda: bool(self.emulator.sessions[-1].connections))
        return stream


@asynccontextmanager
async def world(
    *,
    switches: Switches | None = None,
    timings: Timings | None = None,
    timeouts: Timeouts = HASTY,
    drain_seconds: float = 3.0,
    max_sessions: int = 30,
    memory: int = 20_000_000,
    authority: Path | None = None,
) -> AsyncIterator[World]:
    """Yield an engine and its emulator; with `authority` behind TLS, its issuer written there."""
    emulator = GladiaEmulator(switches=switches, timings=timings, max_sessions=max_sessions)
    async with emulator, AsyncExitStack() as doors:
        if authority is not None:
            door = behind_tls(emulator.url, authority)
            emulator.url = await doors.enter_async_context(door)
        engine = GladiaEngine(
            emulator.api_key,
            api_url=emulator.url,
            timeouts=timeouts,
            drain_seconds=drain_seconds,
        )
        await engine.start()
        try:
            listener = Listener(engine, memory=AudioBudget(memory))
            yield World(emulator, engine, listener)
        finally:
            await engine.close()
            assert listener.memory.reserve(memory), "speech that nobody needs is kept"


# Without faults


async def test_words_come_with_times_partials_and_usage() -> None:
    speech = say(3)
    async with world() as w:
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert [final.text for final in w.listener.finals] == speech.sentences
        assert all(final.language == "en" for final in w.listener.finals)
        usage = w.listener.usages[0]
        seconds = len(speech.pcm) / BYTES_PER_SECOND
        assert usage.seconds_sent == pytest.approx(seconds)
        assert w.emulator.billed_seconds == pytest.approx(seconds)
        assert usage.finals == 3
        assert usage.partials >= 3
        assert usage.frames == len(w.emulator.sessions[0].frames) - 1
        assert (usage.errors, usage.reconnects) == (0, 0)
        assert w.engine.health().health is Health.OK
        session = w.emulator.sessions[0]
        assert session.audio == speech.pcm
        assert "sec-websocket-extensions" not in session.headers
        await w.emulator.until(lambda: w.emulator.open_slots == 0)


async def test_audio_fed_before_the_socket_is_open_is_sent_first_even_when_finishing() -> None:
    speech = say(2)
    async with world() as w:
        w.faults.slow_handshake(0.2)
        stream = await w.listener.open()
        w.listener._end = len(speech.pcm)
        stream.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.emulator.sessions[0].audio == speech.pcm


async def test_a_minute_at_once_goes_up_in_pieces_below_the_limit() -> None:
    speech = say(12, 4)
    pcm = speech.pcm + silence(60 - len(speech.pcm) / BYTES_PER_SECOND)
    async with world() as w:
        stream = await w.listener.open()
        w.listener._end = len(pcm)
        stream.feed(pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert max(w.emulator.sessions[0].connections[0].frame_sizes) <= 512 * 1024


async def test_settings_reach_the_service_and_what_it_would_refuse_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:
        asked = StreamOptions(("en", "de"), vocabulary=("Nyquist",), spelling={"Ada": ("Aida",)})
        (await w.engine.open(asked, w.listener)).abort()
        config = w.emulator.sessions[0].config
        assert config["language_config"] == {"languages": ["en", "de"], "code_switching": False}
        realtime = config["realtime_processing"]
        assert realtime["custom_vocabulary_config"]["vocabulary"] == ["Nyquist"]
        assert realtime["custom_spelling_config"]["spelling_dictionary"] == {"Ada": ["Aida"]}
        assert "left out" not in caplog.text
        many = tuple(f"secret{number}" for number in range(150))
        (await w.engine.open(StreamOptions(("en", "xx"), True, many), w.listener)).abort()
        config = w.emulator.sessions[1].config
        assert config["language_config"] == {"languages": ["en"], "code_switching": False}
        assert len(config["realtime_processing"]["custom_vocabulary_config"]["vocabulary"]) == 100
        assert "51 settings of a session are not for Gladia and left out" in caplog.text
        assert "secret" not in caplog.text


async def test_settings_that_are_refused_all_the_same_are_explained() -> None:
    async with world() as w:
        errors = {"validation_errors": ["languages must be one of the following values: en"]}
        w.faults.refuse_post(400, body=errors)
        with pytest.raises(EngineError, match="languages must be one of") as refused:
            await w.engine.open(ENGLISH, w.listener)
        assert not refused.value.retry


@pytest.mark.parametrize("status", [402, 403])
@pytest.mark.parametrize("code", [None, 4402, 1008, 1011])
async def test_an_empty_wallet_is_told_and_a_top_up_brings_every_word(
    status: int, code: int | None
) -> None:
    speech = say(4)
    switches = Switches(empty_wallet_status=status, empty_wallet_code=code)
    told: list[EngineError] = []
    async with world(switches=switches, timeouts=replace(HASTY, roll_over_s=0.2)) as w:
        w.emulator.credit_seconds = len(speech.pcm) / 4 / BYTES_PER_SECOND
        await w.open()
        for start in range(0, len(speech.pcm), FRAME):
            frame = speech.pcm[start : start + FRAME]
            try:
                await w.listener.feed(frame, pace=0.01)
            except EngineError as problem:
                told.append(problem)
                assert w.engine.health().reason == str(problem)
                w.emulator.credit_seconds = None
                await w.listener.feed(frame)
        await w.listener.finish()
        assert w.listener.words == speech.words
        assert w.engine.health().health is Health.OK
    [empty] = told
    assert "credit is used up" in str(empty)
    assert not empty.retry


async def test_region_goes_into_the_query() -> None:
    async with GladiaEmulator() as emulator:
        engine = GladiaEngine(emulator.api_key, api_url=emulator.url + "/", region="us-west")
        await engine.start()
        stream = await engine.open(ENGLISH, Listener(engine))
        assert emulator.sessions[0].region == "us-west"
        stream.abort()
        await engine.close()


async def test_a_stream_without_audio_ends_at_once_and_frees_its_slot() -> None:
    async with world() as w:
        stream = await w.listener.open()
        await asyncio.wait_for(stream.finish(), 0.5)
        await w.emulator.until(lambda: w.emulator.open_slots == 0)


async def test_abort_says_nothing_more_and_frees_the_slot() -> None:
    speech = say(2)
    async with world() as w:
        stream = await w.listener.open()
        await w.listener.feed(speech.pcm[: len(speech.pcm) // 2])
        said = len(w.listener.heard_all)
        stream.abort()
        stream.abort()
        stream.feed(speech.pcm)
        await asyncio.wait_for(stream.finish(), 0.1)
        await w.emulator.until(lambda: w.emulator.open_slots == 0)
        assert len(w.listener.heard_all) == said
        assert w.listener.losses == []


# Drops

DROPS: dict[str, Callable[[Faults, int], object]] = {
    "tcp abort": lambda faults, at: faults.drop(code=None, after_bytes=at),
    "no code": lambda faults, at: faults.drop(code=1005, after_bytes=at),
    "1001": lambda faults, at: faults.drop(code=1001, after_bytes=at),
    "1011": lambda faults, at: faults.drop(code=1011, after_bytes=at),
    "1012": lambda faults, at: faults.drop(code=1012, after_bytes=at),
    "1013": lambda faults, at: faults.drop(code=1013, after_bytes=at),
    "4500": lambda faults, at: faults.drop(code=4500, after_bytes=at),
    "chunk never came": lambda faults, at: faults.drop(last_chunk="lost", after_bytes=at),
    "lost ack, then drop": lambda faults, at: faults.drop(last_chunk="unacked", after_bytes=at),
    "1000 unasked": lambda faults, at: faults.drop(code=1000, after_bytes=at),
    "4403": lambda faults, at: faults.drop(code=4403, after_bytes=at),
    "4408": lambda faults, at: faults.drop(code=4408, after_bytes=at),
    "4499": lambda faults, at: faults.drop(code=4499, after_bytes=at),
    "refused audio": lambda faults, at: faults.refuse_audio(after_bytes=at),
    "lost ack": lambda faults, at: faults.lose_acknowledgments(after_bytes=at),
    "error message": lambda faults, at: faults.error_message(after_bytes=at),
    "unknown type": lambda faults, at: faults.unknown_message(after_bytes=at),
    "not json": lambda faults, at: faults.send_raw("{oops", after_bytes=at),
    "over 1 MiB": lambda faults, at: faults.oversized_message(after_bytes=at),
    "drop on a partial": lambda faults, _: faults.drop(code=1011, on="partial"),
    "drop on a final": lambda faults, _: faults.drop(code=1011, on="final"),
    "null partial": lambda faults, _: faults.null_data("partial"),
    "null final": lambda faults, _: faults.null_data("final"),
    "null speech event": lambda faults, _: faults.null_data("speech_start"),
}


@pytest.mark.parametrize("fault", DROPS)
async def test_every_word_survives(fault: str) -> None:
    speech = say(3, seed=3)
    async with world() as w:
        in_second_sentence = int((speech.times[1][0] + 0.35) * BYTES_PER_SECOND)
        DROPS[fault](w.faults, in_second_sentence)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert all(len(session.audio) % 2 == 0 for session in w.emulator.sessions)


async def test_a_drop_is_resumed_on_the_same_url_without_doubled_audio() -> None:
    speech = say(4)
    timeouts = replace(HASTY, backoff_max_s=0.02)
    async with world(timings=Timings(final=0.0), timeouts=timeouts) as w:
        for start, _ in speech.times[::2]:
            w.faults.drop(code=1012, after_bytes=int((start + 0.4) * BYTES_PER_SECOND))
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []
        assert w.emulator.sessions[0].audio == speech.pcm
        usage = w.listener.usages[0]
        assert usage.reconnects == 2
        sent = sum(len(session.received) for session in w.emulator.sessions)
        assert usage.seconds_sent * BYTES_PER_SECOND >= sent


@pytest.mark.parametrize("seed", range(6))
async def test_drops_at_random_places(seed: int) -> None:
    speech = say(5, seed=seed)
    async with world() as w:
        w.faults.chaos(
            seed=seed,
            mean_bytes=len(speech.pcm) / 5,
            codes=(1005, 1001, 1011, 1012, 1013, 4500, 4403),
            last_chunks=("acked", "lost", "unacked"),
            times=8,
        )
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_audio_counted_twice_in_silence_only_shifts_times_back() -> None:
    speech = say(4)
    in_pause = int((speech.times[0][1] + 0.35) * BYTES_PER_SECOND)
    async with world() as w:
        w.faults.drop(last_chunk="unacked", after_bytes=in_pause - in_pause % FRAME + 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []
        assert len(w.emulator.sessions[0].audio) == len(speech.pcm) + FRAME
        for final, (start, end) in zip(w.listener.finals, speech.times, strict=True):
            assert (final.start, final.end) == pytest.approx((start, end), abs=0.05)


async def test_words_counted_twice_are_said_again_on_a_new_stream() -> None:
    speech = say(3)
    in_word = int((speech.times[1][0] + 0.4) * BYTES_PER_SECOND)
    async with world() as w:
        w.faults.drop(last_chunk="unacked", after_bytes=in_word - in_word % FRAME + 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == ["the speech service got words twice"]


async def test_a_final_that_was_missed_while_away_is_recovered() -> None:
    speech = say(3)
    async with world(timings=Timings(final=0.15)) as w:
        # The first sentence has just been closed: its final is said to nobody.
        at = int((speech.times[0][1] + 0.45) * BYTES_PER_SECOND)
        w.faults.drop(code=1011, after_bytes=at)
        await w.open()
        w.faults.slow_handshake(0.3)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.emulator.sessions[0].missed
        assert w.listener.losses == [MISSED]


async def test_a_missed_final_is_noticed_without_further_speech() -> None:
    speech = say(1)
    async with world(timings=Timings(final=0.15)) as w:
        at = int((speech.times[0][1] + 0.45) * BYTES_PER_SECOND)
        w.faults.drop(code=1011, after_bytes=at)
        await w.open()
        w.faults.slow_handshake(0.3)
        await w.listener.feed(speech.pcm)
        for _ in range(100):
            if w.listener.losses:
                break
            await w.listener.feed(silence(0.05), pace=0.02)
        assert w.listener.losses == [MISSED]
        await w.listener.finish()
        w.listener.assert_all_of(speech)


async def test_late_finals_count_once() -> None:
    speech = say(3)
    async with world() as w:
        w.faults.late_finals()
        w.faults.drop(code=1011, after_bytes=int((speech.times[1][0] + 0.3) * BYTES_PER_SECOND))
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_a_final_that_never_comes_is_replaced_by_its_last_partial_in_order() -> None:
    speech = say(3)
    async with world() as w:
        w.faults.change("final", lambda message: None)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        heard = [recognition.text for recognition in w.listener.heard_all if recognition.final]
        assert heard == speech.sentences
        assert w.listener.losses == []


async def test_lost_acknowledgments_at_the_very_end_are_told_by_the_total() -> None:
    speech = say(1, 6, pause=0.0)
    async with world(switches=Switches(acknowledge_every=50)) as w:
        w.faults.drop(code=1011, last_chunk="acked", after_bytes=len(speech.pcm) - 4 * FRAME)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.losses == ["the speech service got words twice"]


async def test_a_session_that_is_gone_is_replaced() -> None:
    speech = say(3)
    async with world() as w:
        await w.open()
        w.faults.drop(code=None, after_bytes=len(speech.pcm) // 2)
        w.faults.refuse_handshake(403)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert len(w.emulator.sessions) == 2
        assert w.listener.losses == ["the speech service refused the connection (status 403)"]


async def test_speech_without_a_place_in_memory_is_lost_only_if_it_is_needed_again() -> None:
    speech = say(3)
    async with world(memory=0) as w:
        await w.open()
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []


async def test_speech_that_had_no_place_in_memory_and_is_needed_again_is_told_as_lost() -> None:
    speech = say(3)
    half = len(speech.pcm) // 2
    async with world(memory=BYTES_PER_SECOND // 4) as w:
        w.listener.gaps = []
        await w.open()
        w.faults.drop(code=None, after_bytes=half)
        w.faults.refuse_handshake(403)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        assert 0 < sum(w.listener.gaps) < 3
        assert w.listener.words[-1] == speech.words[-1]
        last, (start, _) = w.listener.finals[-1], speech.times[-1]
        assert last.start == pytest.approx(start, abs=0.3), "what is lost moves nothing in time"


async def test_speech_lost_for_want_of_memory_before_it_was_sent_is_told_too() -> None:
    speech = say(3)
    async with world(memory=BYTES_PER_SECOND // 4) as w:
        w.listener.gaps = []
        await w.listener.open()
        w.faults.slow_handshake(0.3)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        assert sum(w.listener.gaps) > 0
        assert "there was no memory" in w.listener.losses[0]
        heard = set(w.listener.words) - {"<?>"}  # a word that the gap cut
        assert heard < set(speech.words)


async def test_the_whole_way_through_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tmp_path / "authority.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    speech = say(3)
    async with world(authority=authority) as w:
        await w.open()
        w.faults.drop(code=None, after_bytes=len(speech.pcm) // 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert w.listener.usages[0].reconnects == 1


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with world(authority=tmp_path / "authority.pem") as w:
        with pytest.raises(EngineError, match="can't be reached"):
            await w.engine.open(ENGLISH, w.listener)
        assert w.emulator.sessions == []


async def test_handshakes_that_fail_for_a_while_are_tried_again_and_people_are_told() -> None:
    speech = say(3)
    async with world() as w:
        w.faults.refuse_handshake(502)
        w.faults.hang_handshake(0.3)
        w.faults.refuse_handshake(503, times=2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)
        assert len(w.emulator.sessions) == 1
        told = [delayed for delayed, _ in w.listener.delays]
        assert told == [True, False]
        assert "trying again" in (w.listener.delays[0][1] or "")
        assert w.engine.health().health is Health.OK


async def test_handshake_that_never_answers_times_out() -> None:
    speech = say(2)
    timeouts = replace(HASTY, connect_s=0.15)
    async with world(timeouts=timeouts) as w:
        w.faults.hang_handshake(0.6)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_a_server_that_accepts_and_closes_is_not_hammered() -> None:
    async with world(timeouts=replace(HASTY, give_up_s=0.6)) as w:
        w.faults.accept_then_close(1011)
        await w.listener.open()
        await w.listener.feed(silence(0.5))
        await until(lambda: w.listener.losses)
        assert w.listener.losses == ["the speech service closed the connection (code 1011)"]
        assert w.engine.health().health is Health.DEGRADED
        assert 3 < len(w.emulator.sessions[0].connections) < 30


async def test_a_stalled_socket_is_left_and_nothing_is_lost() -> None:
    speech = say(4)
    async with world() as w:
        w.faults.stall_socket(after_bytes=len(speech.pcm) // 3)
        await w.listener.open()
        await w.listener.feed(speech.pcm, pace=0.01)
        await w.listener.finish()
        assert (True, "the speech service does not react") in w.listener.delays
        assert w.listener.words == speech.words


async def test_a_service_that_stops_taking_bytes_makes_us_stop_writing() -> None:
    async with world(timeouts=replace(HASTY, silent_s=60.0, slow_s=0.2)) as w:
        w.faults.stall_socket(after_bytes=FRAME)
        stream = await w.listener.open()
        await w.listener.feed(silence(0.1))
        fed = 0
        while not w.listener.losses and fed < 600:  # far more than the kernel takes
            w.listener._end += BYTES_PER_SECOND
            stream.feed(silence(1))
            fed += 1
            await asyncio.sleep(0.02)
        assert w.listener.losses == ["the speech service does not keep up"]
        assert 2 * 1024 * 1024 / BYTES_PER_SECOND < fed < 600


async def test_a_long_backlog_is_given_the_time_it_takes() -> None:
    """What waited for minutes comes at once: being far behind then is no sign of trouble."""
    speech = say(3)
    pcm = silence(200) + speech.pcm
    speech = replace(speech, times=[(start + 200, end + 200) for start, end in speech.times])
    timeouts = replace(HASTY, silent_s=PATIENCE_S, slow_s=0.2)
    async with world(timeouts=timeouts, drain_seconds=PATIENCE_S) as w:
        w.faults.stall_acknowledgments()
        # Fed in the same step of the loop, as the relay does: what it begins with is its backlog.
        stream = await w.listener.open()
        w.listener._end = len(pcm)
        stream.feed(pcm)
        await until(lambda: (True, "the speech service does not react") in w.listener.delays)
        w.faults.resume_acknowledgments()
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.listener.losses == []


async def test_missing_acknowledgments_lead_to_a_new_connection() -> None:
    speech = say(2)
    async with world() as w:
        pcm = speech.pcm + silence(1.5)
        w.faults.stall_acknowledgments(1.4, after_bytes=len(speech.pcm) - FRAME)
        await w.listener.open()
        await w.listener.feed(pcm, pace=0.01)
        await until(lambda: len(w.emulator.sessions[0].connections) > 1)
        await w.listener.finish()
        w.listener.assert_all_of(speech)


# Variants of the service

SWITCHES: dict[str, Switches] = {
    "inclusive ranges": Switches(inclusive_ranges=True),
    "ranges begin anew": Switches(ranges_restart_on_reconnect=True),
    "deduplicates": Switches(deduplicate=True),
    "replays": Switches(replay=True),
    "acknowledges every fourth": Switches(acknowledge_every=4),
    "acknowledges empty chunks": Switches(acknowledge_empty=True),
    "asyncapi errors": Switches(asyncapi_errors=True),
    "start_session": Switches(start_session_on_socket=True, repeat_start_recording=True),
    "refuses second connections": Switches(second_connection="refuse"),
    "slow recognition": Switches(recognition_speed=40.0),
    "compression offered": Switches(compression=True),
}


@pytest.mark.parametrize("variant", SWITCHES)
async def test_open_questions_may_be_answered_either_way(variant: str) -> None:
    speech = say(4, seed=8)
    async with world(switches=SWITCHES[variant]) as w:
        w.faults.chaos(
            seed=4,
            mean_bytes=len(speech.pcm) / 3,
            codes=(1011, 4500),
            last_chunks=("acked", "lost"),
        )
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_lifelike_waits() -> None:
    speech = say(3)
    timings = Timings(answer=0.05, acknowledgment=0.03, partial=0.05, final=0.2)
    async with world(timings=timings) as w:
        w.faults.drop(code=1011, after_bytes=len(speech.pcm) // 2)
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


# Finishing


@pytest.mark.parametrize("code", [None, 1011, 4500])
async def test_a_drop_after_the_stop_loses_no_final(code: int | None) -> None:
    speech = say(1, 6, pause=0.1)
    async with world(timings=Timings(final=0.1, post_processing=0.2)) as w:
        w.faults.drop(code=code, on="stop")
        await w.listener.transcribe(speech)
        w.listener.assert_all_of(speech)


async def test_finishing_is_bounded_and_hands_unfinished_speech_back() -> None:
    speech = say(1, 6, pause=0.1)
    async with world(drain_seconds=0.2, timings=Timings(final=0.5)) as w:
        await w.listener.open()
        await w.listener.feed(speech.pcm)
        assert w.listener.stream is not None
        await asyncio.wait_for(w.listener.stream.finish(), 0.6)
        assert w.listener.losses == ["the speech service did not finish in time"]
        w.engine.drain_seconds = 3.0
        await w.listener.finish()
        w.listener.assert_all_of(speech)


async def test_finishing_while_the_connection_is_away() -> None:
    speech = say(1, 6, pause=0.1)
    async with world() as w:
        w.faults.drop(code=1011, after_bytes=len(speech.pcm) - FRAME)
        await w.open()
        w.faults.refuse_handshake(502, times=2)
        await w.listener.feed(speech.pcm)
        await w.listener.finish()
        w.listener.assert_all_of(speech)


# Age


async def test_an_old_stream_is_replaced_in_a_pause() -> None:
    speech = say(2)
    async with world(timeouts=replace(HASTY, roll_over_s=0.1)) as w:
        await w.listener.open()
        await w.listener.feed(speech.pcm, pace=0.01)
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert set(w.listener.losses) == {"the stream is as old as Gladia allows"}
        assert all(usage.errors == 0 for usage in w.listener.usages)
        assert w.engine.health().health is Health.OK


async def test_a_very_old_stream_is_replaced_in_mid_sentence() -> None:
    speech = say(1, 12)
    async with world(timeouts=replace(HASTY, roll_over_s=0.1, roll_over_at_last_s=0.12)) as w:
        await w.listener.open()
        half = len(speech.pcm) // 2
        await w.listener.feed(speech.pcm[: half - half % FRAME], pace=0.005)
        assert w.listener.losses
        w.engine.timeouts = HASTY
        await w.listener.feed(speech.pcm[half - half % FRAME :])
        await w.listener.finish()
        w.listener.assert_all_of(speech)


async def test_finals_come_and_audio_is_let_go_although_no_more_follows() -> None:
    speech = say(2)
    async with world() as w:
        stream = await w.listener.open()
        await w.listener.feed(speech.pcm, pace=0.002)
        await w.listener.feed(silence(2), pace=0.002)
        await until(lambda: [final.text for final in w.listener.finals] == speech.sentences)
        await until(lambda: len(stream.tail(0)) < 0.3 * BYTES_PER_SECOND)


async def test_silence_is_not_kept() -> None:
    async with world(timeouts=replace(HASTY, missed_s=0.1)) as w:
        stream = await w.listener.open()
        await w.listener.feed(silence(5))
        await until(lambda: len(stream.tail(0)) < 0.3 * BYTES_PER_SECOND)


# Opening


@pytest.mark.parametrize(
    ("status", "retry", "words"),
    [
        (401, False, "key was refused"),
        (402, False, "credit is used up"),
        (403, False, "plan doesn't allow"),
        (422, False, "refused the settings"),
        (500, True, "trouble"),
        (503, True, "trouble"),
    ],
)
async def test_refusals_are_told_in_words_and_health_recovers(
    status: int, retry: bool, words: str
) -> None:
    async with world() as w:
        w.faults.refuse_post(status)
        with pytest.raises(EngineError, match=words) as refused:
            await w.engine.open(ENGLISH, w.listener)
        assert refused.value.retry is retry
        health = w.engine.health()
        assert health.health is Health.DEGRADED
        assert health.since is not None
        assert words in (health.reason or "")
        (await w.engine.open(ENGLISH, w.listener)).abort()
        assert w.engine.health().health is Health.OK


async def test_too_many_streams_is_no_slot() -> None:
    async with world(max_sessions=1) as w:
        first = await w.engine.open(ENGLISH, w.listener)
        with pytest.raises(NoSlotError):
            await w.engine.open(ENGLISH, w.listener)
        assert w.engine.health().health is Health.DEGRADED
        first.abort()
        await w.emulator.until(lambda: w.emulator.open_slots == 0)
        (await w.engine.open(ENGLISH, w.listener)).abort()
        assert w.engine.health().health is Health.OK


async def test_an_unreachable_service_can_be_tried_again() -> None:
    async with world(timeouts=replace(HASTY, post_s=0.2)) as w:
        w.faults.drop_post()
        with pytest.raises(EngineError, match="can't be reached") as dropped:
            await w.engine.open(ENGLISH, w.listener)
        w.faults.slow_post(0.5)
        with pytest.raises(EngineError, match="does not answer") as slow:
            await w.engine.open(ENGLISH, w.listener)
        assert dropped.value.retry
        assert slow.value.retry
        first = w.engine.health()
        assert first.health is Health.DEGRADED
        (await w.engine.open(ENGLISH, w.listener)).abort()


async def test_an_outage_in_the_middle_is_survived() -> None:
    speech = say(4)
    async with world() as w:
        await w.listener.open()
        third = len(speech.pcm) // 3 // FRAME * FRAME
        await w.listener.feed(speech.pcm[:third])
        w.emulator.reachable = False
        await w.listener.feed(speech.pcm[third : 2 * third])
        await until(lambda: w.engine.health().health is Health.DEGRADED)
        w.emulator.reachable = True
        await w.listener.feed(speech.pcm[2 * third :])
        await w.listener.finish()
        w.listener.assert_all_of(speech)
        assert w.engine.health().health is Health.OK


async def test_key_and_url_stay_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    speech = say(2)
    texts: list[Any] = []
    async with world() as w:
        for plan in (w.faults.refuse_post, w.faults.drop_post):
            plan()
            with pytest.raises((EngineError, NoSlotError)) as problem:
                await w.engine.open(ENGLISH, w.listener)
            texts += [problem.value, problem.value.__cause__, problem.value.__context__]
        await w.open()
        w.faults.drop(code=None, after_bytes=len(speech.pcm) // 3)
        w.faults.refuse_handshake(302)
        w.faults.refuse_handshake(403)
        await w.listener.feed(speech.pcm)
        texts += [w.engine, w.listener.stream, w.engine.health(), *w.listener.losses]
        await w.listener.finish()
        secrets = [w.emulator.api_key, *(session.token for session in w.emulator.sessions)]
        ours = [r for r in caplog.records if r.name.startswith(("core", "picows", "httpx"))]
        texts += [record.getMessage() for record in ours]
        told = "\n".join(f"{text} {text!r}" for text in texts)
        assert not [secret for secret in secrets if secret in told]
