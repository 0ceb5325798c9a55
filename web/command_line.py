"""What `python app.py` takes and answers, in the language of the terminal or of `--lang`."""

from __future__ import annotations

import argparse
import gettext as catalogues
import os
from collections.abc import Sequence

from core.problems import ProblemError
from core.process.accounts import Invitation
from core.settings import Finding, render_checklist
from core.starting import StartError
from core.words import N_
from web import moving_in
from web.errors import WORDS
from web.words import (
    DOMAIN,
    FOLDER,
    LANGUAGES,
    gettext,
    is_language,
    ngettext,
    of_environment,
    said,
    speaking,
)

# argparse has these sentences, and asks gettext for the terminal's.
ARGPARSE = (
    N_("usage: "),
    N_("positional arguments"),
    N_("options"),
    N_("show this help message and exit"),
    N_("%(prog)s: error: %(message)s\n"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("the following arguments are required: %s"),
    N_("unrecognized arguments: %s"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("expected one argument"),
    N_("ignored explicit argument %r"),
    N_("one of the arguments %s is required"),
    N_("not allowed with argument %s"),
)


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what is asked for; ends the process after `--help` and after a mistake.

    From here on this process speaks to its terminal in the language of `--lang`, if there is one.
    """
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--lang", nargs="?")
    chosen = first.parse_known_args(arguments)[0].lang
    language = chosen if is_language(chosen) else of_environment(os.environ)
    # The variable that counts first for gettext, and so for argparse, too.
    os.environ["LANGUAGE"] = language
    catalogues.bindtextdomain(DOMAIN, FOLDER)
    catalogues.textdomain(DOMAIN)
    with speaking(language):
        return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--lang", choices=LANGUAGES, help=gettext("the language to answer in, else the terminal's")
    )
    parser = argparse.ArgumentParser(
        prog="python app.py",
        usage=(
            "%(prog)s [-h] [--lang {en,ru}]"
            " [serve | check | healthcheck | setup HOST | link [EMAIL] | backup | restore"
            " | disable EMAIL | enable EMAIL | speech-model [MODEL] | import-previous]"
        ),
        description=gettext("Sessions: meetings you can read."),
        epilog=gettext(
            "Settings are variables of the environment, or lines NAME=value of a file .env in the"
            " working directory: docs/configuration.md has all of them."
        ),
        parents=[shared],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        dest="command", title=gettext("commands"), prog=parser.prog, metavar=gettext("COMMAND")
    )
    for name, what in (
        ("serve", gettext("serve at HOST and PORT, which it does without a command, too")),
        ("check", gettext("say what is set, missing or invalid for production, and what works")),
        ("healthcheck", gettext("say whether the server answers, for container engines")),
        ("setup", gettext("write the variables of a new server, with secrets of its own")),
        ("link", gettext("print a one-time link that signs in: for the first account, or EMAIL’s")),
        ("backup", gettext("write the embedded database to a file, for who copies DATA_DIR")),
        ("restore", gettext("make the embedded database anew from that file")),
        ("disable", gettext("sign somebody out everywhere, and let them sign in no more")),
        ("enable", gettext("undo that: let them sign in again")),
        ("speech-model", gettext("list the models of the local speech engine, or fetch one")),
        (
            "import-previous",
            gettext("copy people, sessions and transcripts of the product that this one replaces"),
        ),
    ):
        command = commands.add_parser(
            name, help=what, description=what, parents=[shared], allow_abbrev=False
        )
        if name == "check":
            command.add_argument("--json", action="store_true", help=gettext("for programs"))
            command.add_argument(
                "--offline",
                action="store_true",
                help=gettext("look at the variables only, and ask no service"),
            )
        if name == "setup":
            _of_setup(command)
        if name == "import-previous":
            moving_in.add_options(command)
        if name == "speech-model":
            command.add_argument(
                "model", metavar="MODEL", nargs="?", help=gettext("the model to fetch")
            )
        if name in ("link", "disable", "enable"):
            command.add_argument(
                "email",
                metavar="EMAIL",
                nargs="?" if name == "link" else None,
                help=gettext("the e-mail address of their account"),
            )
    return parser


def _of_setup(command: argparse.ArgumentParser) -> None:
    either = command.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "host",
        metavar="HOST",
        nargs="?",
        help=gettext("the name that people will open, such as meet.example.org"),
    )
    either.add_argument(
        "--check",
        metavar=gettext("FILE"),
        nargs="?",
        const=".env",
        help=gettext("instead, say what such a file lacks (.env, or - for the input)"),
    )
    command.add_argument(
        "--into",
        metavar=gettext("FILE"),
        help=gettext("write to this file, which must not be there yet, and not to the output"),
    )
    command.add_argument(
        "--email",
        action="append",
        default=[],
        metavar="EMAIL",
        help=gettext("only this account may sign in, and sees /setup; may be given several times"),
    )


def told(findings: list[Finding]) -> str:
    """Return the checklist."""
    return render_checklist(findings, said)


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


def made(invitation: Invitation) -> str:
    """Say what a link is good for."""
    person = invitation.person
    if person is None:
        return gettext("Makes the first account, which administers this server. Once, for an hour:")
    return gettext(
        "Signs in as %(name)s (%(email)s, %(provider)s). Once, for an hour:",
        name=person.name,
        email=person.email,
        provider=invitation.provider or "–",
    )


def no_link(problem: StartError | ProblemError) -> str:
    """Say why none could be made."""
    if isinstance(problem, StartError):
        return gettext("No link was made: %(why)s.", why=said(problem.words))
    return gettext(WORDS[problem.code][1])


def unchanged(problem: StartError | ProblemError) -> str:
    """Say why neither could be done."""
    if isinstance(problem, StartError):
        return gettext("Nothing was changed: %(why)s.", why=said(problem.words))
    return gettext(WORDS[problem.code][1])


def _nobody(email: str) -> str:
    return gettext("Nobody has signed in here as %(email)s.", email=email)
