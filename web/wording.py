"""What files of a transcript say, in the language of who saves them."""

from __future__ import annotations

from web.render import not_transcribed, pause_note
from web.words import gettext, language, speaking


class Wording:
    """Words in the language that was spoken when it was made, whenever it is asked."""

    def __init__(self) -> None:
        self._language = language()

    def several(self) -> str:
        """Return what several people in one room are called."""
        with speaking(self._language):
            return gettext("Several people")

    def host(self) -> str:
        """Return what a host is called who was never there."""
        with speaking(self._language):
            return gettext("A host")

    def in_chat(self, name: str) -> str:
        """Return what somebody is called who writes in the chat."""
        with speaking(self._language):
            return gettext("%(name)s (chat)", name=name)

    def gap(self, seconds: float) -> str:
        """Return that so many seconds could not be transcribed."""
        with speaking(self._language):
            return not_transcribed(seconds)

    def pause(self, end: float | None) -> str:
        """Return that the transcription was paused until then; None: it still is."""
        with speaking(self._language):
            return pause_note(end)
