"""What all pages have for who asks, in their top and their colours: known once it is known who."""

from __future__ import annotations

from contextvars import ContextVar

from core.model import OwnSpaces, Theme

# Each request is a task of its own, and so has its own.
_administering: ContextVar[bool] = ContextVar("administering", default=False)
_NONE = OwnSpaces()
_spaces: ContextVar[OwnSpaces] = ContextVar("spaces", default=_NONE)
_theme: ContextVar[Theme | None] = ContextVar("theme", default=None)


def show(spaces: OwnSpaces, *, administering: bool, theme: Theme | None) -> None:
    """Offer their spaces to whoever is answered, and what administrators may, or not.

    All in the colours that they chose.
    """
    _spaces.set(spaces)
    _administering.set(administering)
    _theme.set(theme)


def theme() -> Theme | None:
    """Return which colours whoever is answered has chosen; None: those of their system."""
    return _theme.get()


def own_spaces() -> OwnSpaces:
    """Return the spaces of whoever is answered."""
    return _spaces.get()


def administering() -> bool:
    """Whether whoever is answered may administer the server."""
    return _administering.get()
