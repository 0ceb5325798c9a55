"""The command `setup`: writes the environment of a new server, and says what an older one lacks.

What it writes goes to the output and nowhere else, unless a file is named that isn't there yet: an
environment that was overwritten has signed everybody out and lost the database its password.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.settings import VARIABLES, SettingsError, Variable, read_env_file
from core.settings.env_file import parse_env
from core.settings.fresh import IMAGE, OWN_IMAGE, POSTGRES_PASSWORD, RELAY, fresh
from core.settings.parsing import InvalidError
from core.signed_links import owner_link
from core.starting import of_system
from web import report
from web.words import gettext, said

WIDTH = 100
# What many set next; each stands there as a comment, with its example.
OFFERED = (
    "GOOGLE_CLIENT_ID",
    "GOOGLE_CLIENT_SECRET",
    "OIDC_ISSUER",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "ALLOWED_EMAILS",
    "ADMIN_EMAILS",
    "GLADIA_API_KEY",
)
# What isn't taken as it stands by all who read the file: `$` is filled in by Compose.
ODD = re.compile(r"[$`\\'\"]|\s#")


def run(host: str | None, owners: Sequence[str], *, into: str | None, check: str | None) -> int:
    """Do what was asked for, and return the exit code."""
    return _write(host, owners, into) if host is not None else _check(check or "-")


def _write(host: str, owners: Sequence[str], into: str | None) -> int:
    """Write a new environment to the output, or into a file that isn't there yet."""
    try:
        values = fresh(host, owners, os.environ.get(IMAGE, OWN_IMAGE))
    except InvalidError as problem:
        return _refused(gettext("%(host)s %(why)s.", host=host, why=said(problem.words)))
    text = "\n".join(_lines(values)) + "\n"
    if into is not None:
        if (why := _kept(text, into)) is not None:
            return _refused(why)
    elif _goes_on():
        return _refused(
            gettext(
                "The file that this is written to has something in it already. Nothing was written:"
                " a server has one set of secrets."
            )
        )
    else:
        sys.stdout.write(text)
    made = gettext(
        "Made for %(address)s. Next: `docker compose up -d`, and then"
        " `docker compose exec app sessions check`, which says what is left.",
        address=values["NEXTAUTH_URL"],
    )
    link = gettext(
        "Until a sign-in provider is set, this link makes the first account, once, for an hour;"
        " later `docker compose exec app sessions link` prints another:"
    )
    address = owner_link(values["NEXTAUTH_SECRET"], values["NEXTAUTH_URL"], time.time())
    print(made, link, address, sep="\n", file=sys.stderr)
    return 0


def _kept(text: str, file: str) -> str | None:
    """Write to a new file that only its owner reads; return why that can't be."""
    try:
        with open(file, "x", opener=lambda path, how: os.open(path, how, 0o600)) as made:
            made.write(text)
    except FileExistsError:
        return gettext(
            "%(file)s is there already, and stays as it is: new secrets would sign everybody out,"
            " and lock Sessions out of its database.",
            file=file,
        )
    except OSError as problem:
        why = said(of_system(problem))
        return gettext("%(file)s can't be written: %(why)s.", file=file, why=why)
    return None


def _check(file: str) -> int:
    """Say what an environment in a file, or `-` for the input, lacks for production."""
    try:
        environ = _read(file)
    except SettingsError as problem:
        return _refused(gettext("%(why)s.", why=said(problem.words)))
    if environ is None:
        return _refused(gettext("There is no file %(file)s here.", file=file))
    told = report.report(environ, [])
    wrong = [one for one in told.findings if one.state in {"missing", "invalid"}]
    for one in wrong:
        print(f"{one.variable.name}: {said(one.note)}")
    others = list(_other_faults(environ))
    print("\n".join([*others, report.outcome(told)]))
    return 1 if wrong or others else 0


def _read(file: str) -> Mapping[str, str] | None:
    if file == "-":
        return parse_env(Path("-"), sys.stdin.buffer.read())
    return read_env_file(Path(file)) if Path(file).exists() else None


def _other_faults(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield sentences about what only compose.yaml would stumble over."""
    if environ.get("NODE_ENV", "").strip().lower() != "production":
        yield gettext("NODE_ENV must be production, or nothing here is asked for.")
    given, url = environ.get(POSTGRES_PASSWORD), environ.get("DATABASE_URL", "")
    if given and url.startswith("postgres") and unquote(urlsplit(url).password or "") != given:
        yield gettext(
            "POSTGRES_PASSWORD isn't the password in DATABASE_URL: PostgreSQL takes the first of"
            " them when it makes its database, and Sessions comes with the second."
        )
    for name, value in environ.items():
        if ODD.search(value):
            yield gettext(
                "%(name)s has a quote, a backslash, a $ or a comment in it, which Compose may read"
                " otherwise: choose another value.",
                name=name,
            )


def _lines(values: Mapping[str, str]) -> Iterator[str]:
    declared = {one.name: one for one in VARIABLES}
    yield from _comment(
        gettext(
            "Made once, by `setup`: keep it, and keep it to yourself. `setup --check` says what it"
            " lacks; docs/configuration.md has all that could be in it."
        )
    )
    yield from ["", *_comment(gettext("The image that compose.yaml starts."))]
    yield f"{IMAGE}={values[IMAGE]}"
    yield from [
        "",
        *_comment(gettext("What PostgreSQL gives its user `sessions` when it makes its database.")),
    ]
    yield f"{POSTGRES_PASSWORD}={values[POSTGRES_PASSWORD]}"
    yield from [
        "",
        *_comment(
            gettext(
                "LiveKit as a relay (TURN) too, at 3478/udp, for people whose networks let out"
                " neither 7882/udp nor 7881/tcp."
            )
        ),
        f"# {RELAY}",
    ]
    for variable in declared.values():
        if variable.name in values:
            yield from ["", *_comment(_told(variable))]
            yield f"{variable.name}={values[variable.name]}"
        elif variable.name in OFFERED:
            yield from ["", *_comment(_told(variable))]
            yield f"# {variable.name}={variable.example}"


def _told(variable: Variable) -> str:
    purpose = gettext(variable.purpose)
    if variable.name == "SPEECH_ENGINE":
        more = gettext("Here the local one, which knows English; set auto beside GLADIA_API_KEY.")
        return f"{purpose} {more}"
    return purpose


def _comment(text: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def _goes_on() -> bool:
    """Whether the output is a file with something in it: after `>>`, as `>` has emptied it."""
    try:
        there = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(there.st_mode) and there.st_size > 0


def _refused(why: str) -> int:
    print(why, file=sys.stderr)
    return 1
