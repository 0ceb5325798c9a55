"""Months: their names, and how an address names one."""

from __future__ import annotations

import re
from datetime import date

from core.words import N_
from web.words import gettext

NAMES = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)
_WRITTEN = re.compile(r"(2\d{3})-(0[1-9]|1[0-2])", re.ASCII)


def name_of(month: date) -> str:
    """Return what a month is called, such as November 2026."""
    return f"{gettext(NAMES[month.month - 1])} {month.year}"


def written(month: date) -> str:
    """Return a month as an address has it, such as 2026-11."""
    return f"{month:%Y-%m}"


def read(text: str) -> date | None:
    """Return the first day of a month that an address names; None where it names none."""
    found = _WRITTEN.fullmatch(text)
    return date(int(found[1]), int(found[2]), 1) if found else None
