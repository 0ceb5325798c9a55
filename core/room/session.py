"""What a room knows of its session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from core.model import Consent, Participant, Pause, Session
from core.room.wire import PauseView, SessionView
from core.spoken import UNSAID, Spoken, together


@dataclass(frozen=True, slots=True)
class RoomSession:
    """What the room must know of a session."""

    id: str
    slug: str  # the link's last part, by which streams of one room are known to share slots
    title: str
    status: str
    started_at: datetime  # the zero of all times of what is said
    space: str = ""  # the id of the space, whose slots and minutes its speech takes
    spoken: Spoken = UNSAID  # what is said of languages and words by all who may say it
    mark: str = ""  # of that, as in Session
    admission: str = "KNOCK"
    locked: bool = False
    pauses: tuple[Pause, ...] = ()
    consent: Consent = "OFF"  # what the door of its space asks
    audio_days: int = 0  # for which its sound is kept; 0: it isn't

    @classmethod
    def of(
        cls,
        session: Session,
        now: datetime,
        pauses: tuple[Pause, ...] = (),
        *,
        installation: Spoken = UNSAID,
    ) -> RoomSession:
        """Return it for a session that somebody enters at `now`, and which that may begin."""
        return cls(
            id=session.id,
            slug=session.slug,
            title=session.title,
            status=session.status,
            started_at=session.started_at or now,
            space=session.space_id,
            spoken=together(session.spoken, session.space_spoken, installation),
            mark=session.mark,
            admission=session.admission,
            locked=session.locked,
            pauses=pauses,
            consent=session.consent,
            audio_days=session.audio_days,
        )

    def heard_from(self, one: Participant) -> float:
        """Return from which second of the session on they may be transcribed.

        Infinity for not at all, minus infinity for whatever they say.
        """
        if not one.transcribed(self.consent):
            return math.inf
        if one.answer is None:
            return -math.inf
        return (one.answer.at - self.started_at).total_seconds()

    @property
    def paused(self) -> bool:
        """Whether nothing is transcribed at the moment."""
        return bool(self.pauses) and self.pauses[-1].until is None

    def pause_views(self) -> list[PauseView]:
        """Return its pauses as its pages see them; what was over before it began is none."""
        spans = [(pause.seconds(self.started_at), pause.by) for pause in self.pauses]
        return [PauseView(*span, by) for span, by in spans if span is not None]

    def view(self) -> SessionView:
        """Return it as its pages see it."""
        return SessionView(
            slug=self.slug,
            title=self.title,
            status=self.status,
            started_at=self.started_at,
            admission=self.admission,
            locked=self.locked,
            targets=list(self.spoken.targets or ()),
        )
