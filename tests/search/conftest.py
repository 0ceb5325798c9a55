"""A server whose sessions have what tests say, and what its search finds."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.http import Browser
from tests.support.tables import Tables
from tests.support.visitors import Visitor

Said = tuple[str, str, str | None]  # who, what, in which language


@dataclass
class Archive:
    """Sessions with transcripts, as an administrator of the database makes them."""

    server: AppServer
    tables: Tables
    made: int = field(default=0)

    def visitor(self, name: str) -> Visitor:
        """Sign somebody in."""
        return Browser(self.server.url).sign_in(name)

    def session(self, owner: Visitor, title: str, *said: Said, ago: int = 1) -> str:
        """Make a session that is over and began so many days ago; return its slug."""
        slug = owner.start_session(title)
        self.tables(
            """
            UPDATE sessions SET status = 'ENDED', started_at = now() - $2 * interval '1 day',
                created_at = now() - $2 * interval '1 day',
                ended_at = now() - $2 * interval '1 day' + interval '1 hour' WHERE slug = $1
            """,
            slug,
            ago,
        )
        self.say(slug, *said)
        return slug

    def say(self, slug: str, *said: Said) -> None:
        """Have a session have these lines, too."""
        session = self.id(slug)
        for name in {one[0] for one in said}:
            self.tables(
                """
                INSERT INTO participants (identity, session_id, name, hue, role, joined_at, left_at)
                VALUES ($1, $2, $3, 1, 'MEMBER', now(), now()) ON CONFLICT DO NOTHING
                """,
                self.identity(slug, name),
                session,
                name,
            )
        first = self.tables.one("SELECT count(*) FROM utterances WHERE session_id = $1", session)
        self.tables(
            """
            INSERT INTO utterances (session_id, stream, utterance, seq, identity, text,
                start_s, end_s, language)
            SELECT $1, 's', 'u' || n, n, identity, text, n * 10, n * 10 + 5, language
            FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY
                AS said (identity, text, language, i), LATERAL (SELECT $5 + i::int AS n) numbered
            """,
            session,
            [self.identity(slug, one[0]) for one in said],
            [one[1] for one in said],
            [one[2] for one in said],
            first,
        )

    def translate(self, slug: str, seq: int, language: str, text: str) -> None:
        """Have a line, which need not be there yet, be this in another language."""
        self.tables(
            """
            INSERT INTO translations (session_id, stream, utterance, language, identity, text)
            SELECT $1, 's', 'u' || $2, $3, identity, $4 FROM participants WHERE session_id = $1
            LIMIT 1
            """,
            self.id(slug),
            str(seq),
            language,
            text,
        )

    def write(self, slug: str, name: str, text: str) -> None:
        """Have a message in the chat of a session."""
        self.tables(
            """
            INSERT INTO chat_messages (session_id, id, identity, text, sent_at)
            SELECT $1, 1 + count(*), $2, $3, now() FROM chat_messages WHERE session_id = $1
            """,
            self.id(slug),
            self.identity(slug, name),
            text,
        )

    def correct(self, slug: str, seq: int, text: str, *, part: int = 0, **how: Any) -> None:
        """Have a line be read as this."""
        self.tables(
            """
            INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s,
                speaker, hidden, joined_seq, joined_part)
            SELECT u.session_id, seq, $3, 1, $4, start_s, end_s, coalesce($5, identity), $6, $7, $8
            FROM utterances u WHERE session_id = $1 AND seq = $2
            ON CONFLICT (session_id, seq, part) DO UPDATE SET text = excluded.text,
                speaker = excluded.speaker, hidden = excluded.hidden,
                joined_seq = excluded.joined_seq, joined_part = excluded.joined_part
            """,
            self.id(slug),
            seq,
            part,
            text,
            how.get("speaker"),
            how.get("hidden", False),
            how.get("joined"),
            None if how.get("joined") is None else 0,
        )

    def id(self, slug: str) -> UUID:
        """Return a session's id."""
        found: UUID = self.tables.one("SELECT id FROM sessions WHERE slug = $1", slug)
        return found

    def space(self, slug: str) -> str:
        """Return the id of a session's space."""
        return str(self.tables.one("SELECT space_id FROM sessions WHERE slug = $1", slug))

    def identity(self, slug: str, name: str) -> str:
        """Return as whom somebody of this name is in a session that was made here."""
        return f"p_{slug}_{name}"

    def join(self, space: str, name: str, role: str = "MEMBER") -> None:
        """Make somebody a member of a space."""
        self.tables(
            """
            INSERT INTO members (space_id, user_id, role)
            SELECT $1::uuid, id, $3 FROM users WHERE name = $2
            """,
            space,
            name,
            role,
        )


def found(visitor: Visitor, q: str, **filters: str) -> list[str]:
    """Return the texts of all hits that a page shows, titles among them."""
    page = visitor.http.get("/search", params={"q": q} | filters)
    assert page.status_code == 200, page.text
    return shown(page.text)


def shown(page: str) -> list[str]:
    """Return the texts of hits in a page or a part of one: what is marked in brackets."""
    texts = []
    for group in re.findall(r'<article class="found">.*?</article>', page, re.S):
        title = re.findall(r'<h2 class="title"><a[^>]*>(.*?)</a>', group, re.S)[0]
        texts += [title] if "<mark>" in title else []
        texts += re.findall(r'<p class="words"[^>]*>(.*?)</p>', group, re.S)
    return [html.unescape(re.sub("</?mark>", _bracket, one)) for one in texts]


def _bracket(tag: re.Match[str]) -> str:
    return "]" if "/" in tag[0] else "["


def status(page: str) -> str:
    """Return how many hits a page says that there are, or why there are none."""
    (text,) = re.findall(r'<p class="search-said"[^>]*>(.*?)</p>', page, re.S)
    return html.unescape(text.strip())


@pytest.fixture(scope="module")
def archive(make_server_in: MakeServer, make_database: Callable[[], str]) -> Archive:
    """A server of the module's own."""
    database = make_database()
    server = make_server_in(DATABASE_URL=database, RATE_LIMIT_FACTOR="100", SPEECH_ENGINE="off")
    return Archive(server, Tables(database))
