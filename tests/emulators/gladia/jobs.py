"""The job of a session: its result, its metadata and its recording."""

from __future__ import annotations

import io
import json
import wave
from typing import Any

from . import messages
from .recognizers import Utterance
from .records import Session

Json = dict[str, Any]


def frame_bytes(record: Session) -> int:
    """Bytes of one sample over all channels."""
    config = record.config
    return int(config["channels"] * config["bit_depth"] // 8)


def metadata(record: Session) -> Json:
    """Return what is said of the whole recording."""
    return {
        "audio_duration": record.seconds,
        "number_of_distinct_channels": record.config["channels"],
        "billing_time": record.billed_seconds,
        "transcription_time": 0.1,
    }


def complete(record: Session, utterances: list[Utterance], *, lasting: bool) -> None:
    """Finish the job; with `lasting` it holds all messages."""
    record.status = "done"
    kept = record.messages if lasting else []
    result = messages.final_result(utterances, metadata(record))
    record.job |= {
        "status": "done",
        "completed_at": messages.now(),
        "file": {
            "id": record.id,
            "filename": f"{record.id}.wav",
            "source": None,
            "audio_duration": record.seconds,
            "number_of_channels": record.config["channels"],
        },
        "result": result | {"messages": [json.dumps(message) for message in kept]},
    }


def wav(record: Session) -> bytes:
    """Return the recording as a RIFF WAV file of 16-bit or other whole samples."""
    config = record.config
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        width = config["bit_depth"] // 8
        writer.setparams((config["channels"], width, config["sample_rate"], 0, "NONE", ""))
        whole = len(record.received) // frame_bytes(record) * frame_bytes(record)
        writer.writeframes(record.received[:whole])
    return file.getvalue()
