"""The dashboard and the alerts ask for what `/metrics` has, by labels that it has."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.metrics import MetricWrapperBase

from core import metrics
from tests.conftest import MakeServer
from tests.support import ROOT
from tests.support.metrics import Scrape, scrape

# Those that Prometheus adds, the two of histograms, and the dashboard's own.
ADDED = {"instance", "job", "le"}
NAME = re.compile(r"\b((?:sessions|process)_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


def of_dashboard() -> list[str]:
    board = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    asked = [one["expr"] for panel in board["panels"] for one in panel.get("targets", ())]
    variables = [one["definition"] for one in board["templating"]["list"] if "definition" in one]
    return [*asked, *(re.sub(r"^label_values\((.*), \w+\)$", r"\1", one) for one in variables)]


def of_alerts() -> list[str]:
    return re.findall(r"^ +expr: (.+)$", (ROOT / "deploy/alerts.yaml").read_text(), re.M)


@pytest.fixture(scope="module")
def told(make_server_in: MakeServer) -> Scrape:
    return scrape(make_server_in().url)


def labels_of(told: Scrape, name: str) -> set[str]:
    """Return a metric's labels, also of one of which nothing was counted yet."""
    declared = {
        one._name: set(one._labelnames)
        for one in vars(metrics).values()
        if isinstance(one, MetricWrapperBase)
    }
    family = re.sub("_(total|bucket|sum|count)$", "", name)
    seen = {label for known, having in told.values if known == name for label, _ in having}
    return seen | declared.get(family, set())


@pytest.mark.parametrize("query", [*of_dashboard(), *of_alerts()])
def test_a_query_asks_for_what_there_is(told: Scrape, query: str) -> None:
    names = NAME.findall(query)
    assert names, "it asks for something"
    known: set[str] = set(ADDED)
    for name, matchers in names:
        family = re.sub("_(total|bucket)$", "", name)
        assert name == "up" or {name, family} & told.types.keys(), name
        if family in told.types and told.types[family] == "counter":
            assert name.endswith("_total"), name
        labels = labels_of(told, name)
        known |= labels
        for label, _, value in MATCHER.findall(matchers):
            assert label in labels | ADDED, (name, label)
            values = (
                {dict(having)[label] for one, having in told.values if one == name}
                if (label not in ADDED)
                else set()
            )
            assert not values or value in values or re.fullmatch(r"[1-5]xx", value), (name, value)
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        assert {one.strip() for one in grouped.split(",")} <= known, grouped


def test_every_alert_says_what_is_wrong() -> None:
    rules = (ROOT / "deploy/alerts.yaml").read_text().split("- alert: ")[1:]
    assert len(rules) == len(of_alerts()) >= 10
    assert all(re.search(r"summary: \S.+\.", rule) for rule in rules)
    assert all(re.search(r"severity: (page|warn)\}", rule) for rule in rules)


def test_what_is_given_up_begins_at_zero(told: Scrape) -> None:
    """Prometheus sees nothing grow that comes into being with its first count."""
    for kind in ("utterance", "line", "account"):
        for why in ("refused", "overflow"):
            series = "sessions_not_stored_total", frozenset({("kind", kind), ("why", why)})
            assert told.values[series] == 0
