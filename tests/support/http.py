"""Requests as a browser sends them, whose answers are checked, and as anybody does."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S


def assert_guarded(answer: httpx2.Response) -> None:
    """Every answer limits what a browser does with it, and no page is kept."""
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"):
        assert part in policy, answer.url
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert answer.headers["cache-control"] == "no-store", answer.url


class Browser(Visitor):
    """A visitor that checks every answer's headers, and keeps no connection open.

    `origin` is the address it believes to be at, when a proxy would stand between.
    """

    def __init__(self, url: str, origin: str | None = None, **headers: str) -> None:
        self.url = url
        self.http = httpx2.Client(
            base_url=url,
            timeout=WAIT_TIMEOUT_S,
            headers={"Origin": origin or url} | headers,
            event_hooks={"response": [assert_guarded]},
            limits=httpx2.Limits(max_keepalive_connections=0),
            verify=False,  # there is no https here, and reading all certificates takes its time
        )


def outside(method: str, url: str, **options: Any) -> httpx2.Response:
    """Ask a page of anybody's, without cookies, without an origin."""
    options.setdefault("timeout", WAIT_TIMEOUT_S)
    return httpx2.request(method, url, verify=False, **options)
