"""The variables of the local speech engine's model."""

from __future__ import annotations

from collections.abc import Iterator

from core.settings import parsing as accept
from core.settings.variable import SPEECH, Variable
from core.words import N_


def variables() -> Iterator[Variable]:
    """Yield them."""
    yield Variable(
        "SPEECH_MODEL",
        "speech_model",
        SPEECH,
        N_(
            "What the local engine hears with: the name of a model that `python app.py speech-model"
            " NAME` has fetched, such as gigaam-v3 (Russian) or whisper-small (a hundred"
            " languages), or the path of a folder with one. docs/speech-models.md compares them."
        ),
        N_("the English model that comes with it"),
        example="gigaam-v3",
    )
    yield Variable(
        "SPEECH_MODEL_URL",
        "speech_model_url",
        SPEECH,
        N_(
            "Where `speech-model` fetches from instead of huggingface.co: a mirror that has the"
            " files as NAME/FILE below this address. What must be in them is known all the same."
        ),
        "huggingface.co",
        accept.url("https", "http"),
        example="https://mirror.example.com/speech",
    )
