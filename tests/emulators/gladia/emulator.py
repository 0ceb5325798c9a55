"""The service: accounts, slots, HTTP routes, and the handle tests hold."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Literal, Self

from . import messages
from .faults import Fault, Faults, RequestFault
from .recognizers import RecognizerFactory, WordRecognizer
from .records import HttpRequest, Session
from .session import LiveSession
from .settings import Switches, Timings
from .validation import REGIONS, Invalid, validate_init
from .wire import Door, Dropped, Request, Response, WebSocket

API_KEY = "gladia-test-key"
WAIT_TIMEOUT_S = 60.0  # for what a test expects; busy machines take their time
_MAX_METADATA_BYTES = 100_000

Json = dict[str, Any]


class Service:
    """Gladia's side, running on one event loop."""

    def __init__(
        self,
        *,
        api_keys: Collection[str] | None,
        max_sessions: int | None,
        credit_seconds: float | None,
        switches: Switches,
        timings: Timings,
        recognizer: RecognizerFactory,
    ) -> None:
        self.api_keys = api_keys
        self.max_sessions = max_sessions
        self.credit_seconds = credit_seconds
        self.switches = switches
        self.timings = timings
        self.faults = Faults(self._planned)
        self.sessions: dict[str, LiveSession] = {}
        self.deleted: set[str] = set()
        self.requests: list[HttpRequest] = []
        self.slots: set[str] = set()
        self.peak_slots = 0
        self.url = ""
        self.loop: asyncio.AbstractEventLoop | None = None
        self._recognizer = recognizer
        self._waiting: list[asyncio.Event] = []
        self.door = Door(
            on_http=self._http,
            on_handshake=self._handshake,
            on_socket=self._socket,
            compression=switches.compression,
            close_timeout=timings.close_handshake,
        )

    async def open(self, host: str, port: int) -> None:
        """Listen; `url` is set afterwards."""
        self.loop = asyncio.get_running_loop()
        self.url = f"http://{host}:{await self.door.open(host, port)}"

    async def close(self) -> None:
        """End every connection and session; raises what went wrong in the emulator itself."""
        for session in self.sessions.values():
            await session.close()
        await self.door.close()
        if self.door.failures:
            raise BaseExceptionGroup("the Gladia emulator failed", self.door.failures)

    def changed(self) -> None:
        """Tell those who wait that something happened."""
        for event in self._waiting:
            event.set()

    async def until(self, condition: Callable[[], bool], within: float) -> None:
        """Wait for a condition on what the emulator saw; raises TimeoutError."""
        event = asyncio.Event()
        self._waiting.append(event)
        try:
            async with asyncio.timeout(within):
                while not condition():
                    await event.wait()
                    event.clear()
        finally:
            self._waiting.remove(event)

    def released(
        self, session: LiveSession, moment: Literal["close", "done", "disconnect"]
    ) -> None:
        """Free the session's slot if this is the moment for it."""
        dropped = moment == "disconnect" and self.switches.slot_taken == "connect"
        if dropped or moment in ("done", self.switches.slot_freed):
            self.slots.discard(session.record.id)

    @property
    def billed_seconds(self) -> float:
        """Seconds billed over all sessions."""
        return sum(session.record.billed_seconds for session in list(self.sessions.values()))

    @property
    def wallet_empty(self) -> bool:
        """Whether what was prepaid is used up."""
        return self.credit_seconds is not None and self.billed_seconds >= self.credit_seconds

    def charged(self) -> None:
        """End what is open once the wallet is empty; called when audio was billed."""
        code = self.switches.empty_wallet_code
        if code is not None and self.wallet_empty:
            for session in self.sessions.values():
                session.end(code, "Insufficient credits")

    def _planned(self, fault: Fault) -> None:
        if self.loop is None or isinstance(fault, RequestFault):
            return
        self.loop.call_soon_threadsafe(self._tell_sessions, fault)

    def _tell_sessions(self, fault: Fault) -> None:
        for session in self.sessions.values():
            session.planned(fault)

    # HTTP

    async def _http(self, request: Request) -> Response:
        status = 0
        try:
            response = self._denied(request) or await self._route(request)
            status = response.status
            return response
        finally:
            query = {name: values[0] for name, values in request.query.items()}
            note = HttpRequest(time.monotonic(), request.method, request.path, query, status)
            self.requests.append(note)
            self.changed()

    async def _route(self, request: Request) -> Response:
        match request.method, request.path.strip("/").split("/")[2:]:
            case "POST", []:
                return await self._post(request)
            case "GET", []:
                return self._list(request)
            case "GET" | "DELETE" | "PATCH", [job]:
                return self._job(request, job)
            case "GET", [job, "file"]:
                return self._file(request, job)
        return self._not_found(request)

    def _denied(self, request: Request) -> Response | None:
        if request.path.strip("/").split("/")[:2] != ["v2", "live"]:
            return self._not_found(request)
        key = request.headers.get("x-gladia-key")
        if key is None:
            return _error(request, 401, "no gladia key provided")
        if not key:
            return _error(request, 401, "gladia key not found")
        if self.api_keys is not None and key not in self.api_keys:
            return _error(request, 401, "gladia user not found")
        return None

    def _not_found(self, request: Request) -> Response:
        return _error(request, 404, f"Cannot {request.method} {request.path}")

    async def _post(self, request: Request) -> Response:
        fault = self.faults.on_post()
        await asyncio.sleep(self.timings.answer + (fault.seconds if fault else 0.0))
        if fault is not None and fault.drop:
            raise Dropped
        if fault is not None and fault.status is not None:
            return _fault_response(request, fault)
        region = request.argument("region")
        if region is not None and region not in REGIONS:
            listed = ", ".join(REGIONS)
            return _invalid(request, [f"region must be one of the following values: {listed}"])
        try:
            body = json.loads(request.body or b"{}")
            config = validate_init(body, reject_unknown=self.switches.reject_unknown_fields)
        except Invalid as refused:
            return _invalid(request, refused.errors)
        except ValueError:
            return _error(request, 400, "Unexpected token in JSON")
        if beyond := self._beyond_plan(request):
            return beyond
        session = self._create(request, body, config, region)
        record = session.record
        answer = {"id": record.id, "created_at": record.job["created_at"], "url": self._ws(record)}
        return Response(201, answer)

    def _beyond_plan(self, request: Request) -> Response | None:
        if self.wallet_empty:
            return _error(request, self.switches.empty_wallet_status, "Insufficient credits")
        if self.max_sessions is not None and len(self.slots) >= self.max_sessions:
            return _error(request, 429, "Too many concurrent sessions")
        return None

    def _ws(self, record: Session) -> str:
        return f"ws{self.url.removeprefix('http')}/v2/live?token={record.token}"

    def _create(
        self, request: Request, body: Json, config: Json, region: str | None
    ) -> LiveSession:
        record = Session(
            id=str(uuid.uuid4()),
            token=str(uuid.uuid4()),
            key=request.headers["x-gladia-key"],
            region=region,
            init=body,
            config=config,
            headers=request.headers,
            created=time.monotonic(),
        )
        record.job = {
            "id": record.id,
            "request_id": f"G-{record.id[:8]}",
            "version": 2,
            "status": "queued",
            "created_at": messages.now(),
            "kind": "live",
            "custom_metadata": config["custom_metadata"],
            "file": None,
            "request_params": config,
            "result": None,
        }
        session = LiveSession(self, len(self.sessions), record, self._recognizer)
        self.sessions[record.id] = session
        if self.switches.slot_taken == "post":
            self._occupy(record)
        return session

    def _occupy(self, record: Session) -> None:
        self.slots.add(record.id)
        self.peak_slots = max(self.peak_slots, len(self.slots))

    def _find(self, job: str, key: str) -> LiveSession | None:
        session = self.sessions.get(job)
        known = session is not None and session.record.key == key and job not in self.deleted
        return session if known else None

    def _job(self, request: Request, job: str) -> Response:
        session = self._find(job, request.headers["x-gladia-key"])
        if session is None:
            return _error(request, 404, "Transcription not found")
        if request.method == "GET":
            return Response(200, _job_json(session))
        if request.method == "PATCH":
            return self._patch(request, session)
        if session.record.status not in ("done", "error"):
            return _error(request, 403, "Transcription is not in a deletable state")
        self.deleted.add(job)
        return Response(202, {})

    def _patch(self, request: Request, session: LiveSession) -> Response:
        if len(request.body) > _MAX_METADATA_BYTES:
            return _error(request, 413, "Metadata too large")
        try:
            session.record.job["post_session_metadata"] = json.loads(request.body)
        except ValueError:
            return _error(request, 400, "Unexpected token in JSON")
        return Response(204)

    def _file(self, request: Request, job: str) -> Response:
        session = self._find(job, request.headers["x-gladia-key"])
        if session is None:
            return _error(request, 404, "Transcription not found")
        return Response(200, session.wav(), "audio/wav")

    def _list(self, request: Request) -> Response:
        try:
            offset = int(request.argument("offset") or 0)
            limit = int(request.argument("limit") or 20)
        except ValueError:
            return _invalid(request, ["offset and limit must be integer numbers"])
        if offset < 0 or limit < 1:
            return _invalid(request, ["limit must not be less than 1"])
        found = [_job_json(s) for s in reversed(self.sessions.values()) if self._wanted(request, s)]
        page = found[offset : offset + limit]
        link = f"{self.url}/v2/live?limit={limit}&offset="
        following = f"{link}{offset + limit}" if offset + limit < len(found) else None
        answer = {"first": f"{link}0", "current": f"{link}{offset}", "next": following}
        return Response(200, answer | {"items": page})

    def _wanted(self, request: Request, session: LiveSession) -> bool:
        record = session.record
        if self._find(record.id, request.headers["x-gladia-key"]) is None:
            return False
        statuses = request.query.get("status")
        if statuses and record.status not in statuses:
            return False
        return _dated(request, record.job["created_at"]) and _labelled(request, record)

    # WebSocket

    async def _handshake(self, request: Request) -> Response | None:
        session = self._by_token(request)
        if session is None:
            refused = self.switches.unknown_token
            return _error(request, refused, "Unknown token") if refused < 1000 else None
        fault = self.faults.on_handshake(session)
        if fault is not None:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.drop:
            session.record.refused_handshakes.append(0)
            raise Dropped
        status = self._refused_with(session, fault)
        if status is None:
            return None
        session.record.refused_handshakes.append(status)
        self.changed()
        return _error(request, status, "Forbidden")

    def _refused_with(self, session: LiveSession, fault: RequestFault | None) -> int | None:
        if fault is not None and fault.status is not None:
            return fault.status
        if session.record.oversized >= self.switches.oversized_until_403:
            return 403
        if session.links and self.switches.second_connection == "refuse":
            return 409
        return None

    def _by_token(self, request: Request) -> LiveSession | None:
        token = request.argument("token")
        known = request.path == "/v2/live"
        found = (s for s in self.sessions.values() if known and s.record.token == token)
        return next(found, None)

    async def _socket(self, request: Request, socket: WebSocket) -> None:
        session = self._by_token(request)
        if session is None or session.over:
            code = 4403 if session is not None else self.switches.unknown_token
            socket.close(code, "Session is over")
            async for _ in socket.incoming():
                pass
            return
        if self.switches.slot_taken == "connect":
            self._occupy(session.record)
        await session.serve(socket)


