"""`import-previous`: what the replaced product has is copied, once, all of it or nothing."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import MakeServer
from tests.support import forked
from tests.support.app_server import AppServer
from tests.support.forked import ForkedServer
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import WAIT_TIMEOUT_S, until

OLD = (Path(__file__).parent / "previous-product.sql").read_text()
EVERYTHING = (
    *("users", "accounts", "spaces", "members", "sessions", "participants", "utterances"),
    *("streams", "analyses", "imported"),
)
ADA = "ada.lovelace@example.com"


class Importer:
    """The command in a folder of its own."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.environ = {"DATABASE_URL": database, "DATA_DIR": str(folder), "LANG": "C.UTF-8"}

    def begin(self, options: str = "", **environ: str) -> ForkedServer:
        environment, log = self.environ | environ, self.folder / "told"
        return ForkedServer(environment, log, self._command(options), self.folder)

    @staticmethod
    def _command(options: str) -> str:
        return f"import-previous {options}".strip()

    def __call__(self, options: str = "", **environ: str) -> tuple[int, str]:
        """Run it; return how it ended and what it said."""
        return forked.run(self._command(options), self.folder, self.environ | environ)


def rows(url: str) -> dict[str, list[str]]:
    """All that there is in our tables."""
    tables = Tables(url)
    return {
        one: sorted(str(dict(row)) for row in tables(f"SELECT * FROM sessions.{one}"))
        for one in EVERYTHING
    }


def counts(told: str) -> dict[str, tuple[int, ...]]:
    """The numbers of the report by the first word of their line."""
    found = re.findall(r"^(\w+)[^\d\n]*?((?: +\d+){4})$", told, re.M)
    return {name: tuple(map(int, numbers.split())) for name, numbers in found}


@pytest.fixture
def old(make_database: Callable[[], str]) -> str:
    """A database where the replaced product has its tables."""
    url = make_database()
    Tables(url).script(f"SET search_path TO public; {OLD}")
    return url


@pytest.fixture(scope="module")
def first(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, str]]:
    """A database after a trial, the import itself and a second one, and what each of them said."""
    url = make_database()
    Tables(url).script(f"SET search_path TO public; {OLD}")
    old = Tables(url)('SELECT md5(CAST(array_agg(t) AS text)) FROM "TranscriptSegment" t')
    run, said = Importer(tmp_path_factory.mktemp("import"), url), {}
    for name, options in (("trial", "--dry-run"), ("first", ""), ("again", "--lang ru")):
        before = rows(url) if name != "trial" else {}
        code, said[name] = run(options)
        assert code == 0, said[name]
        if name == "trial":
            assert not any(rows(url).values()), "a trial copies nothing"
        if name == "again":
            assert rows(url) == before, "a second run changes nothing"
    assert old == Tables(url)('SELECT md5(CAST(array_agg(t) AS text)) FROM "TranscriptSegment" t')
    return url, said


@pytest.fixture(scope="module")
def place(first: tuple[str, dict[str, str]], make_server_in: MakeServer) -> AppServer:
    """Sessions on what was imported; Ada may sign in as in development, too."""
    Tables(first[0])(
        "INSERT INTO accounts SELECT 'development', email, id FROM users WHERE email = $1", ADA
    )
    return make_server_in(DATABASE_URL=first[0], SPACE_MINUTES_PER_DAY="600")


def slug_of(place: AppServer, title: str) -> str:
    slug: str = Tables(place.database_url).one("SELECT slug FROM sessions WHERE title = $1", title)
    return slug


def test_what_was_copied_and_what_was_not_is_told(first: tuple[str, dict[str, str]]) -> None:
    trial, told = first[1]["trial"], first[1]["first"]
    assert counts(told) == {
        "users": (6, 5, 0, 1),
        "spaces": (4, 4, 0, 0),
        "members": (7, 4, 0, 3),
        "sessions": (9, 6, 0, 3),
        "participants": (8, 5, 0, 3),
        "utterances": (13, 8, 0, 5),
        "accounts": (5, 4, 0, 1),
        "analyses": (2, 2, 0, 0),
    }
    assert counts(trial) == counts(told)
    assert "This was a trial: nothing was copied." in trial
    assert "The old tables are as they were." in told
    for line in (
        "sessions of a space that isn’t there: 1 (v_orphan)",
        "sessions that somebody may still be in (they showed life within 30 minutes): run this"
        " again once they are over: 1 (v_live)",
        "utterances of a session that isn’t there: 2 (t11, t12)",
        "drafts of utterances that never became final: 1 (t6)",
        "accounts of usage of a session or participant that isn’t there: 1 (c3)",
        "users with the address of an older one in other letters: they are one now: 1 (u_grace_2)",
        "sessions that nobody had ended: they ended when they last showed a sign of life: 1 (v_st",
        "utterances that were cut at 20,000 characters: 1 (t13)",
        "the cost that was reckoned there: 0.22 in all",
    ):
        assert line in told
    again = first[1]["again"]
    assert "Нового для копирования не нашлось." in again
    assert re.search(r"^реплики +13 +0 +8 +5$", again, re.M)
    assert "v_stale" not in again, "what was mended is told once"


