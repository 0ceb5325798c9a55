"""What callers are told of a database that can't be used."""

from __future__ import annotations

from core.problems import ProblemError
from core.starting import StartError


class DatabaseAwayError(ProblemError):
    """PostgreSQL can't be reached or doesn't answer. Nothing is known about the statement."""

    status, code, retry_after = 503, "database_away", 5


class DatabaseRefusesError(DatabaseAwayError):
    """PostgreSQL answers, and takes nothing: it is read-only or full. Nothing was changed."""

    code = "database_refuses"


class DatabaseStartError(StartError):
    """PostgreSQL can't be used."""


class SlowStatementError(Exception):
    """A question took longer than whoever asked it allows: see `Database.fetch_within`."""
