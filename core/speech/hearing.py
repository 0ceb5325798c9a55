"""What a microphone tells its room: words with the time they were said, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from core.model import Participant
from core.speech.engine import Recognition, StreamOptions, Translation
from core.speech.resilient import StreamRecord
from core.speech.withheld import Withheld

if TYPE_CHECKING:
    from core.speech.microphone import Microphone


class Span(msgspec.Struct, frozen=True):
    """When words were said: seconds since the session started, and the page's sample after them.

    `since` is the page's sample at which their stretch of speech began.
    """

    start: float
    end: float
    until: int
    since: int


class Tape(Protocol):
    """Keeps the sound of one page, as its stretches of speech have it. Never blocks."""

    def take(self, first: int, pcm: bytes, at: float) -> None:
        """Take PCM16 from this sample of the page on, which was spoken at second `at`.

        What comes again, as the beginning of a stretch may, is taken once.
        """

    def finish(self) -> None:
        """Let go of the file: no more comes, or not for a while."""


class MicrophoneSink(Protocol):
    """The room of a microphone."""

    space: str
    slug: str
    withheld: Withheld

    @property
    def began(self) -> float:
        """The monotonic time at which the session started; audio asks for it with each frame."""

    def options(self, speaker: Participant) -> StreamOptions:
        """Return what the engine is asked for when this participant begins to speak."""

    def heard(
        self, microphone: Microphone, stream: str, recognition: Recognition, when: Span
    ) -> None:
        """Take text and when it was said."""

    def translated(self, microphone: Microphone, stream: str, translation: Translation) -> None:
        """Take a translation of a final that was heard."""

    def withdrawn(self, microphone: Microphone, stream: str, utterance: str) -> None:
        """Forget a partial."""

    def state_changed(self, microphone: Microphone) -> None:
        """Look at `microphone.state` again."""

    def words_lost(self, microphone: Microphone, seconds: float) -> None:
        """Tell the page that audio had to be dropped."""

    def missed(self, microphone: Microphone, gap: str, seconds: float, when: Span) -> None:
        """Write into the transcript that so much could not be transcribed; `gap` is its id."""

    def stretch_over(self, microphone: Microphone) -> None:
        """Look at `microphone.open_since` again: nothing more comes of an older stretch."""

    def stream_closed(self, microphone: Microphone, record: StreamRecord) -> None:
        """Take the account of one engine stream."""
