"""A session that people were in, and have left."""

from __future__ import annotations

import asyncio
from datetime import datetime

from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.waiting import until

HTMX = {"HX-Request": "true"}


def browser(site: AppServer, name: str = "") -> Browser:
    """Return a stranger's browser, or that of somebody who is signed in."""
    found = Browser(site.url)
    if name:
        found.sign_in(name)
    return found


async def talk(host: Browser, guest: Browser, slug: str) -> None:
    """Write a line each, then leave, the host last."""
    async with host.page(slug) as page, guest.page(slug) as other:
        await page.send({"type": "chat", "text": "Good <morning>."})
        await other.until(lambda: other.of_type("chat"))
        await other.send({"type": "chat", "text": "Good evening."})
        await page.until(lambda: len(page.of_type("chat")) == 2)


def say(tables: Tables, slug: str, name: str, text: str) -> None:
    tables(
        "INSERT INTO utterances"
        " (session_id, stream, utterance, seq, identity, text, start_s, end_s)"
        " SELECT s.id, 'stream', '1', 1, p.identity, $3, 1, 2 FROM sessions s"
        " JOIN participants p ON p.session_id = s.id WHERE s.slug = $1 AND p.name = $2",
        slug,
        name,
        text,
    )


async def everybody_gone(tables: Tables, slug: str) -> datetime:
    """Wait until the database knows that all have left, and return since when."""
    question = (
        "SELECT max(p.left_at) FILTER (WHERE NOT EXISTS (SELECT 1 FROM participants o"
        "   WHERE o.session_id = s.id AND o.joined_at IS NOT NULL AND o.left_at IS NULL))"
        " FROM sessions s JOIN participants p ON p.session_id = s.id WHERE s.slug = $1"
    )
    since: datetime = await until(lambda: asyncio.to_thread(tables.one, question, slug))
    return since
