"""A schema of our own: made, moved into from `public`, looked in by every connection, or refused.

The cluster of the tests looks in our schema by itself; the databases here don't.
"""

from __future__ import annotations

import asyncio
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from core.database import Database, DatabaseStartError
from core.database import pool as pool_module
from tests.conftest import MakeServer
from tests.ops.test_schema import catalog
from tests.support.app_server import AppServer, free_port
from tests.support.postgres import Cluster
from tests.support.tables import Tables
from tests.support.visitors import Visitor
from tests.support.waiting import until
from web.starting import refusal

HERE = Path(__file__).parent
BEFORE = (HERE / "public-schema.sql").read_text()
ROWS = (HERE / "first-schema.sql").read_text().partition("-- What somebody did with it")[2]
ROWS = (
    ROWS.partition("\n")[2]
    + """
    INSERT INTO logins (key_digest, user_id, expires_at)
        SELECT '\\xabcd', id, now() + interval '1 day' FROM users;
    INSERT INTO rooms (session_id, node, epoch, renewed_at)
        SELECT id, 'before', 7, '-infinity' FROM sessions WHERE slug = 'goes-goes-goes-goes';
"""
)
# What the product that is replaced has beside ours, and somebody else.
OTHERS = """
    CREATE TABLE "User" (id text PRIMARY KEY, email text);
    INSERT INTO "User" VALUES ('c1', 'ada@example.com');
    CREATE TABLE "Session" (id text);
    CREATE TABLE notes (text text);
    CREATE VIEW titles AS SELECT title FROM sessions;
"""
IN_SCHEMA = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'v') ORDER BY c.relname
"""


def names_in(url: str, schema: str) -> list[str]:
    return [row["relname"] for row in Tables(url)(IN_SCHEMA, schema)]


@pytest.fixture
def plain(make_database: Callable[[], str]) -> str:
    """A database where whoever connects looks where PostgreSQL looks by itself."""
    url = make_database()
    name = Tables(url).where["database"]
    Tables(url).script(f'ALTER DATABASE {name} SET search_path TO "$user", public')
    return url


@pytest.fixture
def in_public(plain: str) -> str:
    """One that the release before has worked in."""
    Tables(plain).script(f"{BEFORE};{ROWS}")
    return plain


@asynccontextmanager
async def connected(url: str, schema: str = "sessions") -> AsyncIterator[Database]:
    db = Database(url, schema)
    await db.connect()
    try:
        yield db
    finally:
        await db.disconnect()


async def told(url: str, schema: str = "sessions") -> tuple[str, str]:
    """Return why it doesn't start, in English and in Russian."""
    db = Database(url, schema)
    with pytest.raises(DatabaseStartError) as problem:
        await db.connect()
    await db.disconnect()
    sentences = []
    for language in ("en", "ru"):
        with pytest.MonkeyPatch.context() as terminal:
            terminal.setenv("LANGUAGE", language)
            sentences.append(refusal(problem.value))
    return sentences[0], sentences[1]


def test_an_installation_in_public_is_moved_and_nothing_else(
    in_public: str, make_server: MakeServer, server: AppServer
) -> None:
    Tables(in_public).script(OTHERS)
    moved = make_server(DATABASE_URL=in_public)
    assert names_in(in_public, "public") == ["Session", "User", "notes", "titles"]
    name = Tables(in_public).where["database"]
    Tables(in_public).script(f"ALTER DATABASE {name} RESET search_path")  # names are as one looks
    assert catalog(in_public) == catalog(server.database_url)
    assert "moved from the schema public to sessions" in moved.log
    ada = Visitor(moved.url).sign_in("Ada Lovelace")
    page = ada.http.get("/s/over-over-over-over")
    assert page.status_code == 200
    assert "Good morning." in page.text
    assert Tables(in_public).one("SELECT epoch FROM sessions.rooms") == 7
    assert Tables(in_public).one("SELECT count(*) FROM public.titles") == 2
    assert Tables(in_public).one('SELECT email FROM "User"') == "ada@example.com"
    moved.stop()
    again = make_server(DATABASE_URL=in_public)  # a second start has nothing to move
    assert "moved" not in again.log
    assert Visitor(again.url).http.get("/health").json()["status"] == "ok"


