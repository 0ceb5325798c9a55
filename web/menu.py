"""What the top of a page offers to who asks: known once it is known who that is."""

from __future__ import annotations

from contextvars import ContextVar

from core.model import OwnSpaces

# Each request is a task of its own, and so has its own.
_administering: ContextVar[bool] = ContextVar("administering", default=False)
_NONE = OwnSpaces()
_spaces: ContextVar[OwnSpaces] = ContextVar("spaces", default=_NONE)


def show(spaces: OwnSpaces, *, administering: bool) -> None:
    """Offer their spaces to whoever is answered, and what administrators may, or not."""
    _spaces.set(spaces)
    _administering.set(administering)


def own_spaces() -> OwnSpaces:
    """Return the spaces of whoever is answered."""
    return _spaces.get()


def administering() -> bool:
    """Whether whoever is answered may administer the server."""
    return _administering.get()
