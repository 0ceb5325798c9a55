"""How each route of the application is asked for what it does: its path's values, its form."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
from starlette.routing import Route

from app import ROUTES
from core.signed_links import invitation_path, shared_path
from tests.support.sign_in import LOGIN_SECRET
from tests.support.standings import Stage, World, user_id

Row = tuple[str, str]
# A grey point as PNG.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


def routes() -> list[Row]:
    """Return every route with each of its methods; a file, a socket and a HEAD are none."""
    return [
        (method, route.path)
        for route in ROUTES
        if isinstance(route, Route)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


@dataclass(frozen=True)
class Way:
    """How a route is asked: `values` for its path beside those of every stage, a form."""

    values: Callable[[World, Stage], dict[str, str]] = lambda world, stage: {}
    form: dict[str, str] = field(default_factory=dict)
    query: str = ""
    files: dict[str, tuple[str, bytes]] | None = None
    content: bytes = b""

    def go(
        self,
        world: World,
        stage: Stage,
        who: str,
        method: str,
        path: str,
        *,
        origin: str | None = None,
    ) -> httpx2.Response:
        """Ask as somebody."""
        values = {
            "slug": stage.slug,
            "space": stage.space,
            "identity": stage.identity("guest"),
            "person": str(user_id("fellow")),
            "user": str(user_id("fellow")),
            "provider": "nowhere",
            "invitation": stage.invitation,
            "token": invitation_path(LOGIN_SECRET, stage.invitation).rpartition("/")[2],
            "avatar": str(user_id("fellow")),
            "login": stage.login,
            "api_token": stage.api_token,
            "recording": stage.recording,
            "link": stage.shared,
            "upload": stage.upload,
            "number": "1",
        }
        address = path.format(**(values | self.values(world, stage))) + self.query.format(
            number=stage.number
        )
        form = {name: text.format(number=stage.number, who=who) for name, text in self.form.items()}
        sent = {"form": form, "files": self.files, "content": self.content}
        if method != "POST":
            sent = {}
        return world.request(who, stage, method, address, origin=origin, **sent)  # type: ignore[arg-type]


def waiting(world: World, stage: Stage) -> dict[str, str]:
    """Who knocks."""
    return {"identity": stage.identity("waiting")}


def room(world: World, stage: Stage) -> dict[str, str]:
    """The standing room."""
    return {"slug": stage.room}


def said(world: World, stage: Stage) -> dict[str, str]:
    """The first of two things that the guest has said."""
    return {"line": "1"}


def speaks(world: World, stage: Stage) -> dict[str, str]:
    """The guest, as a speaker."""
    return {"speaker": stage.identity("guest")}


def over(world: World, stage: Stage) -> dict[str, str]:
    """The session that is over."""
    return {"slug": stage.over}


def shared(world: World, stage: Stage) -> dict[str, str]:
    """The link to its transcript."""
    return {"token": shared_path(LOGIN_SECRET, stage.shared).rpartition("/")[2]}


WAYS: dict[Row, Way] = {
    ("GET", "/s/{slug}/share"): Way(over),
    ("POST", "/s/{slug}/share"): Way(over, {"days": "7"}),
    ("POST", "/s/{slug}/share/{link}/revoke"): Way(over),
    ("GET", "/shared/{token}"): Way(shared),
    ("GET", "/shared/{token}/lines"): Way(shared),
    ("GET", "/shared/{token}/find"): Way(shared, query="?q=word"),
    ("POST", "/spaces/{space}/uploads"): Way(form={"title": "New"}),
    ("POST", "/uploads/{upload}"): Way(form={"title": "Another"}),
    ("POST", "/uploads/{upload}/begin"): Way(form={"name": "two.wav", "size": "9"}),
    ("POST", "/uploads/{upload}/files"): Way(files={"file": ("two.wav", b"x")}),
    ("POST", "/uploads/{upload}/files/{number}"): Way(query="?offset=0", content=b"xy"),
    ("POST", "/uploads/{upload}/speakers"): Way(form={"file-1": "on", "name-1": "Ada"}),
    ("POST", "/sessions"): Way(form={"title": "New"}),
    ("GET", "/r/{slug}"): Way(room),
    ("GET", "/r/{slug}/settings"): Way(room),
    ("POST", "/r/{slug}/settings"): Way(room, {"title": "Another"}),
    ("POST", "/r/{slug}/delete"): Way(room),
    ("POST", "/spaces/{space}/rooms"): Way(form={"title": "New"}),
    ("POST", "/spaces"): Way(form={"name": "New"}),
    ("POST", "/spaces/{space}/rename"): Way(form={"name": "Another", "was": "Space {number}"}),
    ("POST", "/spaces/{space}/languages"): Way(form={"vocabulary": "Another"}),
    ("POST", "/s/{slug}/languages"): Way(form={"vocabulary": "Another"}),
    ("POST", "/spaces/{space}/consent"): Way(form={"consent": "REQUIRED"}),
    ("POST", "/spaces/{space}/audio"): Way(form={"keep": "yes", "days": "7"}),
    ("POST", "/spaces/{space}/members/{user}/role"): Way(form={"role": "OWNER"}),
    ("POST", "/spaces/{space}/invitations"): Way(form={"uses": "1", "days": "7"}),
    ("POST", "/profile/name"): Way(form={"name": "Another", "was": "{who}"}),
    ("POST", "/profile/tokens"): Way(form={"name": "New", "scope": "READ"}),
    ("POST", "/profile/look"): Way(form={"theme": "DARK"}),
    ("POST", "/profile/account/delete"): Way(form={"confirm": "{who}@example.com"}),
    ("POST", "/profile/picture"): Way(files={"picture": ("p.png", PICTURE)}),
    ("POST", "/welcome/name"): Way(form={"name": "Another", "was": "{who}"}),
    ("POST", "/welcome/space"): Way(form={"name": "Another", "was": "Own of {who}"}),
    ("POST", "/s/{slug}/consent"): Way(form={"consent": "no"}),
    ("POST", "/s/{slug}/plan"): Way(form={"agenda": "Another"}),
    ("GET", "/sessions/delete"): Way(query="?session=over-{number}"),
    ("POST", "/sessions/delete"): Way(form={"sessions": "over-{number}", "number": "1"}),
    ("POST", "/spaces/{space}/delete"): Way(form={"name": "Space {number}"}),
    ("GET", "/s/{slug}/transcript/lines/{line}"): Way(said),
    ("GET", "/s/{slug}/transcript/lines/{line}/history"): Way(said),
    ("POST", "/s/{slug}/transcript/lines/{line}"): Way(said, {"revision": "0", "text": "Hello."}),
    ("POST", "/s/{slug}/transcript/lines/{line}/hide"): Way(said, {"revision": "0"}),
    ("POST", "/s/{slug}/transcript/lines/{line}/show"): Way(said, {"revision": "0"}),
    ("POST", "/s/{slug}/transcript/lines/{line}/join"): Way(
        said, {"revision": "0", "next": "2", "next_revision": "0"}
    ),
    ("POST", "/s/{slug}/transcript/lines/{line}/restore"): Way(said, {"seen": "0"}),
    ("POST", "/s/{slug}/transcript/speakers/{speaker}"): Way(
        speaks, {"revision": "0", "name": "Another"}
    ),
    ("POST", "/s/{slug}/guest"): Way(form={"name": "Somebody"}),
    ("POST", "/s/{slug}/settings"): Way(form={"locked": "on"}),
    ("POST", "/s/{slug}/people/{identity}/admit"): Way(waiting),
    ("POST", "/s/{slug}/people/{identity}/deny"): Way(waiting),
    ("POST", "/spaces/{space}/minutes"): Way(form={"minutes": "100"}),
    ("POST", "/admin/spaces/{space}/minutes"): Way(form={"minutes": "100"}),
    ("POST", "/sign-in/dev"): Way(form={"name": "New", "email": "new@example.com"}),
    ("POST", "/language"): Way(form={"language": "ru"}),
}
