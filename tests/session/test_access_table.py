"""Every cell of docs/access.md, tried at the server's routes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from core.access import MAY, Action, Standing
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.access_ways import WAYS, Place, hosts, make_stage
from tests.support.tables import Tables

DOCUMENT = (ROOT / "docs/access.md").read_text()


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer, make_database: Callable[[], str]) -> Place:
    url = make_database()
    nobody = "ws://localhost:9"
    return Place(make_server_in(DATABASE_URL=url, LIVEKIT_URL=nobody), Tables(url))


@pytest.mark.parametrize("standing", Standing, ids=lambda one: one.name.lower())
def test_what_somebody_may_and_may_not_do(place: Place, standing: Standing) -> None:
    """Everything forbidden is tried in one session; what is allowed gets a session each."""
    shared = make_stage(place, standing)
    for action, way in WAYS.items():
        allowed = standing in MAY[action]
        ends = action in (Action.READ, Action.SHARE)  # which need the session to end
        apart = allowed or ends
        stage = make_stage(place, standing) if apart else shared
        worked = way(stage)
        if asyncio.iscoroutine(worked):
            worked = asyncio.run(worked)
        assert worked is allowed, action


def test_a_member_who_is_made_a_host_hosts(place: Place) -> None:
    """A host's word adds to what somebody is by their space."""
    stage = make_stage(place, Standing.MEMBER)
    assert not hosts("settings", title="Before")(stage)
    assert stage.ada.host(stage.slug, f"people/{stage.identity('Who')}/host")[0] in (200, 204)
    for what in ("settings", "admit", "mute"):
        assert hosts(what, title="After")(stage), what


def test_the_document_shows_the_table() -> None:
    rows = re.findall(r"^\| (.+) \|$", DOCUMENT, re.MULTILINE)
    cells = {row.split(" | ")[0]: row.split(" | ")[1:] for row in rows}
    columns = re.search(r"^\|  \| (anonymous .+) \|$", DOCUMENT, re.MULTILINE)
    assert columns is not None
    assert columns[1].split(" | ") == [one.value for one in Standing]
    for action in Action:
        shown = ["yes" if standing in MAY[action] else "–" for standing in Standing]
        assert cells[action.value] == shown, action