def test_its_transcripts_are_read_with_what_ai_made_of_them(place: AppServer) -> None:
    ada = Visitor(place.url).sign_in("Ada Lovelace")
    home = ada.http.get("/").text
    assert "Weekly" in home
    assert "Found by AI" in home, "a session without a title has the one that AI gave it"
    assert "Orphan" not in home
    assert "Tomorrow" not in home
    page = ada.http.get(f"/s/{slug_of(place, 'Weekly')}").text
    for said in (
        *("30 min", "The first sentence, which is a bit longer", "1:08", "Бабушка 👵"),
        *("Said under another identity 👩🏽‍🚀", "Line break   and \\u0000", "Nobody knows whose"),
        *("Planning the engine", "We decided to build it.", "Punched cards", "10:00"),
        *("Draw the mill · Ada", "Order brass", "Too dear", "Without a time"),
        "has used 0 of the 600 minutes",
    ):
        assert said in page, said
    for unsaid in ("A draft", "somebody renamed me", "Of no session"):
        assert unsaid not in page
    assert "0.10" in page, "the cost is what it was there"
    stale = ada.http.get(f"/s/{slug_of(place, 'Found by AI')}").text
    assert "In short" not in stale, "there is nothing but the title"
    text = ada.http.get(f"/s/{slug_of(place, 'Weekly')}/transcript.txt").text
    assert "[00:00:56] Ada Lovelace: The first sentence" in text


def test_somebody_else_sees_nothing_of_it_and_old_links_lead_nowhere(place: AppServer) -> None:
    eve = Visitor(place.url).sign_in("Eve")
    weekly = slug_of(place, "Weekly")
    assert eve.http.get(f"/s/{weekly}").status_code == 403
    assert eve.http.get(f"/s/{weekly}/transcript.txt").status_code == 403
    assert "Weekly" not in eve.http.get("/").text
    assert eve.http.get("/s/aB3_-xYz").status_code == 404
    assert eve.http.get("/s/stale123").status_code == 404


def test_rights_are_what_spaces_say_and_not_what_people_wrote(place: AppServer) -> None:
    tables = Tables(place.database_url)
    roles = tables(
        """
        SELECT p.name, p.role, p.left_at IS NOT NULL AS left FROM participants p
        JOIN sessions s ON s.id = p.session_id WHERE s.title = 'Weekly' ORDER BY p.name, p.role
        """
    )
    assert [(one["name"], one["role"]) for one in roles] == [
        ("Ada Lovelace", "HOST"),
        ("Grace Hopper", "MEMBER"),
        ("Somebody", "GUEST"),
        ("Somebody", "GUEST"),
        ("Бабушка 👵", "GUEST"),
    ]
    assert all(one["left"] for one in roles)
    assert tables.one("SELECT count(*) FROM accounts WHERE provider = 'google'") == 1
    assert tables.one("SELECT count(*) FROM sessions WHERE status IN ('CREATED', 'LIVE')") == 0


def test_a_later_run_adds_what_is_new_and_brings_nothing_back(
    old: str, make_database: Callable[[], str], tmp_path: Path
) -> None:
    ours = make_database()
    run, tables, there = Importer(tmp_path, ours), Tables(ours), Tables(old)
    # The old tables are in another database, without some columns, and in another schema.
    there.script(
        """
        ALTER TABLE "VideoSession" DROP COLUMN "aiTopicsJson", DROP COLUMN "endReason",
            DROP COLUMN "lastActivityAt";
        ALTER TABLE "TranscriptSegment" RENAME COLUMN "videoSessionId" TO "sessionId";
        DROP TABLE "Account"; DROP TABLE "SessionAnalysis"; DROP TABLE "TranscriptionUsage";
        ALTER SCHEMA public RENAME TO product; CREATE SCHEMA public
        """
    )
    code, told = run(f"--from {old}&schema=product")
    assert code == 0, told
    assert counts(told)["utterances"] == (13, 8, 0, 5)
    tables("DELETE FROM sessions WHERE title = 'Weekly'")
    tables(
        "DELETE FROM members USING users u WHERE u.id = user_id AND u.email = 'emoji@example.com'"
    )
    there.script(
        """
        SET search_path TO product;
        UPDATE "VideoSession" SET status = 'ENDED', "endedAt" = "createdAt" + interval '5 min'
            WHERE id = 'v_live';
        INSERT INTO "TranscriptSegment" (id, "sessionId", "participantId", "utteranceId", text,
            "isFinal", "startedAt") VALUES
            ('n1', 'v_stale', 'p_stale', '0_2', 'Again.', true, '2026-03-09 10:00'),
            ('n2', 'v_ended', 'p_a1', '0_99', 'To what was deleted here.', true, '2026-03-09');
        """
    )
    code, told = run(f"--from {old} --from-schema product")
    assert code == 0, told
    assert counts(told)["sessions"] == (9, 1, 6, 2)
    assert counts(told)["utterances"][1] == 1
    assert counts(told)["members"][1] == 0
    assert tables.one("SELECT count(*) FROM sessions WHERE title = 'Weekly'") == 0
    again = tables(
        """
        SELECT u.seq, s.ended_at FROM utterances u JOIN sessions s ON s.id = u.session_id
        WHERE u.text = 'Again.'
        """
    )
    assert [(one["seq"], str(one["ended_at"])[:10]) for one in again] == [(2, "2026-03-09")]


