"""Fuzzes for as long as it is told: `python -m tests.fuzz [TARGET] [--seconds N]`.

With atheris installed (`pip install atheris`), inputs that reach new code are built upon; else they
are random. An input that breaks something is printed, to be given back with `--again`.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
from typing import Any

from tests.fuzz.targets import TARGETS

LONGEST = 4096  # bytes that an input is drawn from


def run(name: str, seconds: float, seed: int) -> int:
    """Try random inputs on a target for so long, and return how many."""
    one_input: Any = TARGETS[name].hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    random_bytes, until, tried = random.Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = random_bytes.randbytes(random_bytes.randint(1, LONGEST))
        try:
            one_input(data)
        except BaseException:
            print(f"{name}: broken by --again {data.hex()}", file=sys.stderr)
            raise
        tried += 1
    return tried


def run_guided(name: str, seconds: float, seed: int) -> None:
    """Let atheris search for inputs that reach new code; it ends the process."""
    atheris: Any = importlib.import_module("atheris")
    atheris.instrument_all()
    one_input = TARGETS[name].hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    limits = [f"-max_total_time={int(seconds)}", f"-seed={seed}", f"-max_len={LONGEST}"]
    atheris.Setup([sys.argv[0], *limits], one_input)
    atheris.Fuzz()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=list(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    parser.add_argument("--again", metavar="HEX", help="try this input of the target once more")
    told = parser.parse_args()
    if told.again:
        TARGETS[told.target].hypothesis.fuzz_one_input(bytes.fromhex(told.again))  # type: ignore[attr-defined]
        return
    if told.target and importlib.util.find_spec("atheris"):
        run_guided(told.target, told.seconds, told.seed)
        return
    names = [told.target] if told.target else list(TARGETS)
    print(f"seed {told.seed}")
    for name in names:
        print(f"{name}: {run(name, told.seconds / len(names), told.seed)} inputs, nothing broke")


if __name__ == "__main__":
    main()
