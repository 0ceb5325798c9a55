"""The service: accounts, slots, HTTP routes and sockets, on one event loop."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any, Literal

from . import messages
from .answers import dated, error, fault_response, invalid, job_json, labelled, not_found, page
from .fault_kinds import Fault, RequestFault
from .faults import Faults
from .jobs import wav
from .recognizers import RecognizerFactory
from .recorded import Recordings
from .records import HttpRequest, Session
from .session import LiveSession
from .settings import Switches, Timings
from .validation import REGIONS, Invalid, validate_init
from .wire import Dropped, Listener, Request, Response, WebSocket

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
        self.recordings = Recordings(self, recognizer)
        self.listener = Listener(
            on_http=self._http,
            on_handshake=self._handshake,
            on_socket=self._socket,
            on_body=self.recordings.receiving,
            compression=switches.compression,
            close_timeout=timings.close_handshake,
        )

    async def open(self, host: str, port: int) -> None:
        """Listen; `url` is set afterwards."""
        self.loop = asyncio.get_running_loop()
        self.url = f"http://{host}:{await self.listener.open(host, port)}"

    async def close(self) -> None:
        """End every connection and session; raises what went wrong in the emulator itself."""
        for session in [*self.sessions.values()]:  # another may still be opened meanwhile
            await session.close()
        await self.recordings.close()
        await self.listener.close()
        if self.listener.failures:
            raise BaseExceptionGroup("the Gladia emulator failed", self.listener.failures)

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
        """Seconds billed over all sessions and recordings."""
        live = sum(session.record.billed_seconds for session in list(self.sessions.values()))
        return live + self.recordings.billed_seconds

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
        if request.path.strip("/").split("/")[1] != "live":
            return await self.recordings.answer(request)
        match request.method, request.path.strip("/").split("/")[2:]:
            case "POST", []:
                return await self._post(request)
            case "GET", []:
                return self._list(request)
            case "GET" | "DELETE" | "PATCH", [job]:
                return self._job(request, job)
            case "GET", [job, "file"]:
                return self._file(request, job)
        return not_found(request)

    def _denied(self, request: Request) -> Response | None:
        version, _, rest = request.path.strip("/").partition("/")
        if version != "v2" or rest.split("/")[0] not in ("live", "upload", "pre-recorded"):
            return not_found(request)
        key = request.headers.get("x-gladia-key")
        if key is None:
            return error(request, 401, "no gladia key provided")
        if not key:
            return error(request, 401, "gladia key not found")
        if self.api_keys is not None and key not in self.api_keys:
            return error(request, 401, "gladia user not found")
        return None

    async def _post(self, request: Request) -> Response:
        fault = self.faults.on_post()
        await asyncio.sleep(self.timings.answer + (fault.seconds if fault else 0.0))
        if fault is not None and fault.drop:
            raise Dropped
        if fault is not None and fault.status is not None:
            return fault_response(request, fault)
        region = request.argument("region")
        if region is not None and region not in REGIONS:
            listed = ", ".join(REGIONS)
            return invalid(request, [f"region must be one of the following values: {listed}"])
        try:
            body = json.loads(request.body or b"{}")
            config = validate_init(body, reject_unknown=self.switches.reject_unknown_fields)
        except Invalid as refused:
            return invalid(request, refused.errors)
        except ValueError:
            return error(request, 400, "Unexpected token in JSON")
        if beyond := self._beyond_plan(request):
            return beyond
        session = self._create(request, body, config, region)
        record = session.record
        answer = {"id": record.id, "created_at": record.job["created_at"], "url": self._ws(record)}
        return Response(201, answer)

    def _beyond_plan(self, request: Request) -> Response | None:
        if self.wallet_empty:
            return error(request, self.switches.empty_wallet_status, "Insufficient credits")
        if self.max_sessions is not None and len(self.slots) >= self.max_sessions:
            return error(request, 429, "Too many concurrent sessions")
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
            return error(request, 404, "Transcription not found")
        if request.method == "GET":
            return Response(200, job_json(session))
        if request.method == "PATCH":
            return self._patch(request, session)
        if session.record.status not in ("done", "error"):
            return error(request, 403, "Transcription is not in a deletable state")
        self.deleted.add(job)
        return Response(202, {})

    def _patch(self, request: Request, session: LiveSession) -> Response:
        if len(request.body) > _MAX_METADATA_BYTES:
            return error(request, 413, "Metadata too large")
        try:
            session.record.job["post_session_metadata"] = json.loads(request.body)
        except ValueError:
            return error(request, 400, "Unexpected token in JSON")
        return Response(204)

    def _file(self, request: Request, job: str) -> Response:
        session = self._find(job, request.headers["x-gladia-key"])
        if session is None:
            return error(request, 404, "Transcription not found")
        return Response(200, wav(session.record), "audio/wav")

    def _list(self, request: Request) -> Response:
        jobs = [job_json(s) for s in reversed(self.sessions.values()) if self._wanted(request, s)]
        return page(request, f"{self.url}/v2/live", jobs)

    def _wanted(self, request: Request, session: LiveSession) -> bool:
        record = session.record
        if self._find(record.id, request.headers["x-gladia-key"]) is None:
            return False
        statuses = request.query.get("status")
        if statuses and record.status not in statuses:
            return False
        wanted = labelled(request, record.config["custom_metadata"])
        return dated(request, record.job["created_at"]) and wanted

    # WebSocket

    async def _handshake(self, request: Request) -> Response | None:
        session = self._by_token(request)
        if session is None:
            refused = self.switches.unknown_token
            return error(request, refused, "Unknown token") if refused < 1000 else None
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
        return error(request, status, "Forbidden")

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
