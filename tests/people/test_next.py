"""Where a sign-in leads on: whatever was asked for, a browser stays at our pages."""

from __future__ import annotations

import json
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as some

from routes.login import safe_next
from tests.ops.test_page_modules import node

OURS = "https://meet.example.com"
# What has led elsewhere before: schemes, hosts behind slashes of every kind, and what is skipped.
PARTS = some.sampled_from(
    [
        *"/\\\t\n\r \x00@:.?#ü",
        "//",
        "/\\",
        "..",
        "%2f",
        "%5c",
        "%09",
        "evil.example",
        "https:",
        "javascript:",
        "data:",
        "meet.example.com",
    ]
)
TARGETS = some.text(max_size=40) | some.lists(PARTS, max_size=8).map("".join)
READ = """
const read = JSON.parse(require('node:fs').readFileSync(0, 'utf8')).map((one) => {
  const url = new URL(one, 'https://meet.example.com/sign-in');
  return [url.origin, url.username];
});
console.log(JSON.stringify(read));
"""


@settings(max_examples=15)
@given(some.lists(TARGETS, min_size=200, max_size=400))
def test_nobody_is_led_elsewhere(targets: list[str]) -> None:
    led = [safe_next(one) for one in targets]
    told = subprocess.run(
        [node(), "-e", READ], input=json.dumps(led), capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == [[OURS, ""]] * len(led)
    assert all(one.startswith("/") and len(one) <= 512 and one.isascii() for one in led)


@given(some.from_regex(r"/[a-z0-9/?=&._~-]{0,60}", fullmatch=True))
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert safe_next(path) == ("/" if path.startswith("//") else path)


@given(some.none() | some.integers() | some.binary() | some.lists(some.text()))
def test_what_is_no_text_leads_home(target: object) -> None:
    assert safe_next(target) == "/"
