"""What goes up: a stream's audio, over whichever connection there is, and never with a hole.

Fed audio is kept in the ring and sent at once if nothing older waits. After a drop the next
connection goes on where the service has not acknowledged. What can't be sent in its place any more
is a reason for a new stream.
"""

from __future__ import annotations

import math

from picows import WSTransport

from core.speech.engine import BYTES_PER_SECOND
from core.speech.gladia.connection import BINARY, TEXT, Connection
from core.speech.gladia.protocol import MAX_PIECE, STOP, StreamLostError
from core.speech.gladia.replay import ReplayBuffer
from core.speech.gladia.timeline import Timeline
from core.speech.reasons import Reason

PIECE = BYTES_PER_SECOND // 10  # of audio that waited: picows keeps a buffer for the longest
# Bytes that may be unacknowledged, a minute of speech, on top of the least that ever were: a stream
# begins with what waited for it, perhaps for minutes, which the service takes faster than we speak.
MAX_BEHIND = 2 * 1024 * 1024
MAX_REFUSALS = 3  # of the same audio


class Upload:
    """The audio of one stream on its way up. Methods may raise StreamLostError."""

    __slots__ = (
        "_connection",
        "_is_open",
        "_last_size",
        "_least_behind",
        "_live",
        "_refusals",
        "_ring",
        "_stopping",
        "_timeline",
        "_transport",
        "frames",
        "resent",
    )

    def __init__(self, ring: ReplayBuffer, timeline: Timeline) -> None:
        self.frames = 0  # sent so far, for the account
        self.resent = 0  # bytes sent more than once, for the account
        self._ring = ring  # all audio that may be needed again
        self._timeline = timeline  # how far it was sent
        self._is_open = True  # until no more audio is to follow
        self._stopping = False  # whether the service is to be told so once all is sent
        self._connection: Connection | None = None  # None between two connections
        self._transport: WSTransport | None = None  # that of `_connection`
        # The same while fed audio may go straight to it. None while older audio waits, the kernel
        # takes less than is sent, or no more is to follow.
        self._live: WSTransport | None = None
        self._last_size = 0  # bytes of the last piece that was sent, to know what a refusal means
        self._refusals = 0  # in a row
        self._least_behind = math.inf  # bytes; the fewest that were seen unacknowledged

    def feed(self, pcm: bytes) -> None:
        """Keep whole samples, and send them at once if possible. After the end they are ignored."""
        size = len(pcm)
        if not self._is_open or not size:
            return
        self._ring.append(pcm)
        if self._live is None:
            return
        if size > MAX_PIECE:
            self._flush()
        else:
            self._send(self._live, pcm)

    def finish(self) -> None:
        """Send what is still here and then the stop; no more audio follows."""
        self.close()
        self._stopping = True
        self._flush()

    def stop_early(self) -> None:
        """Send the stop at once; what is still here is not for this stream."""
        self.close()
        if self._connection is not None and self._transport is not None:
            self._connection.stop()
            self._transport.send(TEXT, STOP)

    def close(self) -> None:
        """Take no more audio."""
        self._is_open, self._live = False, None

    # What happens to the connection

    def connected(self, connection: Connection, transport: WSTransport) -> None:
        """Go on where the service has not acknowledged."""
        self._connection, self._transport = connection, transport
        # A final proves that its audio arrived, even if its acknowledgment did not.
        final = min(self._ring.final_until, self._timeline.sent)
        position = max(self._ring.acknowledged, final)
        self.resent += self._timeline.sent - position
        self._timeline.connected(position)
        self._flush()

    def disconnected(self) -> None:
        """Keep everything until the next connection."""
        self._connection = self._transport = self._live = None

    def paused(self) -> None:
        """Keep audio here while the service takes less than we send."""
        self._live = None

    def resumed(self) -> None:
        """Send what was kept meanwhile."""
        self._flush()

    def _flush(self) -> None:
        """Send what is due: audio in pieces, then the stop if that was asked for."""
        connection, transport = self._connection, self._transport
        if connection is None or transport is None:
            return
        ring, timeline = self._ring, self._timeline
        if timeline.sent < ring.start:
            # The speech of others filled the memory meanwhile. Sent with a hole in it, everything
            # behind the hole would come at a wrong time; a new stream begins behind it.
            raise StreamLostError(Reason("no_memory"))
        # `paused` may change with every piece: the transport calls back when the kernel is full.
        while timeline.sent < ring.end and not connection.paused:
            self._send(transport, ring.read(timeline.sent, PIECE))
        all_sent = timeline.sent == ring.end
        # Not before all is sent: what is fed next would overtake what waits.
        ready = all_sent and not connection.paused and not self._stopping
        self._live = transport if ready else None
        # Once for each connection: a stop that was lost in a drop must be said again.
        if self._stopping and all_sent and not connection.stopped:
            connection.stop()
            transport.send(TEXT, STOP)

    def _send(self, transport: WSTransport, piece: bytes) -> None:
        # Counted before it is sent: sending may end the connection, and what is sent is in doubt.
        self._last_size = size = len(piece)
        self._timeline.sent += size
        self.frames += 1
        transport.send(BINARY, piece)

    # What the service says of it

    def acknowledged(self, start: int, end: int) -> int:
        """Take an acknowledged range; returns the bytes that turned out to be counted twice."""
        shift = self._timeline.shift
        self._ring.acknowledge(self._timeline.acknowledged(start, end))
        self._refusals = 0
        return self._timeline.shift - shift

    def refused(self) -> None:
        """Send refused audio again if nothing went after it, else its place is lost."""
        self._refusals += 1
        underway = self._timeline.sent - self._ring.acknowledged
        # A refusal doesn't say what it is about. With one piece underway that is sure, and the
        # service has counted nothing yet before which it would have to come.
        kept = underway == self._last_size and self._ring.start <= self._ring.acknowledged
        if self._transport is None or self._refusals > MAX_REFUSALS or not kept:
            raise StreamLostError(Reason("audio_refused"))
        self.resent += underway
        self.frames += 1
        self._transport.send(BINARY, self._ring.read(self._ring.acknowledged, underway))

    @property
    def behind(self) -> int:
        """Bytes that the service has not said to have."""
        return self._ring.unacknowledged

    def is_too_far_behind(self) -> bool:
        """Whether the service takes in less than is spoken; asked now and then."""
        self._least_behind = min(self._least_behind, self.behind)
        return self.behind > self._least_behind + MAX_BEHIND