def test_an_embedded_installation_is_moved(make_server: MakeServer) -> None:
    data = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    cluster = Cluster(data)  # a new one, made in a tenth of the time
    cluster.start()
    Tables(cluster.url()).script(f"SET search_path TO public; {BEFORE};{ROWS}")
    cluster.stop()
    (data / "data").rename(data / "postgres")
    data.chmod(0o700)
    server = make_server(data, DATABASE_URL="")
    try:
        ada = Visitor(server.url).sign_in("Ada Lovelace")
        assert "Is it on?" in ada.http.get("/s/over-over-over-over").text
        assert "moved from the schema public to sessions" in server.log
    finally:
        server.stop()
        shutil.rmtree(data)


async def test_a_schema_of_another_name_has_the_tables(in_public: str) -> None:
    async with connected(in_public, "meetings") as db:
        assert (await db.returning("SELECT count(*) AS n FROM users"))["n"] == 1
    assert await asyncio.to_thread(names_in, in_public, "public") == []


async def test_public_leaves_them_where_they_are(in_public: str) -> None:
    async with connected(in_public, "public") as db:
        assert (await db.returning("SELECT count(*) AS n FROM users"))["n"] == 1
    tables = await asyncio.to_thread(names_in, in_public, "public")
    assert "users" in tables
    assert "open_logins" in tables


async def test_another_programs_tables_in_public_are_not_ours_and_not_seen(plain: str) -> None:
    tables = Tables(plain)
    foreign = "CREATE TABLE users (id int, name text); CREATE TABLE rooms (id int)"
    await asyncio.to_thread(tables.script, foreign)
    async with connected(plain) as db:
        assert (await db.returning("SELECT count(*) AS n FROM users WHERE hue > 3"))["n"] == 0
        await db.execute("DROP TABLE sessions.rooms")
        with pytest.raises(asyncpg.UndefinedTableError):
            await db.execute("SELECT FROM rooms")
    assert await asyncio.to_thread(names_in, plain, "public") == ["rooms", "users"]


async def test_a_user_who_may_make_no_schema_uses_one_that_is_there(plain: str) -> None:
    tables = Tables(plain)
    who = f"limited_{time.monotonic_ns()}"
    await asyncio.to_thread(tables.script, f"CREATE ROLE {who} LOGIN")
    as_them = plain.replace("//postgres:", f"//{who}:")
    english, russian = await told(as_them)
    assert "make the schema sessions: have an administrator do it" in english
    assert "создать схему sessions: попросите администратора" in russian
    await asyncio.to_thread(tables.script, "CREATE SCHEMA sessions")
    english, russian = await told(as_them)
    assert "make tables in the schema sessions: make that user its owner" in english
    assert "создавать таблицы в схеме sessions: сделайте его" in russian
    await asyncio.to_thread(tables.script, f"ALTER SCHEMA sessions OWNER TO {who}")
    async with connected(as_them) as db:
        assert (await db.returning("SELECT count(*) AS n FROM users"))["n"] == 0


async def test_what_keeps_tables_from_being_moved_is_told_and_changes_nothing(
    in_public: str,
) -> None:
    tables = Tables(in_public)

    async def refused(how: str, undo: str, as_: str = in_public) -> tuple[str, str]:
        await asyncio.to_thread(tables.script, how)
        before = await asyncio.to_thread(names_in, in_public, "public")
        why = await told(as_)
        assert await asyncio.to_thread(names_in, in_public, "public") == before
        await asyncio.to_thread(tables.script, undo)
        return why

    taken = "CREATE SCHEMA sessions; CREATE TABLE sessions.users (id int)"
    english, russian = await refused(taken, "DROP SCHEMA sessions CASCADE")
    assert "to sessions, where another program has a table users: set DATABASE_SCHEMA" in english
    assert "в sessions, где у другой программы есть таблица users: задайте" in russian

    half = "CREATE SCHEMA sessions; ALTER TABLE utterances SET SCHEMA sessions"
    back = "ALTER TABLE sessions.utterances SET SCHEMA public; DROP SCHEMA sessions"
    english, russian = await refused(half, back)
    assert "of our tables are in the schema public and some in sessions (utterances)" in english
    assert "часть наших таблиц находится в схеме public, а часть в sessions (utt" in russian

    who = f"stranger_{time.monotonic_ns()}"
    stranger = f"CREATE ROLE {who} LOGIN; CREATE SCHEMA sessions AUTHORIZATION {who}"
    grant = f"{stranger}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {who}"
    as_them = in_public.replace("//postgres:", f"//{who}:")
    english, russian = await refused(grant, "DROP SCHEMA sessions", as_them)
    assert "move our tables from the schema public to sessions (must be owner of" in english
    assert "переместить наши таблицы из схемы public в sessions (must be owner of" in russian

    async with connected(in_public) as db:  # and all the same they can be, in the end
        assert (await db.returning("SELECT count(*) AS n FROM utterances"))["n"] == 3


