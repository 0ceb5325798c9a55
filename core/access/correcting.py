"""Who corrects a transcript: members and hosts, while the session goes on and after its end."""

from __future__ import annotations

from core.access.door import Look
from core.access.problems import NotFoundError, SignedOutError
from core.access.table import Action, may
from core.model import Session


def corrects(at: Look) -> bool:
    """Whether the visitor may correct what was said, and so sees what was hidden."""
    return may(at.reader, Action.CORRECT)


def correctable(at: Look) -> Session:
    """Return a session to who may correct what was said in it. Raises NotFoundError for others.

    Raises SignedOutError for who isn't known at all: see `hosted`.
    """
    if at.who is None:
        raise SignedOutError
    if not corrects(at):
        raise NotFoundError
    return at.session
