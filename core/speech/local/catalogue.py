"""The speech models that Sessions can fetch by name: where from, how big, and what is in them.

Each file is pinned: the revision in its address never changes, and its SHA-256 is what several
projects that use it have written down. What has another digest isn't used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["whisper", "transducer", "ctc"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model: its name, its size in bytes, and its digest in hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be fetched; `languages` are all that it knows, none for about a hundred."""

    name: str
    kind: Kind
    licence: str
    address: str  # its files are below it
    files: tuple[File, ...]
    languages: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Return how many bytes it has."""
        return sum(file.size for file in self.files)


_HUB = "https://huggingface.co"
_VOCABULARY = File(
    "vocabulary.txt",
    459_861,
    "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
)


def _whisper(size: str, revision: str, config: tuple[int, str], weights: tuple[int, str]) -> Model:
    """Return one of OpenAI's models as Systran has converted them."""
    return Model(
        f"whisper-{size}",
        "whisper",
        "MIT",
        f"{_HUB}/Systran/faster-whisper-{size}/resolve/{revision}",
        (File("config.json", *config), _VOCABULARY, File("model.bin", *weights)),
    )


_ALL = (
    Model(
        "gigaam-v3",
        "transducer",
        "MIT",
        f"{_HUB}/csukuangfj/sherpa-onnx-nemo-transducer-punct-giga-am-v3-russian-2025-12-16"
        "/resolve/a6039be7cee829a9044a69ac0ebaf1c191217c97",
        (
            File(
                "tokens.txt",
                13_354,
                "39abae20e692998290c574e606f11a9edef2902a1995463fcff63d1490cf22b7",
            ),
            File(
                "joiner.onnx",
                2_712_896,
                "602ff7017a93311aad34df1437c8d7f49911353c13d6eae7a6ee7b041339465c",
            ),
            File(
                "decoder.onnx",
                4_600_132,
                "38fc7475443ea2a26f63211ca350f73ac50fff824ab7a3876ee2bd610c53bbc4",
            ),
            File(
                "encoder.int8.onnx",
                224_570_820,
                "369f35a71bf288d3b8e0391fabd8dba5f2314088d440bca474056b7b4b6e66bf",
            ),
        ),
        ("ru",),
    ),
    _whisper(
        "base",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        (2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        (145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
    ),
    _whisper(
        "small",
        "536b0662742c02347bc0e980a01041f333bce120",
        (2_370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
        (483_546_902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
    ),
    _whisper(
        "medium",
        "08e178d48790749d25932bbc082711ddcfdfbc4f",
        (2_257, "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807"),
        (1_527_906_378, "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae"),
    ),
    Model(
        "whisper-large-v3-turbo",
        "whisper",
        "MIT",
        f"{_HUB}/dropbox-dash/faster-whisper-large-v3-turbo"
        "/resolve/0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        (
            File(
                "config.json",
                2_263,
                "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e",
            ),
            File(
                "vocabulary.json",
                1_068_114,
                "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1",
            ),
            File(
                "model.bin",
                1_617_884_929,
                "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da",
            ),
        ),
    ),
)
CATALOGUE = {model.name: model for model in _ALL}
