"""Somebody of every standing, made in the database, and what each of them gets at a route.

All that a request could change is made anew by `World.stage`, so that no answer depends on an
earlier one: users with their logins under ids and keys that stay, a space and a session
under new ones.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

import httpx2

from core.api_token import PREFIX
from tests.support.app_server import AppServer
from tests.support.recorded import shelved
from tests.support.sign_in import COOKIE, signed
from tests.support.tables import Tables
from tests.support.waiting import WAIT_TIMEOUT_S

# As docs/routes.md has them. Who they are is told there.
STANDINGS = (
    "anonymous",
    "waiting",
    "guest",
    "other",
    "member",
    "owner",
    "host",
    "removed",
    "disabled",
    "administrator",
    "read token",
    "write token",
)
GUESTS = {"waiting": "WAITING", "guest": "ADMITTED", "host": "ADMITTED"}  # and their states
TOKENS = {"read token": "READ", "write token": "WRITE"}  # of the owner's, and their scopes
USERS = ("other", "member", "owner", "removed", "disabled", "administrator", "fellow")
NAMESPACE = UUID(int=17)


def user_id(who: str) -> UUID:
    """Return a user's id, the same in every world."""
    return uuid5(NAMESPACE, who)


def token_of(who: str) -> str:
    """Return an API token, the same in every world."""
    said = PREFIX + hashlib.sha256(who.encode()).hexdigest()[:48]
    return f"{said}{zlib.crc32(said.encode()):08x}"


def key_of(who: str, slug: str = "") -> str:
    """Return the key of a user's login, or of who is a guest of a session."""
    return hashlib.sha256(f"{who} {slug}".encode()).hexdigest()[:32]


def _digest(key: str) -> str:
    return f"'\\x{hashlib.sha256(key.encode()).hexdigest()}'::bytea"


@dataclass
class Stage:
    """A space with an owner, a member and a fellow member, and a live session of the owner's.

    There are a session that is over, whose transcript is shared by a link, and a standing room of
    the owner's as well, an invitation, two things that the guest has said, a second login of the
    member's, an API token of the member's, a picture of the fellow member, and a recording of what
    the host said. There is an upload of the member's, with a file of two bytes that aren't here.
    """

    number: int
    space: str = field(default_factory=lambda: str(uuid4()))
    session: str = field(default_factory=lambda: str(uuid4()))
    invitation: str = field(default_factory=lambda: str(uuid4()))
    login: str = field(default_factory=lambda: str(uuid4()))  # a second one of the member's
    api_token: str = field(default_factory=lambda: str(uuid4()))  # the member's
    recording: str = field(default_factory=lambda: str(uuid4()))  # of what the host said
    shared: str = field(default_factory=lambda: str(uuid4()))  # a link to the transcript of `over`
    upload: str = field(default_factory=lambda: str(uuid4()))  # the member's

    @property
    def slug(self) -> str:
        """Return the session's link."""
        return f"stage-{self.number}"

    @property
    def over(self) -> str:
        """Return the link of the session that is over."""
        return f"over-{self.number}"

    @property
    def room(self) -> str:
        """Return the standing room's link."""
        return f"room-{self.number}"

    def identity(self, who: str) -> str:
        """Return somebody's identity in the session."""
        return f"p_{who}_{self.number}"


class World:
    """A server and its database."""

    def __init__(self, server: AppServer, tables: Tables) -> None:
        self.server = server
        self.tables = tables
        self._stages = 0
        self._http = httpx2.Client(
            base_url=server.url,
            timeout=WAIT_TIMEOUT_S,
            limits=httpx2.Limits(max_keepalive_connections=0),
            verify=False,
        )

    def stage(self) -> Stage:
        """Make everybody as they should be, and a space and a session anew."""
        self._stages += 1
        stage = Stage(self._stages)
        sound = (self.server.data_dir, stage.session, stage.identity("host"), stage.recording)
        rows = [*_users(), *_space(stage), *_more(stage), *_session(stage), shelved(*sound)]
        place = f"disk:{(self.server.data_dir / 'audio' / 'name').read_text()}"
        rows += _upload(stage, place)
        self.tables.script("\n".join(rows))
        return stage

    def request(
        self,
        who: str,
        stage: Stage,
        method: str,
        path: str,
        *,
        form: dict[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes]] | None = None,
        content: bytes = b"",
        origin: str | None = None,
        accept: str = "*/*",
    ) -> httpx2.Response:
        """Ask for something as a browser of theirs would."""
        headers = {"Origin": self.server.url if origin is None else origin}
        if who in GUESTS:
            kept: dict[str, object] = {"guests": {stage.slug: key_of(who, stage.slug)}}
            headers["Cookie"] = f"{COOKIE}={signed(kept)}"
        elif who in TOKENS:
            headers = {"Authorization": f"Bearer {token_of(who)}"}  # a program has no Origin
        elif who in USERS:
            headers["Cookie"] = f"{COOKIE}={signed({'login': key_of(who)})}"
        try:
            headers["Accept"] = accept
            if content:
                headers["Content-Type"] = "application/octet-stream"
                return self._http.request(method, path, content=content, headers=headers)
            return self._http.request(method, path, data=form or None, files=files, headers=headers)
        finally:
            self._http.cookies.clear()


