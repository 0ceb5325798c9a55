"""A whole environment for a new server: every secret, key pair and address, made once.

It needs nothing but the name that people will open. What it makes fits compose.yaml, whose services
are named here. No value has a character that means something to whoever reads such a file: Compose
fills in `$`, shells and dotenv take quotes, `#` and spaces in their own ways.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import idna

from core.settings.parsing import InvalidError, emails
from core.words import N_

PLAIN = re.compile(r"[A-Za-z0-9._~:/@,+=-]+")  # of every value that is made
LETTERS = string.ascii_letters + string.digits
SECRET = 43  # letters of a secret: 256 bits
DATABASE_HOST, LIVEKIT_HOST = "db", "livekit"  # as compose.yaml names them
# Variables of compose.yaml's own: which image it starts, and PostgreSQL's.
IMAGE, POSTGRES_PASSWORD = "SESSIONS_IMAGE", "POSTGRES_PASSWORD"
RELAY = "COMPOSE_PROFILES=turn"  # read by Compose itself
EXAMPLE = "meet.example.org"
OWN_IMAGE = "sessions"  # as the documentation has one build it


def host_name(text: str) -> str:
    """Return a host's name as DNS has it: small letters, others in their ASCII form.

    Raises InvalidError for what no public certificate can be had for: it must be a full name.
    """
    bare = text.strip().rstrip(".").lower()
    if _is_number(bare):
        raise InvalidError(
            N_("is a number: certificates are made for names, such as meet.example.org")
        )
    if set(bare) & set("/:@?#"):
        raise InvalidError(
            N_("must be the name alone, without https:// or a port: %(name)s"), name=_name_in(bare)
        )
    try:
        found = idna.encode(bare, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        raise InvalidError(N_("isn't a name that DNS could have")) from None
    if "." not in found or _is_number(found) or found.rpartition(".")[2].isdecimal():
        raise InvalidError(
            N_("must be a full name that leads to this server, such as meet.example.org")
        )
    return found


def _name_in(address: str) -> str:
    """Return the name in an address, an example where it has none."""
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or EXAMPLE
    except ValueError:
        return EXAMPLE


def _is_number(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _random(count: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(count))


def fresh(host: str, owners: Sequence[str] = (), image: str = OWN_IMAGE) -> Mapping[str, str]:
    """Return the variables of a new server at this name, with new secrets each time.

    `owners` are e-mail addresses: nobody else's account may sign in, and they see /setup. Raises
    InvalidError for a host or an address that can't be used.
    """
    name = host_name(host)
    password = _random(SECRET)
    made = {
        IMAGE: image,
        "NODE_ENV": "production",
        POSTGRES_PASSWORD: password,
        "DATABASE_URL": f"postgresql://sessions:{password}@{DATABASE_HOST}/sessions",
        "NEXTAUTH_URL": f"https://{name}",
        "NEXTAUTH_SECRET": _random(SECRET),
        "TRANSCRIPTION_JWT_SECRET": _random(SECRET),
        "LIVEKIT_URL": f"wss://{name}/livekit",
        "LIVEKIT_API_URL": f"http://{LIVEKIT_HOST}:7880",
        "LIVEKIT_API_KEY": "API" + _random(12),
        "LIVEKIT_API_SECRET": _random(SECRET),
        "SPEECH_ENGINE": "local",
    }
    if owners:
        given = ",".join(owners)
        emails(given)
        made |= {"ALLOWED_EMAILS": given, "ADMIN_EMAILS": given}
    for variable, value in made.items():
        if not PLAIN.fullmatch(value):
            raise InvalidError(
                N_("%(name)s would have a character that such a file can't carry"), name=variable
            )
    return made
