"""Stops of what takes its time: an embedded database that hangs, a start, and odd signals."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import MakeServer
from tests.emulators.gladia import GladiaEmulator
from tests.ops.test_embedded import FreshMachine
from tests.ops.test_stopping import MOST_S, own_postgres, stop, words_are_written
from tests.support.dictation import emulator
from tests.support.own_postgres import OwnPostgres
from tests.support.waiting import wait_until

__all__ = ["emulator", "own_postgres"]
pytestmark = pytest.mark.torture


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGINT]], ids=["INT", "TERM INT"]
)
async def test_words_are_written_whatever_hangs(
    signals: list[signal.Signals],
    make_server: MakeServer,
    own_postgres: OwnPostgres,
    emulator: GladiaEmulator,
) -> None:
    await words_are_written(signals, make_server, own_postgres, emulator)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[FreshMachine]:
    machine = FreshMachine(tmp_path / "data", "app.py", "serve")
    yield machine
    machine.kill()
    for pid in machine.databases:
        psutil.Process(pid).kill()


def test_an_embedded_database_that_hangs_is_not_waited_for(machine: FreshMachine) -> None:
    machine.start()
    (pid,) = machine.databases
    hanging = psutil.Process(pid)
    hanging.suspend()
    stop(machine, signal.SIGTERM)
    hanging.resume()
    wait_until(lambda: machine.databases == [])  # it was told so
    machine.start()
    stop(machine, signal.SIGTERM)


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT] * 2], ids=["TERM", "INTs"])
def test_a_start_can_be_ended(machine: FreshMachine, signals: list[signal.Signals]) -> None:
    machine.launch()
    wait_until((machine.data_dir / "postgres").exists)
    began = time.monotonic()
    for one in signals:
        psutil.Process(machine.pid).send_signal(one)
    machine.wait()
    assert time.monotonic() - began < MOST_S, machine.log
    assert machine.databases == []
    assert "Traceback" not in machine.log
