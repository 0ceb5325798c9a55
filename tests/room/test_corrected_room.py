"""A room that is made anew: pages get what was corrected as it is, and nothing that is hidden."""

from __future__ import annotations

from core.corrections import CorrectedUtterance, Corrections, Shown
from core.model import Participant, Utterance
from core.room.rooms import Rooms
from core.room.wire import Hello
from core.speech.engines import OffEngine
from core.speech.microphone import MicrophoneOptions
from core.speech.reasons import Reason
from tests.room.test_abandoned import Memory
from tests.room.test_rooms import SESSION, Page
from tests.support.alone import Alone


class Corrected(Memory):
    """Writer: of three finals the second is hidden, and the third has other words."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = [
            Utterance(SESSION.id, "s", str(n), n, "p_ada", "Ada", 2, f"heard {n}", n, n + 1.0, "en")
            for n in (1, 2, 3)
        ]

    async def corrections(self, session_id: str) -> Corrections:
        part = Shown(0, "better", 3.0, 4.0, "p_ada", "Ada", 2)
        return Corrections(
            9,
            (CorrectedUtterance(2, "s-2", 8, ()), CorrectedUtterance(3, "s-3", 9, (part,))),
            {"p_ada": "Ada Lovelace"},
        )


async def test_a_room_is_made_of_what_corrections_have_left() -> None:
    rooms = Rooms(OffEngine(Reason("switched_off")), Corrected(), Alone(), MicrophoneOptions())

    async def told(seq: int, corrected: int) -> list[tuple[str, int]]:
        page = Page()
        who = Participant("p_bo", SESSION.id, "Bo", 2, "GUEST")
        hello = Hello(f"client-{seq}-{corrected}", seq=seq, corrected=corrected)
        await rooms.enter(SESSION, who, hello, page)
        assert page.past[0]["names"] == {"p_ada": "Ada Lovelace"}
        assert not any(text in str(page.past) for text in ("heard 2", "heard 3"))
        return [(one["type"], one["seq"]) for one in page.past if one.get("seq") and "id" in one]

    whole = [("utterance", 1), ("corrected", 2), ("corrected", 3)]
    assert await told(0, 0) == whole
    # By number first what a page has, then what it lacks.
    assert await told(2, 0) == [("corrected", 2), ("corrected", 3)]
    assert await told(3, 8) == [("corrected", 3)]
    assert await told(3, 9) == []
    await rooms.close()
