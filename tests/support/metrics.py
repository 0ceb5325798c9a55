"""What `/metrics` says, read by Prometheus's own parser."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.support.http import outside

Series = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The samples of one answer."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.types: Mapping[str, str] = {one.name: one.type for one in families}
        self.values: dict[Series, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name that have these labels; 0 without any."""
        wanted = set(labels.items())
        return sum(
            value
            for (known, having), value in self.values.items()
            if known == f"sessions_{name}" and wanted <= having
        )


def scrape(url: str, token: str | None = None) -> Scrape:
    """Ask as Prometheus does."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = outside("GET", f"{url}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.text)
