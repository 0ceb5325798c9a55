"""Corrections of a transcript as values: lines as they stand, what they become, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from core.lines import LineId, Speaker
from core.problems import ProblemError

Kind = Literal["RENAME", "EDIT", "ASSIGN", "HIDE", "SHOW", "SPLIT", "JOIN", "RESTORE"]

MAX_TEXT = 5_000  # characters of a line: a minute of speech has a thousand
MAX_PARTS = 100  # of one utterance, also those that were joined again
MAX_RUN = 500  # lines that are reassigned at once
MAX_CORRECTIONS = 50_000  # of a session; each line of a run is one
MAX_SPEAKERS = 50  # of a session, without a microphone of their own
MAX_RESTORED = 100  # utterances whose parts were joined to one another, restored at once
NAME_LENGTH = 80  # characters


class By(NamedTuple):
    """Who corrects a session: a user, or a guest who hosts, and their name at this moment."""

    session: str
    user: str | None
    name: str


class Seen(NamedTuple):
    """A line, and the revision that who corrects it has before them."""

    line: LineId
    revision: int


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to speak a line: somebody known by their id, somebody named, or several people."""

    speaker: str | None = None  # the id
    name: str | None = None  # without an id: of somebody new; None: several people in one room


@dataclass(frozen=True, slots=True)
class Version:
    """A line as it stands. `joined` is the line that has its words now, if it was joined to one."""

    line: LineId
    text: str
    start: float
    end: float
    speaker: Speaker
    hidden: bool = False
    revision: int = 0
    joined: LineId | None = None
    lost: float | None = None  # of a gap, the seconds

    def told(self) -> dict[str, Any]:
        """Return what the log of corrections keeps of it."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "speaker": self.speaker.id,
            "name": self.speaker.name,
            "hidden": self.hidden,
            "joined": str(self.joined) if self.joined else None,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """What one line has become; a new one, such as a part of another, has nothing before."""

    before: Version | None
    after: Version


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance as the engine heard it, of which a line was made."""

    seq: int
    text: str
    start: float
    end: float
    speaker: Speaker
    language: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A correction, as its log has it."""

    id: int
    at: datetime
    by: str
    kind: Kind
    line: LineId
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """Of a line the utterances that it was made of, as they were heard, and each step since.

    `seen` is the newest of the revisions: who restores the original says what they have seen by it.
    """

    line: Version
    heard: list[Heard]
    steps: list[Step]
    seen: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of an utterance as pages in a room show it. `name` is the speaker's own."""

    part: int
    text: str
    start: float
    end: float
    speaker: str
    name: str | None
    hue: int


@dataclass(frozen=True, slots=True)
class CorrectedUtterance:
    """What is shown of an utterance now: its parts, of which none may be left.

    `number` is the id of its latest correction; `key` is its id as pages know it. `as_heard`: its
    words are what they were, whoever says them.
    """

    seq: int
    key: str
    number: int
    parts: tuple[Shown, ...]
    as_heard: bool = False


@dataclass(frozen=True, slots=True)
class Corrections:
    """What has changed in a session: utterances by the number of their correction, and names.

    `number` is that of the newest of all; `names` is of everybody who has another than their own.
    """

    number: int
    utterances: tuple[CorrectedUtterance, ...] = ()
    names: Mapping[str, str | None] | None = None


UNCORRECTED = Corrections(0)


class StaleError(ProblemError):
    """Somebody has changed these lines since they were seen: `now` has them as they are."""

    status, code = 409, "changed_meanwhile"

    def __init__(self, now: list[Version]) -> None:
        super().__init__()
        self.now = now


class RenamedError(ProblemError):
    """Somebody has given a speaker another name since it was seen: `name`, of this revision."""

    status, code = 409, "changed_meanwhile"

    def __init__(self, name: str | None, revision: int) -> None:
        super().__init__()
        self.name, self.revision = name, revision


class NotStoredYetError(ProblemError):
    """The line was said a moment ago, and can be corrected once it is stored."""

    status, code, retry_after = 409, "not_stored_yet", 2


class NotSpeechError(ProblemError):
    """The line is a gap: nobody knows what was said there."""

    status, code = 409, "not_speech"


class NotNeighboursError(ProblemError):
    """The two lines don't follow each other, or aren't of one speaker, or one is hidden."""

    status, code = 409, "not_neighbours"


class TooManyPartsError(ProblemError):
    """The line was split as often as it can be."""

    status, code = 409, "too_many_parts"


class TooManyCorrectionsError(ProblemError):
    """The transcript was corrected as often as it can be."""

    status, code = 409, "too_many_corrections"


class TooManySpeakersError(ProblemError):
    """The session has as many speakers without a microphone as it can have."""

    status, code = 409, "too_many_speakers"


class TooLongError(ProblemError):
    """The text is longer than a line may be."""

    status, code = 422, "line_too_long"


class NoWordsError(ProblemError):
    """There is no text, or a part of it has none; or no name."""

    status, code = 422, "no_words"


class UnknownLineError(ProblemError):
    """There is no such line, or no such speaker, in the session."""

    status, code = 404, "not_found"
