"""compose.yaml and render.yaml: valid, closed, and with no variable that nobody reads."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from core.settings import TRUSTED_PROXIES, VARIABLES, Environment, load
from core.settings.fresh import fresh
from tests.support import ROOT
from tests.support.compose import FILE, asked_for, compose, environment_of

OURS = {name for one in VARIABLES for name in one.names} | {TRUSTED_PROXIES}
# Of compose.yaml's own: read by Compose, by PostgreSQL's image, and by LiveKit (NODE_IP; the others
# are part of its LIVEKIT_CONFIG).
OF_OTHERS = {
    "SESSIONS_IMAGE",
    "POSTGRES_PASSWORD",
    "NODE_IP",
    "USE_EXTERNAL_IP",
    "COMPOSE_PROFILES",
}
READ = {
    "app": OURS | {"SESSIONS_IMAGE", "POSTGRES_PASSWORD"},  # of .env, where they are beside ours
    "db": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"},
    "livekit": {"LIVEKIT_KEYS", "LIVEKIT_CONFIG", "NODE_IP"},
    "caddy": {"CADDYFILE"},  # by the command beside it
}
MADE = dict(fresh("meet.example.org"))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose(MADE)["services"]
    return found


def test_it_is_a_compose_file() -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(compose(MADE), json.loads(schema.read_text("utf-8")))


def test_what_setup_makes_is_all_that_it_asks_for() -> None:
    assert asked_for() <= OURS | OF_OTHERS
    for name in asked_for() & MADE.keys() - {"SESSIONS_IMAGE"}:
        with pytest.raises(KeyError, match=name):
            compose({other: value for other, value in MADE.items() if other != name})


def test_every_variable_of_a_service_is_one_that_it_reads(services: dict[str, Any]) -> None:
    assert services.keys() == READ.keys()
    for name, service in services.items():
        assert environment_of(service, MADE).keys() <= READ[name], name


def test_all_services_agree(services: dict[str, Any]) -> None:
    environ = environment_of(services["app"], MADE)
    settings = load(Environment(environ, {}))
    assert settings.production
    database = services["db"]["environment"]
    assert settings.database_url == (
        f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}"
        f"@db/{database['POSTGRES_DB']}"
    )
    livekit = services["livekit"]["environment"]
    config = YAML(typ="safe").load(livekit["LIVEKIT_CONFIG"])
    keys = YAML(typ="safe").load(livekit["LIVEKIT_KEYS"])
    assert keys == {settings.livekit_api_key: settings.livekit_api_secret}
    assert config["webhook"]["api_key"] == settings.livekit_api_key
    assert config["webhook"]["urls"] == [f"http://app:{settings.port}/hooks/livekit"]
    assert settings.livekit_api_url == f"http://livekit:{config['port']}"
    ports = services["livekit"]["ports"]
    assert ports[:2] == [f"{config['rtc'][f'{kind}_port']}:{port}" for kind, port in
                         (("tcp", "7881/tcp"), ("udp", "7882/udp"))]  # fmt: skip
    caddyfile = services["caddy"]["environment"]["CADDYFILE"]
    assert caddyfile.startswith(f"{settings.public_url} {{\n")
    assert f"reverse_proxy app:{settings.port}" in caddyfile
    assert f"reverse_proxy livekit:{config['port']}" in caddyfile
    path = settings.livekit_url.removeprefix("wss://meet.example.org")
    assert f"handle_path {path}/*" in caddyfile


@pytest.mark.parametrize("profiles", ["", "turn"])
def test_the_relay_is_a_profile(profiles: str) -> None:
    livekit = compose({**MADE, "COMPOSE_PROFILES": profiles})["services"]["livekit"]
    config = YAML(typ="safe").load(livekit["environment"]["LIVEKIT_CONFIG"])
    assert bool(config["turn"]["enabled"]) is bool(profiles)
    # It passes on to this container only, and reaches it without the way through the host.
    assert bool(config["rtc"]["advertise_internal_ip"]) is bool(profiles)
    assert config["turn"]["allow_restricted_peer_cidrs"] == ["OWN_IP/32"]
    assert "s/OWN_IP/" in livekit["entrypoint"][-1]
    port = config["turn"]["udp_port"]
    assert livekit["ports"][2] == (f"{port}:{port}/udp" if profiles else f"{port}/udp")


def test_nothing_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        assert service["pids_limit"]
        assert service["logging"]["options"]["max-size"]
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
        assert name == "app" or ":" in service["image"].rpartition("/")[2], "a pinned release"
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert published["app"] == published["db"] == []
    assert services["db"]["networks"] == ["back"]
    assert services["app"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert services["caddy"]["depends_on"] == {"app": {"condition": "service_healthy"}}


def test_the_file_of_render_sets_what_is_read() -> None:
    (service,) = YAML(typ="safe").load((ROOT / "render.yaml").read_text("utf-8"))["services"]
    given = {one["key"] for one in service["envVars"]}
    assert given <= OURS
    assert {one.name for one in VARIABLES if one.required} <= given
    assert service["runtime"] == "docker"
    assert service["healthCheckPath"] == "/up"


def test_the_comment_at_the_top_is_what_the_documentation_says() -> None:
    for page in ("deploy.md", "deploy.ru.md"):
        told = (ROOT / "docs" / page).read_text("utf-8")
        for command in ("docker compose up -d", "docker compose exec app sessions check"):
            assert command in told
            assert command in FILE.read_text("utf-8")
