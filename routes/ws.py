"""`/ws`: audio up, transcript down. The protocol is docs/protocol.md."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect

from core import access, tokens
from core.access import (
    Action,
    EndedError,
    Entry,
    KeyGoneError,
    NotFoundError,
    RefusedError,
    Standing,
    may,
)
from core.database import DatabaseAwayError
from core.leases import RoomElsewhereError
from core.problems import ProblemError
from core.rate_limit import RateLimiter, TooManyRequestsError
from core.room import wire
from core.room.commands import (
    Change,
    ChangeRole,
    SetAsked,
    SetAudio,
    SetConsent,
    SetPauses,
    obey,
)
from core.room.quota import Place
from core.room.seat import Seat
from core.room.session import RoomSession
from core.room.wire import WireError
from core.speech.pace import AudioError
from core.store import participants
from core.text import several_lines
from routes import probe
from web.addresses import address_of
from web.guard import limit
from web.request import services
from web.socket.admission import TooManyConnectionsError, check_origin, refuse
from web.socket.listeners import DirectListener
from web.socket.offer import EXTENSION, DirectSocket
from web.socket.patience import EAGER, Patience

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 10.0  # seconds
Gesture = wire.Take | wire.Hand | wire.React | wire.Speak | wire.Read
Act = wire.Mic | wire.Beat | wire.Say | wire.Lost | Gesture
GESTURES: dict[type[Gesture], Action] = {
    wire.Take: Action.LISTEN,
    wire.Hand: Action.HAND,
    wire.React: Action.REACT,
    wire.Speak: Action.LANGUAGE,
    wire.Read: Action.LISTEN,
}
LOOKS = 5  # at what was decided while somebody came in; what changes on is caught up with
LEFT = {1000, 1001}  # how a page closes that is left or shut


class _FloodedError(ProblemError):
    """A connection of this participant or address was closed for a flood a moment ago."""

    status, code = 429, "flooded"

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


async def transcription(websocket: WebSocket) -> None:
    """GET /ws: participants with a transcription token of a session that goes on.

    Whoever offers the probe's subprotocol gets that instead.
    """
    if probe.is_asked(websocket):
        await probe.probe(websocket)
        return
    try:
        entry, place = await _check(websocket)
    except ProblemError as refusal:
        await refuse(websocket, refusal)
        return
    try:
        offered = websocket.scope["subprotocols"]
        await websocket.accept(wire.SUBPROTOCOL if wire.SUBPROTOCOL in offered else None)
        await _Conversation(websocket, entry).run()
    finally:
        services(websocket).rooms.quota.release(place)


async def _check(websocket: WebSocket) -> tuple[Entry, Place]:
    """Find out who calls, and take a place for them. Raises ProblemError."""
    parts = services(websocket)
    check_origin(websocket)
    claims = tokens.read(parts.settings.token_key, _token(websocket))
    if wait := parts.limits.floods.refused_for(address_of(websocket), claims.identity):
        raise _FloodedError(math.ceil(wait))
    try:
        limit(parts.limits.default, websocket, claims.identity)
        entry = await access.with_pass(parts.db, claims.session_id, claims.identity, claims.key)
    except ValueError:
        raise tokens.BadTokenError from None
    except TooManyRequestsError:
        raise TooManyConnectionsError from None
    guest_at = address_of(websocket) if entry.standing is Standing.GUEST else None
    place = parts.rooms.quota.acquire(entry.session.id, entry.participant.identity, guest_at)
    if place is None:
        raise TooManyConnectionsError
    return entry, place


def _token(websocket: WebSocket) -> str:
    """Return the token from the subprotocols, or from the query for clients without them."""
    offered = [one for one in websocket.scope["subprotocols"] if one != wire.SUBPROTOCOL]
    return offered[0] if offered else websocket.query_params.get("token", "")


class _Conversation:
    """One accepted socket, from hello to goodbye."""

    __slots__ = (
        "_closed_by_page",
        "_closing",
        "_direct",
        "_entry",
        "_listener",
        "_patience",
        "_seat",
        "_take_audio",
        "_websocket",
    )

    def __init__(self, websocket: WebSocket, entry: Entry) -> None:
        self._websocket = websocket
        self._entry = entry
        # Ours, whatever started the server: see web.serving.
        self._direct: DirectSocket = websocket.scope["extensions"][EXTENSION]
        self._listener = DirectListener(self._direct)
        self._seat: Seat | None = None
        self._take_audio: Callable[[int, bytes], None] | None = None  # the seat's, once there
        floods = services(websocket).limits.floods
        self._patience = Patience(floods, address_of(websocket), entry.participant.identity)
        self._closing = False
        self._closed_by_page = False

    async def run(self) -> None:
        """Serve the page until it leaves or is closed."""
        receiving = asyncio.create_task(self._receive_all())
        receiving.add_done_callback(self._received_all)
        try:
            await self._listener.run()
        finally:
            receiving.cancel()
            await self._leave()
            await asyncio.wait([receiving])

    def _received_all(self, receiving: asyncio.Task[None]) -> None:
        self._listener.stop()
        if not receiving.cancelled() and (problem := receiving.exception()) is not None:
            log.error("a page's messages could not be handled", exc_info=problem)

    async def _receive_all(self) -> None:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                hello = await self._hello()
            await self._enter(hello)
            while True:
                self._handle(await self._websocket.receive())
        except WebSocketDisconnect as end:
            # Else the line broke, or the page gave it up to come back on another.
            self._closed_by_page = end.code in LEFT
            if self._direct.flooded is not None:
                self._patience.flooded(self._direct.flooded)
            return
        except TimeoutError:
            self._refuse(WireError("hello_expected", "the first message must be hello"))
            self._listener.close(wire.CLOSE_POLICY)
        except (DatabaseAwayError, RoomElsewhereError):
            self._listener.close(wire.CLOSE_TRY_LATER)
        await self._listener.closed.wait()

    async def _hello(self) -> wire.Hello:
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event["code"])
            if self._closing:
                continue
            try:
                message = wire.parse_message(event.get("text") or "")
            except WireError as mistake:
                self._refuse(mistake)
                continue
            if isinstance(message, wire.Hello):
                return message
            self._refuse(WireError("hello_expected", "the first message must be hello"))

    async def _enter(self, hello: wire.Hello) -> None:
        """Note that the page is here, and give it its place in the room.

        What a host decides is stored before the room hears of it. So a decision that the noting
        statement doesn't see yet finds the page in its room, unless it falls between the two:
        then `Rooms.decided` has counted it meanwhile, and we look again.
        """
        parts, now = services(self._websocket), datetime.now(UTC)
        decided = parts.rooms.decided
        try:
            entry = await access.come_in(parts.db, self._entry, now)
            installation = parts.rooms.installation
            room = RoomSession.of(entry.session, now, entry.pauses, installation=installation)
            self._seat = await parts.rooms.enter(room, entry.participant, hello, self._listener)
            self._seat.key = entry.key
            self._take_audio = self._seat.microphone.audio
            self._direct.on_binary(self._audio)
            for _ in range(LOOKS):
                if parts.rooms.decided == decided:
                    break
                decided = parts.rooms.decided
                await self._look_again(entry)
        except EndedError:
            self._listener.close(wire.CLOSE_ENDED)
        except (KeyGoneError, RefusedError, NotFoundError) as problem:
            gone = isinstance(problem, KeyGoneError)
            self._listener.close(wire.CLOSE_SIGNED_OUT if gone else wire.CLOSE_REMOVED)
            if self._seat is not None:
                self._seat.dismissed = True

    async def _look_again(self, before: Entry) -> None:
        """Catch up with what a host did since. Raises EndedError, KeyGoneError or NotFoundError."""
        parts, me = services(self._websocket), before.participant
        decided = parts.rooms.decided
        entry = await access.with_pass(parts.db, before.session.id, me.identity, before.key)
        room, now = parts.rooms.room(before.session.id), entry.session
        if room is None:
            return
        if entry.participant.role != me.role:
            obey(room, ChangeRole(me.identity, entry.participant.role))
        known = room.session
        if (known.title, known.admission, known.locked) != (now.title, now.admission, now.locked):
            obey(room, Change(now.title, now.admission, now.locked))
        if entry.pauses != known.pauses:
            obey(room, SetPauses(entry.pauses))
        if parts.rooms.decided == decided:  # else what was read may be older: look again
            if now.consent != known.consent:
                obey(room, SetAsked(now.consent))
            if now.audio_days != known.audio_days:
                obey(room, SetAudio(now.audio_days))
            if self._seat and self._seat.participant.answer != entry.participant.answer:
                obey(room, SetConsent(me.identity, entry.participant.answer))

    def _handle(self, event: Event) -> None:
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event["code"])
        frame, text = event.get("bytes"), event.get("text") or ""
        if self._closing:
            return
        if frame is not None:
            self._audio(frame)
        else:
            self._message(text)

    def _message(self, text: str) -> None:
        try:
            services(self._websocket).limits.message.check(self._entry.participant.identity)
        except TooManyRequestsError:
            self._flood("messages")
            return
        try:
            message = wire.parse_message(text)
            if isinstance(message, wire.Hello):
                raise WireError("bad_message", "hello was already said")
            if self._seat is not None:
                self._seat.said += 1
                self._act(self._seat, message)
        except (WireError, AudioError) as mistake:
            self._refuse(mistake)

    def _act(self, seat: Seat, message: Act) -> None:
        limits = services(self._websocket).limits
        match message:
            case wire.Mic(on):
                self._turn_mic(seat, on)
            case wire.Beat():
                pass  # to have said anything is all that counts
            case wire.Say(text):
                self._ask(seat, Action.CHAT)
                self._count(limits.chat)
                lines = several_lines(text, wire.MAX_CHAT)
                if not lines:
                    raise WireError("bad_message", "a chat line needs some text")
                seat.say(lines)
            case wire.Lost(first, until):
                self._ask(seat, Action.SPEAK)
                self._count(limits.loss)
                seat.microphone.lost(first, until)
            case _:
                self._ask(seat, GESTURES[type(message)])
                self._count(limits.gesture)
                self._gesture(seat, message)

    def _gesture(self, seat: Seat, message: Gesture) -> None:
        match message:
            case wire.Take():
                seat.take()
            case wire.Hand(up):
                seat.hand(up)
            case wire.React(emoji):
                seat.react(emoji)
            case wire.Read(language):
                seat.read(language)
            case wire.Speak(language):
                self._speak(seat, language)

    def _speak(self, seat: Seat, language: str | None) -> None:
        """Have the participant heard in this language. Raises WireError."""
        parts = services(self._websocket)
        if not (language is None or language in parts.rooms.engine.languages):
            raise WireError("bad_message", "a language that the engine doesn't know")
        me = seat.participant.identity
        parts.speaking.of_participant(self._entry.session.id, me, language)

    @staticmethod
    def _ask(seat: Seat, action: Action) -> None:
        """Ask the table, with what a host has made of the participant since they came."""
        if not may(seat.standing, action):
            raise WireError("not_allowed", f"not allowed here: {action.value}")

    def _turn_mic(self, seat: Seat, on: bool) -> None:
        """Turn the microphone on or off. Raises WireError, never for `off`.

        An `on` is refused with `not_allowed` or `mic_too_often`.
        """
        microphone = seat.microphone
        self._take_audio = microphone.audio
        if on and not microphone.mic_on:
            try:
                self._ask(seat, Action.SPEAK)
                self._count(services(self._websocket).limits.mic, "mic_too_often")
            except WireError:
                microphone.mic(False)  # which answers a host's mute: only a later one counts
                self._take_audio = partial(self._ask_for_mic, seat)
                raise
        microphone.mic(on)
        if on:
            seat.used()

    def _ask_for_mic(self, seat: Seat, index: int, pcm: bytes) -> None:
        """Take audio after a refused `on`: it says that the microphone is still wanted.

        It is dropped until the limit grants that, so that no page stays unheard for long.
        """
        self._take_audio = seat.microphone.audio
        if not seat.microphone.muted:
            try:
                self._turn_mic(seat, True)
            except WireError:  # which the page was told already
                seat.microphone.pass_by(pcm)
                return
        self._take_audio(index, pcm)

    def _count(self, limiter: RateLimiter, code: wire.ErrorCode = "too_much") -> None:
        try:
            limiter.check(self._entry.participant.identity)
        except TooManyRequestsError as problem:
            raise WireError(code, seconds=problem.retry_after) from None

    def _audio(self, frame: bytes) -> None:
        try:
            index, pcm = wire.parse_audio(frame)
            if self._take_audio is not None:
                self._take_audio(index, pcm)
        except (WireError, AudioError) as mistake:
            self._refuse(mistake)

    def _refuse(self, mistake: WireError | AudioError) -> None:
        """Tell the page what was wrong; close when it goes on like that."""
        error = wire.Message(wire.Error(mistake.code, mistake.seconds, mistake.detail))
        self._listener.send(wire.Batch([error]))
        code = self._patience.refused(mistake.code)
        if code is None:
            return
        if mistake.code in EAGER:
            self._flood(mistake.code)
        else:
            self._patience.mistaken(mistake.code)
            self._close(code)

    def _flood(self, bound: str) -> None:
        """Close who passes this bound again and again; nothing more of it is read."""
        self._patience.flooded(bound)
        self._direct.flood(bound)
        self._close(wire.CLOSE_POLICY)

    def _close(self, code: int) -> None:
        """Close, and take nothing more: audio after a refused frame would leave a hole."""
        self._closing = True
        self._direct.on_binary(None)
        self._listener.close(code)

    async def _leave(self) -> None:
        self._direct.on_binary(None)
        if self._seat is None or not self._seat.leave(closed=self._closed_by_page):
            return
        try:
            now = datetime.now(UTC)
            db, identity = services(self._websocket).db, self._entry.participant.identity
            await participants.went(db, identity, now, hung_up=self._closed_by_page)
        except DatabaseAwayError:
            log.debug("a leave could not be noted: the database is away")
