"""Who gets what at every route: while a session goes on, when it is over, where nothing is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.support import ROOT
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import JSON, NOWHERE, PEOPLE, Meeting, come_and_go, role_shown

# What each of PEOPLE gets, in that order.
LIVE = {
    ("GET", "/"): (200, 200, 200, 200, 200, 200),
    ("GET", "/sessions"): (303, 303, 200, 200, 200, 200),
    ("POST", "/sessions"): (303, 303, 303, 303, 303, 303),
    ("GET", "/sessions/new"): (303, 303, 200, 200, 200, 200),
    ("GET", "/s/{slug}"): (200, 200, 200, 200, 200, 200),
    ("GET", "/s/{slug}/transcript"): (404, 200, 200, 200, 404, 200),
    ("GET", "/s/{slug}/transcript.txt"): (404, 200, 200, 200, 404, 200),
    ("GET", "/s/{slug}/transcript.vtt"): (404, 200, 200, 200, 404, 200),
    ("GET", "/s/{slug}/left"): (303, 200, 200, 200, 303, 303),
    ("GET", "/s/{slug}/forget"): (405, 405, 405, 405, 405, 405),  # see test_rights_end
    ("POST", "/s/{slug}/join"): (401, 200, 200, 200, 200, 200),
    ("GET", "/s/{slug}/connection"): (303, 200, 200, 200, 200, 200),
    ("POST", "/s/{slug}/connection"): (401, 200, 200, 200, 200, 200),
    ("GET", "/connection"): (303, 303, 200, 200, 200, 200),
    ("POST", "/connection"): (401, 401, 200, 200, 200, 200),
    ("POST", "/s/{slug}/end"): (401, 404, 404, None, 404, 404),
    ("GET", "/s/{slug}/delete"): (401, 404, 404, 200, 404, 404),
    ("GET", "/sessions/delete"): (303, 303, 200, 200, 200, 200),
    ("POST", "/sessions/delete"): (401, 401, 409, 409, 409, 409),  # of none
    ("GET", "/spaces/{space}/delete"): (303, 303, 404, 200, 404, 404),
    ("POST", "/spaces/{space}/delete"): (401, 401, 404, 409, 404, 404),  # it is the only one
    ("POST", "/s/{slug}/settings"): (401, 404, 404, 204, 404, 404),
    ("GET", "/s/{slug}/plan"): (401, 404, 404, 200, 404, 404),
    ("POST", "/s/{slug}/plan"): (401, 404, 404, 204, 404, 404),
    ("GET", "/s/{slug}/session.ics"): (404, 404, 404, 404, 404, 404),  # it isn't planned
    ("POST", "/s/{slug}/people/{identity}/admit"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/deny"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/mute"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/remove"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/host"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/people/{identity}/lower-hand"): (401, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/admit-all"): (401, 404, 404, 204, 404, 404),
    ("POST", "/s/{slug}/pause"): (401, 404, 404, 204, 404, 404),
    ("POST", "/s/{slug}/resume"): (401, 404, 404, 204, 404, 404),
    ("POST", "/s/{slug}/mute-all"): (401, 404, 404, 200, 404, 404),  # 200: LiveKit is away
    ("POST", "/hooks/livekit"): (401, 401, 401, 401, 401, 401),
    ("GET", "/spaces"): (303, 303, 200, 200, 200, 200),
    ("POST", "/spaces"): (401, 401, 422, 422, 422, 422),  # without a name
    ("GET", "/spaces/{space}"): (303, 303, 404, 200, 404, 200),
    ("POST", "/spaces/{space}/switch"): (401, 401, 404, 204, 404, 204),
    ("POST", "/spaces/{space}/rename"): (401, 401, 404, 422, 404, 404),  # without a name
    ("GET", "/spaces/{space}/events"): (303, 303, 404, 200, 404, 404),
    ("POST", "/spaces/{space}/invitations"): (401, 401, 404, 422, 404, 404),  # of no length
    ("POST", "/spaces/{space}/invitations/{invitation}/revoke"): (401, 401, 404, 404, 404, 404),
    ("GET", "/invitations/{token}"): (404, 404, 404, 404, 404, 404),  # forged; see test_invitations
    ("POST", "/invitations/{token}"): (401, 401, 404, 404, 404, 404),
    ("POST", "/spaces/{space}/leave"): (401, 401, 404, 409, 404, None),  # see test_members
    ("POST", "/spaces/{space}/members/{user}/role"): (401, 401, 404, 422, 404, 404),
    ("POST", "/spaces/{space}/members/{user}/remove"): (401, 401, 404, 404, 404, 404),
    ("GET", "/spaces/{space}/usage"): (303, 303, 404, 200, 404, 200),
    ("GET", "/spaces/{space}/usage.csv"): (401, 401, 404, 200, 404, 200),
    ("POST", "/spaces/{space}/minutes"): (401, 401, 404, 204, 404, 404),
    ("GET", "/profile"): (303, 303, 200, 200, 200, 200),
    ("GET", "/r/{slug}"): (404, 404, 404, 404, 404, 404),  # see tests/spaces/test_standing_rooms.py
    ("GET", "/r/{slug}/settings"): (303, 303, 404, 404, 404, 404),
    ("POST", "/r/{slug}/settings"): (401, 401, 404, 404, 404, 404),
    ("POST", "/r/{slug}/delete"): (401, 401, 404, 404, 404, 404),
    ("GET", "/spaces/{space}/rooms/new"): (303, 303, 404, 200, 404, 200),
    ("POST", "/spaces/{space}/rooms"): (401, 401, 404, 422, 404, 422),
    ("POST", "/profile/picture"): (415,) * 6,  # see tests/people/test_avatar.py
    ("POST", "/profile/picture/remove"): (401, 401, 204, 204, 204, 204),
    ("GET", "/welcome"): (303, 303, 200, 200, 200, 200),
    ("POST", "/welcome/name"): (401, 401, 422, 422, 422, 422),
    ("GET", "/welcome/space"): (303, 303, 200, 303, 200, 200),  # who is alone in a space
    ("GET", "/welcome/picture"): (303, 303, 200, 200, 200, 200),
    ("GET", "/welcome/done"): (405,) * 6,  # see tests/people/test_welcome.py
    ("GET", "/avatars/{avatar}.webp"): (404,) * 6,
    ("POST", "/profile/name"): (401, 401, 422, 422, 422, 422),
    ("POST", "/profile/look"): (401, 401, 204, 204, 204, 204),
    ("GET", "/profile/sign-ins"): (303, 303, 200, 200, 200, 200),
    ("POST", "/profile/sign-ins/{login}/end"): (401, 401, 404, 404, 404, 404),
    ("GET", "/profile/sign-ins/end-others"): (405, 405, 405, 405, 405, 405),
    ("GET", "/profile/sign-ins/end-all"): (405, 405, 405, 405, 405, 405),
    ("GET", "/admin"): (404, 404, 404, 404, 404, 404),  # see tests/spaces/test_space_access.py
    ("GET", "/admin/people"): (404, 404, 404, 404, 404, 404),
    ("POST", "/admin/people/{person}/disable"): (404, 404, 404, 404, 404, 404),
    ("POST", "/admin/people/{person}/enable"): (404, 404, 404, 404, 404, 404),
    ("GET", "/admin/spaces"): (404, 404, 404, 404, 404, 404),
    ("POST", "/admin/spaces/{space}/minutes"): (404, 404, 404, 404, 404, 404),
    ("GET", "/sign-in"): (200, 200, 303, 303, 303, 303),
    ("GET", "/signed-in"): (303, 303, 200, 200, 200, 200),
    ("GET", "/sign-in/{provider}"): (404, 404, 404, 404, 404, 404),
    ("GET", "/api/auth/callback/{provider}"): (404, 404, 404, 404, 404, 404),
    ("GET", "/sign-in/link"): (403, 403, 403, 403, 403, 403),  # without a token
    ("POST", "/sign-in/link"): (403, 403, 403, 403, 403, 403),
    ("POST", "/sign-in/dev"): (422, 422, 422, 422, 422, 422),
    ("GET", "/sign-out"): (405, 405, 405, 405, 405, 405),
    ("POST", "/language"): (303, 303, 303, 303, 303, 303),
    ("GET", "/health"): (200, 200, 200, 200, 200, 200),
    ("GET", "/health/proof"): (404, 404, 404, 404, 404, 404),
    ("GET", "/setup"): (200, 200, 200, 200, 200, 200),  # in development, at this computer
    ("GET", "/health/ready"): (200, 200, 200, 200, 200, 200),
    ("GET", "/up"): (200, 200, 200, 200, 200, 200),
    ("GET", "/metrics"): (200, 200, 200, 200, 200, 200),  # all are on this computer
    ("GET", "/static/favicon.svg"): (200, 200, 200, 200, 200, 200),
}
ENDED = {
    ("GET", "/s/{slug}"): (403, 200, 200, 200, 403, 200),
    ("GET", "/s/{slug}/transcript"): (303, 303, 303, 303, 303, 303),
    ("GET", "/s/{slug}/left"): (303, 303, 303, 303, 303, 303),
    ("GET", "/s/{slug}/transcript.txt"): (403, 200, 200, 200, 403, 200),
    ("GET", "/s/{slug}/transcript.vtt"): (403, 200, 200, 200, 403, 200),
    ("POST", "/s/{slug}/guest"): (403, 403, 303, 303, 303, 303),
    ("POST", "/s/{slug}/join"): (403, 403, 403, 403, 403, 403),
    ("GET", "/s/{slug}/connection"): (303, 303, 303, 303, 303, 303),
    ("POST", "/s/{slug}/connection"): (403, 403, 403, 403, 403, 403),
    ("POST", "/s/{slug}/end"): (401, 404, 404, 303, 404, 404),
}
UNKNOWN = {
    ("GET", "/s/{slug}"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/transcript"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/left"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/transcript.txt"): (404, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/join"): (404, 404, 404, 404, 404, 404),
    ("GET", "/s/{slug}/connection"): (404, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/connection"): (404, 404, 404, 404, 404, 404),
    ("POST", "/s/{slug}/end"): (401, 401, 404, 404, 404, 404),
}


def assert_answers(
    meeting: Meeting, slug: str, routes: Mapping[tuple[str, str], tuple[int | None, ...]]
) -> None:
    """Everybody gets what the table says at every route."""
    found = {
        (*route, who): meeting.people[who]
        .http.request(
            route[0],
            route[1].format(
                slug=slug,
                identity="p_nobody",
                avatar=meeting.space,
                provider="google",
                space=meeting.space,
                person=meeting.space,
                user=meeting.space,
                invitation=meeting.space,
                token="A" * 43,
                login=meeting.space,
            ),
        )
        .status_code
        for route, expected in routes.items()
        for who, status in zip(PEOPLE, expected, strict=True)
        if status is not None
    }
    assert found == {
        (*route, who): status
        for route, expected in routes.items()
        for who, status in zip(PEOPLE, expected, strict=True)
        if status is not None
    }


def test_who_gets_where_while_a_session_goes_on(live: Meeting) -> None:
    assert_answers(live, live.slug, LIVE)


def test_who_gets_where_when_it_is_over(ended: Meeting) -> None:
    assert_answers(ended, ended.slug, ENDED)


def test_nobody_gets_where_nothing_is(live: Meeting) -> None:
    assert_answers(live, NOWHERE, UNKNOWN)


def test_no_route_is_forgotten() -> None:
    tested = {path for _, path in (*LIVE, *ENDED)}
    routes = re.findall(r' Route\("([^"]+)"', (ROOT / "app.py").read_text())
    assert len(routes) > 10
    assert set(routes) <= tested


def test_everybody_has_one_role(live: Meeting) -> None:
    roles = {
        who: live.people[who].join(live.slug)["you"]["role"] for who in PEOPLE if who != "anonymous"
    }
    assert roles == {
        "guest": "GUEST",
        "participant": "GUEST",
        "host": "HOST",
        "other": "GUEST",
        "member": "MEMBER",
    }
    for who, role in roles.items():
        html = live.people[who].http.get(f"/s/{live.slug}").text
        assert role_shown(html) == role


def test_a_stranger_learns_nothing_of_an_ended_session(ended: Meeting) -> None:
    for who in ("anonymous", "other"):
        answer = ended.people[who].http.get(f"/s/{ended.slug}")
        assert answer.status_code == 403
        assert "This session has ended." in answer.text
        for secret in ("Frequencies", "Hedy", "Guest</"):
            assert secret not in answer.text


def test_a_guest_who_never_came_was_not_there(site: AppServer) -> None:
    host, guest = Browser(site.url).sign_in("Ada Lovelace"), Browser(site.url)
    slug = host.start_session("Private matter")
    guest.be_guest(slug, "Eve")
    come_and_go(host, slug=slug)
    host.end(slug)
    assert guest.http.get(f"/s/{slug}").status_code == 403


def test_an_ended_session_takes_no_guests(ended: Meeting) -> None:
    for name in ("Eve", ""):
        answer = ended.people["anonymous"].http.post(
            f"/s/{ended.slug}/guest", data={"name": name}, headers=JSON
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ended")
