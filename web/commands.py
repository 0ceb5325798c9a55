"""What `python app.py` does: serve, say how things are, and what an operator changes.

Each command says what came of it in the language of the terminal, and ends with 1 where that isn't
what was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import io
import json
import os
import sys

import uvicorn

from core import checks
from core import settings as settings_module
from core.database import DatabaseAwayError
from core.process import accounts
from core.process.listening import try_place
from core.settings import Settings, SettingsError
from core.starting import StartError
from web import command_line, keeping, moving_in, report, setting_up, speech_models
from web.healthcheck import healthcheck
from web.starting import refusal
from web.words import gettext, of_environment, speaking


def load_settings() -> Settings:
    """Return the settings, or stop the process with the list of what is wrong."""
    try:
        settings = settings_module.load(settings_module.read_environment())
        if settings.login_secret:
            return settings
        secret = settings_module.local_secret(settings.data_dir)
    except SettingsError as problem:
        sys.exit(refusal(problem))
    return dataclasses.replace(
        settings,
        login_secret=secret,
        transcription_secret=settings.transcription_secret or secret,
    )


def serve() -> None:
    """Serve where the settings say, with clean logs; web.serving has the bounds."""
    settings = load_settings()
    try:
        try_place(settings.host, settings.port)
    except StartError as problem:
        sys.exit(refusal(problem))
    uvicorn.run(
        "app:app",
        host=settings.host,
        port=settings.port,
        # None: uvicorn's default. It reads its variable itself, but not in .env.
        forwarded_allow_ips=settings_module.read_environment().get(settings_module.TRUSTED_PROXIES),
        log_level="info" if settings.production else "warning",
    )


def check(*, in_json: bool, offline: bool) -> int:
    """Print what is set and what works. Returns 1 when something is left to do."""
    try:
        environ = settings_module.read_environment()
    except SettingsError as problem:
        sys.exit(refusal(problem))
    settings, _ = settings_module.as_far_as_valid(environ)
    secret = settings_module.kept_secret(settings.data_dir)
    outcomes = [] if offline else asyncio.run(checks.look_once(environ, secret))
    told = report.report(environ, outcomes)
    print(json.dumps(report.as_json(told), indent=2) if in_json else report.as_text(told))
    return 0 if told.well else 1


def set_disabled(email: str, *, disabled: bool) -> int:
    """Disable or enable an account, and print what came of it. Returns 1 when nobody is it."""
    settings = load_settings()
    try:
        changed = accounts.set_disabled(settings, email, disabled=disabled)
    except (StartError, DatabaseAwayError) as problem:
        sys.exit(command_line.unchanged(problem))
    say = command_line.disabled if disabled else command_line.enabled
    print(say(email, changed))
    return 0 if changed else 1


def make_links(email: str | None) -> int:
    """Print one-time links, and on stderr what each is for. Ends with why there is none."""
    settings = load_settings()
    try:
        made = accounts.make_links(settings, email)
    except (StartError, DatabaseAwayError) as problem:
        sys.exit(command_line.no_link(problem))
    for one in made:
        print(command_line.made(one), file=sys.stderr, flush=True)
        print(one.link, flush=True)
    return 0


def _administer(asked: argparse.Namespace) -> int | str:
    """Do what changes something on this machine; returns what `sys.exit` is told."""
    if asked.command in ("backup", "restore"):
        return keeping.run(asked.command, load_settings())
    if asked.command == "speech-model":
        return speech_models.run(load_settings(), asked.model)
    if asked.command == "link":
        return make_links(asked.email)
    if asked.command == "import-previous":
        return moving_in.run(load_settings(), asked)
    return set_disabled(asked.email, disabled=asked.command == "disable")


def run() -> None:
    """Do what the command line asks for."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks letters shows the rest
        sys.stdout.reconfigure(errors="replace")
    asked = command_line.asked(sys.argv[1:])
    if asked.command in (None, "serve"):
        serve()  # in no language: whoever comes is answered in theirs
        return
    if asked.command == "healthcheck":
        sys.exit(healthcheck())
    with speaking(of_environment(os.environ)):
        if asked.command == "check":
            sys.exit(check(in_json=asked.json, offline=asked.offline))
        if asked.command == "setup":
            sys.exit(setting_up.run(asked.host, asked.email, into=asked.into, check=asked.check))
        try:
            sys.exit(_administer(asked))
        except KeyboardInterrupt:  # it may wait a minute for the database
            sys.exit(gettext("Stopped before it was done."))
