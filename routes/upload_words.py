"""What becomes of uploads, in words: codes of the core as people read them."""

from __future__ import annotations

from core.store.upload_files import MAX_FILES, UploadFile
from core.store.uploads import State
from core.uploads.starting import MAX_HOURS, MAX_TRACKS, Lack
from core.words import N_
from web.words import gettext

STATES: dict[State, str] = {
    "COLLECTING": N_("Files are still to come"),
    "WAITING": N_("Waits to be transcribed"),
    "WORKING": N_("Is being transcribed"),
    "DONE": N_("Is transcribed"),
    "FAILED": N_("Could not be transcribed"),
}
LACKS: dict[Lack, str] = {
    "no_files": N_("Add a file first."),
    "unfinished": N_("Not all of “%(name)s” is here yet."),
    "flawed": N_("“%(name)s” can’t be transcribed: remove it first."),
    "nameless": N_("Say who speaks in “%(name)s”."),
    "too_many_tracks": N_("A recording can have %(most)s speakers at most."),
    "too_long": N_("All files together are too long: %(hours)s hours are the most."),
}
FLAWS = {
    "not_media": N_("This is no sound of a kind we know, or it is damaged."),
    "no_sound": N_("There is no sound in this file."),
    "too_long": N_("This file is too long: 12 hours are the most."),
    "too_many_channels": N_("This file has too many channels: 8 are the most."),
    "too_hard": N_("This file takes too much work to read."),
    "gone": N_("This file isn’t here any more."),
}
DISAGREED = N_("Say that everybody agrees: this space asks everybody before they are transcribed.")
REASONS = {
    "space_used_up": N_(
        "The space has used up its minutes of today. It goes on once there are more."
    ),
    "space_month_used_up": N_(
        "The space has used up its minutes of this month. It goes on once there are more."
    ),
    "space_choice_used_up": N_(
        "The space has used up the minutes that its owners chose for this month. It goes on once"
        " there are more."
    ),
    "session_full": N_("The transcript has as many lines as it can have."),
    "switched_off": N_("Speech recognition is off on this server."),
    "key_missing": N_("Whoever runs this server has to set the key of the speech service."),
    "key_refused": N_("The speech service refuses this server’s key."),
    "credit_used_up": N_("The credit at the speech service is used up."),
    "plan_forbids": N_("The plan at the speech service doesn’t allow this."),
    "no_stream": N_("The speech service is busy."),
    "plan_full": N_("The speech service is busy."),
    "unreachable": N_("The speech service can’t be reached."),
    "no_answer": N_("The speech service doesn’t answer."),
    "service_trouble": N_("The speech service has trouble."),
    "unexpected_answer": N_("What the speech service answers can’t be read."),
    "unfinished": N_("The speech service doesn’t get done with it."),
    "no_memory": N_("This server has no room to work on it."),
    "settings_refused": N_("The speech service refuses the languages or words of this recording."),
    "audio_refused": N_("The speech service can’t read the sound."),
    "not_the_service": N_(
        "Whoever runs this server has to correct the address of the speech service."
    ),
    "malformed": N_("Whoever runs this server has to correct the address of the speech service."),
}
# What may pass without that anybody does something.
PASSING = frozenset(
    (
        "no_stream",
        "plan_full",
        "unreachable",
        "no_answer",
        "service_trouble",
        "unexpected_answer",
        "unfinished",
        "no_memory",
    )
)
AGAIN = N_("It is tried again by itself.")
TROUBLE = N_("The speech engine could not do it (%(code)s).")


def state(code: State) -> str:
    """Return how far an upload is."""
    return gettext(STATES[code])


def flaw(code: str) -> str:
    """Return why a file can't be transcribed."""
    return gettext(FLAWS.get(code, FLAWS["not_media"]))


def lack(code: Lack, file: UploadFile | None) -> str:
    """Return what an upload lacks before it can be started."""
    return gettext(
        LACKS[code],
        name=file.name if file else "",
        most=min(MAX_TRACKS, MAX_FILES),
        hours=MAX_HOURS,
    )


def reason(code: str, *, waits: bool = False) -> str:
    """Return why an upload waits or has failed, as it is stored; empty for no reason."""
    first, _, rest = code.partition(" ")
    if not first:
        return ""
    if first == "unreadable":
        return flaw(rest)
    if first in REASONS:
        why = gettext(REASONS[first])
        return f"{why} {gettext(AGAIN)}" if waits and first in PASSING else why
    return gettext(TROUBLE, code=first)
