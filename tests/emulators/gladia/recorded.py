"""The pre-recorded API: files that are uploaded, and jobs that transcribe them.

Routes and shapes follow Gladia's OpenAPI document as its SDK 2.2.0 has it; how many jobs are worked
on at once, and how many may wait, is from https://docs.gladia.io/chapters/limits-and-specifications.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import messages
from .answers import dated, error, fault_response, invalid, labelled, not_found, page
from .recognizers import RecognizerFactory
from .recorded_faults import JobFault, Route, RouteFault
from .recorded_results import transcribe
from .uploads import MAX_BYTES, NoFile, Upload, decode, read_form
from .validation import Invalid, validate_recorded
from .wire import Dropped, Request, Response

if TYPE_CHECKING:
    from .service import Service

Json = dict[str, Any]

AT_ONCE = 25  # jobs of a paid plan that are worked on
QUEUED = 300  # and that wait for it


@dataclass(slots=True)
class Recording:
    """Everything about one job."""

    id: str
    key: str
    init: Json  # the body as it came
    config: Json  # with every default
    headers: dict[str, str] = field(repr=False)
    upload: Upload | None
    job: Json = field(default_factory=dict, repr=False)
    billed_seconds: float = 0.0
    is_deleted: bool = False

    @property
    def status(self) -> str:
        """queued, processing, done or error."""
        return str(self.job["status"])


class Recordings:
    """All files and jobs."""

    def __init__(self, service: Service, recognizer: RecognizerFactory) -> None:
        self._service = service
        self._recognizer = recognizer
        self.uploads: dict[str, Upload] = {}  # by id
        self.jobs: dict[str, Recording] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def billed_seconds(self) -> float:
        """Seconds billed over all jobs."""
        return sum(job.billed_seconds for job in list(self.jobs.values()))

    async def close(self) -> None:
        """End what is worked on; raises what went wrong in the emulator itself."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        failures = [one for one in ended if isinstance(one, Exception)]
        if failures:
            raise ExceptionGroup("jobs of the Gladia emulator failed", failures)

    def receiving(self, target: str, size: int) -> None:
        """Cut an upload's connection if that was planned."""
        is_upload = target.partition("?")[0] == "/v2/upload"
        if is_upload and self._service.faults.recorded.on_upload_bytes(size):
            raise Dropped

    async def answer(self, request: Request) -> Response:
        """Answer a request whose key is good."""
        route, job = _route_of(request)
        if route is None:
            return not_found(request)
        fault = self._service.faults.recorded.on_request(route)
        await asyncio.sleep(self._service.timings.answer + (fault.seconds if fault else 0.0))
        if fault is not None and (instead := _instead(request, fault)):
            return instead
        response = await self._do(route, request, job)
        if fault is not None and fault.answer_lost:
            raise Dropped
        return response

    async def _do(self, route: Route | None, request: Request, job: str) -> Response:
        match route:
            case "upload":
                return await self._upload(request)
            case "create":
                return self._create(request)
            case "list":
                return self._list(request)
            case "get":
                return self._get(request, job)
            case "file":
                return self._file(request, job)
            case _:
                return self._delete(request, job)

    async def _upload(self, request: Request) -> Response:
        if len(request.body) > MAX_BYTES:
            return error(request, 413, "File too large")
        try:
            name, kind, data = read_form(request.headers.get("content-type", ""), request.body)
            codec, channels = await asyncio.to_thread(decode, data)
        except NoFile as wrong:
            return invalid(request, [str(wrong)])
        except ValueError:
            return error(request, 400, "The file is not a valid audio or video file")
        key = request.headers["x-gladia-key"]
        upload = Upload(str(uuid.uuid4()), key, name, kind, data, channels, codec)
        self.uploads[upload.id] = upload
        about = {
            "id": upload.id,
            "filename": name,
            "extension": name.rpartition(".")[2],
            "size": len(data),
            "audio_duration": upload.seconds,
            "number_of_channels": len(channels),
        }
        return Response(200, {"audio_url": self._url_of(upload), "audio_metadata": about})

    def _url_of(self, upload: Upload) -> str:
        return f"{self._service.url}/file/{upload.id}"

    def _create(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return error(request, 400, "Content-Type must be application/json")
        try:
            body = json.loads(request.body)
            strict = self._service.switches.reject_unknown_fields
            config = validate_recorded(body, reject_unknown=strict)
        except Invalid as refused:
            return invalid(request, refused.errors)
        except ValueError:
            return error(request, 400, "Unexpected token in JSON")
        if self._service.wallet_empty:
            return error(
                request, self._service.switches.empty_wallet_status, "Insufficient credits"
            )
        if sum(job.status in ("queued", "processing") for job in self.jobs.values()) >= (
            AT_ONCE + QUEUED
        ):
            return error(request, 429, "Too many requests")
        job = self._job(request, body, config)
        task = asyncio.get_running_loop().create_task(self._work(job))
        self._tasks.add(task)
        return Response(201, {"id": job.id, "result_url": self._result_url(job)})

    def _result_url(self, job: Recording) -> str:
        return f"{self._service.url}/v2/pre-recorded/{job.id}"

    def _job(self, request: Request, body: Json, config: Json) -> Recording:
        key = request.headers["x-gladia-key"]
        mine = (one for one in self.uploads.values() if one.key == key)
        upload = next((one for one in mine if self._url_of(one) == config["audio_url"]), None)
        job = Recording(str(uuid.uuid4()), key, body, config, request.headers, upload)
        job.job = {
            "id": job.id,
            "request_id": f"G-{job.id[:8]}",
            "version": 2,
            "status": "queued",
            "created_at": messages.now(),
            "completed_at": None,
            "kind": "pre-recorded",
            "custom_metadata": config["custom_metadata"],
            "error_code": None,
            "file": None,
            "request_params": None,
            "result": None,
        }
        self.jobs[job.id] = job
        return job

    async def _work(self, job: Recording) -> None:
        timings = self._service.timings
        async with self._at_once:
            await asyncio.sleep(timings.recorded_queue)
            job.job["status"] = "processing"
            self._service.changed()
            await asyncio.sleep(timings.recorded_work)
            fault = self._service.faults.recorded.on_job()
            if fault is not None and fault.is_stuck:
                await asyncio.Event().wait()
            failed = self._failed(job, fault)
            if failed is None:
                await self._finish(job, fault)
            else:
                job.job |= {"status": "error", "error_code": failed}
            job.job["completed_at"] = messages.now()
            self._service.changed()

    def _failed(self, job: Recording, fault: JobFault | None) -> int | None:
        """Return the error code of a job that fails."""
        if fault is not None and fault.error_code is not None:
            return fault.error_code
        if job.upload is None:  # an address from which nothing can be had
            return 400
        return 422 if job.upload.seconds > self._service.timings.recorded_limit else None

    async def _finish(self, job: Recording, fault: JobFault | None) -> None:
        assert job.upload is not None
        result = await asyncio.to_thread(transcribe, job.upload, job.config, self._recognizer)
        job.billed_seconds = result["metadata"]["billing_time"]
        params = {name: value for name, value in job.config.items() if value is not None}
        job.job |= {
            "status": "done",
            "file": {
                "id": job.upload.id,
                "filename": job.upload.filename,
                "source": None,
                "audio_duration": job.upload.seconds,
                "number_of_channels": len(job.upload.channels),
            },
            "request_params": params,
            "result": fault.change(result) if fault and fault.change else result,
        }
        self._service.charged()

    def _find(self, request: Request, job: str) -> Recording | None:
        found = self.jobs.get(job)
        mine = found is not None and found.key == request.headers["x-gladia-key"]
        return found if mine and found is not None and not found.is_deleted else None

    def _get(self, request: Request, job: str) -> Response:
        found = self._find(request, job)
        if found is None:
            return error(request, 404, "Transcription not found")
        return Response(200, dict(found.job))

    def _file(self, request: Request, job: str) -> Response:
        found = self._find(request, job)
        if found is None or found.upload is None:
            return error(request, 404, "Transcription not found")
        return Response(200, found.upload.data, found.upload.content_type)

    def _delete(self, request: Request, job: str) -> Response:
        found = self._find(request, job)
        if found is None:
            return error(request, 404, "Transcription not found")
        if found.status not in ("done", "error"):
            return error(request, 403, "Transcription is not in a deletable state")
        found.is_deleted = True
        if found.upload is not None:
            self.uploads.pop(found.upload.id, None)
        return Response(202)

    def _list(self, request: Request) -> Response:
        jobs = [dict(job.job) for job in reversed(self.jobs.values()) if self._wanted(request, job)]
        return page(request, f"{self._service.url}/v2/pre-recorded", jobs)

    def _wanted(self, request: Request, job: Recording) -> bool:
        if self._find(request, job.id) is None:
            return False
        statuses = request.query.get("status")
        if statuses and job.status not in statuses:
            return False
        wanted = labelled(request, job.config["custom_metadata"])
        return wanted and dated(request, job.job["created_at"])


_ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "upload"): "upload",
    ("POST", "pre-recorded"): "create",
    ("GET", "pre-recorded"): "list",
    ("GET", "pre-recorded/{id}"): "get",
    ("GET", "pre-recorded/{id}/file"): "file",
    ("DELETE", "pre-recorded/{id}"): "delete",
}


def _route_of(request: Request) -> tuple[Route | None, str]:
    """Return what is asked for, and of which job."""
    _, *path = request.path.strip("/").split("/")
    job = path[1] if len(path) > 1 else ""
    path[1:2] = ["{id}"] if job else []
    return _ROUTES.get((request.method, "/".join(path))), job


def _instead(request: Request, fault: RouteFault) -> Response | None:
    if fault.drop:
        raise Dropped
    if fault.raw is not None:
        return Response(200, fault.raw)
    return fault_response(request, fault) if fault.status is not None else None
