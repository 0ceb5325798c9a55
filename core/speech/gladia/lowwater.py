"""Lets the kernel gather small messages, so that not each of them wakes the process.

Gladia acknowledges every frame of audio: twenty messages a second and stream that nobody waits
for, and to be woken and read costs more than to understand them. SO_RCVLOWAT (socket(7)) makes
a socket readable only once so many bytes are there. Two acknowledgments are less; a third, or
anything longer such as a transcript, wakes the process at once, and so does the end of the
connection. A transcript of up to three words may be as short as two acknowledgments: it waits for
the next one, as does the short end of a message that the network cut in two. That is one frame of
audio at most while somebody speaks.
"""

from __future__ import annotations

import socket
from contextlib import suppress

GATHERED = 2  # messages that may wait for the next one
LARGEST = 1024  # bytes of a message that is still small
HEAD = 4  # bytes before the payload of an unmasked frame of 126 bytes to 64 KiB (RFC 6455, 5.2)
TLS_RECORD = 22  # bytes around each record of TLS 1.3 (RFC 8446, 5.2)


class ReadLowWatermark:
    """How many bytes must have arrived before a socket counts as readable.

    Platforms that can't be asked for it wake for every byte, as without this class.
    """

    __slots__ = ("_around", "_mark", "_socket")

    def __init__(self, sock: socket.socket, *, secure: bool) -> None:
        self._socket = sock
        self._around = HEAD + (TLS_RECORD if secure else 0)  # bytes of a message but its payload
        self._mark = 1  # bytes that make the socket readable, as it was told last

    def gather(self, payload: int) -> None:
        """Let two messages with a payload of so many bytes wait for a third."""
        # It only grows until `stop`: acknowledgments get longer with the positions in them, and a
        # mark that is too low merely wakes early.
        mark = GATHERED * (payload + self._around) + 1
        if mark > self._mark and payload <= LARGEST:
            self._set(mark)

    def stop(self) -> None:
        """Wake for every byte again, and for what is already there."""
        if self._mark > 1:
            self._set(1)

    def _set(self, mark: int) -> None:
        self._mark = mark
        with suppress(OSError):  # a socket that was just closed, or a platform without it
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, mark)
