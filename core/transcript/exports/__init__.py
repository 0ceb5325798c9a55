"""Transcripts as files that people keep, in several formats, each written as its lines are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from core.transcript.exports.docx import Docx
from core.transcript.exports.entries import Encoder, Wanted, Wording
from core.transcript.exports.markdown import Markdown
from core.transcript.exports.names import file_name, folder_name, zone_of
from core.transcript.exports.program import Program
from core.transcript.exports.subtitles import SubRip, WebVtt
from core.transcript.exports.text import Text

__all__ = [
    "FORMATS",
    "Encoder",
    "Format",
    "Program",
    "Text",
    "Wanted",
    "Wording",
    "file_name",
    "folder_name",
    "zone_of",
]


class Format(NamedTuple):
    """A format: what browsers call it, and what writes it. `packed`: it is compressed by itself."""

    media_type: str
    encoder: Callable[[Wanted], Encoder]
    packed: bool = False


_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FORMATS: Mapping[str, Format] = {  # by the ending of the file's name
    "txt": Format("text/plain; charset=utf-8", Text),
    "md": Format("text/markdown; charset=utf-8", Markdown),
    "srt": Format("application/x-subrip; charset=utf-8", SubRip),
    "vtt": Format("text/vtt; charset=utf-8", WebVtt),
    "json": Format("application/json", Program),
    "docx": Format(_DOCX, Docx, packed=True),
}
