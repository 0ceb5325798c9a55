"""What may go wrong, and when: every method of `Faults` plans one kind of trouble.

The moment of a fault in a live session is given by keyword, all optional:

- `after_bytes`: once the session has received so many bytes of audio;
- `every_bytes`: each time so many more bytes came;
- `after_seconds`: so long after the session's first connection opened;
- `on`: with an event: `open`, `stop`, `partial`, `final`, or any message type just sent;
- none of them: at once in live sessions, else as soon as one opens.

`session` limits it to one session (its number from 0, or its id), `times` says how often
it may happen (None: always). Every method returns a `Fault` that counts and can be
cancelled, and may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

from .fault_kinds import (
    Change,
    Chaos,
    Fault,
    Json,
    LastChunk,
    MessageFault,
    Moment,
    RequestFault,
    SessionFault,
)
from .messages import kind
from .recorded_faults import RecordedFaults

if TYPE_CHECKING:
    from .session import LiveSession


class Faults:
    """The faults planned for an emulator: `emulator.faults`."""

    def __init__(self, added: Callable[[Fault], None]) -> None:
        self._added = added
        self._faults: list[Fault] = []
        self._posts: list[RequestFault] = []
        self._handshakes: list[RequestFault] = []
        self.recorded = RecordedFaults()

    # In a live session

    def drop(
        self,
        *,
        code: int | None = 1011,
        reason: str = "",
        delay: float = 0.0,
        last_chunk: LastChunk = "acked",
        **moment: Unpack[Moment],
    ) -> SessionFault:
        """Close with `code` (None: TCP abort, 1005: close frame without a code).

        `last_chunk` is the fate of the chunk that triggers it by bytes: acknowledged;
        counted but its acknowledgment lost, so a client sends it twice; or never arrived.
        `delay` is a wait before the close in which further audio is still taken.
        """

        def act(session: LiveSession) -> None:
            session.drop(code, reason, delay)

        return self._plan(act, last_chunk, moment)

    def stall_acknowledgments(
        self, seconds: float | None = None, **moment: Unpack[Moment]
    ) -> SessionFault:
        """Send no acknowledgments for so long (None: until `resume_acknowledgments`)."""
        return self._plan(lambda session: session.acknowledgments.stall(seconds), "acked", moment)

    def resume_acknowledgments(self, **moment: Unpack[Moment]) -> SessionFault:
        """Send the acknowledgments that `stall_acknowledgments` held back, and stall no more."""
        return self._plan(lambda session: session.acknowledgments.resume(), "acked", moment)

    def stall_socket(self, seconds: float | None = None, **moment: Unpack[Moment]) -> SessionFault:
        """Neither read nor send for so long (None: for good): a dead peer, TCP still up."""
        return self._plan(lambda session: session.stall_socket(seconds), "acked", moment)

    def lose_acknowledgments(self, **moment: Unpack[Moment]) -> SessionFault:
        """Count the triggering chunk without ever acknowledging it; later ranges cover it."""
        return self._plan(lambda session: None, "unacked", moment)

    def refuse_audio(self, **moment: Unpack[Moment]) -> SessionFault:
        """Answer the triggering chunk with a negative acknowledgment; it is not counted."""
        return self._plan(lambda session: session.refuse_chunk(), "lost", moment)

    def send(
        self, type_: str, data: Any = None, *, extra: Json | None = None, **moment: Unpack[Moment]
    ) -> SessionFault:
        """Send a message of this type whatever `messages_config` says."""

        def act(session: LiveSession) -> None:
            session.transmit(session.compose.message(type_, data) | (extra or {}))

        return self._plan(act, "acked", moment)

    def send_raw(self, text: str, **moment: Unpack[Moment]) -> SessionFault:
        """Send a text frame as it is, e.g. something that is not JSON."""
        return self._plan(lambda session: session.transmit_raw(text), "acked", moment)

    def error_message(
        self, code: str = "internal_error", text: str = "Something broke", **moment: Unpack[Moment]
    ) -> SessionFault:
        """Send an `error` message; its shape is not documented."""
        return self.send("error", {"code": code, "message": text}, **moment)

    def unknown_message(self, **moment: Unpack[Moment]) -> SessionFault:
        """Send a message of a type nobody knows yet."""
        return self.send("brand_new_event", {"anything": [1, None]}, **moment)

    def oversized_message(self, size: int = 2**20 + 1, **moment: Unpack[Moment]) -> SessionFault:
        """Send a `post_transcript` of more than `size` bytes, as long sessions have."""
        data = {"full_transcript": "x" * size, "languages": ["en"], "utterances": []}
        return self.send("post_transcript", data, **moment)

    def chaos(
        self,
        *,
        seed: int,
        mean_bytes: float,
        codes: tuple[int | None, ...] = (1005, 1011, 1012, 1013, 4500),
        last_chunks: tuple[LastChunk, ...] = ("acked", "lost"),
        times: int | None = None,
        session: int | str | None = None,
    ) -> Chaos:
        """Drop at random positions, on average every `mean_bytes`, repeatably by `seed`.

        With "unacked" in `last_chunks`, or with None in `codes` (a TCP abort can overtake
        an acknowledgment), audio is doubled: the protocol can't prevent it.
        """

        fault = Chaos(
            times=times,
            session=session,
            seed=seed,
            mean_bytes=mean_bytes,
            codes=codes,
            last_chunks=last_chunks,
        )
        fault.act = lambda live: live.drop(fault.code, "", 0.0)
        self._add(fault)
        return fault

    # On messages

    def change(
        self,
        kind: str,
        change: Change,
        *,
        times: int | None = 1,
        session: int | str | None = None,
    ) -> MessageFault:
        """Change messages of a kind (`partial`, `final` or a type); None swallows one."""
        fault = MessageFault(times=times, session=session, kind=kind, change=change)
        self._add(fault)
        return fault

    def null_data(
        self, kind: str, *, times: int | None = 1, session: int | str | None = None
    ) -> MessageFault:
        """Send messages of a kind with null `data` and an error, as failed add-ons are."""

        def nulled(message: Json) -> Json:
            return message | {"data": None, "error": {"message": "processing failed"}}

        return self.change(kind, nulled, times=times, session=session)

    def late_finals(
        self, *, times: int | None = 1, session: int | str | None = None
    ) -> MessageFault:
        """Hold finals back until the client has reconnected."""
        fault = MessageFault(times=times, session=session, kind="final", hold=True)
        self._add(fault)
        return fault

    # On requests

    def refuse_post(
        self,
        status: int = 429,
        *,
        times: int | None = 1,
        body: Json | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> RequestFault:
        """Answer `POST /v2/live` with an error status."""
        fault = RequestFault(times=times, status=status, body=body, headers=headers)
        return self._request(self._posts, fault)

    def slow_post(self, seconds: float, *, times: int | None = 1) -> RequestFault:
        """Answer `POST /v2/live` only after so long."""
        return self._request(self._posts, RequestFault(times=times, seconds=seconds))

    def drop_post(self, *, times: int | None = 1, seconds: float = 0.0) -> RequestFault:
        """Abort the connection instead of answering `POST /v2/live`."""
        return self._request(self._posts, RequestFault(times=times, drop=True, seconds=seconds))

    def refuse_handshake(
        self, status: int = 403, *, times: int | None = 1, session: int | str | None = None
    ) -> RequestFault:
        """Answer the WebSocket handshake with 403, 502 or the like."""
        fault = RequestFault(times=times, session=session, status=status)
        return self._request(self._handshakes, fault)

    def hang_handshake(
        self, seconds: float, *, times: int | None = 1, session: int | str | None = None
    ) -> RequestFault:
        """Let the handshake wait so long and then abort it; clients time out before."""
        fault = RequestFault(times=times, session=session, seconds=seconds, drop=True)
        return self._request(self._handshakes, fault)

    def slow_handshake(
        self, seconds: float, *, times: int | None = 1, session: int | str | None = None
    ) -> RequestFault:
        """Accept the handshake only after so long."""
        fault = RequestFault(times=times, session=session, seconds=seconds)
        return self._request(self._handshakes, fault)

    def accept_then_close(
        self,
        code: int | None = 1011,
        *,
        times: int | None = None,
        delay: float = 0.01,
        session: int | str | None = None,
    ) -> SessionFault:
        """Accept every connection and close it soon, which sends naive clients in a loop."""
        moment: Moment = {"on": "open", "times": times}
        if session is not None:
            moment["session"] = session
        return self.drop(code=code, delay=delay, **moment)

    # Asked by the emulator

    def on_post(self) -> RequestFault | None:
        """Take the fault for this POST."""
        return next((fault for fault in self._posts if fault.spend()), None)

    def on_handshake(self, session: LiveSession) -> RequestFault | None:
        """Take the fault for this handshake."""
        concerned = (fault for fault in self._handshakes if fault.concerns(session))
        return next((fault for fault in concerned if fault.spend()), None)

    def on_audio(self, session: LiveSession, total: int) -> list[SessionFault]:
        """Take the faults due once `total` bytes have come."""
        return [fault for fault in self._in_sessions() if fault.due_at_bytes(session, total)]

    def on_event(self, session: LiveSession, event: str) -> None:
        """Let the faults happen that wait for this event."""
        for fault in self._in_sessions():
            wanted = fault.on == event or (fault.at_once and event == "open")
            if wanted and fault.concerns(session) and fault.spend():
                fault.act(session)

    def timed(self, session: LiveSession) -> list[SessionFault]:
        """Return the faults that wait for some time after the first connection."""
        return [
            fault
            for fault in self._in_sessions()
            if fault.after_seconds is not None and fault.concerns(session)
        ]

    def on_message(self, session: LiveSession, message: Json) -> Json | None:
        """Return the message as it shall be sent, or None."""
        for fault in [f for f in self._faults if isinstance(f, MessageFault)]:
            if fault.kind in (kind(message), message["type"]) and fault.concerns(session):
                fault.spend()
                changed = fault.change(message)
                if fault.hold:
                    session.keep_for_later(message)
                if changed is None or fault.hold:
                    return None
                message = changed
        return message

    def _in_sessions(self) -> list[SessionFault]:
        return [fault for fault in self._faults if isinstance(fault, SessionFault)]

    def _plan(
        self, act: Callable[[LiveSession], None], last_chunk: LastChunk, moment: Moment
    ) -> SessionFault:
        fault = SessionFault(act=act, last_chunk=last_chunk, **moment)
        self._add(fault)
        return fault

    def _request(self, where: list[RequestFault], fault: RequestFault) -> RequestFault:
        where.append(fault)
        return fault

    def _add(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._added(fault)
