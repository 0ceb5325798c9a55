"""The audit log of a space: who did what in it, for its owners, the newest first."""

from __future__ import annotations

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core.access import SpaceAction
from core.store import space_events
from core.store.space_events import KEPT_DAYS, Act, SpaceEvent
from core.words import N_
from routes.spaces import look
from web.render import page, redirect
from web.request import person_of, services
from web.words import gettext

SHOWN = 50
MAX_ID = 2**63

WORDS: dict[Act, str] = {
    "space_created": N_("Made the space “%(subject)s”"),
    "space_renamed": N_("Renamed the space from “%(detail)s” to “%(subject)s”"),
    "invited": N_("Invited %(subject)s"),
    "invitation_revoked": N_("Revoked the invitation of %(subject)s"),
    "joined": N_("Became a member, invited by %(subject)s"),
    "left": N_("Left the space"),
    "account_deleted": N_("Deleted their account, and so left the space"),
    "removed": N_("Removed %(subject)s"),
    "made_owner": N_("Made %(subject)s an owner"),
    "made_member": N_("Made %(subject)s a member, no longer an owner"),
    "recording_uploaded": N_("Uploaded the recording “%(subject)s”"),
    "session_planned": N_("Planned the session “%(subject)s”"),
    "session_deleted": N_("Deleted the session “%(subject)s”"),
    "standing_room_made": N_("Made the standing room “%(subject)s”"),
    "standing_room_deleted": N_("Deleted the standing room “%(subject)s”"),
    "languages_changed": N_("Changed languages or words of the sessions"),
    "consent_changed": N_("Changed what the doors of sessions ask: %(detail)s"),
    "audio_changed": N_("Had the sound of what is said kept; days: %(detail)s"),
    "text_days_chosen": N_("Chose that what was said is kept for %(detail)s days"),
    "session_protected": N_("Had what was said in “%(subject)s” kept however old it is"),
    "session_unprotected": N_("Had what was said in “%(subject)s” go when it is old"),
    "minutes_chosen": N_("Chose %(detail)s minutes a month"),
    "shared": N_("Shared the transcript of “%(subject)s” by a link; days: %(detail)s"),
    "share_revoked": N_("Revoked a link to the transcript of “%(subject)s”"),
    "exported": N_("Saved “%(subject)s” as a file: %(detail)s"),
    "archived": N_("Saved everything of the space as an archive"),
}
# Where there is nothing that it was about.
WITHOUT: dict[Act, str] = {
    "invited": N_("Made an invitation link for %(detail)s"),
    "invitation_revoked": N_("Revoked an invitation link"),
    "joined": N_("Became a member by an invitation"),
    "exported": N_("Saved usage and cost as a file: %(detail)s"),
}
CONSENT = {
    "OFF": N_("nothing"),
    "NOTICE": N_("a notice that words are written down"),
    "REQUIRED": N_("whether captions may hear who comes in"),
}


async def see(request: Request) -> Response:
    """GET /spaces/{space}/events?before=…: owners of the space."""
    if await person_of(request) is None:
        return redirect(request, f"/sign-in?next={quote(request.url.path)}", 401)
    at = await look(request, SpaceAction.EVENTS)
    before = _before(request)
    found = await space_events.listed(
        services(request).db, at.space.id, before=before, most=SHOWN + 1
    )
    return page(
        "spaces/events.html",
        at.person,
        space=at.space,
        events=[(one, said(one)) for one in found[:SHOWN]],
        before=found[SHOWN - 1].id if len(found) > SHOWN else None,
        is_first=before is None,
        days=KEPT_DAYS,
    )


def said(event: SpaceEvent) -> str:
    """Return what somebody did, in words. Of an act that a later release has written: its name."""
    if event.act == "minutes_chosen" and not event.detail:
        return gettext(N_("Chose no bound of minutes a month"))
    if event.act == "audio_changed" and not event.detail:
        return gettext(N_("Had the sound of what is said kept no more"))
    if event.act == "text_days_chosen" and not event.detail:
        return gettext(N_("Chose that what was said is kept until somebody deletes it"))
    words = WORDS.get(event.act, "%(subject)s")
    if not event.subject:
        words = WITHOUT.get(event.act, words)
    detail = event.detail
    if event.act == "consent_changed":
        detail = gettext(CONSENT[detail]) if detail in CONSENT else detail
    return gettext(words, subject=event.subject or event.act, detail=detail)


def _before(request: Request) -> int | None:
    """Return before which line the page begins."""
    asked = request.query_params.get("before")
    if asked is None:
        return None
    fits = asked.isascii() and asked.isdecimal() and len(asked) < 20 and int(asked) < MAX_ID
    if not fits:
        raise HTTPException(400)
    return int(asked)
