"""What may go wrong with recordings: `emulator.faults.recorded`.

A request is named by its `Route`. Every method returns a fault that counts and can be cancelled,
and may be called from any thread; `times` says how often it may happen (None: always).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .fault_kinds import Fault, Json, RequestFault

Route = Literal["upload", "create", "get", "list", "file", "delete"]


@dataclass(eq=False)
class RouteFault(RequestFault):
    """Trouble with requests of one kind."""

    route: Route = "get"
    after_bytes: int | None = None  # of an upload's body, then the connection is cut
    answer_lost: bool = False  # what was asked is done, and the connection cut instead of told
    raw: bytes | None = None  # what is answered instead, as JSON or not


@dataclass(eq=False)
class JobFault(Fault):
    """Trouble with a job: it fails so, never ends, or its result is changed."""

    error_code: int | None = None
    is_stuck: bool = False
    change: Callable[[Json], Any] | None = None


class RecordedFaults:
    """The faults planned for recordings."""

    def __init__(self) -> None:
        self._requests: list[RouteFault] = []
        self._jobs: list[JobFault] = []

    def refuse(
        self, route: Route, status: int, *, times: int | None = 1, body: Json | None = None
    ) -> RouteFault:
        """Answer with an error status."""
        return self._request(RouteFault(times=times, route=route, status=status, body=body))

    def slow(self, route: Route, seconds: float, *, times: int | None = 1) -> RouteFault:
        """Answer only after so long."""
        return self._request(RouteFault(times=times, route=route, seconds=seconds))

    def drop(self, route: Route, *, times: int | None = 1) -> RouteFault:
        """Cut the connection; nothing is done of what was asked."""
        return self._request(RouteFault(times=times, route=route, drop=True))

    def lose_answer(self, route: Route, *, times: int | None = 1) -> RouteFault:
        """Do what was asked, and cut the connection instead of saying so."""
        return self._request(RouteFault(times=times, route=route, answer_lost=True))

    def answer_raw(self, route: Route, raw: bytes, *, times: int | None = 1) -> RouteFault:
        """Answer 200 with this, whatever it is; nothing is done of what was asked."""
        return self._request(RouteFault(times=times, route=route, status=200, raw=raw))

    def cut_upload(self, after_bytes: int, *, times: int | None = 1) -> RouteFault:
        """Cut the connection once so much of an upload has come."""
        fault = RouteFault(times=times, route="upload", after_bytes=after_bytes)
        return self._request(fault)

    def fail_job(self, error_code: int | None = 500, *, times: int | None = 1) -> JobFault:
        """End a job with the status `error`."""
        return self._job(JobFault(times=times, error_code=error_code))

    def stick_job(self, *, times: int | None = 1) -> JobFault:
        """Let a job be processed for ever."""
        return self._job(JobFault(times=times, is_stuck=True))

    def change_result(self, change: Callable[[Json], Any], *, times: int | None = 1) -> JobFault:
        """Change a job's `result` before anybody gets it."""
        return self._job(JobFault(times=times, change=change))

    # Asked by the emulator

    def on_request(self, route: Route) -> RouteFault | None:
        """Take the fault for this request."""
        mine = (one for one in self._requests if one.route == route and one.after_bytes is None)
        return next((fault for fault in mine if fault.spend()), None)

    def on_upload_bytes(self, received: int) -> bool:
        """Whether the connection is cut after so much of an upload."""
        cuts = (one for one in self._requests if one.after_bytes is not None)
        return any(received >= (one.after_bytes or 0) and one.spend() for one in cuts)

    def on_job(self) -> JobFault | None:
        """Take the fault for this job."""
        return next((fault for fault in self._jobs if fault.spend()), None)

    def _request(self, fault: RouteFault) -> RouteFault:
        self._requests.append(fault)
        return fault

    def _job(self, fault: JobFault) -> JobFault:
        self._jobs.append(fault)
        return fault
