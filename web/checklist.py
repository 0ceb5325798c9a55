"""What the core finds of the settings, in the words of whoever reads it at a terminal."""

from __future__ import annotations

from core.settings import Finding, SettingsError, render_checklist
from core.words import Words
from web.words import gettext, ngettext


def say(words: str) -> str:
    """Return words of the core in the reader's language; a value that somebody set, as it is."""
    if not isinstance(words, Words) or not words:
        return words
    return gettext(words.text, **{name: _value(one) for name, one in words.values.items()})


def _value(value: object) -> object:
    return say(value) if isinstance(value, Words) else value


def told(findings: list[Finding]) -> str:
    """Return the checklist."""
    return render_checklist(findings, say)


def refusal(problem: SettingsError) -> str:
    """Return why Sessions can't start."""
    if not problem.findings:
        return str(problem)
    return gettext("Sessions can't start:") + "\n" + told(problem.findings)


def disabled(email: str, accounts: int) -> str:
    """Say what came of disabling so many accounts."""
    if not accounts:
        return _nobody(email)
    return ngettext(
        "Disabled 1 account of %(email)s: signed out everywhere, within seconds.",
        "Disabled %(num)s accounts of %(email)s: signed out everywhere, within seconds.",
        accounts,
        email=email,
    )


def enabled(email: str, accounts: int) -> str:
    """Say what came of enabling so many."""
    if not accounts:
        return _nobody(email)
    return ngettext(
        "Enabled 1 account of %(email)s: whoever it is can sign in again.",
        "Enabled %(num)s accounts of %(email)s: whoever it is can sign in again.",
        accounts,
        email=email,
    )


def _nobody(email: str) -> str:
    return gettext("Nobody has signed in here as %(email)s.", email=email)
