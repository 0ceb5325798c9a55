"""Sessions whose transcripts are written into the tables, as engines and corrections would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.app_server import AppServer
from tests.support.tables import Tables
from tests.support.visitors import Visitor

_SPEECH = """
    INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s, end_s,
        language, lost_s)
    SELECT session_id, 's', CAST($3 AS int)::text, $3, identity, $4, $5, $6, $7, $8
    FROM participants p JOIN sessions s ON s.id = p.session_id
    WHERE s.slug = $1 AND p.name = $2"""
_CHAT = """
    INSERT INTO chat_messages (session_id, id, identity, text, sent_at)
    SELECT s.id, $3, identity, $4, coalesce(s.started_at, s.created_at) + make_interval(secs => $5)
    FROM participants p JOIN sessions s ON s.id = p.session_id
    WHERE s.slug = $1 AND p.name = $2"""
_CORRECTED = """
    INSERT INTO corrected_lines (session_id, seq, part, revision, text, start_s, end_s, speaker,
        hidden, joined_seq, joined_part)
    SELECT id, $2, $3, 1, $4, $5, $6, $7, $8, $9, CASE WHEN $9::int IS NOT NULL THEN 0 END
    FROM sessions WHERE slug = $1"""


@dataclass
class Talk:
    """A session; what is said and written in it is numbered as it comes."""

    server: AppServer
    tables: Tables
    host: Visitor
    slug: str
    _seq: int = 0
    _chat: int = 0
    people: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, server: AppServer, host: Visitor, title: str, *guests: str) -> Talk:
        """Begin a session, in which guests of these names are."""
        slug = host.start_session(title)
        talk = cls(server, Tables(server.environment["DATABASE_URL"]), host, slug)
        host.join(slug)
        talk.tables("UPDATE sessions SET started_at = created_at WHERE slug = $1", slug)
        for name in guests:
            Visitor(server.url).be_guest(slug, name).join(slug)
        talk.tables(
            "UPDATE participants p SET joined_at = p.created_at, left_at = now()"
            " FROM sessions s WHERE s.id = session_id AND slug = $1",
            slug,
        )
        found = talk.tables(
            "SELECT p.name, identity FROM participants p JOIN sessions s ON s.id = session_id"
            " WHERE slug = $1",
            slug,
        )
        talk.people = {row[0]: row[1] for row in found}
        return talk

    def say(
        self,
        who: str,
        text: str,
        start: float,
        seconds: float = 2.0,
        *,
        language: str = "en",
        lost: float | None = None,
    ) -> int:
        """Have somebody say something; returns its seq. `lost`: seconds not transcribed."""
        self._seq += 1
        values = (text, start, start + seconds, language, lost)
        self.tables(_SPEECH, self.slug, who, self._seq, *values)
        return self._seq

    def translate(self, seq: int, language: str, text: str) -> None:
        """Have a line be this in another language."""
        self.tables(
            "INSERT INTO translations (session_id, stream, utterance, language, identity, text)"
            " SELECT session_id, stream, utterance, $3, identity, $4 FROM utterances"
            " WHERE session_id = (SELECT id FROM sessions WHERE slug = $1) AND seq = $2",
            self.slug,
            seq,
            language,
            text,
        )

    def write(self, who: str, text: str, second: float) -> None:
        """Have somebody write in the chat."""
        self._chat += 1
        self.tables(_CHAT, self.slug, who, self._chat, text, second)

    def correct(
        self,
        seq: int,
        text: str,
        start: float,
        speaker: str,
        *,
        part: int = 0,
        hidden: bool = False,
        joined: int | None = None,
    ) -> None:
        """Correct a line, or a part of it."""
        speaker = self.people.get(speaker, speaker)
        at = (start, start + 1, speaker, hidden, joined)
        self.tables(_CORRECTED, self.slug, seq, part, text, *at)

    def call(self, speaker: str, name: str | None, hue: int = 3) -> None:
        """Name a speaker: a participant, or somebody who had no microphone of their own."""
        self.tables(
            "INSERT INTO speakers (session_id, speaker, name, hue)"
            " SELECT id, $2, $3, $4 FROM sessions WHERE slug = $1",
            self.slug,
            self.people.get(speaker, speaker),
            name,
            hue,
        )

    def pause(self, start: float, end: float | None) -> None:
        """Have the transcription paused from one second to another."""
        self.tables(
            "INSERT INTO pauses (session_id, paused_at, resumed_at, identity)"
            " SELECT id, coalesce(started_at, created_at) + make_interval(secs => $2),"
            " coalesce(started_at, created_at) + make_interval(secs => $3), NULL"
            " FROM sessions WHERE slug = $1",
            self.slug,
            start,
            end,
        )

    def file(self, ending: str, query: str = "", **headers: str) -> Any:
        """Save the transcript as its host."""
        answer = self.host.http.get(f"/s/{self.slug}/transcript.{ending}{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer
