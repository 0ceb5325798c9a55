"""Rooms that everybody has left wait for their last words, but not for ever."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from core.corrections import UNCORRECTED, Corrections
from core.model import ChatLine, Participant, Translated, Utterance
from core.room import microphones as microphones_module
from core.room import room as room_module
from core.room.rooms import Rooms
from core.room.seat import Seat
from core.room.session import RoomSession
from core.room.wire import Batch, Hello, Message
from core.speech import resilient as resilient_module
from core.speech.engine import BYTES_PER_SAMPLE, BYTES_PER_SECOND, EngineError
from core.speech.microphone import MicrophoneOptions
from core.speech.reasons import Reason
from core.speech.resilient import StreamRecord
from core.transcript.numbers import Numbering
from core.transcript.outbox import Entry
from tests.emulators.wordaudio import speak
from tests.speech.scripted import ADA, FRAME, WORDS, ScriptedEngine, until
from tests.support.alone import Alone


class Memory:
    """Writer: keeps finals in memory."""

    def __init__(self) -> None:
        self.kept: list[Utterance] = []
        self.held_ones: list[Utterance] = []

    async def load(self, session_id: str, epoch: int) -> list[Utterance]:
        return self.kept

    async def corrections(self, session_id: str) -> Corrections:
        return UNCORRECTED

    async def chat(self, session_id: str) -> list[ChatLine]:
        return []

    def keep_line(self, line: Entry[ChatLine]) -> None:
        pass

    def keep(self, said: Entry[Utterance]) -> None:
        self.kept.append(said.value)
        said.stored()

    def serve(
        self,
        find_room: Callable[[str], Numbering | None],
        set_aside: Callable[[list[Utterance]], None],
    ) -> None:
        pass

    def forget(self, session_ids: Collection[str]) -> None:
        raise NotImplementedError

    async def translations(self, session_id: str) -> list[Translated]:
        return []

    def keep_translation(self, one: Entry[Translated]) -> None:
        raise NotImplementedError

    def hold(self, utterances: list[Utterance]) -> None:
        self.held_ones = utterances

    def held(self) -> list[Utterance]:
        return self.held_ones

    def account(self, session_id: str, identity: str, record: StreamRecord) -> None:
        pass

    def stores(self, session_id: str) -> bool:
        return False

    async def flush(self) -> None:
        pass

    @property
    def words(self) -> list[str]:
        return [said.text for said in self.kept]


class Deaf:
    """Listener: for whom nobody cares."""

    unsent = 0

    def replay(self, messages: list[Message]) -> None:
        pass

    def send(self, batch: Batch) -> None:
        pass

    def close(self, code: int) -> None:
        pass


@dataclass
class House:
    """A hub with one session, on an engine whose key is bad."""

    engine: ScriptedEngine
    memory: Memory
    rooms: Rooms

    async def enter(self, who: Participant) -> Seat:
        session = RoomSession("session", "room", "Title", "LIVE", datetime.now(UTC))
        return await self.rooms.enter(session, who, Hello("abcdefgh"), Deaf())

    async def say_and_leave(self, who: Participant, words: list[str]) -> None:
        seat = await self.enter(who)
        seat.microphone.mic(True)
        pcm = speak(words)
        for start in range(0, len(pcm), FRAME):
            frame = pcm[start : start + FRAME].ljust(FRAME, b"\0")
            seat.microphone.audio(start // BYTES_PER_SAMPLE, frame)
        await until(lambda: seat.microphone.state[0] == "failed")
        seat.microphone.mic(False)
        seat.leave(closed=True)


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(resilient_module, "RETRY_HOPELESS_S", 0.1)
    monkeypatch.setattr(room_module, "ABANDONED_AFTER_S", 1.5)
    monkeypatch.setattr(microphones_module, "MICROPHONE_KEPT_S", 0.5)
    refusal = EngineError(Reason("key_refused"), retry=False)
    engine, memory = ScriptedEngine(script=[refusal] * 1000), Memory()
    rooms = Rooms(engine, memory, Alone(), MicrophoneOptions())
    rooms.start()
    yield House(engine, memory, rooms)
    engine.script.clear()
    await rooms.close()


BOB = Participant("p_bob", "session", "Bob", 2, "GUEST")


async def test_a_room_that_everybody_has_left_does_not_wait_for_ever(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.say_and_leave(ADA, WORDS[:20])
    spoken = len(speak(WORDS[:20])) / BYTES_PER_SECOND
    await asyncio.sleep(0.8)
    tried = len(house.engine.opened_at)
    await asyncio.sleep(0.4)
    assert len(house.engine.opened_at) > tried, "it isn't given up at once"
    await until(lambda: house.rooms.room("session") is None)
    tried = len(house.engine.opened_at)
    await asyncio.sleep(0.4)
    assert len(house.engine.opened_at) == tried
    told = re.search(r"([\d.]+) s of speech were never transcribed", caplog.text)
    assert told is not None
    assert float(told[1]) == pytest.approx(spoken, abs=0.5)
    assert not any(word in caplog.text for word in WORDS[:20])


async def test_while_somebody_is_there_and_soon_afterwards_nothing_is_given_up(
    house: House,
) -> None:
    bob = await house.enter(BOB)
    await house.say_and_leave(ADA, WORDS[:20])
    await asyncio.sleep(3.5)
    bob.leave(closed=True)
    await asyncio.sleep(0.2)
    house.engine.script.clear()
    await until(lambda: house.memory.words == WORDS[:20])
    await until(lambda: house.rooms.room("session") is None)
