"""What of others lies in static/vendor, and whether it is what they published.

`python -m tests.support.vendored` asks npm for the packages and compares; `make audit` does that.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

FOLDER = ROOT / "static/vendor"
ORIGINS = FOLDER / "ORIGINS.json"


@dataclass(frozen=True, slots=True)
class Vendored:
    """One file: its name here, the npm package and the path in it, and its digest."""

    name: str
    package: str
    path: str
    sha256: str


def vendored() -> list[Vendored]:
    """Return what ORIGINS.json says."""
    return [Vendored(name, **told) for name, told in json.loads(ORIGINS.read_text()).items()]


def digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content in hex."""
    return hashlib.sha256(content).hexdigest()


def published(package: str, folder: Path) -> dict[str, bytes]:
    """Download an npm package into `folder` and return its files by path. Needs npm."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to ask for the published packages.")
    packed = subprocess.run(
        [npm, "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        files = {one.name: archive.extractfile(one) for one in archive if one.isfile()}
        return {name.removeprefix("package/"): file.read() for name, file in files.items() if file}


def main() -> None:
    """Compare each file with what was published; end with 1 where one differs."""
    differ = []
    with tempfile.TemporaryDirectory() as folder:
        packages = {one.package for one in vendored()}
        contents = {package: published(package, Path(folder)) for package in packages}
        for one in vendored():
            same = digest(contents[one.package].get(one.path, b"")) == one.sha256
            print(f"{one.name}: {'as' if same else 'NOT as'} in {one.package}/{one.path}")
            differ += [] if same else [one.name]
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