def _users() -> list[str]:
    own = ", ".join(f"'{user_id(who)}'" for who in USERS)
    # Of former stages, with all in them; and what they have made.
    made = [f"DELETE FROM spaces WHERE id NOT IN ({own});", "DELETE FROM api_tokens;"]
    for who in USERS:
        user, gone = user_id(who), "now()" if who == "disabled" else "NULL"
        made += [
            "INSERT INTO users (id, name, email, hue, welcomed_at, disabled_at) VALUES"
            f" ('{user}', '{who}', '{who}@example.com', 1, now(), {gone})"
            f" ON CONFLICT (id) DO UPDATE SET name = excluded.name, disabled_at = {gone};",
            "INSERT INTO accounts (provider, subject, user_id) VALUES"
            f" ('development', '{who}@example.com', '{user}') ON CONFLICT DO NOTHING;",
            f"INSERT INTO spaces (id, name) VALUES ('{user}', 'Own of {who}')"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name;",
            "INSERT INTO members (space_id, user_id, role) VALUES"
            f" ('{user}', '{user}', 'OWNER') ON CONFLICT DO NOTHING;",
            "INSERT INTO logins (key_digest, user_id, expires_at)"
            f" VALUES ({_digest(key_of(who))}, '{user}', now() + interval '1 day')"
            " ON CONFLICT DO NOTHING;",
        ]
    return made


def _space(stage: Stage) -> list[str]:
    roles = {"owner": "OWNER", "member": "MEMBER", "fellow": "MEMBER"}
    return [
        f"INSERT INTO spaces (id, name) VALUES ('{stage.space}', 'Space {stage.number}');",
        *(
            "INSERT INTO members (space_id, user_id, role) VALUES"
            f" ('{stage.space}', '{user_id(who)}', '{role}');"
            for who, role in roles.items()
        ),
        *(
            f"UPDATE users SET space_id = '{stage.space}' WHERE id = '{user_id(who)}';"
            for who in roles
        ),
    ]


def _more(stage: Stage) -> list[str]:
    owner, member, fellow, room = user_id("owner"), user_id("member"), user_id("fellow"), uuid4()
    return [
        "INSERT INTO invitations (id, space_id, invited_by, max_uses, expires_at) VALUES"
        f" ('{stage.invitation}', '{stage.space}', '{owner}', 10, now() + interval '1 day');",
        "INSERT INTO logins (id, key_digest, user_id, expires_at) VALUES"
        f" ('{stage.login}', {_digest(stage.login)}, '{member}', now() + interval '1 day');",
        *(
            "INSERT INTO api_tokens (user_id, name, scope, key_digest) VALUES"
            f" ('{owner}', '{who}', '{scope}', {_digest(token_of(who))});"
            for who, scope in TOKENS.items()
        ),
        "INSERT INTO api_tokens (id, user_id, name, scope, key_digest) VALUES"
        f" ('{stage.api_token}', '{member}', 'program', 'READ', {_digest(stage.api_token)});",
        f"INSERT INTO avatars (id, user_id, image) VALUES ('{fellow}', '{fellow}', 'RIFF')"
        " ON CONFLICT DO NOTHING;",
        f"UPDATE users SET avatar = '{fellow}' WHERE id = '{fellow}';",
        "INSERT INTO sessions (slug, title, space_id, created_by, status, started_at, ended_at)"
        f" VALUES ('{stage.over}', 'Over', '{stage.space}', '{owner}', 'ENDED', now(),"
        " now());",
        "INSERT INTO shared_links (id, session_id, created_by, maker, expires_at)"
        f" SELECT '{stage.shared}', id, '{owner}', 'owner', now() + interval '1 day'"
        f" FROM sessions WHERE slug = '{stage.over}';",
        "INSERT INTO standing_rooms (id, slug, space_id, created_by, title) VALUES"
        f" ('{room}', '{stage.room}', '{stage.space}', '{owner}', 'Room');",
        "INSERT INTO sessions (slug, title, space_id, created_by, standing_room) VALUES"
        f" ('of-{stage.room}', 'Room', '{stage.space}', '{owner}', '{room}');",
    ]


def _upload(stage: Stage, place: str) -> list[str]:
    return [
        "INSERT INTO uploads (id, space_id, created_by, title, place) VALUES"
        f" ('{stage.upload}', '{stage.space}', '{user_id('member')}', 'Recording', '{place}');",
        "INSERT INTO upload_files (upload_id, number, name, bytes) VALUES"
        f" ('{stage.upload}', 1, 'one.wav', 2);",
    ]


def _session(stage: Stage) -> list[str]:
    people = [(who, "NULL", "HOST" if who == "host" else "GUEST", GUESTS[who]) for who in GUESTS]
    people += [
        ("owner", f"'{user_id('owner')}'", "HOST", "ADMITTED"),
        ("member", f"'{user_id('member')}'", "MEMBER", "ADMITTED"),
        ("removed", f"'{user_id('removed')}'", "GUEST", "REMOVED"),
    ]
    return [
        "INSERT INTO sessions"
        " (id, slug, title, space_id, created_by, status, planned_at, started_at) VALUES"
        f" ('{stage.session}', '{stage.slug}', 'Stage', '{stage.space}', '{user_id('owner')}',"
        " 'LIVE', now(), now());",
        *(
            "INSERT INTO participants"
            " (identity, session_id, user_id, name, hue, role, state, joined_at, left_at) VALUES"
            f" ('{stage.identity(who)}', '{stage.session}', {user}, '{who}', 1, '{role}',"
            f" '{state}', {'NULL, NULL' if state == 'WAITING' else 'now(), now()'});"
            for who, user, role, state in people
        ),
        *(
            "INSERT INTO guest_keys (key_digest, identity) VALUES"
            f" ({_digest(key_of(who, stage.slug))}, '{stage.identity(who)}');"
            for who in GUESTS
        ),
        "INSERT INTO utterances (session_id, stream, utterance, seq, identity, text, start_s,"
        f" end_s) SELECT '{stage.session}', 's', n, n, '{stage.identity('guest')}', 'Hi.', n, n + 1"
        " FROM generate_series(1, 2) AS n;",
    ]
