"""What is uploaded: a form with one file, and what PyAV hears in it, channel by channel."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from email.message import Message

import av
import numpy as np

from tests.emulators.wordaudio import SAMPLE_RATE

MAX_BYTES = 1_000_000_000  # Gladia docs, supported formats
_NAMES = re.compile(r'(\w+)="([^"]*)"')


class NoFile(Exception):  # noqa: N818 - it is an answer, not a failure of ours
    """The form has no file of the name `audio`, or isn't one."""


@dataclass(slots=True)
class Upload:
    """A file as it came. `channels` has each one's sound, 16 kHz PCM16."""

    id: str
    key: str
    filename: str
    content_type: str
    data: bytes = field(repr=False)
    channels: tuple[bytes, ...] = field(default=(), repr=False)
    codec: str = ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(map(len, self.channels), default=0) / 2 / SAMPLE_RATE


def read_form(content_type: str, body: bytes) -> tuple[str, str, bytes]:
    """Return name, type and bytes of the one file of a form (RFC 7578). Raises NoFile."""
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_param("boundary")
    if head.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise NoFile("Content-Type must be multipart/form-data")
    delimiter = b"--" + boundary.encode()
    first, *parts = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if first or len(parts) != 2 or parts[-1].rstrip(b"\r\n") != b"--":
        raise NoFile("the form must have one part")
    lines, separator, data = parts[0].removeprefix(b"\r\n").partition(b"\r\n\r\n")
    fields = [line.partition(":") for line in lines.decode().split("\r\n")]
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    names = dict(_NAMES.findall(headers.get("content-disposition", "")))
    if not separator or names.get("name") != "audio" or "filename" not in names:
        raise NoFile("audio should not be empty")
    return names["filename"], headers.get("content-type", "text/plain"), data


def decode(data: bytes) -> tuple[str, tuple[bytes, ...]]:
    """Return the codec and each channel's sound. Raises ValueError for what is none."""
    try:
        with av.open(io.BytesIO(data), "r") as file:
            stream = file.streams.audio[0]
            resampler = av.AudioResampler("s16p", stream.layout, SAMPLE_RATE)
            frames = [out for frame in file.decode(stream) for out in resampler.resample(frame)]
            frames += resampler.resample(None)
            codec = stream.codec_context.name
    except (av.FFmpegError, IndexError) as error:
        raise ValueError("no sound") from error
    if not frames:
        raise ValueError("no sound")
    sound = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    return codec, tuple(channel.astype("<i2").tobytes() for channel in sound)
