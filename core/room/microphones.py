"""The microphones of a room, by page.

A page's microphone outlives its connection, as audio is still on its way then and the page may
come back. So microphones are the room's, and seats come and go.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from core.model import Answer, Page, Participant
from core.room.captions import Captions
from core.room.ports import Tapes
from core.room.session import RoomSession
from core.room.wire import EngineView, Hello
from core.speech.engine import SpeechState
from core.speech.hearing import Tape
from core.speech.microphone import Microphone, MicrophoneOptions
from core.speech.resilient import SpeechServices

log = logging.getLogger(__name__)

MICROPHONE_KEPT_S = 120.0  # seconds that a page may be gone and still go on where it stopped


class Microphones:
    """All microphones of one room, from a page's first connection until it is gone for good."""

    def __init__(
        self,
        of: dict[Page, Microphone],
        captions: Captions,
        services: SpeechServices,
        tapes: Tapes | None,
    ) -> None:
        # Of connected pages, and of those that left less than MICROPHONE_KEPT_S ago or whose words
        # are still on their way. Only this class adds to them.
        self._of = of
        self._captions = captions  # which they report to
        self._services = services  # engine, slots and memory, shared by all rooms
        self._tapes = tapes  # keeps their sound, where the session has it so; None: nobody does
        # Of pages whose sound may be kept, for how many days their door said that it is.
        self._told: dict[Page, int] = {}

    def __contains__(self, page: Page) -> bool:
        return page in self._of

    def __bool__(self) -> bool:
        return bool(self._of)

    @property
    def pages(self) -> list[Page]:
        """Whose they are."""
        return list(self._of)

    @property
    def answers(self) -> dict[str, Answer | None]:
        """What the person of each has said of being transcribed."""
        return {one.participant.identity: one.participant.answer for one in self._of.values()}

    def heed(self, identity: str, answer: Answer | None, session: RoomSession) -> None:
        """Transcribe a participant or not, as they and the door of the space have it now.

        Pages that are away are told of when they come back: what they keep may be of before.
        """
        for (who, _), microphone in self._of.items():
            if who == identity:
                one = replace(microphone.participant, answer=answer)
                microphone.heed(answer, session.heard_from(one))

    def speaks(self, identity: str, language: str | None) -> None:
        """Transcribe a participant in this language from now on; None: as the session has it."""
        for (who, _), microphone in self._of.items():
            if who == identity:
                microphone.speaks(language)

    @property
    def writing(self) -> bool:
        """Whether words that were said are still on their way."""
        return any(microphone.busy for microphone in self._of.values())

    @property
    def states(self) -> list[SpeechState]:
        """What becomes of the speech of each."""
        return [microphone.state[0] for microphone in self._of.values()]

    @property
    def engine(self) -> EngineView:
        """The engine that writes down what they hear, and how it is."""
        engine = self._services.engine
        health = engine.health()
        return EngineView(engine.name, health.health.value, health.reason)

    def audio_days(self, page: Page, session: RoomSession) -> int:
        """Return for how many days the sound of a page is kept; 0: it isn't.

        Nobody's is, or for longer, of whose page the door didn't say so.
        """
        told, days = self._told.get(page, 0), session.audio_days
        return days if self._tapes is not None and days <= told else 0

    def keep(self, session: RoomSession) -> None:
        """Keep the sound of each for as long as the session has it now."""
        for page, microphone in self._of.items():
            microphone.keep(self._tape(page, session))

    def _tape(self, page: Page, session: RoomSession) -> Tape | None:
        days = self.audio_days(page, session)
        return self._tapes.tape(session.id, page, days) if self._tapes and days else None

    def of(
        self, participant: Participant, hello: Hello, how: MicrophoneOptions, session: RoomSession
    ) -> Microphone:
        """Return the page's microphone: where it stopped, or a new one."""
        page = participant.identity, hello.client
        microphone = self._of.get(page)
        if microphone is None:
            self._told[page] = hello.audio
            # The page knows what it was told to be stored, perhaps by another process; the log
            # may know of more, when the connection went before that was told.
            transcribed, at = self._captions.log.transcribed(page)
            microphone = self._of[page] = Microphone(
                self._captions,
                participant,
                self._services,
                how,
                client=hello.client,
                resume_at=max(hello.settled, transcribed),
                resume_time=at,
                tape=self._tape(page, session),
            )
        microphone.settled = hello.settled  # what it was told last may not have reached it
        if hello.clock is not None:
            microphone.told_clock(hello.clock)
        return microphone

    def tick(self, now: float) -> list[str]:
        """Once a second: finish what went silent, forget pages that are gone for good.

        Returns the participants of those pages.
        """
        self._captions.settle_silence()
        forgotten = []
        for page, microphone in list(self._of.items()):
            microphone.tick(now)
            gone = (
                microphone.detached_at is not None
                and now - microphone.detached_at > MICROPHONE_KEPT_S
            )
            if gone and not microphone.busy:
                del self._of[page]
                del self._told[page]
                microphone.keep(None)
                self._captions.show_state(page[0])
                forgotten.append(page[0])
        return forgotten

    def give_up(self, why: str) -> None:
        """Drop what the engine didn't take; the streams log how much that is."""
        for microphone in self._of.values():
            if microphone.busy:
                log.warning("%s, and speech still waits: it is given up", why)
                microphone.abort()

    async def last_words(self, seconds: float) -> bool:
        """Take no more audio and wait for the last words. Returns whether they came in time."""
        microphones = list(self._of.values())
        for microphone in microphones:
            microphone.close()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(microphone.wait_closed() for microphone in microphones))
        except TimeoutError:
            return False
        return True

    async def drain(self, seconds: float, *, to_next: bool) -> None:
        """Take no more audio, wait for the last words, and give up what doesn't come in time.

        With `to_next`, pages that may come back say what isn't stored to the next process, so no
        more of theirs is stored here: see TranscriptLog.leave_to_next.
        """
        if to_next:
            self._captions.log.leave_to_next(
                [page for page, one in self._of.items() if one.may_return]
            )
        if not await self.last_words(seconds):
            log.warning("the last words of a session did not arrive in time")
        for microphone in list(self._of.values()):
            microphone.abort()
            await microphone.wait_closed()  # which lets the log hand over what waited for its turn

    def desert(self) -> None:
        """Drop what is underway: the room is another node's, to whom pages say it anew."""
        # First: what the abort below makes final is fenced by the database anyway, and whoever
        # said it must not be told that it is lost.
        self._captions.log.leave_to_next(self._of)
        for microphone in self._of.values():
            microphone.close()
            microphone.abort()
