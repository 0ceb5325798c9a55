"""What is set and what was found, for a terminal and for programs; /setup has it as a page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core import checks
from core.checks import Outcome
from core.settings import Finding, advice, checklist, render_checklist, would_start
from core.words import N_
from web.words import gettext, said

STATES: Mapping[checks.State, str] = {
    "ok": N_("well"),
    "note": N_("note"),
    "failed": N_("failed"),
    "skipped": N_("not asked"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """All that `check` tells of an environment, as production would have it."""

    findings: list[Finding]
    outcomes: list[Outcome]  # empty: nothing was asked
    notes: list[str]  # sentences, in the reader's language

    @property
    def starts(self) -> bool:
        """Whether production would start."""
        return would_start(self.findings)

    @property
    def wrong(self) -> list[str]:
        """The variables to set or to correct."""
        return [one.variable.name for one in self.findings if one.state in {"missing", "invalid"}]

    @property
    def failed(self) -> list[Outcome]:
        """What doesn't work."""
        return [one for one in self.outcomes if one.state == "failed"]

    @property
    def well(self) -> bool:
        """Whether nothing is left to do."""
        return self.starts and not self.failed

    @property
    def groups(self) -> list[tuple[str, list[Finding]]]:
        """The variables in their groups."""
        grouped = itertools.groupby(self.findings, lambda one: one.variable.group)
        return [(name, list(those)) for name, those in grouped]


def report(environ: Mapping[str, str], outcomes: list[Outcome]) -> Report:
    """Put together what there is to say."""
    notes = [said(words) for words in advice(environ)]
    return Report(checklist(environ, strict=True), outcomes, notes)


def as_text(told: Report) -> str:
    """Lay it out for a terminal."""
    parts = [
        f"{gettext(name)}\n{render_checklist(findings, said)}" for name, findings in told.groups
    ]
    if told.outcomes:
        width = max(len(gettext(word)) for word in STATES.values())
        lines = [line for one in told.outcomes for line in _lines(one, width)]
        parts.append("\n".join([gettext("Asked just now"), *lines]))
    parts += [gettext("Note: %(advice)s", advice=note) for note in told.notes]
    return "\n\n".join([*parts, outcome(told)])


def outcome(told: Report) -> str:
    """Say in a sentence or two what all of it comes to."""
    if told.starts:
        first = gettext("Production would start.")
    else:
        first = gettext(
            "Production would not start. Set or correct: %(those)s.", those=", ".join(told.wrong)
        )
    if not told.failed:
        return first
    names = dict.fromkeys(gettext(checks.TITLES[one.check]) for one in told.failed)
    return f"{first} {gettext('What doesn’t work: %(those)s.', those=', '.join(names))}"


def trouble(one: Outcome) -> list[str]:
    """Return what is to be said of an outcome, a sentence or part of one a line."""
    title = gettext(checks.TITLES[one.check])
    todo = [f"→ {said(one.todo)}"] if one.todo else []
    return [f"{title}: {said(one.what)}", *([said(one.why)] if one.why else []), *todo]


def troubles(outcomes: list[Outcome]) -> str:
    """Return what doesn't work as lines below a start's table; nothing when all is well."""
    lines = ["  " + line for one in outcomes if one.state == "failed" for line in trouble(one)]
    return "\n".join([*lines, "", ""]) if lines else ""


def _lines(one: Outcome, width: int) -> Iterator[str]:
    first, *rest = trouble(one)
    yield f"{gettext(STATES[one.state]):{width}} {first}"
    yield from (f"{'':{width}} {line}" for line in rest)


def as_json(told: Report) -> dict[str, Any]:
    """Return it for programs: codes in English, sentences in the reader's language."""
    return {
        "well": told.well,
        "starts": told.starts,
        "settings": [_setting(one) for one in told.findings],
        "checks": [
            {
                "check": one.check,
                "state": one.state,
                "what": said(one.what),
                "why": one.why and said(one.why),
                "todo": one.todo and said(one.todo),
                "facts": dict(one.facts),
            }
            for one in told.outcomes
        ],
        "notes": told.notes,
    }


def _setting(finding: Finding) -> dict[str, Any]:
    source = finding.source
    return {
        "name": finding.variable.name,
        "group": finding.variable.group,
        "state": finding.state,
        "note": said(finding.note),
        "warning": finding.warning and said(finding.warning),
        "secret": finding.variable.secret,
        "source": source
        and {"name": source.name, "file": source.file, "env_file": source.env_file},
    }
