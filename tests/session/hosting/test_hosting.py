"""Who comes in, and what hosts do: through HTTP, /ws and an emulated LiveKit."""

from __future__ import annotations

import asyncio

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.conftest import MakeServer
from tests.emulators.livekit import LiveKitThread
from tests.emulators.wordaudio import silence, speak
from tests.support import call
from tests.support.app_server import AppServer
from tests.support.hosting import first_person, guest, identity_of, knocked
from tests.support.visitors import Visitor

pytestmark = pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")


# What hosts change


async def test_everybody_is_told_what_a_host_changes(
    place: AppServer, ada: Visitor, slug: str
) -> None:
    async with ada.page(slug) as page:
        assert page.welcome["session"]["admission"] == "KNOCK"
        changes = {"title": " A  new\ttitle ", "admission": "ANYONE", "locked": "on"}
        assert ada.host(slug, "settings", **changes) == (204, "")
        await page.until(lambda: page.of_type("session"))
        told = {"status": "LIVE", "title": "A new title", "admission": "ANYONE", "locked": True}
        assert page.of_type("session") == [{"type": "session"} | told]
    async with ada.page(slug) as page:
        view = page.welcome["session"]
        assert (view["title"], view["admission"], view["locked"]) == ("A new title", "ANYONE", True)


@pytest.mark.parametrize("form", [{"admission": "ALL"}, {"locked": "yes"}, {"title": " "}])
def test_settings_that_cannot_be_are_refused(ada: Visitor, slug: str, form: dict[str, str]) -> None:
    assert ada.host(slug, "settings", **form) == (422, "invalid")
    assert ada.join(slug)["session"]["title"] == "Engines"


async def test_a_removed_person_is_out_and_cannot_come_back(
    place: AppServer, livekit: LiveKitThread, ada: Visitor
) -> None:
    slug = ada.start_session("Engines", admission="ANYONE")
    bob = guest(place, slug)
    passes = bob.join(slug)
    identity = passes["you"]["identity"]
    call.ghost(livekit, slug, identity)
    async with ada.page(slug) as ada_page, bob.page(slug) as bob_page:
        assert ada.host(slug, f"people/{identity}/remove") == (204, "")
        assert await bob_page.until_closed() == 4401
        await ada_page.until(
            lambda: (
                [one["name"] for one in ada_page.of_type("people")[-1]["people"]]
                == ["Ada Lovelace"]
            )
        )
        assert call.people(livekit, slug) == set()
        offered = [Subprotocol("sessions.v1"), Subprotocol(passes["transcription"]["token"])]
        with pytest.raises(InvalidStatus) as refusal:
            await connect(passes["transcription"]["url"], subprotocols=offered)
        assert refusal.value.response.status_code == 404
        status, answer = bob.knock(slug)
        assert (status, answer["error"]["code"]) == (403, "removed")
        assert bob.http.get(f"/s/{slug}").status_code == 403
        assert bob.http.post(f"/s/{slug}/guest", data={"name": "New"}).status_code == 403
        assert ada.host(slug, f"people/{identity}/admit") == (404, "not_found")
        assert ada_page.of_type("session")[-1]["admission"] == "KNOCK"
        incognito = guest(place, slug, "Bob again")
        assert incognito.knock(slug)[0] == 202, "as a new person they have to knock"
    assert ada.end(slug).status_code == 303
    assert bob.http.get(f"/s/{slug}").status_code == 403, "nor read what was said"


def test_who_leads_by_right_cannot_be_removed(place: AppServer, ada: Visitor, slug: str) -> None:
    me = ada.join(slug)["you"]["identity"]
    bob = guest(place, slug)
    ada.host(slug, "settings", admission="ANYONE")
    bob_identity = bob.join(slug)["you"]["identity"]
    assert ada.host(slug, f"people/{bob_identity}/host") == (204, "")
    assert bob.host(slug, f"people/{me}/remove") == (403, "is_host")
    assert ada.host(slug, f"people/{bob_identity}/remove") == (204, "")
    assert bob.host(slug, "settings", locked="on") == (404, "not_found")


def test_a_host_whose_login_has_ended_is_told_so(place: AppServer, ada: Visitor, slug: str) -> None:
    ada.join(slug)
    assert ada.host(slug, "settings", locked="on") == (204, "")
    ada.http.post("/sign-out")
    for what in ("settings", "end", "people/p_nobody/mute"):
        assert ada.host(slug, what, locked="off") == (401, "signed_out")
        assert ada.host("aaaa-bbbb-cccc-dddd", what) == (401, "signed_out"), "it tells nothing"
    assert Visitor(place.url).sign_in("Bob").host(slug, "end") == (404, "not_found")
    ada.sign_in("Ada Lovelace")
    assert ada.host(slug, "settings", locked="off") == (204, "")


async def test_a_guest_can_be_made_a_host(
    place: AppServer, livekit: LiveKitThread, ada: Visitor
) -> None:
    slug = ada.start_session("Engines", admission="ANYONE")
    bob = guest(place, slug)
    identity = bob.join(slug)["you"]["identity"]
    in_call = call.ghost(livekit, slug, identity)
    ada.host(slug, "settings", admission="KNOCK")
    async with bob.page(slug) as page:
        assert bob.host(slug, "settings", title="Mine") == (404, "not_found")
        assert ada.host(slug, f"people/{identity}/host") == (204, "")
        await page.until(lambda: first_person(page).get("role") == "HOST")
        assert in_call.info.attributes["role"] == "HOST"
        assert bob.host(slug, "settings", title="Engines") == (204, "")
        await knocked(page, guest(place, slug, "Eve"), slug, "Eve")
        assert bob.host(slug, f"people/{identity_of(page, 'Eve')}/admit") == (204, "")
    assert bob.join(slug)["you"]["role"] == "HOST", "also when they come back"
    assert bob.end(slug).status_code == 303
    assert ada.knock(slug)[0] == 403


