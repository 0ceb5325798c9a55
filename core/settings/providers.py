"""The OpenID providers that people sign in with: Google, and as many others as OIDC has prefixes.

An account belongs to an issuer and what it calls somebody (`sub`), never to an e-mail address, so
that a provider may change its number or its button's name here without anybody's losing theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from core.words import N_, Words

WELL_KNOWN = "/.well-known/openid-configuration"  # where an issuer's metadata are
GOOGLE_ISSUER = "https://accounts.google.com"
GOOGLE_METADATA_URL = f"{GOOGLE_ISSUER}{WELL_KNOWN}"
GOOGLE = "google"  # its key, and what its accounts are kept under since before there were others

# Of the variables of a provider, OIDC_ISSUER and so on. Each has a button of its own: with Google
# there are four, and who has more should have one of them stand in front of the others.
PREFIXES = ("OIDC", "OIDC_2", "OIDC_3")
NEEDED = ("issuer", "client_id", "client_secret")  # of each; a server can keep a secret, so it must
PARTS = (*NEEDED, "name", "trust_email")


@dataclass(frozen=True, slots=True)
class Provider:
    """One OpenID provider, and what this server is to it."""

    key: str  # in our addresses: google, oidc, oidc2, …
    prefix: str  # of its variables
    name: str  # that people read
    issuer: str  # exactly as it writes itself; Google's has no slash at its end here
    metadata_url: str
    client_id: str
    client_secret: str = field(repr=False)
    # Whether an address counts of which it doesn't say that it was verified.
    trust_email: bool = False

    @property
    def accounts(self) -> str:
        """What its accounts are kept under."""
        return GOOGLE if self.key == GOOGLE else self.issuer

    @property
    def has_organisations(self) -> bool:
        """Whether its `hd` says which organisation of Google Workspace an account belongs to."""
        return self.key == GOOGLE or self.issuer.rstrip("/") == GOOGLE_ISSUER

    def is_written(self, issuer: object) -> bool:
        """Whether an issuer is this one: letter by letter (OpenID Connect Discovery 1.0, 4.3).

        Only a slash at the end of Google's is nobody's matter.
        """
        if self.key == GOOGLE and isinstance(issuer, str):
            issuer = issuer.removesuffix("/")
        return issuer == self.issuer

    def shows_secret_in_form(self, metadata: Mapping[str, Any]) -> bool:
        """Whether to send the client's secret in the form; Basic is what all know but who say so.

        In Basic, a secret with a sign that stands for itself nowhere, such as + or %, is read in
        two ways: as it is, and encoded (RFC 6749, section 2.3.1).
        """
        ways = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        shown = self.client_id + self.client_secret
        plain = quote(shown, safe="") == shown
        return "client_secret_post" in ways and not (plain and "client_secret_basic" in ways)

    @property
    def address_variable(self) -> str:
        """The variable that says where it is."""
        return "GOOGLE_METADATA_URL" if self.key == GOOGLE else f"{self.prefix}_ISSUER"

    @property
    def start(self) -> str:
        """The path that leads to it."""
        return f"/sign-in/{self.key}"

    @property
    def callback(self) -> str:
        """The path that it leads back to: with the server's address, what is registered there."""
        return f"/api/auth/callback/{self.key}"


def google(client_id: str, client_secret: str, metadata_url: str) -> Provider:
    """Return Google, or what stands in for it at another address of metadata."""
    issuer = metadata_url.partition(WELL_KNOWN)[0]
    return Provider(GOOGLE, "GOOGLE", "Google", issuer, metadata_url, client_id, client_secret)


def behind(providers: Collection[Provider], accounts: str) -> Provider | None:
    """Return the provider whose accounts are kept under this, if it is still set."""
    return next((one for one in providers if one.accounts == accounts), None)


def key_of(prefix: str) -> str:
    """Return what stands in addresses for the provider of these variables."""
    return prefix.lower().replace("_", "")


def take_providers(values: dict[str, Any]) -> tuple[Provider, ...]:
    """Take what belongs to providers out of the values of variables, and return these."""
    found = []
    for prefix in PREFIXES:
        given = {part: values.pop(_field(prefix, part), None) for part in PARTS}
        if given["issuer"]:
            found.append(
                Provider(
                    key_of(prefix),
                    prefix,
                    given["name"] or _host(given["issuer"]),
                    given["issuer"],
                    given["issuer"].rstrip("/") + WELL_KNOWN,  # Discovery 1.0, section 4.1
                    given["client_id"],
                    given["client_secret"],
                    bool(given["trust_email"]),
                )
            )
    return tuple(found)


def lacking(given: Collection[str], *, production: bool) -> Iterator[tuple[str, Words]]:
    """Yield what providers lack of which something is given: a field, and why it is needed.

    `given` are the fields of which there is something. In development half of Google's is none of
    it, as it always was.
    """
    sets: list[tuple[str, tuple[str, ...], tuple[str, ...]]]
    sets = [(prefix, NEEDED, PARTS) for prefix in PREFIXES]
    if production:
        sets.append(("GOOGLE", NEEDED[1:], NEEDED[1:]))
    for prefix, needed, parts in sets:
        there = [part for part in parts if _field(prefix, part) in given]
        for part in needed:
            if there and part not in there:
                beside = f"{prefix}_{there[0]}".upper()
                yield _field(prefix, part), Words(N_("needed beside %(name)s"), name=beside)


def clashes(values: Mapping[str, Any]) -> Iterator[tuple[str, Words]]:
    """Yield what can't be told apart: a field, and why. `values` has those that are valid."""
    issuers: dict[str, str] = {}
    names = {"google"} if values.get("google_client_id") else set()
    for prefix in PREFIXES:
        issuer = values.get(_field(prefix, "issuer"))
        if not issuer:
            continue
        if issuer in issuers:
            yield (
                _field(prefix, "issuer"),
                Words(N_("is the one of %(name)s, too: leave one of them"), name=issuers[issuer]),
            )
            continue
        issuers[issuer] = f"{prefix}_ISSUER"
        name = values.get(_field(prefix, "name")) or _host(issuer)
        if name.lower() in names:
            yield (
                _field(prefix, "name"),
                Words(N_("must tell it apart: another button says %(name)s, too"), name=name),
            )
        names.add(name.lower())


def _field(prefix: str, part: str) -> str:
    return f"{prefix.lower()}_{part}"


def _host(issuer: str) -> str:
    return urlsplit(issuer).hostname or issuer
