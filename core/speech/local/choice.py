"""Which model SPEECH_MODEL means: one of the catalogue that was fetched, or a folder with one.

Nothing is loaded here, and nothing fetched: what lacks is said, with what to do about it.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.speech.local.catalogue import CATALOGUE, Kind
from core.speech.local.recognizer import Recognizer
from core.words import N_, Words

LANGUAGES = "languages.txt"  # ISO 639-1 codes, in a folder of a model that doesn't tell itself
FOLDER = "speech"  # within DATA_DIR: a folder per model that was fetched, by its name
# What must be there for a folder to be one of a kind; of files in a row one is enough.
LAYOUTS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "whisper": (("model.bin",), ("config.json",), ("vocabulary.txt", "vocabulary.json")),
    "transducer": (
        ("tokens.txt",),
        ("encoder.int8.onnx", "encoder.onnx"),
        ("decoder.onnx", "decoder.int8.onnx"),
        ("joiner.onnx", "joiner.int8.onnx"),
    ),
    "ctc": (("tokens.txt",), ("model.int8.onnx", "model.onnx")),
}
PACKAGES: dict[Kind, str] = {
    "whisper": "ctranslate2",
    "transducer": "sherpa_onnx",
    "ctc": "sherpa_onnx",
}


class ModelError(Exception):
    """There is no such model here; `words` say why, and `todo` what to do about it."""

    def __init__(self, words: Words, todo: Words) -> None:
        super().__init__(words)
        self.words = words
        self.todo = todo


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that is there: its name for people, where its files are, and what they are.

    `languages` are all that it knows; none where the model tells itself.
    """

    name: str
    folder: Path
    kind: Kind
    languages: tuple[str, ...] = ()

    def loader(self, threads: int) -> Callable[[], Recognizer]:
        """Return what loads it, to be called in the thread that uses it."""
        if self.kind == "whisper":
            from core.speech.local.whisper import Whisper  # noqa: PLC0415 - only if asked for

            return partial(Whisper, self.folder, threads)
        from core.speech.local.sherpa import Sherpa  # noqa: PLC0415 - the same

        files = [_first(self.folder, names) for names in LAYOUTS[self.kind]]
        return partial(Sherpa, self.kind, files, self.languages, threads)


def chosen(setting: str, data_dir: Path) -> Chosen:
    """Return the model that SPEECH_MODEL means. Raises ModelError."""
    model = CATALOGUE.get(setting)
    if model is None:
        return _of_folder(setting)
    folder = data_dir / FOLDER / model.name
    if not folder.is_dir():
        raise ModelError(
            Words(N_("the speech model %(name)s isn’t on this machine yet"), name=model.name),
            Words(N_("Fetch it: python app.py speech-model %(name)s"), name=model.name),
        )
    for file in model.files:
        if _size(folder / file.name) != file.size:
            raise ModelError(
                Words(
                    N_("%(file)s of the speech model %(name)s is damaged or missing"),
                    file=file.name,
                    name=model.name,
                ),
                Words(N_("Fetch it again: python app.py speech-model %(name)s"), name=model.name),
            )
    return _with_package(Chosen(model.name, folder, model.kind, model.languages))


def _of_folder(setting: str) -> Chosen:
    folder = Path(setting).expanduser()
    if not folder.is_dir():
        if os.sep not in setting and not setting.startswith((".", "~")):
            raise ModelError(
                Words(N_("SPEECH_MODEL is no model that is known here: %(name)s"), name=setting),
                Words(
                    N_("Set it to one of %(those)s, or to the path of a folder."),
                    those=", ".join(CATALOGUE),
                ),
            )
        raise ModelError(
            Words(N_("SPEECH_MODEL is a folder that isn’t there: %(folder)s"), folder=folder),
            Words(N_("Correct the path, or unset it for the English model.")),
        )
    kind = _kind(folder)
    lacking = [names for names in LAYOUTS[kind] if not any(_size(folder / one) for one in names)]
    if lacking:
        raise ModelError(
            Words(
                N_("the folder of SPEECH_MODEL lacks %(file)s or has it empty: %(folder)s"),
                file=lacking[0][0],
                folder=folder,
            ),
            Words(N_("Copy all files of the model to it: docs/speech-models.md lists them.")),
        )
    languages = () if kind == "whisper" else _languages(folder)
    return _with_package(Chosen(str(folder), folder, kind, languages))


def _languages(folder: Path) -> tuple[str, ...]:
    """Return what a folder says of the languages of its model, else what its letters tell.

    The layouts of sherpa-onnx have no place for them.
    """
    said = _text(folder / LANGUAGES).split()
    if said and all(re.fullmatch("[a-z]{2,3}", code) for code in said):
        return tuple(said)
    return ("ru",) if re.search("[\u0430-\u044f]", _text(folder / "tokens.txt")) else ("en",)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _kind(folder: Path) -> Kind:
    """Return what a folder has files of. Raises ModelError."""
    try:
        names = {one.name for one in folder.iterdir()}
    except OSError:
        names = set()
    if "model.bin" in names:
        return "whisper"
    if {"encoder.int8.onnx", "encoder.onnx"} & names:
        return "transducer"
    if {"model.int8.onnx", "model.onnx"} & names:
        return "ctc"
    raise ModelError(
        Words(N_("SPEECH_MODEL is a folder without a speech model: %(folder)s"), folder=folder),
        Words(N_("docs/speech-models.md says which are understood, and what their files are.")),
    )


def _with_package(model: Chosen) -> Chosen:
    package = PACKAGES[model.kind]
    if importlib.util.find_spec(package) is None:
        raise ModelError(
            Words(
                N_("the speech model %(name)s needs the package %(package)s"),
                name=model.name,
                package=package.replace("_", "-"),
            ),
            Words(N_("Install what models need: make speech")),
        )
    return model


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    return next(path for name in names if (path := folder / name).is_file())


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:
        return 0
