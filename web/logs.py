"""Keeps secrets out of uvicorn's access log."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"((?:token|code|state)=)[^&\s\"']+")


class _Redact(logging.Filter):
    """Replaces secrets in the query strings that uvicorn logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _TOKEN.sub(r"\1…", arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True


def redact_tokens() -> None:
    """Let no token, code or state of a query string into the log."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Redact) for one in logger.filters):
            logger.addFilter(_Redact())
