"""What takes uploads and has them transcribed: the parts of it together."""

from __future__ import annotations

from pathlib import Path

from core.audio.rounds import Rounds
from core.database import Database
from core.minutes import SpaceMinutes
from core.problems import ProblemError
from core.speech.engine import Engine, Health
from core.speech.reasons import Reason
from core.spoken import Spoken
from core.uploads.collecting import Collecting
from core.uploads.shelf import UploadShelf
from core.uploads.working import Working
from core.waiting_line import Places

COMING = 60  # pieces and files that come at the same time in a process, each 256 kB in memory
COMING_OF_PERSON = 4


class ComingError(ProblemError):
    """The person sends as much as anybody may at once, or all together do."""

    status, code = 503, "upload_crowded"
    retry_after = 5


class Uploads:
    """Takes uploads of at most `most` bytes each, and works on those of its place."""

    def __init__(
        self,
        db: Database,
        who: str,
        data_dir: Path,
        *,
        sound: Rounds,
        engine: Engine,
        minutes: SpaceMinutes,
        installation: Spoken,
        price: float,
        most: int,
    ) -> None:
        """Make the folder of the files, unless it is there. Raises OSError."""
        shelf = UploadShelf(data_dir)
        self.place = sound.shelf.place
        self.most = most
        self.places = Places(COMING, COMING_OF_PERSON, ComingError)
        self.collecting = Collecting(db, shelf, self.place, most)
        self.working = Working(
            db,
            who,
            shelf,
            sound=sound,
            engine=engine,
            minutes=minutes,
            installation=installation,
            price=price,
        )
        self._engine = engine
        self._minutes = minutes

    @property
    def offered(self) -> bool:
        """Whether what is uploaded can be transcribed here at all."""
        return self._engine.recorded() is not None and self._off is None

    @property
    def _off(self) -> Reason | None:
        health = self._engine.health()
        return health.reason if health.health is Health.OFF else None

    def start(self) -> None:
        """Begin; called once, in the running loop, once the engine was started."""
        self.working.start()

    async def close(self) -> None:
        """Stop where it is."""
        await self.working.close()

    async def refuses(self, space_id: str) -> Reason | None:
        """Return why nothing of a space can be transcribed at the moment; None: it can."""
        allowance = self._minutes.of(space_id)
        await self._minutes.set_anew(space_id)
        if allowance.used_up is not None:
            return allowance.used_up
        return self._off or (None if self.offered else Reason("not_started"))
