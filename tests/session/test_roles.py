"""Who gets what at a session's routes when it is over, and where nothing is.

While it goes on: test_every_route.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import JSON, NOWHERE, PEOPLE, Meeting, come_and_go, role_shown

# What each of PEOPLE gets, in that order.
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


def test_who_gets_where_when_it_is_over(ended: Meeting) -> None:
    assert_answers(ended, ended.slug, ENDED)


def test_nobody_gets_where_nothing_is(live: Meeting) -> None:
    assert_answers(live, NOWHERE, UNKNOWN)


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
