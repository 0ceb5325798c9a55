"""Fixtures of uploads: Sessions with the local engine, and who uploads there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import MakeServer
from tests.support.app_server import AppServer
from tests.uploads.uploader import Uploader


@pytest.fixture(scope="module")
def place(make_server_in: MakeServer) -> AppServer:
    return make_server_in(SPEECH_ENGINE="auto", UPLOAD_MAX_MB="6")


@pytest.fixture
def uploader(place: AppServer) -> Callable[[], Uploader]:
    return lambda: Uploader(place)


@pytest.fixture
def ada(place: AppServer) -> Uploader:
    return Uploader(place)
