"""People's pictures: what becomes of an upload, who sees it, and what is refused."""

from __future__ import annotations

import asyncio
import random
import struct
import sys
import time
import zlib
from io import BytesIO
from uuid import uuid4

import httpx2
import pytest
from PIL import Image
from playwright.async_api import expect

from core.picture import MAX_BYTES, MAX_FILE, SIDE, square
from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.support.browser import Browsers
from tests.support.http import Browser, outside
from tests.support.raw_http import Line
from tests.support.tables import Tables
from tests.support.visitors import Visitor

HTML = {"Accept": "text/html"}
SECRET = b"<script>alert('hidden')</script>"


@pytest.fixture(scope="module")
def site(make_server_in: MakeServer) -> AppServer:
    return make_server_in(RATE_LIMIT_FACTOR="20")


@pytest.fixture(scope="module")
def tables(site: AppServer) -> Tables:
    return Tables(site.database_url)


@pytest.fixture
def ada(site: AppServer) -> Browser:
    """Somebody new, without a picture."""
    browser = Browser(site.url)
    browser.sign_in(f"Ada {uuid4().hex[:8]}")
    return browser


def drawn(
    size: tuple[int, int] = (60, 40), kind: str = "PNG", mode: str = "RGB", **options: object
) -> bytes:
    """A picture: red left of the middle, blue right of it."""
    image = Image.new(mode, size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def bomb(side: int = 20_000) -> bytes:
    """A PNG of many pixels in some kB, as its head says: all its lines are black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    packer = zlib.compressobj(9)
    line = bytes(1 + side // 8)
    data = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp_bomb() -> bytes:
    """The head of a WebP whose canvas has 16384 × 16384 pixels."""
    vp8x = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\xff\x3f\0" * 2
    return b"RIFF" + struct.pack("<I", len(vp8x) + 4) + b"WEBP" + vp8x


def send(who: Browser, file: bytes, name: str = "me.png") -> httpx2.Response:
    """Choose a file and press the button."""
    return who.http.post("/profile/picture", files={"picture": (name, file)}, headers=HTML)


def shown(who: Browser) -> str | None:
    """The address of somebody's picture at the top of their pages, None for initials."""
    _, found, rest = who.http.get("/").text.partition('<img src="')
    return rest.partition('"')[0] if found else None


def kept(site: AppServer, who: Browser) -> Image.Image:
    """Somebody's picture as everybody gets it."""
    address = shown(who)
    assert address is not None
    answer = who.http.get(address)
    assert answer.headers["content-type"] == "image/webp"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.content) <= MAX_BYTES
    for hidden in (b"EXIF", b"Exif", b"ICCP", b"XMP", SECRET, b"GPS"):
        assert hidden not in answer.content
    image = Image.open(BytesIO(answer.content))
    assert (image.format, image.size) == ("WEBP", (SIDE, SIDE))
    assert not getattr(image, "is_animated", False)
    return image


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    found = image.convert("RGB").getpixel(at)
    return all(abs(a - b) < 40 for a, b in zip(found, colour, strict=True))  # type: ignore[arg-type]


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_what_is_seen_of_a_picture_is_kept_as_a_square(
    site: AppServer, ada: Browser, kind: str
) -> None:
    assert shown(ada) is None
    assert send(ada, drawn((600, 200), kind)).headers["location"] == "/profile?saved=picture"
    image = kept(site, ada)
    assert near(image, (20, 128), RED)
    assert near(image, (236, 128), BLUE)


def test_another_picture_has_another_address_and_none_is_left(
    site: AppServer, ada: Browser, tables: Tables
) -> None:
    before = tables.one("SELECT count(*) FROM avatars")
    send(ada, drawn())
    first = shown(ada)
    send(ada, drawn())
    second = shown(ada)
    assert first and second and first != second
    assert outside("GET", site.url + first).status_code == 404
    assert tables.one("SELECT count(*) FROM avatars") == before + 1
    answer = ada.http.post("/profile/picture/remove", headers=HTML)
    assert answer.status_code == 303
    assert shown(ada) is None
    assert outside("GET", site.url + second).status_code == 404
    assert tables.one("SELECT count(*) FROM avatars") == before


