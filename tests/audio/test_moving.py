"""Sound moves into a bucket, is heard from there, and goes for good with what it belongs to."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterator

import pytest

from tests.audio.kept import JSON, Kept, over, says
from tests.conftest import MakeServer
from tests.emulators import s3
from tests.emulators.gladia import GladiaEmulator
from tests.speech.gladia_rooms import WORDS, beside
from tests.support.app_server import AppServer
from tests.support.visitors import Visitor
from tests.support.waiting import until

PLACE = "SELECT place FROM recordings WHERE id = $1::uuid"
NOTES = "SELECT place FROM discarded_recordings"
LAST_NOTE = """
    INSERT INTO discarded_recordings (id, session_id, place)
    SELECT gen_random_uuid(), session_id, $2 FROM recordings WHERE id = $1::uuid RETURNING id
"""
THIS_NOTE = "SELECT FROM discarded_recordings WHERE id = $1"
# A minute passes, after which what failed is tried again, and what was moved leaves the disk.
LATER = (
    "UPDATE recordings SET tried_at = now() - interval '1 hour'",
    "UPDATE discarded_recordings SET tried_at = now() - interval '1 hour'",
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.S3]:
    with s3.S3("/sound") as running:
        yield running


@pytest.fixture(scope="module")
def place(gladia: GladiaEmulator, bucket: s3.S3, make_server_in: MakeServer) -> Iterator[AppServer]:
    yield from beside(gladia, make_server_in, **bucket.settings)


class Moving:
    """A session whose sound moves, once somebody has `said` something in it."""

    def __init__(self, place: AppServer, bucket: s3.S3) -> None:
        self.kept, self.bucket = Kept(place), bucket
        self.recording = self.key = ""

    async def said(self) -> None:
        """Say something, end the session, and wait until the database knows the file."""
        async with self.kept.page(self.kept.owner) as page:
            await says(page, *WORDS[:3])
        await over(self.kept)
        [(self.recording, _, _)] = await asyncio.to_thread(self.kept.rows)
        session = await asyncio.to_thread(
            self.kept.tables.one, "SELECT id FROM sessions WHERE slug = $1", self.kept.slug
        )
        self.key = f"sound/{session}/{self.recording}.opus"

    async def later(self) -> None:
        for statement in LATER:
            await asyncio.to_thread(self.kept.tables, statement)

    async def moved(self) -> None:
        await until(lambda: asyncio.to_thread(self._is_moved))

    def _is_moved(self) -> bool:
        return str(self.kept.tables.one(PLACE, self.recording)) == f"bucket:{self.bucket.url}"

    async def off_the_disk(self) -> None:
        files = await asyncio.to_thread(self.kept.files)
        await self.later()
        await until(lambda: not any(one.exists() for one in files))

    async def hear(self, **headers: str) -> tuple[int, bytes]:
        answer = await asyncio.to_thread(
            lambda: self.kept.hear(self.kept.owner, self.recording, **headers)
        )
        return answer.status_code, answer.content

    async def delete(self) -> None:
        address = f"/s/{self.kept.slug}/delete"
        answer = await asyncio.to_thread(lambda: self.kept.owner.http.post(address, headers=JSON))
        assert answer.status_code == 204

    async def notes(self) -> list[str]:
        return [row[0] for row in await asyncio.to_thread(self.kept.tables, NOTES)]

    async def only_note(self, place: str) -> bool:
        return await self.notes() == [place]

    async def all_discarded(self) -> None:
        """Wait until all was deleted that a note lets go, by one more that comes last."""
        disk = "disk:" + (self.kept.place.data_dir / "audio" / "name").read_text()
        [row] = await asyncio.to_thread(self.kept.tables, LAST_NOTE, self.recording, disk)
        await until(lambda: asyncio.to_thread(lambda: not self.kept.tables(THIS_NOTE, row["id"])))

    async def nothing_left(self) -> None:
        """Wait until neither the object nor a note of it is there."""
        await until(lambda: self.key not in self.bucket.objects)
        await until(self.no_notes)

    async def no_notes(self) -> bool:
        return await self.notes() == []


@pytest.fixture
def moving(place: AppServer, bucket: s3.S3) -> Moving:
    return Moving(place, bucket)


def in_archive(kept: Kept) -> list[bytes]:
    saved = kept.owner.http.get(f"/spaces/{kept.space}/archive.zip")
    with zipfile.ZipFile(io.BytesIO(saved.content)) as archive:
        return [archive.read(name) for name in archive.namelist() if "/audio/" in name]


async def test_it_is_heard_from_there_and_goes_though_the_bucket_was_away(
    moving: Moving, bucket: s3.S3, place: AppServer
) -> None:
    await moving.said()
    await moving.moved()
    await moving.off_the_disk()
    whole = bucket.objects[moving.key]
    assert whole.startswith(b"OggS")
    assert await moving.hear() == (200, whole)
    assert await moving.hear(Range="bytes=10-99") == (206, whole[10:100])
    assert await moving.hear(Range="bytes=-7") == (206, whole[-7:])
    assert await asyncio.to_thread(in_archive, moving.kept) == [whole]
    stranger = await asyncio.to_thread(Visitor(place.url).sign_in, "Stranger")
    refused = await asyncio.to_thread(moving.kept.hear, stranger, moving.recording)
    assert refused.status_code == 404
    del bucket.objects[moving.key]  # whose bucket it is may delete what they like
    assert (await moving.hear())[0] == 404
    assert await asyncio.to_thread(in_archive, moving.kept) == []
    bucket.objects[moving.key] = whole
    bucket.stop()
    answer = await asyncio.to_thread(moving.kept.hear, moving.kept.owner, moving.recording)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.json()["error"]["code"] == "sound_away"
    await moving.delete()
    await until(lambda: "a recording can't be deleted yet" in place.log)
    assert await moving.notes() == [f"bucket:{bucket.url}"]
    assert moving.key in bucket.objects
    bucket.start()
    await moving.later()
    await moving.nothing_left()


async def test_it_waits_on_the_disk_while_the_bucket_cannot_be_used(
    moving: Moving, bucket: s3.S3, place: AppServer
) -> None:
    bucket.stop()
    await moving.said()
    await until(lambda: "recordings wait in DATA_DIR" in place.log)
    status, whole = await moving.hear()
    assert (status, whole[:4]) == (200, b"OggS")
    bucket.keys = {s3.KEY_ID: "another secret"}
    bucket.start()
    await moving.later()
    await until(lambda: "it answered 403 (SignatureDoesNotMatch)" in place.log)
    assert moving.key not in bucket.objects
    assert await moving.hear() == (200, whole)
    bucket.keys = {s3.KEY_ID: s3.SECRET}
    await moving.later()
    await moving.moved()
    await moving.off_the_disk()
    assert await moving.hear() == (200, whole)
    await moving.delete()
    await moving.later()
    await moving.nothing_left()
    assert s3.SECRET not in place.log


@pytest.mark.parametrize("deleted", [False, True], ids=["stays", "is deleted"])
async def test_a_crash_in_mid_move_loses_nothing_and_leaves_nothing(
    moving: Moving, bucket: s3.S3, place: AppServer, deleted: bool
) -> None:
    bucket.answers.clear()
    await moving.said()
    await until(lambda: moving.key in bucket.objects)
    await asyncio.to_thread(place.kill)
    bucket.answers.set()
    await asyncio.to_thread(place.start)
    assert not await asyncio.to_thread(moving._is_moved)
    if deleted:
        await moving.delete()
        await moving.later()
        await moving.nothing_left()
        return
    await moving.later()
    await moving.moved()
    await moving.off_the_disk()
    await until(moving.no_notes)
    assert await moving.hear() == (200, bucket.objects[moving.key])
    await moving.delete()
    await moving.nothing_left()


async def test_two_processes_move_one_file_at_the_same_time(
    moving: Moving,
    bucket: s3.S3,
    place: AppServer,
    gladia: GladiaEmulator,
    make_server: MakeServer,
) -> None:
    """The first one's move was held up for longer than anybody waits for it."""
    bucket.answers.clear()
    await moving.said()
    await until(lambda: bucket.stored.count(moving.key) == 1)
    [file] = await asyncio.to_thread(moving.kept.files)
    whole = file.read_bytes()
    shared = {"data_dir": place.data_dir, "DATABASE_URL": place.database_url}
    speech = {"GLADIA_API_KEY": gladia.api_key, "GLADIA_API_URL": gladia.url}
    other = await asyncio.to_thread(make_server, **shared, **speech, **bucket.settings)
    await moving.later()
    await until(lambda: bucket.stored.count(moving.key) == 2)  # the first waits for its answer
    bucket.answers.set()
    await moving.moved()
    await moving.off_the_disk()
    # Who came second takes what it brought for nobody's: it is that of the row all the same.
    await until(lambda: moving.only_note(f"bucket:{bucket.url}"))
    await moving.later()
    await moving.all_discarded()
    assert await asyncio.to_thread(moving._is_moved)
    assert bucket.objects[moving.key] == whole
    assert [key for key in bucket.objects if moving.recording in key] == [moving.key]
    assert await moving.hear() == (200, whole)
    await asyncio.to_thread(other.stop)
    await moving.delete()
    await moving.later()
    await moving.nothing_left()