def test_who_is_here_already_is_not_copied_beside_themselves(old: str, tmp_path: Path) -> None:
    run, tables = Importer(tmp_path, old), Tables(old)
    run("--dry-run")  # makes our tables
    tables.script(
        """
        INSERT INTO users (id, name, email, hue) VALUES
            ('11111111-1111-4111-8111-111111111111', 'Ada', 'new.address@example.com', 1),
            ('22222222-2222-4222-8222-222222222222', 'Grace', 'grace@example.com', 2),
            ('33333333-3333-4333-8333-333333333333', 'Not Zoë', 'emoji@example.com', 3);
        INSERT INTO accounts (provider, subject, user_id) VALUES
            ('google', '1001', '11111111-1111-4111-8111-111111111111'),
            ('google', '9999', '22222222-2222-4222-8222-222222222222'),
            ('development', 'x', '33333333-3333-4333-8333-333333333333');
        """
    )
    code, told = run()
    assert code == 0, told
    assert counts(told)["users"] == (6, 3, 3, 0)
    owners = tables(
        """
        SELECT CAST(m.user_id AS text) FROM members m JOIN spaces s ON s.id = m.space_id
        WHERE s.name = 'The team' ORDER BY 1
        """
    )
    assert [one["user_id"][0] for one in owners] == ["1", "2"]
    assert tables.one("SELECT count(*) FROM users WHERE email = 'emoji@example.com'") == 2


def test_what_cannot_be_read_is_told_in_a_sentence(
    old: str, make_database: Callable[[], str], tmp_path: Path
) -> None:
    empty = make_database()
    run = Importer(tmp_path, empty)
    code, told = run()
    assert code == 1
    assert "Nothing was copied: the schema public of that database has no tables" in told
    code, told = run(f"--from {old} --from-schema elsewhere --lang ru")
    assert code == 1
    assert "Ничего не скопировано: в схеме elsewhere этой базы данных нет таблиц" in told
    code, told = run(f"--from {old.replace('/data', '/nowhere')}")
    assert code == 1
    assert "can't be reached" in told
    code, told = run("--from mysql://x/y")
    assert code == 2
    assert "must start with postgresql://" in told
    code, told = run(DATABASE_URL="")
    assert code == 1
    assert "name their address with --from" in told
    who = f"reader_{tmp_path.name.replace('-', '_')}"
    Tables(old).script(f'CREATE ROLE {who} LOGIN; GRANT SELECT ON "User" TO {who}')  # not all
    code, told = run(f"--from {old.replace('//postgres:', f'//{who}:')}")
    assert code == 1
    assert "do all of it (permission denied for table Account)" in told
    assert not any(rows(empty).values())


@pytest.mark.parametrize("how", ["interrupted", "cut off"])
async def test_what_ends_in_the_middle_leaves_nothing(old: str, tmp_path: Path, how: str) -> None:
    run = Importer(tmp_path, old)
    keeper = await asyncpg.connect(**Tables(old).where)
    reading = """
        SELECT pid FROM pg_locks WHERE relation = '"TranscriptSegment"'::regclass AND NOT granted
    """
    try:
        async with keeper.transaction():
            await keeper.execute('LOCK TABLE "TranscriptSegment"')
            process = await asyncio.to_thread(run.begin)

            async def in_the_middle() -> bool:
                return bool(await keeper.fetchval(reading))

            await until(in_the_middle)
            if how == "interrupted":
                process.send_signal(signal.SIGINT)
            else:
                await keeper.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """
                )
            code = await asyncio.to_thread(process.wait, WAIT_TIMEOUT_S)
    finally:
        await keeper.close()
    told = (tmp_path / "told").read_text()
    assert code == 1
    assert "Traceback" not in told
    wanted = "Stopped before it was done." if how == "interrupted" else "Nothing was copied: Postgr"
    assert wanted in told
    left = await asyncio.to_thread(rows, old)
    assert not any(left.values())
    (tmp_path / "told").unlink()
    assert (await asyncio.to_thread(run))[0] == 0, "and it can be done again"
