"""The gate where guests give a name, and the passes that joining gives."""

from __future__ import annotations

import re
import time

import jwt
import pytest

from core.text import HUES
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.meetings import JSON, role_shown


@pytest.mark.parametrize("name", ["", "   ", "\t\r\n", "\u200b\u200d", "\u202e", "\x00"])
def test_a_guest_without_a_name_is_asked_again(
    site: AppServer, open_session: str, name: str
) -> None:
    guest = Browser(site.url)
    answer = guest.http.post(f"/s/{open_session}/guest", data={"name": name})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "Type a name" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Grace", "Grace"),
        ("  Grace \u202e\n\tHopper\u200b ", "Grace Hopper"),
        ("\u3164Grace\u2800", "Grace"),
        ("x" * 41, "x" * 40),
        ("x" * 5000, "x" * 40),
        ("李小龍 🥋", "李小龍 🥋"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ('" autofocus="', "&#34; autofocus=&#34;"),
    ],
)
def test_a_guests_name_is_shown_tidy(
    site: AppServer, open_session: str, name: str, shown: str
) -> None:
    guest = Browser(site.url)
    gate = guest.http.get(f"/s/{open_session}")
    assert "Continue as a guest" in gate.text
    assert "Secret title" not in gate.text
    room = guest.be_guest(open_session, name).http.get(f"/s/{open_session}").text
    assert f'<span class="name">{shown}</span>' in room
    assert f'data-name="{shown}"' in room
    assert role_shown(room) == "GUEST"


def test_a_signed_in_person_needs_no_gate(site: AppServer, open_session: str) -> None:
    grace = Browser(site.url).sign_in("Grace Hopper")
    grace.be_guest(open_session, "Somebody else")
    assert grace.join(open_session)["you"]["name"] == "Grace Hopper"


def test_a_guest_stays_the_same_over_reloads(site: AppServer, open_session: str) -> None:
    guest = Browser(site.url).be_guest(open_session, "Grace")
    identities = {guest.join(open_session)["you"]["identity"] for _ in range(3)}
    assert len(identities) == 1
    other = Browser(site.url).be_guest(open_session, "Grace")
    assert other.join(open_session)["you"]["identity"] not in identities


def test_guests_have_colours_of_their_own(site: AppServer) -> None:
    host = Browser(site.url).sign_in("Ada Lovelace")
    slug = host.start_session("Engines")
    colours = [host.join(slug)["you"]["hue"]]
    for n in range(HUES):
        guest = Browser(site.url).be_guest(slug, f"Guest {n}")
        colours.append(guest.join(slug)["you"]["hue"])
    assert len(set(colours[:HUES])) == HUES
    assert colours[HUES] in range(HUES), "beyond the last one they begin anew"


# Joining


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_joining_gives_exactly_what_the_room_needs(site: AppServer) -> None:
    host = Browser(site.url).sign_in("Ada Lovelace")
    slug = host.start_session("Engines")
    passes = host.join(slug)
    assert set(passes) == {"you", "session", "consent", "transcription", "video"}
    you = passes["you"]
    assert set(you) == {"identity", "name", "role", "hue"}
    assert (you["name"], you["role"]) == ("Ada Lovelace", "HOST")
    assert re.fullmatch("p_[0-9a-f]{24}", you["identity"])
    session = {"slug": slug, "title": "Engines", "status": "CREATED", "started_at": None}
    assert session.items() <= passes["session"].items()

    transcription = passes["transcription"]
    assert transcription["url"] == f"ws://localhost:{site.port}/ws"
    claims = jwt.decode(
        transcription["token"], site.secret, algorithms=["HS256"], audience="sessions:ws"
    )
    assert abs(claims["iat"] - time.time()) < 30
    assert claims.pop("exp") - claims.pop("iat") == 3600
    assert re.fullmatch("[0-9a-f-]{36}", claims.pop("sessionId"))
    assert re.fullmatch("[A-Za-z0-9_-]{43}=", claims.pop("sid"))
    assert claims == {
        "iss": "sessions",
        "aud": "sessions:ws",
        "sub": you["identity"],
        "sessionSlug": slug,
        "identity": you["identity"],
        "name": "Ada Lovelace",
        "role": "HOST",
    }

    assert passes["video"]["url"] == "ws://localhost:7880"
    video = jwt.decode(passes["video"]["token"], "secret", algorithms=["HS256"])
    assert video["iss"] == "devkey"
    assert video["sub"] == you["identity"]
    assert video["name"] == "Ada Lovelace"
    assert video["exp"] - video["nbf"] == 600
    assert video["attributes"] == {"role": "HOST", "hue": str(you["hue"])}
    assert video["video"] == {
        "room": slug,
        "roomJoin": True,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
        "canPublishSources": ["microphone", "camera", "screen_share", "screen_share_audio"],
        "canUpdateOwnMetadata": False,
    }
    assert "admin" not in str(video).lower()


def test_passes_are_kept_nowhere(site: AppServer, open_session: str) -> None:
    guest = Browser(site.url).be_guest(open_session, "Grace")
    answer = guest.http.post(f"/s/{open_session}/join", headers=JSON)
    assert answer.headers["cache-control"] == "no-store"
