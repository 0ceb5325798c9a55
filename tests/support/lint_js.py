"""Type-checks the JavaScript with TypeScript: `python -m tests.support.lint_js`. Needs npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.support import ROOT

TYPESCRIPT = "typescript@5.9.3"


def main() -> int:
    """Return tsc's exit code; without npm, 0 on a person's machine and 1 in CI."""
    npx = shutil.which("npx")
    if npx is None:
        print("npm is not installed: the JavaScript was not type-checked")
        return 1 if os.environ.get("CI") else 0
    command = [npx, "--yes", "--package", TYPESCRIPT, "tsc", "--project", "jsconfig.json"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