async def test_tables_are_not_moved_from_under_a_room(
    in_public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = Tables(in_public)
    await asyncio.to_thread(tables, "UPDATE rooms SET renewed_at = now() + interval '1 hour'")
    with monkeypatch.context() as patch:
        patch.setattr(pool_module, "START_TIMEOUT_S", 0.0)
        english, russian = await told(in_public)
    assert "another process still serves a room from them: stop it first, or set" in english
    assert "другой процесс ещё обслуживает по ним встречу: сначала остановите его" in russian
    assert "users" in await asyncio.to_thread(names_in, in_public, "public")
    # It is waited for, as a process that is being replaced ends soon.
    db = Database(in_public)
    starting = asyncio.create_task(db.connect())
    await asyncio.sleep(0.2)
    assert not starting.done()
    await asyncio.to_thread(tables, "UPDATE rooms SET renewed_at = '-infinity'")
    await starting
    await db.disconnect()
    assert await asyncio.to_thread(names_in, in_public, "public") == []


async def test_what_is_left_behind_elsewhere_is_told(
    in_public: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(in_public):
        pass
    await asyncio.to_thread(Tables(in_public).script, BEFORE)  # a release before was started
    caplog.clear()
    async with connected(in_public) as db:
        assert (await db.returning("SELECT count(*) AS n FROM users"))["n"] == 1
    assert "tables of ours in the schema public, too: those in sessions are used" in caplog.text
    caplog.clear()
    async with connected(in_public, "mistyped"):
        pass
    assert "new tables are made in the schema mistyped, though" not in caplog.text, "moved"
    assert await asyncio.to_thread(names_in, in_public, "public") == []
    caplog.clear()
    async with connected(in_public, "mistyped_again"):
        pass
    assert "new tables are made in the schema mistyped_again, though" in caplog.text


# Poolers


@pytest.fixture(params=["refuses", "ignores"])
def pooler(
    request: pytest.FixtureRequest, postgres: Cluster, plain: str
) -> Iterator[tuple[str, Path]]:
    """PgBouncer with one connection for everybody, which changes hands after each transaction."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no PgBouncer here")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    where, port = Tables(plain).where, free_port()
    log = folder / "log"
    log.touch()
    log.chmod(0o666)
    ignored = "search_path" if request.param == "ignores" else ""
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host={where['host']} user=postgres\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"auth_file = {folder}/users\nlogfile = {log}\npool_mode = transaction\n"
        f"default_pool_size = 1\nignore_startup_parameters = extra_float_digits,{ignored}\n"
    )
    # Who gets to PostgreSQL's socket: the user that it runs as.
    account = pwd.getpwuid(Path(where["host"]).stat().st_uid).pw_name
    process = subprocess.Popen([program, "-u", account, str(folder / "ini")])
    yield f"postgresql://postgres@127.0.0.1:{port}/{where['database']}", log
    process.terminate()
    process.wait()
    shutil.rmtree(folder)


async def test_behind_a_pooler_each_statement_finds_our_tables(
    pooler: tuple[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    url, log = pooler
    await until(lambda: "process up" in log.read_text(), news=log.read_text)
    neighbour = await asyncpg.connect(url, statement_cache_size=0)
    async with connected(url) as db:
        assert "a pooler is between PostgreSQL and us" in caplog.text

        async def use(number: int) -> int:
            await db.execute("INSERT INTO spaces (name) VALUES (:name)", name=f"space {number}")
            async with db.transaction():
                row = await db.returning("SELECT count(*) AS n FROM spaces")
                await db.fetch_all("SELECT name FROM spaces WHERE name = :name", name="x")
            return int(row["n"])

        assert max(await asyncio.gather(*map(use, range(30)))) == 30
        # The connection that all share is as it was, for whoever has it next.
        assert await neighbour.fetchval("SHOW search_path") == '"$user", public'
        with pytest.raises(asyncpg.UniqueViolationError):
            await db.execute("INSERT INTO spaces (id, name) SELECT id, name FROM spaces LIMIT 1")
        assert (await db.returning("SELECT count(*) AS n FROM spaces"))["n"] == 30
    await neighbour.close()


async def test_an_address_that_says_it_is_a_pooler_is_believed(plain: str) -> None:
    async with connected(f"{plain}&pgbouncer=true") as db:
        assert (await db.returning("SELECT count(*) AS n FROM spaces"))["n"] == 0
        async with db.transaction():
            row = await db.returning("SELECT current_setting('search_path') AS path")
    assert row["path"] == "sessions"
