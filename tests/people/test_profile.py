"""The profile: what somebody sees and chooses about themselves."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.visitors import Visitor

Visitors = Callable[[], Visitor]


def test_the_masthead_leads_there(visitor: Visitors) -> None:
    ada = visitor().sign_in("Ada Lovelace")
    assert 'href="/profile"' in ada.http.get("/").text
    shown = ada.http.get("/profile")
    assert shown.status_code == 200
    assert "ada.lovelace@example.com" in shown.text


def test_nobody_known_is_sent_to_sign_in_and_back(visitor: Visitors) -> None:
    answer = visitor().http.get("/profile")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/profile")
