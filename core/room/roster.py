"""The roster: who is here as everybody is shown, and who knocks as hosts are."""

from __future__ import annotations

from datetime import UTC, datetime

from core.access.table import Action, may, standing
from core.model import Participant
from core.room.fanout import Fanout
from core.room.knocks import Knocks
from core.room.presence import BEAT_EVERY, Lost, who_is_away
from core.room.session import RoomSession
from core.room.wire import Batch, Beat, KnockView, Message, People, PersonView

_BEAT = Batch([Message(Beat())])  # the same bytes for every page of every room


class Roster:
    """The people of one room."""

    def __init__(self, session: RoomSession, fanout: Fanout, knocks: Knocks) -> None:
        self.asked = session.consent  # what the door of the space asks
        self._session_id = session.id
        self._fanout = fanout  # whose seats are who is here
        self._knocks = knocks  # of all sessions: they come before any room is in memory
        self._lost = Lost()  # whose line broke a moment ago
        self._hands: dict[str, datetime] = {}  # since when they are up, by identity
        self._ticks = 0  # seconds so far, for what isn't done in each

    def people(self) -> list[PersonView]:
        """Return who is here, each once, in the order they came."""
        away = who_is_away(self._fanout.seats)
        here = {
            seat.participant.identity: self.view(
                seat.participant, away=seat.participant.identity in away
            )
            for seat in self._fanout.seats
        }
        lost = [self.view(one, away=away) for one, away in self._lost.people()]
        return [*here.values(), *lost]

    def view(self, one: Participant, *, away: bool = False) -> PersonView:
        """Return a participant as others see them."""
        hand = self._hands.get(one.identity)
        return PersonView(one.identity, one.name, one.role, one.hue, hand, away, one.avatar)

    def show(self) -> None:
        """Tell every page who is here, and hosts who waits, and who isn't transcribed."""
        waiting = _knock_views(self._knocks.of(self._session_id))
        denied = _knock_views(self._knocks.denied(self._session_id))
        people, untranscribed = self.people(), self._untranscribed()
        for_all = for_hosts = Batch([Message(People(people))])
        if waiting or denied or untranscribed:
            for_hosts = Batch([Message(People(people, waiting, denied, untranscribed))])
        # Not by `publish`: hosts get another message than all others, in the same place.
        self._fanout.deliver()
        for seat in self._fanout.seats:
            seat.listener.send(for_hosts if may(seat.standing, Action.SEE_WAITING) else for_all)

    def _untranscribed(self) -> list[str]:
        """Return who of those here isn't transcribed, as they want it or haven't said."""
        here = (seat.participant for seat in self._fanout.seats)
        return sorted({one.identity for one in here if not one.transcribed(self.asked)})

    def hosts(self) -> int:
        """Return how many people here are shown who knocks, those whose line just broke too."""
        here = {seat.participant.identity: seat.standing for seat in self._fanout.seats}
        lost = {one.identity: standing(one.state, one.role) for one, _ in self._lost.people()}
        # Whoever is back is what they are now, whatever they were when their line broke.
        return sum(may(one, Action.SEE_WAITING) for one in (lost | here).values())

    def hand(self, identity: str, up: bool) -> None:
        """Raise or lower a hand; it is shown while its person is here."""
        if up == (identity in self._hands):
            return
        if up:
            self._hands[identity] = datetime.now(UTC)
        else:
            del self._hands[identity]
        self.show()

    def expect_back(self, participant: Participant) -> None:
        """Note that somebody's last page vanished without a goodbye."""
        self._lost.add(participant)

    def found(self, identity: str) -> None:
        """Note that somebody is back, or may not come back."""
        self._lost.forget(identity)

    def forget(self, identity: str) -> None:
        """Forget somebody who hasn't been here for long: a hand doesn't stay up for ever."""
        self._hands.pop(identity, None)

    def tick(self) -> None:
        """Once a second: send beats, and show who doesn't answer them."""
        self._ticks += 1
        changed = self._lost.tick()
        for seat in self._fanout.seats:
            changed |= seat.pulse.tick(seat.said, seat.microphone.received)
            if seat.pulse.answers and self._ticks % BEAT_EVERY == 0:
                seat.listener.send(_BEAT)
        if changed:
            self.show()


def _knock_views(people: list[Participant]) -> list[KnockView]:
    return [KnockView(one.identity, one.name, one.hue) for one in people]