def test_a_photo_is_turned_as_it_was_taken_and_tells_nothing_else(
    site: AppServer, ada: Browser
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side: the left is up
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}  # GPS
    comment = b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET
    photo = drawn((400, 400), "JPEG", exif=exif.tobytes())
    send(ada, photo[:2] + comment + photo[2:] + SECRET, "photo.jpg")
    image = kept(site, ada)
    assert near(image, (128, 20), RED)
    assert near(image, (128, 236), BLUE)


def test_of_an_animation_the_first_picture_is_kept(site: AppServer, ada: Browser) -> None:
    others = [Image.new("RGB", (40, 40), "blue")]
    out = BytesIO()
    Image.new("RGB", (40, 40), "red").save(out, "GIF", save_all=True, append_images=others)
    send(ada, out.getvalue())
    assert near(kept(site, ada), (128, 128), RED)


def test_a_clear_background_stays_and_noise_is_made_small() -> None:
    for mode in ("LA", "P", "I;16", "1", "RGBA", "CMYK"):
        image = Image.new(mode, (50, 30))
        out = BytesIO()
        image.save(out, "JPEG" if mode == "CMYK" else "PNG")
        assert Image.open(BytesIO(square(out.getvalue()))).size == (SIDE, SIDE), mode
    clear = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
    out = BytesIO()
    clear.save(out, "PNG")
    assert Image.open(BytesIO(square(out.getvalue()))).convert("RGBA").getpixel((9, 9))[3] == 0  # type: ignore[index]
    noise = random.Random(1).randbytes(512 * 512 * 3)
    out = BytesIO()
    Image.frombytes("RGB", (512, 512), noise).save(out, "PNG")
    assert len(square(out.getvalue())) <= MAX_BYTES


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
TIFF = drawn(kind="TIFF")
REFUSED = {
    "none": (b"", 422, "Choose a picture first."),
    "svg": (SVG, 415, "That is no picture of a kind we know"),
    "html": (b"<!doctype html>" + SECRET, 415, "That is no picture of a kind we know"),
    "tiff": (TIFF, 415, "That is no picture of a kind we know"),
    "pdf-then-png": (b"%PDF-1.7\n" + drawn(), 415, "That is no picture of a kind we know"),
    "truncated-png": (drawn((600, 600))[:-40], 422, "The file is damaged"),
    "truncated-jpeg": (drawn((600, 600), "JPEG")[:700], 422, "The file is damaged"),
    "only-a-head": (b"\x89PNG\r\n\x1a\n", 415, "That is no picture of a kind we know"),
    "bomb": (bomb(), 422, "The picture has too many pixels"),
    "webp-bomb": (webp_bomb(), 422, "The picture has too many pixels"),
    "large": (drawn() + bytes(MAX_FILE), 413, "The file is too large"),
    "very-large": (bytes(9 * 1024 * 1024), 413, "The file is too large"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_picture_is_refused_beside_the_form(
    ada: Browser, tables: Tables, what: str
) -> None:
    file, status, told = REFUSED[what]
    if what == "bomb":
        assert len(file) < 100_000
    before = tables.one("SELECT count(*) FROM avatars")
    began = time.monotonic()
    answer = send(ada, file)
    assert (answer.status_code, told in answer.text) == (status, True)
    assert 'id="picture-problem"' in answer.text
    assert time.monotonic() - began < 10
    assert shown(ada) is None
    assert tables.one("SELECT count(*) FROM avatars") == before


def body(*parts: tuple[bytes, bytes], end: bytes = b"--x--\r\n") -> bytes:
    """A multipart body of heads and contents, between lines of `x`."""
    return b"".join(b"--x\r\n" + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + end


OURS = b'Content-Disposition: form-data; name="picture"; filename="a.png"'
KIND = "multipart/form-data; boundary=x"
ODD = {
    "another-field": (KIND, body((b'Content-Disposition: form-data; name="was"', b"x")), 400),
    "a-second-part": (KIND, body((OURS, drawn()), (OURS, drawn())), 400),
    "no-name": (KIND, body((b"Content-Type: image/png", drawn())), 400),
    "no-end": (KIND, body((OURS, drawn()), end=b""), 400),
    "no-parts": (KIND, b"--x--\r\n", 400),
    "nothing": (KIND, b"", 400),
    "no-multipart": (KIND, b"picture=1", 400),
    "huge-file-name": (KIND, body((OURS[:-1] + b"a" * 9000 + b'"', drawn())), 400),
    "many-headers": (KIND, body((OURS + b"\r\nX: y" * 20, drawn())), 400),
    "a-charset": (f"{KIND}; charset=utf-7", body((OURS, drawn())), 415),
    "long-boundary": (f"multipart/form-data; boundary={'x' * 200}", b"", 415),
    "urlencoded": ("application/x-www-form-urlencoded", b"picture=1", 415),
    "json": ("application/json", b"{}", 415),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_form_of_ours_is_refused(ada: Browser, what: str) -> None:
    kind, data, status = ODD[what]
    answer = ada.http.post("/profile/picture", content=data, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert shown(ada) is None


def test_the_bounds_are_of_this_route_alone(site: AppServer, ada: Browser) -> None:
    file = {"picture": ("a.png", drawn())}
    for path in ("/profile/name", "/profile/picture/", "/profile/picture/remove", "/sessions"):
        assert ada.http.post(path, files=file).status_code == 415
    form = {"name": "a" * 100_000}
    assert ada.http.post("/profile/name", data=form).status_code == 413
    assert ada.http.get("/profile/picture").status_code == 405
    assert ada.http.put("/profile/picture", files=file).status_code in (405, 415)
    odd = "x" * 200
    named = ada.http.post("/profile/picture", files={"picture": (f"../\u202e{odd}.svg", drawn())})
    assert named.status_code == 204, "what a file is called doesn't matter"


def test_who_may(site: AppServer, ada: Browser) -> None:
    file = {"picture": ("a.png", drawn())}
    assert Browser(site.url).http.post("/profile/picture", files=file).status_code == 401
    assert Browser(site.url).http.post("/profile/picture/remove").status_code == 401
    foreign = ada.http.post(
        "/profile/picture", files=file, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert shown(ada) is None
    for odd in ("nothing", str(uuid4()), "%00", "a" * 400):
        assert outside("GET", f"{site.url}/avatars/{odd}.webp").status_code == 404


def test_five_uploads_a_minute(make_server_in: MakeServer) -> None:
    eve = Browser(make_server_in(RATE_LIMIT_FACTOR="1").url)
    eve.sign_in("Eve")
    found = [send(eve, drawn()).status_code for _ in range(6)]
    assert found == [303] * 5 + [429]


HASTE = """
import os, uvicorn
from web.http import bounds as b
b.BODY_TIMEOUT_S, b.UPLOAD_TIMEOUT_S = 0.3, 1.0
uvicorn.main(['app:app', '--port', os.environ['PORT']])
"""


def test_an_upload_has_longer_and_not_for_ever(make_server_in: MakeServer) -> None:
    hasty = make_server_in(command=[sys.executable, "-c", HASTE])
    eve = Browser(hasty.url)
    eve.sign_in("Eve")
    key = eve.http.cookies["sessions_login"]
    head = f"Host: localhost\r\nSec-Fetch-Site: same-origin\r\nCookie: sessions_login={key}\r\n"
    took = {}
    for path, kind in (
        ("/profile/name", "application/x-www-form-urlencoded"),
        ("/profile/picture", KIND),
    ):
        with Line(hasty) as line:
            line.send(f"POST {path} HTTP/1.1\r\n{head}Content-Type: {kind}\r\n")
            line.send("Content-Length: 1000\r\n\r\n-")
            assert line.answer()[0] == 408, path
            took[path] = line.age
    assert took["/profile/picture"] >= 1.0 > took["/profile/name"] >= 0.3


@pytest.mark.browser
async def test_who_sees_somebody_sees_their_picture_and_nobody_else(
    site: AppServer, browsers: Browsers
) -> None:
    def gather() -> tuple[dict[str, Browser], str]:
        people = {who: Browser(site.url) for who in ("ada", "guest", "knocks", "eve", "nobody")}
        people["ada"].sign_in(f"Ada {uuid4().hex[:8]}")
        people["eve"].sign_in("Eve")
        slug = people["ada"].start_session("Pictures", admission="KNOCK")
        for who in ("guest", "knocks"):
            people[who].be_guest(slug, who)
            people[who].knock(slug)
        return people, slug

    people, slug = await asyncio.to_thread(gather)
    ada, guest = people["ada"], people["guest"]
    tables = Tables(site.database_url)
    admit = "UPDATE participants SET state = 'ADMITTED' WHERE name = 'guest'"
    await asyncio.to_thread(tables, admit)
    page = guest.page(slug)
    await page.connect()
    hers = ada.page(slug)
    await hers.connect()

    def avatar() -> object:
        latest = page.of_type("people")[-1]["people"]
        return next((one["avatar"] for one in latest if one["name"] != "guest"), "nobody")

    await page.until(lambda: page.of_type("people") and avatar() is None)
    await asyncio.to_thread(send, ada, drawn())
    await page.until(lambda: avatar() is not None)
    address = f"/avatars/{avatar()}.webp"
    assert address == await asyncio.to_thread(shown, ada)

    def seen() -> dict[str, int]:
        return {who: one.http.get(address).status_code for who, one in people.items()}

    no = {"knocks": 404, "eve": 404, "nobody": 404}
    assert await asyncio.to_thread(seen) == no | {"ada": 200, "guest": 200}
    await asyncio.to_thread(_make_member, tables, "Eve", slug)
    assert (await asyncio.to_thread(seen))["eve"] == 200, "a member of her space"

    # Who came to a session of another space is seen by its members, who aren't there themselves.
    def look_elsewhere() -> tuple[Visitor, str, object]:
        name = f"Bob {uuid4().hex[:8]}"
        bob = Browser(site.url).sign_in(name)
        elsewhere = Browser(site.url).sign_in("Zoe").start_session("Of another space")
        _make_member(tables, name, elsewhere)
        assert bob.http.get(address).status_code == 404
        space = tables.one("SELECT space_id FROM sessions WHERE slug = $1", elsewhere)
        return bob, elsewhere, space

    bob, elsewhere, space = await asyncio.to_thread(look_elsewhere)
    visit = ada.page(elsewhere)
    await visit.connect()
    assert (await asyncio.to_thread(bob.http.get, address)).status_code == 200
    assert address in (await asyncio.to_thread(bob.http.get, f"/sessions?space={space}")).text
    await visit.leave()

    # In a tile and in the list of a browser, and initials again once it is taken away.
    room = await browsers.page()
    key = guest.http.cookies["sessions_login"]
    await room.context.add_cookies([{"name": "sessions_login", "value": key, "url": site.url}])
    await room.goto(f"{site.url}/s/{slug}")
    await room.locator("[data-join=listen]").click()
    for place in (".tile-initials img", ".person .avatar img"):
        image = room.locator(place).first
        await expect(image).to_have_attribute("src", address)
    await hers.leave()
    again = ada.page(slug)
    await again.connect()
    await asyncio.to_thread(ada.http.post, "/profile/picture/remove")
    await expect(room.locator(".tile-initials img")).to_have_count(0)
    assert await asyncio.to_thread(lambda: ada.http.get(address).status_code) == 404
    await again.leave()
    await page.leave()
    assert not browsers.errors


def _make_member(tables: Tables, name: str, slug: str) -> None:
    tables(
        "INSERT INTO members (space_id, user_id, role) SELECT s.space_id, u.id, 'MEMBER'"
        " FROM sessions s, users u WHERE s.slug = $1 AND u.name = $2",
        *(slug, name),
    )
