"""PostgreSQL: whether it is there, lets our user do what it must, how far away it is, its clock."""

from __future__ import annotations

from core.checks.outcome import Fact, Outcome, State
from core.database.looking import Seen, UnseenError, see
from core.settings import Settings
from core.words import N_, Words

OLDEST = 130_000  # PostgreSQL 13, as `server_version_num` has it
SLOW_MS = 50.0  # of a statement: a page asks for several, one after the other
MAX_SKEW_S = 5.0  # seconds; logins and leases are told by the database's clock, audio by ours
FULL = 0.9  # of the connections that the server allows

NOTHING_KEPT = N_(
    "Pages answer “The database is away”, and what is said waits in memory and in DATA_DIR."
)


async def look(settings: Settings) -> list[Outcome]:
    """Look at PostgreSQL."""
    if settings.database_url is None:
        what = Words(
            N_("an embedded PostgreSQL in %(folder)s"), folder=settings.data_dir / "postgres"
        )
        return [Outcome("database", "ok", what, facts={"embedded": True})]
    try:
        seen = await see(settings.database_url, settings.database_schema)
    except UnseenError as problem:
        todo = Words(N_("Start it, or correct DATABASE_URL."))
        return [Outcome("database", "failed", problem.words, Words(NOTHING_KEPT), todo)]
    facts: dict[str, Fact] = {
        "version": seen.version,
        "tls": seen.tls,
        "latency_ms": round(seen.latency_ms, 1),
        "clock_ahead_s": round(seen.clock_ahead_s, 1),
    }
    what = Words(
        N_(
            "PostgreSQL %(version)s, %(tls)s, %(ms)s ms away, clock %(clock)s s, tables: %(tables)s"
        ),
        version=seen.version,
        tls=seen.tls or Words(N_("without TLS")),
        ms=f"{seen.latency_ms:.1f}",
        clock=f"{seen.clock_ahead_s:+.1f}",
        tables=Words(N_("there")) if seen.ours else Words(N_("made at the next start")),
    )
    return [Outcome("database", "ok", what, facts=facts), *_troubles(seen, facts)]


def _troubles(seen: Seen, facts: dict[str, Fact]) -> list[Outcome]:
    """Return what is wrong though it answers."""
    found = []

    def tell(state: State, what: Words, why: str, todo: str) -> None:
        found.append(Outcome("database", state, what, Words(why), Words(todo), facts))

    if seen.number < OLDEST:
        tell(
            "failed",
            Words(N_("PostgreSQL %(version)s is too old: 13 is needed"), version=seen.version),
            NOTHING_KEPT,
            N_("Upgrade PostgreSQL."),
        )
    if seen.read_only:
        tell(
            "failed",
            Words(N_("PostgreSQL takes no writes: it is read-only")),
            NOTHING_KEPT,
            N_("Set DATABASE_URL to the primary server."),
        )
    if not seen.may_create and not seen.ours:
        tell(
            "failed",
            Words(N_("PostgreSQL doesn't let our user make tables")),
            NOTHING_KEPT,
            N_("Make the user in DATABASE_URL the owner of its database."),
        )
    if seen.encoding != "UTF8":
        tell(
            "failed",
            Words(N_("the database is in %(encoding)s, not in UTF-8"), encoding=seen.encoding),
            N_("Words in other letters can't be stored."),
            N_("Create a database with ENCODING 'UTF8'."),
        )
    if abs(seen.clock_ahead_s) > MAX_SKEW_S:
        tell(
            "note",
            Words(
                N_("the database's clock and this server's are %(seconds)s s apart"),
                seconds=f"{abs(seen.clock_ahead_s):.0f}",
            ),
            N_("Sign-ins and passes may run out early, and times in the transcript are off."),
            N_("Set both clocks by NTP (timedatectl set-ntp true)."),
        )
    if seen.latency_ms > SLOW_MS:
        tell(
            "note",
            Words(N_("a statement takes %(ms)s ms"), ms=f"{seen.latency_ms:.0f}"),
            N_("Every page waits for several of them."),
            N_("Use a database in the same place as this server."),
        )
    if seen.connections >= FULL * seen.max_connections:
        tell(
            "note",
            Words(
                N_("%(used)s of PostgreSQL's %(most)s connections are taken"),
                used=seen.connections,
                most=seen.max_connections,
            ),
            N_("Each process of Sessions takes up to 10, and without one pages answer 503."),
            N_("Raise max_connections, or put a pooler in front of PostgreSQL."),
        )
    return found
