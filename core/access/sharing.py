"""Sharing a transcript outside: who makes links, and what a link opens."""

from __future__ import annotations

from core.access.door import Look, hosted, standing_of
from core.access.problems import NotFoundError
from core.access.table import Action, may
from core.database import Database
from core.model import Session
from core.problems import ProblemError
from core.store import shared_links
from core.store.shared_links import Closed, SharedLink


class GoesOnError(ProblemError):
    """The session isn't over: nobody can know yet what would be shared."""

    status, code = 409, "goes_on"


class LinkClosedError(ProblemError):
    """The link was good, and is no more; `why` says how it ended."""

    status, code = 410, "link_closed"

    def __init__(self, why: Closed) -> None:
        super().__init__(why)
        self.why: Closed = why


def shares(at: Look) -> bool:
    """Whether the visitor may share what was said: a host, once the session is over."""
    return at.session.over and at.who is not None and may(at.standing, Action.SHARE)


def shareable(at: Look) -> Session:
    """Return a session to who may share what was said in it.

    Raises NotFoundError for others, SignedOutError for nobody known, and GoesOnError.
    """
    session = hosted(at, Action.SHARE)
    if not session.over:
        raise GoesOnError
    return session


def may_no_longer(session: Session, link: SharedLink) -> bool:
    """Whether who made a link couldn't make it any more, as far as they have an account."""
    if link.made_by is None:
        return False
    now = standing_of(session, link.made_by, link.membership, link.own)
    return not may(now, Action.SHARE)


async def shared(db: Database, link_id: str) -> tuple[SharedLink, Session]:
    """Return what a link opens to whoever has it. Raises NotFoundError or LinkClosedError."""
    found = await shared_links.find(db, link_id)
    if found is None:
        raise NotFoundError
    link, session = found
    if link.closed is not None:
        raise LinkClosedError(link.closed)
    if session.status != "ENDED":
        raise NotFoundError
    return link, session
