"""What one environment variable is, and the groups that they are shown in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.settings import parsing as accept
from core.settings.parsing import Parsed
from core.words import N_

PRODUCTION = N_("Production")
SIGN_IN = N_("Sign-in")
VIDEO = N_("Video")
SPEECH = N_("Speech recognition")
AI = N_("AI")
NETWORK = N_("Network")
LIMITS = N_("Limits")
FILES = N_("Files")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: how it is read, and what people need to know of it."""

    name: str
    field: str
    group: str
    purpose: str
    unset: str
    parse: Callable[[str], Parsed] = accept.text
    example: str = ""
    aliases: tuple[str, ...] = ()
    required: bool = False
    secret: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All names it is read under, the first one set wins. A secret's may end in _FILE, too."""
        return (self.name, *self.aliases)
