"""OpenID providers as they are set: which there are, which are half given or look the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.settings import FindingsError, checklist, load, render_checklist, would_start
from tests.ops.test_settings import READY

ISSUER = "https://sso.example.com/realms/team"
ONE = {"OIDC_ISSUER": ISSUER, "OIDC_CLIENT_ID": "sessions", "OIDC_CLIENT_SECRET": "oidc-hunter2"}
GOOGLE = {name: value for name, value in READY.items() if name.startswith("GOOGLE_")}
PRODUCTION = {name: value for name, value in READY.items() if name not in GOOGLE}


def numbered(number: int, **changed: str) -> dict[str, str]:
    """Return the variables of another provider."""
    named = {
        name.replace("OIDC_", f"OIDC_{number}_"): value
        for name, value in (ONE | {"OIDC_ISSUER": f"https://{number}.example.com/"}).items()
    }
    return named | {f"OIDC_{number}_{name}": value for name, value in changed.items()}


def problems(environ: dict[str, str]) -> dict[str, str]:
    """Return what keeps it from starting: what is said, by variable."""
    with pytest.raises(FindingsError) as problem:
        load(environ)
    assert not would_start(checklist(environ))
    return {one.variable.name: str(one.note) for one in problem.value.findings}


@pytest.mark.parametrize("production", [False, True])
def test_one_provider_is_enough(production: bool) -> None:
    (provider,) = load((PRODUCTION if production else {}) | ONE).providers
    assert (provider.key, provider.name) == ("oidc", "sso.example.com")
    assert provider.issuer == provider.accounts == ISSUER
    assert provider.metadata_url == f"{ISSUER}/.well-known/openid-configuration"
    assert (provider.start, provider.callback) == ("/sign-in/oidc", "/api/auth/callback/oidc")
    assert not provider.trust_email


def test_production_starts_without_any() -> None:
    assert load(PRODUCTION).providers == ()


def test_several_have_an_order_and_addresses_of_their_own() -> None:
    environ = READY | numbered(3, NAME="Third", TRUST_EMAIL="on") | ONE
    providers = load(environ).providers
    assert [one.name for one in providers] == ["Google", "sso.example.com", "Third"]
    assert [one.key for one in providers] == ["google", "oidc", "oidc3"]
    assert [one.accounts for one in providers] == ["google", ISSUER, "https://3.example.com/"]
    assert [one.trust_email for one in providers] == [False, False, True]
    # A slash at the end is the issuer's, and not a part of where its metadata are.
    assert providers[2].issuer == "https://3.example.com/"
    assert providers[2].metadata_url == "https://3.example.com/.well-known/openid-configuration"
    assert "hunter2" not in repr(load(environ)) + render_checklist(checklist(environ))


def test_a_provider_s_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    named = {"OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    assert load(ONE | named).providers[0].client_secret == "from-a-file"


@pytest.mark.parametrize("production", [False, True])
@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ({"OIDC_ISSUER": ISSUER}, {"OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"}),
        ({"OIDC_CLIENT_SECRET": "s"}, {"OIDC_ISSUER", "OIDC_CLIENT_ID"}),
        ({"OIDC_NAME": "A"}, {"OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"}),
        ({**ONE, "OIDC_CLIENT_SECRET": " "}, {"OIDC_CLIENT_SECRET"}),
        (
            {**ONE, "OIDC_2_TRUST_EMAIL": "off"},
            {"OIDC_2_ISSUER", "OIDC_2_CLIENT_ID", "OIDC_2_CLIENT_SECRET"},
        ),
    ],
)
def test_half_a_provider_is_refused_with_all_that_it_lacks(
    given: dict[str, str], lacking: set[str], production: bool
) -> None:
    found = problems((PRODUCTION if production else {}) | given)
    assert set(found) == lacking
    assert all(re.fullmatch(r"needed beside OIDC_\w+", said) for said in found.values())


def test_half_of_google_is_refused_in_production_only() -> None:
    half = PRODUCTION | {"GOOGLE_CLIENT_ID": "id"}
    assert problems(half) == {"GOOGLE_CLIENT_SECRET": "needed beside GOOGLE_CLIENT_ID"}
    assert load(half | {"NODE_ENV": ""}).providers == ()


def test_what_is_wrong_is_not_called_missing() -> None:
    found = problems({**ONE, "OIDC_ISSUER": "sso.example.com", "OIDC_CLIENT_ID": ""})
    assert set(found) == {"OIDC_ISSUER", "OIDC_CLIENT_ID"}
    assert "must be an address" in found["OIDC_ISSUER"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OIDC_ISSUER", f"{ISSUER}/.well-known/openid-configuration", "the issuer itself"),
        ("OIDC_ISSUER", f"{ISSUER}?a=b", "the issuer itself"),
        ("OIDC_ISSUER", f"{ISSUER}#a", "the issuer itself"),
        ("OIDC_ISSUER", "https://me:hunter2@sso.example.com", "user name or password"),
        ("OIDC_ISSUER", "ftp://sso.example.com", "must be an address"),
        ("OIDC_NAME", "x" * 41, "40 characters"),
        ("OIDC_NAME", "a\u202eb", "one line"),
        ("OIDC_TRUST_EMAIL", "yes", "on or off"),
    ],
)
def test_a_useless_value_is_refused(name: str, value: str, why: str) -> None:
    found = problems(ONE | {name: value})
    assert set(found) == {name}
    assert why in found[name]


def test_an_issuer_in_clear_is_refused_in_production_but_on_this_computer() -> None:
    clear = ONE | {"OIDC_ISSUER": "http://sso.example.com"}
    assert set(problems(PRODUCTION | clear)) == {"OIDC_ISSUER"}
    assert load(clear).providers
    assert load(PRODUCTION | ONE | {"OIDC_ISSUER": "http://127.0.0.1:9000"}).providers


def test_two_that_can_t_be_told_apart_are_refused() -> None:
    assert problems(ONE | numbered(2, ISSUER=ISSUER)) == {
        "OIDC_2_ISSUER": "is the one of OIDC_ISSUER, too: leave one of them"
    }
    same = numbered(2, ISSUER="https://sso.example.com/realms/other")
    assert set(problems(ONE | same)) == {"OIDC_2_NAME"}
    assert load(ONE | same | {"OIDC_2_NAME": "Other"}).providers
    assert set(problems(READY | ONE | {"OIDC_NAME": "google"})) == {"OIDC_NAME"}
