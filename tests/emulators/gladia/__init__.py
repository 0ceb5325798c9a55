"""Gladia's speech-to-text API v2, live and pre-recorded, emulated faithfully on loopback.

What the service promises follows Gladia's OpenAPI document, what it leaves open is a
`Switches` field, how long things take is in `Timings`, and trouble is planned through
`GladiaEmulator.faults`. The recognised text comes from the audio that really arrived.
"""

from .emulator import API_KEY, GladiaEmulator
from .fault_kinds import Fault
from .faults import Faults
from .recognizers import MoonshineRecognizer, WordRecognizer
from .recorded import Recording
from .records import Acknowledgment, Connection, Frame, HttpRequest, Session
from .settings import Switches, Timings
from .validation import LANGUAGES, TRANSLATION_LANGUAGES

__all__ = [
    "API_KEY",
    "LANGUAGES",
    "TRANSLATION_LANGUAGES",
    "Acknowledgment",
    "Connection",
    "Fault",
    "Faults",
    "Frame",
    "GladiaEmulator",
    "HttpRequest",
    "MoonshineRecognizer",
    "Recording",
    "Session",
    "Switches",
    "Timings",
    "WordRecognizer",
]
