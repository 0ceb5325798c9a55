"""Warnings: hosts of a room are told once its space has used up most of its minutes."""

from __future__ import annotations

from core.access.table import Action, may
from core.room.fanout import Fanout
from core.room.seat import Seat
from core.room.wire import Minutes
from core.speech.allowance import Allowance


class Warnings:
    """What hosts of one room know of its space's minutes."""

    def __init__(self, fanout: Fanout, allowance: Allowance) -> None:
        self._fanout = fanout
        self._allowance = allowance  # the space's, which all its rooms share

    def tell(self) -> None:
        """Tell whoever may know it, and doesn't know it as it is. Once a second, and who comes."""
        near = self._allowance.near
        late = [
            seat
            for seat in self._fanout.seats
            if seat.warned_of != near and may(seat.standing, Action.SEE_MINUTES)
        ]
        if late:
            self._say(late)

    def _say(self, seats: list[Seat]) -> None:
        for seat in seats:
            seat.warned_of = self._allowance.near
        self._fanout.send_to(seats, Minutes(self._allowance.near))
