"""One live session: what it received, what it says, its clocks and its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from . import messages
from .acknowledgments import Acknowledgments
from .clock import Clock
from .fault_kinds import Fault, SessionFault
from .intake import Intake
from .jobs import complete, metadata
from .link import Link, parse
from .listening import Listener
from .recognizers import (
    Event,
    Final,
    Partial,
    RecognizerFactory,
    SpeechStart,
    Utterance,
)
from .records import Connection, Frame, Session
from .wire import Incoming, WebSocket

if TYPE_CHECKING:
    from .service import Service

Json = dict[str, Any]


class LiveSession:
    """A session from the POST to the end of its job."""

    def __init__(
        self, service: Service, number: int, record: Session, make: RecognizerFactory
    ) -> None:
        self.service = service
        self.number = number
        self.record = record
        self.compose = messages.Composer(
            record.id, asyncapi_errors=service.switches.asyncapi_errors
        )
        self.links: list[Link] = []
        self._loop = asyncio.get_running_loop()
        self._switches = service.switches
        self._timings = service.timings
        self._listener = Listener(record.config, make, self._heard)
        self._tasks: set[asyncio.Task[None]] = set()
        self._late: list[Json] = []
        self.acknowledgments = Acknowledgments(self)
        self._resent: list[Json] = []
        self._utterances: list[Utterance] = []
        self._stopped = False
        self._over = False
        timings = self._timings
        self._idle = Clock(timings.idle, lambda: self.end(4408, "No input for too long"))
        self._no_text = Clock(timings.no_text, self._without_text)
        self._intake = Intake(self, self._listener, self._no_text)
        self._limit = Clock(
            timings.session, lambda: self.end(self._switches.session_limit_code, "Session too long")
        )
        self._away = Clock(timings.resume, lambda: self.end(4408, "Client did not return"))
        self._first = Clock(timings.first_connect, lambda: self.end(4408, "Never connected"))
        self._limit.start()
        self._first.start()
        self._spawn(self._listen())

    @property
    def over(self) -> bool:
        """Whether the session has ended, so a connect is answered with 4403."""
        return self._over

    # The connection

    async def serve(self, socket: WebSocket) -> None:
        """Run one connection until it has ended."""
        link = self._open(socket)
        try:
            async for incoming in socket.incoming():
                self._take(link, incoming)
                self.service.changed()
        finally:
            self._closed(link)

    def _open(self, socket: WebSocket) -> Link:
        link = Link(socket, Connection(self._loop.time()))
        again = bool(self.record.connections)
        self._replace_others()
        self.record.connections.append(link.record)
        self.links.append(link)
        if self._switches.ranges_restart_on_reconnect:
            link.base = len(self.record.received)
        if self._switches.deduplicate:
            link.duplicates = bytes(self.record.received[self.acknowledgments.end :])
        self._away.stop()
        self._first.stop()
        self._idle.start()
        if self.record.received:
            self._no_text.start()
        self._greet(again)
        if not again:
            for fault in self.service.faults.timed(self):
                self.later(fault.after_seconds or 0.0, partial(self._fire, fault))
        self.service.faults.on_event(self, "open")
        self.service.changed()
        return link

    def _replace_others(self) -> None:
        if self._switches.second_connection == "replace":
            for other in self.links:
                other.socket.close(self._switches.replaced_code, "Replaced by a new connection")
            self.links = []

    def _greet(self, again: bool) -> None:
        if self._switches.start_session_on_socket and not again:
            self.say(self.compose.message("start_session"))
        if not again or self._switches.repeat_start_recording:
            self.say(self.compose.message("start_recording"))
        for message in self._resent + self._late:
            self.transmit(message)
        self._resent, self._late = [], []

    def _closed(self, link: Link) -> None:
        record = link.record
        record.closed = self._loop.time()
        record.close_code, record.close_reason, record.closed_by = link.socket.closed_with
        if record.close_code == 1009 and record.closed_by == "server":
            self.record.oversized += 1
        if link in self.links:
            self.links.remove(link)
        if not self.links:
            self._left_alone(record)
        self.service.changed()

    def _left_alone(self, record: Connection) -> None:
        if not self._switches.idle_while_away:
            self._idle.stop()
        self._no_text.stop()
        if record.closed_by == "client" and record.close_code == 1000 and not self._stopped:
            self._stopped = True
            self._spawn(self._conclude(1000, "Client closed", goodbye=False))
        elif not self._over:
            self._away.start()
            self.service.released(self, "disconnect")

    # What the client sends

    def _take(self, link: Link, incoming: Incoming) -> None:
        if incoming.kind in ("ping", "pong"):
            link.record.frames.append(
                Frame(self._loop.time(), incoming.kind, len(incoming.data), 0)
            )
            if self._switches.pings_are_input and incoming.kind == "ping":
                self._idle.touch()
        elif incoming.kind == "binary":
            self._note(link, incoming, len(incoming.data), None)
            if incoming.data or self._switches.empty_binary_is_input:
                self._idle.touch()
            self._audio(link, incoming.data)
        else:
            self._command(link, incoming)

    def _note(self, link: Link, incoming: Incoming, audio: int, type_: str | None) -> None:
        frame = Frame(self._loop.time(), incoming.kind, len(incoming.data), audio, type_)
        link.record.frames.append(frame)

    def _command(self, link: Link, incoming: Incoming) -> None:
        type_, audio, problem = parse(incoming.data)
        self._note(link, incoming, len(audio), type_)
        if problem:
            self.record.protocol_errors.append(problem)
        if type_ == "audio_chunk":
            self._idle.touch()
            if problem:
                self.say(self.compose.refusal("audio_chunk", problem), link)
            else:
                self._audio(link, audio)
        elif type_ == "stop_recording":
            self._stop(link)
        else:
            data = {"code": "invalid_message", "message": problem or "Unknown message"}
            self.say(self.compose.message("error", data), link)

    def _audio(self, link: Link, audio: bytes) -> None:
        if self._stopped or self._over:
            self.record.late_bytes += len(audio)
            return
        self._intake.take(link, audio)

    # What the service says

    def say(self, message: Json, link: Link | None = None) -> bool:
        """Send what `messages_config` lets through; returns whether it reached a socket.

        Acknowledgments and refusals go to the connection they answer, the rest to all.
        """
        config = self.record.config["messages_config"]
        gate = messages.gate(message)
        if gate is not None and not config[gate]:
            return False
        changed = self.service.faults.on_message(self, message)
        if changed is None:
            return False
        if "acknowledged" not in changed:
            self.record.messages.append(changed)
        return self.transmit(changed, link)

    def transmit(self, message: Json, link: Link | None = None) -> bool:
        """Send a message as it is."""
        text = json.dumps(message, ensure_ascii=False)
        receivers = [link] if link is not None else list(self.links)
        reached = [receiver for receiver in receivers if receiver.socket.send(text)]
        for receiver in reached:
            receiver.record.sent.append(message)
        if not reached and "acknowledged" not in message:
            self.record.missed.append(message)
            if self._switches.replay:
                self._resent.append(message)
        self.service.changed()
        if reached:
            self.service.faults.on_event(self, messages.kind(message))
        return bool(reached)

    def keep_for_later(self, message: Json) -> None:
        """Send a message only when the client has reconnected."""
        self.record.messages.append(message)
        self._late.append(message)

    def transmit_raw(self, text: str) -> None:
        """Send a text frame as it is."""
        for link in self.links:
            link.socket.send(text)

    async def _heard(self, channel: int, event: Event) -> None:
        if isinstance(event, SpeechStart):
            self.say(self.compose.speech("speech_start", event.time, channel))
        elif isinstance(event, Partial):
            await _pause(self._timings.partial)
            self._no_text.touch()
            self.say(self.compose.transcript(event.utterance, final=False))
        elif isinstance(event, Final):
            self.say(self.compose.speech("speech_end", event.utterance.end, channel))
            await _pause(self._timings.final)
            self._final(event.utterance)

    def _final(self, utterance: Utterance) -> None:
        self._no_text.touch()
        self._utterances.append(utterance)
        self.record.texts.append(utterance.text)
        self.say(self.compose.transcript(utterance, final=True))
        for message in self.compose.add_ons(utterance, self.record.config):
            self.say(message)

    async def _listen(self) -> None:
        await self._listener.run(self._switches.recognition_speed)

    # Faults

    def planned(self, fault: Fault) -> None:
        """Take note of a fault added while the session lives."""
        if not isinstance(fault, SessionFault) or not self.record.connections:
            return
        if fault.after_seconds is not None:
            opened = self.record.connections[0].opened
            wait = max(0.0, opened + fault.after_seconds - self._loop.time())
            self.later(wait, lambda: self._fire(fault))
        elif fault.at_once and self.links:
            self._fire(fault)

    def _fire(self, fault: SessionFault) -> None:
        if fault.concerns(self) and fault.spend():
            fault.act(self)

    def drop(self, code: int | None, reason: str, delay: float) -> None:
        """Close the connections there are now, after a while if wanted."""
        for link in self.links:
            self.later(delay, partial(link.socket.close, code, reason))

    def stall_socket(self, seconds: float | None) -> None:
        """Let the sockets neither read nor send."""
        for link in self.links:
            link.socket.stall()
            if seconds is not None:
                self._loop.call_later(seconds, link.socket.resume)

    def refuse_chunk(self) -> None:
        """Send a negative acknowledgment."""
        self.say(self.compose.refusal("audio_chunk", "Audio chunk could not be processed"))

    # The end

    def _stop(self, link: Link) -> None:
        self.record.stops += 1
        self.service.faults.on_event(self, "stop")
        if self._stopped:
            refused = self.compose.refusal("stop_recording", "Recording already stopped", 409)
            self.say(refused, link)
            return
        self._stopped = True
        data = {
            "recording_duration": self.record.seconds,
            "recording_left_to_process": self._listener.waiting / self.record.bytes_per_second,
        }
        self.say(self.compose.acknowledgment("stop_recording", data), link)
        self._spawn(self._conclude(1000, "", goodbye=True))

    def end(self, code: int, reason: str) -> None:
        """End the session from the server's side, e.g. because a clock ran out."""
        if self._over:
            return
        self._finish_now(code)
        for link in list(self.links):
            link.socket.close(code, reason)
        if not self._stopped:
            self._stopped = True
            self._spawn(self._conclude(code, reason, goodbye=False))

    def _without_text(self) -> None:
        if self._switches.no_text_ends:
            self.end(4504, "No text for too long")
        else:
            self.drop(4504, "No text for too long", 0.0)

    def _finish_now(self, code: int) -> None:
        self._over = True
        self.record.ended = self._loop.time()
        self.record.end_code = code
        for clock in (self._idle, self._no_text, self._limit, self._away, self._first):
            clock.stop()

    async def _conclude(self, code: int, reason: str, *, goodbye: bool) -> None:
        """Process what is left, post-process, say goodbye, finish the job."""
        self._idle.stop()
        self._no_text.stop()
        await self._listener.finish()
        duration = {"recording_duration": self.record.seconds}
        self.say(self.compose.message("end_recording", duration))
        self.record.status = "processing"
        await _pause(self._timings.post_processing)
        for message in self.compose.post(
            self._utterances, metadata(self.record), self.record.config
        ):
            self.say(message)
        self.say(self.compose.message("end_session"))
        if not self._over:
            self._finish_now(code)
        if goodbye:
            for link in list(self.links):
                link.socket.close(code, reason)
        self.service.released(self, "close")
        await _pause(self._timings.job_done)
        self._complete()

    def _complete(self) -> None:
        complete(self.record, self._utterances, lasting=self._switches.lasting_messages)
        self.service.released(self, "done")
        self.service.changed()

    async def close(self) -> None:
        """Stop everything at once; the emulator goes down."""
        self._finish_now(1001)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call after so long, at once where that is no time."""
        if seconds > 0:
            self._loop.call_later(seconds, call)
        else:
            call()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.service.listener.failures.append(failure)


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
