"""Searching: a page of hits for what somebody typed, by whichever way is quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.database import Database, SlowStatementError
from core.search.marking import Marker, Piece
from core.search.query import Query, Refusal, Typed, compiled, read
from core.store import search as stored
from core.store.search import Estimate, Hit, Order, Place, Turn, Wanted

PAGE = 20  # hits
# Lines that are read one by one where the index finds them: each may lie in another block.
MOST_LOOKED_UP = 1_500
# Lines of all spaces that the index may find by the beginning of a word, which has it go through
# all words that begin so.
MOST_BEGUN = 15_000
# Spaces that the index looks for beside the words: beyond that it takes longer than to leave out
# afterwards what is of others.
FEW_SPACES = 2
WINDOW_HITS = 500  # that a window should have,
LEAST_READ, MOST_READ = 2_000, 8_000  # as far as so many lines do
WINDOWS = 3  # that are read at once where the first has nothing
LOOK_UP_S = 0.25  # for the index; then it is read after all
READ_S = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for and by whom. `behind` is a page's `next`."""

    user: str
    spaces: tuple[str, ...]
    typed: str
    order: Order = "best"
    speaker: str = ""
    since: datetime | None = None
    before: datetime | None = None
    behind: Behind | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """Where a page begins: behind a hit, in a window of sessions or, without one, in all.

    A window lies behind `start`, or at the newest session, and goes until `end`.
    """

    place: Place | None = None
    windowed: bool = False
    start: Turn | None = None
    end: Turn | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits, each with what is shown of it; `refusal` says why nothing was looked for.

    `many` counts the hits of the window, or of all, COUNTED + 1 at most. `next` is where the next
    page begins, None for the last one; `older` says that it is about sessions before those.
    """

    typed: Typed
    hits: list[tuple[Hit, list[Piece]]] = field(default_factory=list)
    many: int = 0
    next: Behind | None = None
    older: bool = False
    windowed: bool = False
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """As in `Answer`, before it is marked."""

    hits: list[Hit]
    many: int
    next: Behind | None
    older: bool = False
    windowed: bool = False


async def search(db: Database, asked: Asked) -> Answer:
    """Return a page of what is found. Raises SlowStatementError where it takes too long."""
    typed = read(asked.typed)
    words = await stored.words_of(db, typed.terms) if typed.terms else []
    query = compiled(typed.terms, words)
    if not isinstance(query, Query):
        return Answer(typed, refusal=query)
    if not asked.spaces:
        return Answer(typed)
    found = await _found(db, typed, asked, query)
    marker = Marker(typed.terms, words)
    known = await stored.known(db, marker.unknown(hit.text for hit in found.hits))
    hits = [(hit, marker.pieces(hit.text, known, stemmed=hit.stemmed)) for hit in found.hits]
    return Answer(typed, hits, found.many, found.next, found.older, found.windowed)


async def _found(db: Database, typed: Typed, asked: Asked, query: Query) -> _Found:
    estimate = await stored.estimate(db, query.loose, asked.spaces)
    behind = asked.behind or Behind(windowed=not _few(typed, asked, estimate))
    if not behind.windowed:
        try:
            return await _by_index(db, _wanted(asked, query, indexed=True), behind)
        except SlowStatementError:
            if asked.behind is not None:
                raise
            behind = Behind(windowed=True)
    return await _by_windows(db, _wanted(asked, query), behind, _lines(asked, estimate))


def _few(typed: Typed, asked: Asked, estimate: Estimate) -> bool:
    """Whether the index is the quick way."""
    if any(term.prefix for term in typed.terms) and estimate.all > MOST_BEGUN:
        return False
    marked = len(asked.spaces) <= FEW_SPACES
    return (estimate.own if marked else estimate.all) <= MOST_LOOKED_UP


def _lines(asked: Asked, estimate: Estimate) -> int:
    """Return how many lines make a window, as far as hits are as many everywhere."""
    if asked.speaker or not estimate.own:
        return MOST_READ
    return min(MOST_READ, max(LEAST_READ, WINDOW_HITS * estimate.lines // estimate.own))


def _wanted(asked: Asked, query: Query, *, indexed: bool = False) -> Wanted:
    marked = indexed and len(asked.spaces) <= FEW_SPACES
    return Wanted(
        asked.user,
        asked.spaces,
        query.within(asked.spaces) if marked else query.everywhere,
        query.stems,
        query.plain,
        asked.order,
        asked.speaker,
        asked.since,
        asked.before,
    )


async def _by_index(db: Database, wanted: Wanted, behind: Behind) -> _Found:
    hits, many = await stored.page(db, LOOK_UP_S, wanted, PAGE, behind=behind.place)
    more = Behind(hits[PAGE - 1].place) if len(hits) > PAGE else None
    return _Found(hits[:PAGE], many, more)


async def _by_windows(db: Database, wanted: Wanted, behind: Behind, lines: int) -> _Found:
    """Read the newest sessions, or those behind; where nothing is there, older ones at once."""
    for _ in range(WINDOWS):
        sessions, end = await stored.window(db, wanted, lines, behind.start, behind.end)
        end = behind.end or end
        hits, many = await stored.page(
            db, READ_S, wanted, PAGE, behind=behind.place, window=sessions
        )
        if len(hits) > PAGE:
            more = Behind(hits[PAGE - 1].place, True, behind.start, end)
            return _Found(hits[:PAGE], many, more, windowed=True)
        if hits or end is None:
            break
        behind = Behind(None, True, end)
    older = Behind(None, True, end) if end is not None else None
    return _Found(hits, many, older, older is not None, windowed=True)