async def test_a_muted_person_is_heard_in_neither_call_nor_captions(
    place: AppServer, livekit: LiveKitThread, ada: Visitor
) -> None:
    slug = ada.start_session("Engines", admission="ANYONE")
    bob = guest(place, slug)
    async with bob.page(slug) as page:
        identity = page.welcome["you"]["identity"]
        in_call = call.ghost(livekit, slug, identity)
        await page.mic(True)
        await page.speak(silence(0.2))
        await page.until(lambda: page.of_type("speech"))
        assert ada.host(slug, f"people/{identity}/mute") == (204, "")
        await page.until(lambda: page.of_type("muted"))
        assert call.is_muted(in_call)
        assert page.of_type("speech")[-1]["state"] == "paused"
        await page.speak(speak("one two three four"))
        await page.send({"type": "hand", "up": True})
        await page.until(lambda: first_person(page).get("hand"))
        assert page.of_type("error") == [], "what was on its way is no mistake"
        assert page.of_type("speech")[-1]["state"] == "paused"
        await page.mic(True)
        await page.until(lambda: page.of_type("speech")[-1]["state"] == "ready")


async def test_all_but_hosts_are_muted_at_once(
    place: AppServer, livekit: LiveKitThread, ada: Visitor
) -> None:
    slug = ada.start_session("Engines", admission="ANYONE")
    bob, eve = guest(place, slug), guest(place, slug, "Eve")
    async with ada.page(slug) as first, bob.page(slug) as second, eve.page(slug) as third:
        pages = [first, second, third]
        identities = [page.welcome["you"]["identity"] for page in pages]
        ghosts = [call.ghost(livekit, slug, identity) for identity in identities]
        assert bob.host(slug, "mute-all") == (404, "not_found")
        assert ada.host(slug, "mute-all") == (204, "")
        await second.until(lambda: second.of_type("muted"))
        await third.until(lambda: third.of_type("muted"))
        assert [call.is_muted(one) for one in ghosts] == [False, True, True]
        assert first.of_type("muted") == []


async def test_a_host_lowers_a_hand(place: AppServer, ada: Visitor) -> None:
    slug = ada.start_session("Engines", admission="ANYONE")
    bob = guest(place, slug)
    async with bob.page(slug) as page:
        identity = page.welcome["you"]["identity"]
        await page.send({"type": "hand", "up": True})
        await page.until(lambda: first_person(page).get("hand"))
        assert bob.host(slug, f"people/{identity}/lower-hand") == (404, "not_found")
        assert ada.host(slug, "people/p_nobody/lower-hand") == (404, "not_found")
        assert ada.host(slug, f"people/{identity}/lower-hand") == (204, "")
        await page.until(lambda: first_person(page)["hand"] is None)


def hosting(host: Visitor, slug: str, what: str) -> asyncio.Task[tuple[int, str]]:
    return asyncio.create_task(asyncio.to_thread(host.host, slug, what))


# LiveKit out of order: everything else still happens, and the host is told


@pytest.mark.parametrize("trouble", ["unreachable", "credentials", "hanging"])
async def test_without_livekit_people_are_still_muted_and_removed(
    make_server: MakeServer, trouble: str
) -> None:
    with LiveKitThread() as livekit:
        place = await asyncio.to_thread(make_server, **call.environment(livekit))
        ada = Visitor(place.url).sign_in("Ada Lovelace")
        slug = ada.start_session("Engines")
        bob = guest(place, slug)
        expected = {"credentials": "refused"}.get(trouble, "unreachable")
        if trouble == "unreachable":
            livekit.call(livekit.server.stop())
        elif trouble == "credentials":
            livekit.server.reject_credentials = True
        else:
            livekit.do(livekit.server.hang, "twirp")
        async with bob.page(slug) as page:
            identity = page.welcome["you"]["identity"]
            muting = hosting(ada, slug, f"people/{identity}/mute")
            await page.until(lambda: page.of_type("muted"))
            promoting = hosting(ada, slug, f"people/{identity}/host")
            await page.until(lambda: first_person(page).get("role") == "HOST")
            removing = hosting(ada, slug, f"people/{identity}/remove")
            assert await page.until_closed() == 4401
            if trouble == "hanging":
                assert not removing.done(), "the page is told before the call is asked"
            answers = await asyncio.gather(muting, promoting, removing)
            assert set(answers) == {(200, expected)}
        assert bob.knock(slug)[0] == 403


def test_passes_to_the_call_let_nobody_do_more_than_take_part(
    place: AppServer, ada: Visitor, slug: str
) -> None:
    token = ada.join(slug)["video"]["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["nbf"] <= 600
    sources = ["microphone", "camera", "screen_share", "screen_share_audio"]
    assert claims["video"] == {
        "roomJoin": True,
        "room": slug,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canPublishSources": sources,
        "canUpdateOwnMetadata": False,
    }
