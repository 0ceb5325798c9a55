"""What the top of a page offers to who asks: known once it is known who that is."""

from __future__ import annotations

from contextvars import ContextVar

# Each request is a task of its own, and so has its own.
_administering: ContextVar[bool] = ContextVar("administering", default=False)


def show(administering: bool) -> None:
    """Offer to whoever is answered what administrators may, or not."""
    _administering.set(administering)


def administering() -> bool:
    """Whether whoever is answered may administer the server."""
    return _administering.get()
