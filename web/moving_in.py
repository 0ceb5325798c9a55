"""`python app.py import-previous`: what it takes, and what it says of what it has copied."""

from __future__ import annotations

import argparse
import asyncio

from core.database import EmbeddedPostgres
from core.moving_in.load import Names
from core.moving_in.moving import move_in, schema_in
from core.moving_in.report import EXAMPLES, Note, Report
from core.settings import Settings
from core.settings.parsing import InvalidError, postgres_url
from core.starting import StartError
from core.words import N_, Words
from web.words import gettext, said

KINDS = {
    "users": N_("users"),
    "spaces": N_("spaces"),
    "members": N_("members of spaces, with owners"),
    "sessions": N_("sessions of spaces"),
    "participants": N_("participants"),
    "utterances": N_("utterances"),
    "usage": N_("accounts of usage"),
    "analyses": N_("analyses by AI"),
}
LEFT = {
    "accounts": N_("accounts of another provider than Google, or without its id for the user"),
    "members": N_("members of a space, or being a user, that isn’t there"),
    "sessions_space": N_("sessions of a space that isn’t there"),
    "sessions_live": N_(
        "sessions that somebody may still be in (they showed life within 30 minutes): run this"
        " again once they are over"
    ),
    "sessions_waiting": N_(
        "sessions of the last 24 hours that nobody has joined yet: their links lead to the old"
        " product, so start new ones here"
    ),
    "participants": N_("participants of a session that isn’t there"),
    "utterances": N_("utterances of a session that isn’t there"),
    "utterances_draft": N_("drafts of utterances that never became final"),
    "utterances_empty": N_("utterances without a word"),
    "usage": N_("accounts of usage of a session or participant that isn’t there"),
    "analyses": N_("analyses of a session that isn’t there"),
}
MENDED = {
    "users_email": N_(
        "users without a valid e-mail address: only Google’s id can tell who they are"
    ),
    "users_name": N_("users without a name: they are called by their address until they sign in"),
    "users_time": N_("users from a time that can’t be"),
    "users_same": N_("users with the address of an older one in other letters: they are one now"),
    "spaces_name": N_("spaces without a name: they are called after their owner"),
    "spaces_name_long": N_("spaces whose names were cut at 80 characters"),
    "spaces_time": N_("spaces from a time that can’t be"),
    "spaces_owner": N_("spaces that nobody owned: their oldest member does"),
    "spaces_nobody": N_("spaces without a member: nobody sees them"),
    "sessions_time": N_(
        "sessions with a time that can’t be: it was taken from what happened in them"
    ),
    "sessions_title": N_("sessions without a title"),
    "sessions_title_long": N_("sessions whose titles were cut at 120 characters"),
    "sessions_ended": N_(
        "sessions that nobody had ended: they ended when they last showed a sign of life"
    ),
    "sessions_long": N_(
        "sessions with more than 20,000 utterances: pages and files show the first 20,000"
    ),
    "participants_time": N_("participants with a time that can’t be"),
    "participants_name": N_("guests without a name"),
    "participants_same": N_("participants who are a user that joined more than once: one now"),
    "utterances_long": N_("utterances that were cut at 20,000 characters"),
    "utterances_time": N_(
        "utterances with a time that can’t be: they stand at their session’s begin"
    ),
    "usage_time": N_("accounts of usage with a time or duration that can’t be"),
}


def add_options(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument(
        "--from",
        dest="source",
        metavar="URL",
        type=_url,
        help=gettext("the PostgreSQL that has the old tables, else DATABASE_URL"),
    )
    command.add_argument(
        "--from-schema",
        metavar=gettext("NAME"),
        help=gettext("the schema that they are in, else what the URL says (?schema=), else public"),
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help=gettext("do the same, say what came of it, and copy nothing"),
    )


def _url(value: str) -> str:
    try:
        found: str = postgres_url(value)[0]
    except InvalidError as problem:
        raise argparse.ArgumentTypeError(said(problem.words)) from None
    return found


def run(settings: Settings, asked: argparse.Namespace) -> int | str:
    """Copy, and print what came of it. Returns 0, or why nothing could be copied."""
    embedded = EmbeddedPostgres(settings.data_dir)
    source = asked.source or settings.database_url
    try:
        if source is None:
            raise StartError(
                N_("there is no DATABASE_URL with old tables: name their address with --from")
            )
        report = asyncio.run(
            move_in(
                settings.database_url or embedded.start(),
                settings.database_schema,
                source=source,
                source_schema=asked.from_schema or schema_in(source),
                names=Names(
                    gettext("Somebody"),
                    gettext("%(name)s’s space", name="%(name)s"),
                    gettext("Untitled session"),
                ),
                per_minute=settings.cost_per_minute,
                dry_run=asked.dry_run,
            )
        )
    except StartError as problem:
        return gettext("Nothing was copied: %(why)s.", why=said(problem.words))
    finally:
        embedded.stop()
    print(told(report, dry_run=asked.dry_run))
    return 0


def told(report: Report, *, dry_run: bool) -> str:
    """Return the report as text for a terminal."""
    parts = [_counts(report)]
    parts += _notes(gettext("Not copied:"), report.left, LEFT)
    parts += _notes(gettext("Copied, with a change:"), report.mended, MENDED)
    parts += [_always(report)]
    if dry_run:
        parts.append(gettext("This was a trial: nothing was copied."))
    elif any(one.added for one in report.counts.values()):
        parts.append(gettext("All of it was copied. The old tables are as they were."))
    else:
        parts.append(gettext("There was nothing new to copy."))
    return "\n\n".join(parts)


def _counts(report: Report) -> str:
    heads = [gettext("found"), gettext("copied"), gettext("here already"), gettext("not copied")]
    lines = [["", *heads]]
    for kind, one in report.counts.items():
        left = max(0, one.found - one.added - one.before)
        lines.append(
            [said(Words(KINDS[kind])), *map(str, (one.found, one.added, one.before, left))]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _notes(head: str, notes: dict[str, Note], words: dict[str, str]) -> list[str]:
    if not notes:
        return []
    lines = []
    for code, note in notes.items():
        # Ids are what somebody else's table has: nothing of them may speak to the terminal.
        ids = ["".join(filter(str.isprintable, one))[:40] for one in note.examples]
        more = ", …" if note.count > EXAMPLES else ""
        lines.append(f"- {said(Words(words[code]))}: {note.count} ({', '.join(ids)}{more})")
    return ["\n".join([head, *sorted(lines)])]


def _always(report: Report) -> str:
    """Say what is true of every copy."""
    lines = [
        gettext("Sessions have new links: the old ones were short, and could be read in metrics."),
        gettext(
            "The old product kept when words arrived, not when they were said: they end then, and"
            " begin as long before as it takes to say them."
        ),
    ]
    if report.guests:
        lines.append(
            gettext(
                "Participants that were made, as nobody knows whose their words are: %(number)s",
                number=report.guests,
            )
        )
    if report.cost:
        lines.append(
            gettext(
                "Usage keeps the cost that was reckoned there: %(cost)s in all, none of it of"
                " today’s allowance.",
                cost=format(report.cost, ".2f"),
            )
        )
    return "\n".join(lines)