class GladiaEmulator:
    """Gladia's live API v2 on loopback.

    `async with GladiaEmulator() as emulator` runs it on the current event loop, `with
    GladiaEmulator() as emulator` in a thread of its own. Everything public may be called
    from any thread. `api_keys=None` accepts any key; `max_sessions=None` any number;
    `credit_seconds=None` is a wallet that never gets empty.
    """

    def __init__(
        self,
        *,
        api_keys: Collection[str] | None = (API_KEY,),
        max_sessions: int | None = 30,
        credit_seconds: float | None = None,
        switches: Switches | None = None,
        timings: Timings | None = None,
        recognizer: RecognizerFactory = WordRecognizer,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._service = Service(
            api_keys=api_keys,
            max_sessions=max_sessions,
            credit_seconds=credit_seconds,
            switches=switches or Switches(),
            timings=timings or Timings(),
            recognizer=recognizer,
        )
        self._host, self._port = host, port
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What `GLADIA_API_URL` must be; set it when something stands before the emulator."""
        return self._service.url

    @url.setter
    def url(self, url: str) -> None:
        self._service.url = url

    @property
    def api_key(self) -> str:
        """A key that works."""
        keys = self._service.api_keys
        return next(iter(keys)) if keys else API_KEY

    @property
    def faults(self) -> Faults:
        """Where trouble is planned."""
        return self._service.faults

    @property
    def sessions(self) -> list[Session]:
        """All sessions in the order of their creation."""
        return [session.record for session in list(self._service.sessions.values())]

    @property
    def requests(self) -> list[HttpRequest]:
        """All HTTP requests so far (not the handshakes)."""
        return list(self._service.requests)

    @property
    def open_slots(self) -> int:
        """Sessions that count against the cap right now."""
        return len(self._service.slots)

    @property
    def peak_slots(self) -> int:
        """The most that ever counted at once."""
        return self._service.peak_slots

    @property
    def billed_seconds(self) -> float:
        """Seconds billed over all sessions."""
        return self._service.billed_seconds

    @property
    def credit_seconds(self) -> float | None:
        """Seconds of audio that were prepaid, in all; set it to more for a top-up."""
        return self._service.credit_seconds

    @credit_seconds.setter
    def credit_seconds(self, seconds: float | None) -> None:
        self._service.credit_seconds = seconds

    @property
    def max_sessions(self) -> int | None:
        """The cap above which the POST is answered with 429."""
        return self._service.max_sessions

    @max_sessions.setter
    def max_sessions(self, cap: int | None) -> None:
        self._service.max_sessions = cap

    @property
    def reachable(self) -> bool:
        """Whether TCP connections are served; set to False for an outage."""
        return self._service.door.reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._service.door.reachable = value
        if not value:
            loop = self._service.loop
            assert loop is not None
            loop.call_soon_threadsafe(self._service.door.cut)

    async def until(self, condition: Callable[[], bool], within: float = WAIT_TIMEOUT_S) -> None:
        """Wait until the condition holds; raises TimeoutError."""
        waiting = self._service.until(condition, within)
        if self._service.loop is asyncio.get_running_loop():
            await waiting
        else:
            await asyncio.wrap_future(self._on_loop(waiting))

    def wait_until(self, condition: Callable[[], bool], within: float = WAIT_TIMEOUT_S) -> None:
        """Block until the condition holds; raises TimeoutError. Not on the own loop."""
        self._on_loop(self._service.until(condition, within)).result()

    async def __aenter__(self) -> Self:
        await self._service.open(self._host, self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._service.close()

    def __enter__(self) -> Self:
        started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop, thread = self._service.loop, self._thread
        assert loop is not None
        assert thread is not None
        loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._ended.result()

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._main(started))
            self._ended.set_result(None)
        except BaseExceptionGroup as failed:
            self._ended.set_exception(failed)

    async def _main(self, started: Future[None]) -> None:
        self._stopping = asyncio.Event()
        try:
            await self._service.open(self._host, self._port)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stopping.wait()
        await self._service.close()

    def _on_loop(self, work: Any) -> Future[None]:
        assert self._service.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._service.loop)


def _error(request: Request, status: int, message: str, **more: Any) -> Response:
    body = {
        "timestamp": messages.now(),
        "path": request.path,
        "request_id": f"G-{uuid.uuid4().hex[:8]}",
        "statusCode": status,
        "message": message,
    }
    return Response(status, body | more)


def _invalid(request: Request, errors: list[str]) -> Response:
    return _error(request, 400, "Invalid parameters", validation_errors=errors)


def _fault_response(request: Request, fault: RequestFault) -> Response:
    assert fault.status is not None
    usual = _error(request, fault.status, "Too many requests" if fault.status == 429 else "Refused")
    body = usual.body if fault.body is None else fault.body
    return Response(fault.status, body, headers=fault.headers)


def _job_json(session: LiveSession) -> Json:
    return session.record.job | {"status": session.record.status}


def _dated(request: Request, created: str) -> bool:
    date, before, after = (request.argument(n) for n in ("date", "before_date", "after_date"))
    on_day = date is None or created.startswith(date[:10])
    return on_day and (before is None or created < before) and (after is None or created > after)


def _labelled(request: Request, record: Session) -> bool:
    wanted = {
        name.removeprefix("custom_metadata[").removesuffix("]"): values[0]
        for name, values in request.query.items()
        if name.startswith("custom_metadata[")
    }
    labels = record.config["custom_metadata"] or {}
    return all(str(labels.get(name)) == value for name, value in wanted.items())
