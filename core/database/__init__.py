"""PostgreSQL: the pool to the one at `DATABASE_URL`, or one embedded in the data folder."""

from core.database.embedded import EmbeddedPostgres
from core.database.errors import DatabaseAwayError, DatabaseStartError, SlowStatementError
from core.database.pool import Database, Row

__all__ = [
    "Database",
    "DatabaseAwayError",
    "DatabaseStartError",
    "EmbeddedPostgres",
    "Row",
    "SlowStatementError",
]
