"""What a check found: a code and facts for programs, and words that the edge translates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.words import Words

# note: works, and yet somebody should know. skipped: it could not be asked, or needn't be.
State = Literal["ok", "note", "failed", "skipped"]
Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found of one thing. None of it has a secret.

    `why` begins with what people notice, as that is what an operator searches for; `todo` is the
    one thing to do. Both are None where nothing is wrong.
    """

    check: str  # a code, such as `database`; several outcomes of one check have it in common
    state: State
    what: Words
    why: Words | None = None
    todo: Words | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)


def worst(outcomes: list[Outcome]) -> State:
    """Return the state that counts for all: failed before note, ok and skipped."""
    states = {one.state for one in outcomes}
    order: tuple[State, ...] = ("failed", "note", "ok")
    return next((state for state in order if state in states), "skipped")
