"""Makes the engine that the settings ask for."""

from __future__ import annotations

from pathlib import Path

from core.speech.engine import Engine, EngineError, EngineHealth, Health, Stream, StreamOptions
from core.speech.engine import StreamSink as Sink
from core.speech.reasons import Reason


class OffEngine:
    """No speech recognition: the call goes on, captions say why they are off."""

    name = "off"
    max_streams = 1
    drains_in_slot = True
    languages: frozenset[str] = frozenset()
    translates_to: frozenset[str] = frozenset()
    takes_words = False

    def __init__(self, reason: Reason) -> None:
        self._reason = reason

    async def start(self) -> None:
        """Engine."""

    async def close(self) -> None:
        """Engine."""

    async def open(self, options: StreamOptions, sink: Sink) -> Stream:
        """Engine: always refuses."""
        raise EngineError(self._reason, retry=False)

    def recorded(self) -> None:
        """Engine: nothing does."""

    def health(self) -> EngineHealth:
        """Engine."""
        return EngineHealth(Health.OFF, self._reason)


def make_engine(
    choice: str,
    *,
    gladia_api_key: str | None,
    gladia_api_url: str,
    gladia_region: str | None,
    gladia_max_streams: int,
    speech_model: str | None,
    data_dir: Path,
) -> Engine:
    """Return the engine `gladia`, `local` or `off`, not started yet.

    `speech_model` is what the local one loads, None for English; `data_dir` has what was fetched.

    Only the chosen one is imported: each brings libraries that the others don't need.
    """
    # An engine that is off is still one: rooms, captions and health then have one case less.
    if choice == "off":
        return OffEngine(Reason("switched_off"))
    if choice == "local":
        from core.speech.local.engine import LocalEngine  # noqa: PLC0415

        return LocalEngine(model=speech_model, data_dir=data_dir)
    # Chosen without a key: told on the page and in health, as the call works all the same.
    if not gladia_api_key:
        return OffEngine(Reason("key_missing"))
    from core.speech.gladia.engine import GladiaEngine  # noqa: PLC0415

    return GladiaEngine(
        gladia_api_key,
        api_url=gladia_api_url,
        region=gladia_region,
        max_streams=gladia_max_streams,
    )
