"""What rooms ask of the world outside of memory: that words are kept, and whose a room is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from core.corrections import Corrections
from core.leases import Claim
from core.model import ChatLine, Page, Translated, Utterance
from core.speech.allowance import Allowance
from core.speech.hearing import Tape
from core.speech.resilient import StreamRecord
from core.transcript.numbers import Numbering
from core.transcript.outbox import Entry
from core.transcript.ports import FinalsWriter


class Writer(FinalsWriter, Protocol):
    """Stores what rooms hand over, their only way out of memory: TranscriptWriter."""

    async def load(self, session_id: str, epoch: int) -> list[Utterance]:
        """Return the finals of a session that was claimed under this epoch, by seq.

        Those not yet stored included, which count as this owner's from now on.
        """

    async def corrections(self, session_id: str) -> Corrections:
        """Return what was corrected of the session."""

    async def chat(self, session_id: str) -> list[ChatLine]:
        """Return the session's chat lines by id, those not yet stored included."""

    def keep_line(self, line: Entry[ChatLine]) -> None:
        """Take a chat line. Never blocks."""

    async def translations(self, session_id: str) -> list[Translated]:
        """Return the session's translations in the order they came, those not yet stored too."""

    def keep_translation(self, one: Entry[Translated]) -> None:
        """Take a translation. Never blocks."""

    def serve(
        self,
        find_room: Callable[[str], Numbering | None],
        set_aside: Callable[[list[Utterance]], None],
    ) -> None:
        """Learn where a session's room is, if it is in memory: it gives what comes its number.

        `set_aside` takes finals that can't be stored because another node has their room.
        """

    def hold(self, utterances: list[Utterance]) -> None:
        """Have these, and no others, ready for the next process: see `held`.

        They are what a page is expected to say anew, so they aren't part of the transcript.
        """

    def held(self) -> list[Utterance]:
        """Return what the last process gave to `hold`."""

    def stores(self, session_id: str) -> bool:
        """Whether words of this session wait to be stored."""

    def forget(self, session_ids: Collection[str]) -> None:
        """Let go of what waits of sessions that were deleted: it could never be stored."""

    async def flush(self) -> None:
        """Store what waits, for a few seconds at most."""

    def account(self, session_id: str, identity: str, record: StreamRecord) -> None:
        """Take the account of an engine stream."""


class Tapes(Protocol):
    """Keeps the sound of what is said: core.audio."""

    def tape(self, session_id: str, page: Page, days: int) -> Tape:
        """Return what keeps the sound of a page for so many days."""


class Minutes(Protocol):
    """Says how much of a space's speech may be transcribed: core.minutes."""

    def of(self, space: str) -> Allowance:
        """Return the space's allowance, the same for all its rooms."""


class Claims(Protocol):
    """Says whether a room is this process's: core.leases."""

    @property
    def held(self) -> list[str]:
        """The sessions whose rooms are ours."""

    async def claim(self, session_id: str) -> Claim:
        """Claim a room. Raises RoomElsewhereError."""

    async def renew(self) -> set[str]:
        """Renew all leases; return the sessions whose rooms are ours no more."""

    async def release(self, sessions: Collection[str]) -> None:
        """Give rooms back."""
