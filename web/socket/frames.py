"""Frames of RFC 6455, section 5.2, as far as they are made and measured here."""

from __future__ import annotations

FINAL_BINARY = 0x82
FINAL_TEXT = 0x81
MASKED = 0x80
SIZE_IN_2_BYTES = 126
SIZE_IN_8_BYTES = 127
MASK_SIZE = 4
LONGEST_HEAD = 10  # up to the end of the size, before the mask


def encode_text_frame(payload: bytes) -> bytes:
    """Return `payload` (UTF-8) as one unmasked text frame, ready for any number of sockets."""
    size = len(payload)
    if size < SIZE_IN_2_BYTES:
        return bytes((FINAL_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((FINAL_TEXT, SIZE_IN_2_BYTES)) + size.to_bytes(2, "big") + payload
    return bytes((FINAL_TEXT, SIZE_IN_8_BYTES)) + size.to_bytes(8, "big") + payload


def extent(data: bytes, start: int) -> tuple[int, int]:
    """Return where the payload of the masked frame at `start` begins and ends.

    The end may lie beyond `data`. Both are `start` when `data` is too short to tell, or when
    the frame isn't masked, as every client's must be.
    """
    known = len(data) - start
    if known < 2 or data[start + 1] < MASKED:
        return start, start
    size, body = data[start + 1] - MASKED, start + 2
    if size >= SIZE_IN_2_BYTES:
        width = 2 if size == SIZE_IN_2_BYTES else 8
        if known < 2 + width:
            return start, start
        size, body = int.from_bytes(data[body : body + width], "big"), body + width
    return body + MASK_SIZE, body + MASK_SIZE + size
