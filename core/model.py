"""What Sessions is about, as values: no database, no request, no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeGuard, get_args

import msgspec

from core.spoken import UNSAID, Spoken
from core.text import initials

Role = Literal["HOST", "MEMBER", "GUEST"]
State = Literal["WAITING", "ADMITTED", "DENIED", "REMOVED"]
Status = Literal["CREATED", "LIVE", "ENDED", "EXPIRED"]
Membership = Literal["OWNER", "MEMBER"]
Admission = Literal["ANYONE", "KNOCK", "MEMBERS"]
Consent = Literal["OFF", "NOTICE", "REQUIRED"]
Theme = Literal["LIGHT", "DARK"]
TokenScope = Literal["READ", "WRITE"]  # of an API token; who writes also reads
EndReason = Literal["ADMIN_ENDED", "AUTO_EMPTY_ROOM", "EXPIRED_NO_JOIN"]
Shown = Literal["all", "live", "planned", "ended", "mine", "elsewhere"]  # of a list of sessions
Page = tuple[str, str]  # one page of one participant: identity, and its own name for itself

MAX_LINES = 5_000  # of chat, per session
MAX_AUDIO_DAYS = 365  # for which the sound of a session is kept, at most
MAX_UTTERANCES = 20_000  # per session; a day of uninterrupted talk


def is_admission(text: object) -> TypeGuard[Admission]:
    """Whether this is one of the three ways to let people in."""
    return text in get_args(Admission)


def is_theme(text: object) -> TypeGuard[Theme]:
    """Whether these are colours that pages can be in."""
    return text in get_args(Theme)


def is_token_scope(text: object) -> TypeGuard[TokenScope]:
    """Whether an API token can have this scope."""
    return text in get_args(TokenScope)


def is_shown(text: object) -> TypeGuard[Shown]:
    """Whether this is a part of a list that can be asked for."""
    return text in get_args(Shown)


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user. `hue` (0 to 11) is the colour of their name and initials.

    `language` is the code of the one they chose for their pages; None: what the browser asks for.
    `administrator`: they made the first account of this server by its one-time link.
    `theme`: None for what their system has. `captions`: what they chose in the room, by name.
    `avatar`: the id of their picture. `name_chosen`: it no longer follows the provider's.
    `welcomed`: the steps after the first sign-in are behind them. `invited`: an invitation let them
    in. `space_id`: the space they work in, as they chose last, which they may have left since.
    `spoken`: the code of what they speak in sessions, None as each session has it.
    `by_token`: a program acts for them at the moment, by an API token.
    """

    id: str
    name: str
    email: str
    hue: int
    language: str | None = None
    administrator: bool = False
    theme: Theme | None = None
    captions: Mapping[str, Any] = field(default_factory=dict)
    avatar: str | None = None
    name_chosen: bool = False
    welcomed: bool = True
    invited: bool = False
    space_id: str | None = None
    spoken: str | None = None
    by_token: bool = False

    @property
    def initials(self) -> str:
        """One or two letters to stand for the person."""
        return initials(self.name)


@dataclass(frozen=True, slots=True)
class OwnSpace:
    """A space, and what its reader is in it."""

    id: str
    name: str
    role: Membership


