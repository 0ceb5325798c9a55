"""Every cell of the table of spaces in docs/access.md, tried at the server's routes."""

from __future__ import annotations

import re

import pytest

from core.access import SPACE_MAY, SpaceAction, SpaceStanding, standings
from core.model import Person
from core.settings import Settings
from tests.spaces.conftest import Place
from tests.support import ROOT

JSON = {"Accept": "application/json"}
# By who asks: nobody known, a guest, another space's member, a member, an owner, an administrator.
PEOPLE = ("anonymous", "guest", "other", "member", "owner", "administrator")
ROUTES = {
    ("GET", "/spaces"): (303, 303, 200, 200, 200, 200),
    ("POST", "/spaces"): (401, 401, 422, 422, 422, 422),
    ("GET", "/spaces/{space}"): (303, 303, 404, 200, 200, 404),
    ("POST", "/spaces/{space}"): (405,) * 6,
    ("POST", "/spaces/{space}/switch"): (401, 401, 404, 204, 204, 404),
    ("POST", "/spaces/{space}/consent"): (401, 401, 404, 404, 422, 404),
    ("GET", "/spaces/{space}/languages"): (303, 303, 404, 404, 200, 404),
    ("POST", "/spaces/{space}/languages"): (401, 401, 404, 404, 204, 404),
    ("POST", "/spaces/{space}/audio"): (401, 401, 404, 404, 204, 404),
    ("GET", "/spaces/{space}/audio"): (405,) * 6,
    ("POST", "/spaces/{space}/rename"): (401, 401, 404, 404, 422, 404),
    ("GET", "/spaces/{space}/delete"): (303, 303, 404, 404, 200, 404),
    ("POST", "/spaces/{space}/delete"): (401, 401, 404, 404, 409, 404),
    ("GET", "/spaces/{space}/keeping"): (303, 303, 404, 404, 200, 404),
    ("POST", "/spaces/{space}/keeping"): (401, 401, 404, 404, 204, 404),
    ("GET", "/spaces/{space}/events"): (303, 303, 404, 404, 200, 404),
    ("POST", "/spaces/{space}/events"): (405,) * 6,
    ("GET", "/spaces/{space}/events?before=x"): (303, 303, 404, 404, 400, 404),
    ("GET", "/spaces/{space}/events?before=9223372036854775808"): (303, 303, 404, 404, 400, 404),
    ("POST", "/spaces/{space}/invitations"): (401, 401, 404, 404, 422, 404),
    ("POST", "/spaces/{space}/invitations/{nobody}/revoke"): (401, 401, 404, 404, 404, 404),
    ("POST", "/spaces/{space}/invitations/nothing/revoke"): (401, 401, 404, 404, 404, 404),
    ("POST", "/spaces/{space}/members/{nobody}/role"): (401, 401, 404, 404, 422, 404),
    ("POST", "/spaces/{space}/members/{nobody}/remove"): (401, 401, 404, 404, 404, 404),
    ("POST", "/spaces/{space}/members/nothing/remove"): (401, 401, 404, 404, 404, 404),
    ("GET", "/spaces/{space}/usage"): (303, 303, 404, 200, 200, 404),
    ("POST", "/spaces/{space}/usage"): (405,) * 6,
    ("GET", "/spaces/{space}/usage.csv"): (401, 401, 404, 200, 200, 404),
    ("GET", "/spaces/{space}/archive.zip"): (401, 401, 404, 404, 200, 404),
    ("POST", "/spaces/{space}/archive.zip"): (405,) * 6,
    ("GET", "/spaces/{space}/uploads"): (303, 303, 404, 200, 200, 404),
    ("POST", "/spaces/{space}/uploads"): (401, 401, 404, 201, 201, 404),
    ("GET", "/uploads/{nobody}"): (303, 303, 404, 404, 404, 404),
    ("POST", "/uploads/{nobody}/stop"): (401, 401, 404, 404, 404, 404),
    ("POST", "/spaces/{space}/minutes"): (401, 401, 404, 404, 204, 404),
    ("GET", "/spaces/{space}/minutes"): (405,) * 6,
    ("GET", "/admin"): (404, 404, 404, 404, 404, 200),
    ("GET", "/admin/people"): (404, 404, 404, 404, 404, 200),
    ("GET", "/admin/people?q=&behind=x"): (404, 404, 404, 404, 404, 400),
    ("GET", "/admin/spaces"): (404, 404, 404, 404, 404, 200),
    ("GET", "/admin/spaces?behind=-1~2"): (404, 404, 404, 404, 404, 400),
    ("POST", "/admin/spaces/{space}/minutes"): (404, 404, 404, 404, 404, 204),
    ("GET", "/admin/spaces/{space}/minutes"): (405,) * 6,
    ("POST", "/admin/spaces/nothing/minutes"): (404,) * 6,
    ("POST", "/admin/people/{nobody}/disable"): (404,) * 6,
    ("POST", "/admin/people/{nobody}/enable"): (404,) * 6,
    ("GET", "/admin/people/{nobody}/disable"): (405,) * 6,
    ("POST", "/admin/people/{guinea}/enable"): (404, 404, 404, 404, 404, 204),
    ("POST", "/admin/people/{guinea}/disable"): (404, 404, 404, 404, 404, 204),
    ("POST", "/admin/people/{administrator}/disable"): (404, 404, 404, 404, 404, 422),
    ("POST", "/admin/people/nothing/disable"): (404,) * 6,
}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_who_gets_where(place: Place, route: tuple[str, str]) -> None:
    method, path = route
    if "{guinea}" in path:
        type(place.people["other"])(place.server.url).sign_in("Guinea Pig")
    address = path.format(
        space=place.space,
        nobody=place.space,  # which is nobody's id
        guinea=place.user("Guinea Pig") if "{guinea}" in path else "",
        administrator=place.user("Admin"),
    )
    form = {"minutes": "100"} if method == "POST" and path.endswith("minutes") else None
    found = [
        place.people[who].http.request(method, address, data=form, headers=JSON).status_code
        for who in PEOPLE
    ]
    assert found == list(ROUTES[route])


def test_the_document_shows_the_table() -> None:
    document = (ROOT / "docs/access.md").read_text()
    rows = re.findall(r"^\| (.+) \|$", document, re.MULTILINE)
    cells = {row.split(" | ")[0]: row.split(" | ")[1:] for row in rows}
    columns = re.search(r"^\|  \| (nobody known.+) \|$", document, re.MULTILINE)
    assert columns is not None
    assert columns[1].split(" | ") == [one.value for one in SpaceStanding]
    for action in SpaceAction:
        shown = ["yes" if one in SPACE_MAY[action] else "–" for one in SpaceStanding]
        assert cells[action.value] == shown, action


def test_an_administrator_is_what_they_are_in_the_space_as_well() -> None:
    settings = Settings(admin_emails=frozenset({"ada@example.com"}))
    ada, eve = (
        Person("1", "A", email, 0, None) for email in ("Ada@example.com", "eve@example.com")
    )
    assert standings(settings, ada, "OWNER") == {SpaceStanding.OWNER, SpaceStanding.ADMINISTRATOR}
    assert standings(settings, eve, "MEMBER") == {SpaceStanding.MEMBER}
    assert standings(settings, eve) == {SpaceStanding.STRANGER}
    assert standings(settings, None) == {SpaceStanding.ANONYMOUS}