@dataclass(frozen=True, slots=True)
class OwnSpaces:
    """The spaces that a person is a member of, the oldest membership first.

    `current` is the one that they work in: whichever they chose last, if they still are a member,
    else the first. None for who is a member of none.
    """

    current: OwnSpace | None = None
    all: tuple[OwnSpace, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """Who a browser is signed in as, their spaces, and when it ends unless it is used before."""

    person: Person
    idle_at: datetime
    spaces: OwnSpaces = OwnSpaces()


@dataclass(frozen=True, slots=True)
class Planning:
    """What is said ahead of a session: for when it is planned, its agenda, and when it recurs.

    Both texts are plain and "" for none: an agenda of several lines, a note such as “Mondays at 9”.
    """

    at: datetime | None = None
    agenda: str = ""
    recurs: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A meeting. Times are aware; `started_at` is the zero of all utterance times.

    `planned_at`: for when it is planned. `agenda`, `recurs`: plain words, "" for none.
    `standing_room`: the id of the one that it is a meeting of. `paused_at`: since when nothing is
    transcribed. `replanned_at`: when what is said ahead of it was changed last, None for never.
    `spoken`: what it says itself of languages and words; `space_spoken`: what its space says, as
    far as that was looked up, and then `mark` is another one whenever either has changed.
    """

    id: str
    slug: str
    title: str
    space_id: str
    created_by: str | None
    status: Status
    spoken: Spoken
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    admission: Admission
    locked: bool
    planned_at: datetime | None = None
    agenda: str = ""
    recurs: str = ""
    standing_room: str | None = None
    paused_at: datetime | None = None
    replanned_at: datetime | None = None
    # What the door of its space asks. Where that wasn't looked up, as if it had to be asked.
    consent: Consent = "REQUIRED"
    space_spoken: Spoken = UNSAID
    mark: str = ""
    # For how many days the sound of it is kept; 0: it isn't, or that wasn't looked up.
    audio_days: int = 0
    # When it was uploaded; None: it wasn't recorded elsewhere.
    uploaded_at: datetime | None = None

    @property
    def planning(self) -> Planning:
        """What is said ahead of it."""
        return Planning(self.planned_at, self.agenda, self.recurs)

    @property
    def over(self) -> bool:
        """Whether nobody can join any more."""
        return self.status in ("ENDED", "EXPIRED")

    @property
    def duration_seconds(self) -> float | None:
        """How long it took, None until it has ended (or when it never began)."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Pause:
    """A while in which nothing of a session was transcribed; `until` None: it still is so.

    `by` is the name of the host who paused, None where it isn't known.
    """

    since: datetime
    until: datetime | None
    by: str | None

    def seconds(self, started_at: datetime) -> tuple[float, float | None] | None:
        """Return where it begins and ends in a session that started then, in its seconds.

        None when it was over before that.
        """
        start = max(0.0, (self.since - started_at).total_seconds())
        end = None if self.until is None else (self.until - started_at).total_seconds()
        return (start, end) if end is None or end > 0 else None


class Answer(NamedTuple):
    """Whether somebody wants to be transcribed, and since when they say so."""

    given: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Participant:
    """One person in one session, under an identity that the server made.

    `answer`: what they said of being transcribed last. `noticed_at`: when their page said that it
    showed them what becomes of what is said. `avatar` is the id of their picture, as far as is
    known to who asked for them. `language`: the code of what they say they speak, None as the
    session has it.
    """

    identity: str
    session_id: str
    name: str
    hue: int
    role: Role
    state: State = "ADMITTED"
    user_id: str | None = None
    answer: Answer | None = None
    noticed_at: datetime | None = None
    avatar: str | None = None
    language: str | None = None

    @property
    def consent(self) -> bool | None:
        """Whether they want to be transcribed; None when they haven't said."""
        return None if self.answer is None else self.answer.given

    def transcribed(self, asked: Consent) -> bool:
        """Whether what they say may be transcribed where the doors of the space ask this."""
        return asked != "REQUIRED" if self.consent is None else self.consent


class Seated(NamedTuple):
    """Who has a page open here: by which key they came, and what they are as far as is known."""

    identity: str
    key: bytes
    role: Role
    answer: Answer | None = None
    avatar: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What has changed about somebody who has a page open.

    `state`, `role`, `answer` and `avatar` are as they are now, None when the participant is gone;
    `key_open`: whether the key by which they came still counts.
    """

    seated: Seated
    session_id: str | None
    state: State | None
    role: Role | None
    key_open: bool
    answer: Answer | None = None
    avatar: str | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """How many people are in a session, how many ever were, and when the last one left."""

    here: int
    came: int
    last_left: datetime | None


class ListKey(NamedTuple):
    """Where a session stands in a list: all three grow from its top to its end.

    `rank`: 0 live, 1 still to come, 2 the rest. `turn`: by what those of a rank are in order.
    """

    rank: int
    turn: int
    id: str


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session in a list, with the first of the people who were in it, as names and hues.

    `membership` and `own` say what the user is in its space and in the session itself.
    """

    session: Session
    key: ListKey
    people: list[dict[str, Any]]
    presence: Presence
    membership: Membership | None
    own: Participant | None


@dataclass(frozen=True, slots=True)
class Known:
    """A participant, whether they were ever in the room, and whether they are at the moment."""

    participant: Participant
    came: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """Who asks, the session behind a link, and what the two are to each other.

    `own` belongs to the signed-in person, `guest` to a name that was given in this browser.
    `participants` counts who came in and wasn't removed. `denied` is whom hosts sent away,
    who was denied or asked again last first. `room` is the slug of its standing room. Without a
    session, all that is about it is empty.
    """

    login: Login | None = None
    session: Session | None = None
    membership: Membership | None = None
    own: Known | None = None
    guest: Known | None = None
    participants: int = 0
    presence: Presence = Presence(0, 0, None)
    denied: list[Participant] = field(default_factory=list)
    room: str | None = None


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A line of a session's chat; `id` counts from 1 in every session."""

    session_id: str
    id: int
    identity: str
    name: str
    hue: int
    role: str
    text: str
    sent_at: datetime


class Utterance(msgspec.Struct, frozen=True):
    """What one participant said between two silences. Times are session seconds.

    `seq` counts finals from 1 in every session; it is 0 while the utterance is partial.
    `client` is the page that it came from, and `until` that page's sample after its words.
    `lost` makes it a gap: so many seconds that could not be transcribed, without a text.
    """

    session_id: str
    stream: str
    utterance: str
    seq: int
    identity: str
    name: str
    hue: int
    text: str
    start: float
    end: float
    language: str | None
    # What has a default may be missing in a file that an earlier release has left.
    client: str = ""
    until: int = 0
    lost: float | None = None
    role: str = "GUEST"
    epoch: int = 0  # of the room that gave it its number: see core.leases

    @property
    def place(self) -> tuple[str, str]:
        """Which utterance of which stream it is, unique within the session."""
        return self.stream, self.utterance

    @property
    def page(self) -> Page:
        """The page that it was said at."""
        return self.identity, self.client

    @property
    def key(self) -> str:
        """Its id on the wire, unique within the session."""
        return f"{self.stream}-{self.utterance}"


class Translated(msgspec.Struct, frozen=True):
    """A final in another language, of which `language` is the code; whose it is as in Utterance."""

    session_id: str
    stream: str
    utterance: str
    identity: str
    language: str
    text: str

    @property
    def key(self) -> str:
        """The id of its utterance on the wire."""
        return f"{self.stream}-{self.utterance}"


@dataclass(frozen=True, slots=True)
class StreamAccount:
    """The account of one engine stream and whose it was; see core.speech.engine.StreamUsage."""

    session_id: str
    identity: str
    stream: str
    engine: str
    opened_at: datetime
    closed_at: datetime
    seconds_sent: float
    frames: int
    partials: int
    finals: int
    errors: int
    reconnects: int = 0
    # What has a default may be missing in a file that an earlier release has left.
    price: float | None = None  # of a minute, when it was sent; None: not known


@dataclass(frozen=True, slots=True)
class Usage:
    """What one participant's speech took in a session, over all streams."""

    identity: str
    name: str
    streams: int
    seconds_sent: float
    frames: int
    partials: int
    finals: int
    errors: int
    cost: float  # at the prices of when it was sent


@dataclass(frozen=True, slots=True)
class Topic:
    """What a session was about for a while, from this second of it on, where that is known."""

    label: str
    start: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an AI has made of a session; what there is none of is empty."""

    title: str | None
    current_topic: str | None
    topics: list[Topic]
    summary: str | None
    tasks: list[str]
    risks: list[str]

    def says_more_than(self, title: str) -> bool:
        """Whether there is anything beside this title."""
        made = (self.current_topic, self.topics, self.summary, self.tasks, self.risks)
        return any(made) or self.title not in (None, title)


@dataclass(frozen=True, slots=True)
class Lease:
    """Which node has a room, under which epoch, and how many seconds ago it last said so."""

    node: str
    epoch: int
    age: float
