"""A transducer of a few numbers in GigaAM's layout, for its runtime: it says “привет” to all.

Its encoder is the mean loudness of 64 bands; its joiner writes three pieces, one behind the other,
where that is loud, and nothing in silence. The files are ONNX, written field by field as its
protocol buffers have them: https://onnx.ai/onnx/intro/concepts.html names them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

TOKENS = ("▁при", "в", "ет")
SAYS = "привет"
_BLANK = len(TOKENS)
_FLOAT, _INT32, _INT64 = 1, 6, 7
_QUIET = 9.0  # how far below zero the loudness of speech is
_LOUD = 100.0  # what no loudness outweighs


# What the runtime asks of a model.
_METADATA = {
    "vocab_size": str(len(TOKENS)),
    "subsampling_factor": "1",
    "normalize_type": "",
    "pred_rnn_layers": "1",
    "pred_hidden": "1",
    "is_giga_am": "1",
}


def transducer(folder: Path, *, metadata: bool = True) -> Path:
    """Write a model's four files; without metadata it lacks what the runtime needs to know."""
    told = {**_METADATA, "model_type": "EncDecRNNTBPEModel"} if metadata else {}
    files = {
        "encoder.int8.onnx": _encoder(told),
        "decoder.onnx": _decoder(),
        "joiner.onnx": _joiner(),
    }
    return _written(folder, files)


def ctc(folder: Path) -> Path:
    """Write the two files of a CTC model, which says the first piece wherever it is loud."""
    size = _BLANK + 1
    model = _model(
        [
            _node("ReduceMean", ["audio_signal"], ["loud"], axes=(1,), keepdims=1),
            _node("Transpose", ["loud"], ["column"], perm=(0, 2, 1)),
            _node("MatMul", ["column", "share"], ["heard"]),
            _node("Add", ["heard", "expected"], ["logprobs"]),
        ],
        [("audio_signal", _FLOAT, ("B", 64, "T")), ("length", _INT64, ("B",))],
        [("logprobs", _FLOAT, ("B", "T", size))],
        [
            _tensor("share", _FLOAT, (1, size), struct.pack(f"<{size}f", 1.0, *[0.0] * _BLANK)),
            _tensor(
                "expected",
                _FLOAT,
                (1, 1, size),
                struct.pack(f"<{size}f", _QUIET, *[-_LOUD] * (_BLANK - 1), 0.0),
            ),
        ],
        metadata={**_METADATA, "model_type": "EncDecCTCModelBPE"},
    )
    return _written(folder, {"model.int8.onnx": model})


def _written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [f"{token} {at}\n" for at, token in enumerate((*TOKENS, "<blk>"))]
    for name, content in {**files, "tokens.txt": "".join(tokens).encode()}.items():
        (folder / name).write_bytes(content)
    return folder


def _encoder(metadata: dict[str, str]) -> bytes:
    return _model(
        [
            _node("ReduceMean", ["audio_signal"], ["outputs"], axes=(1,), keepdims=1),
            _node("Identity", ["length"], ["encoded_lengths"]),
        ],
        [("audio_signal", _FLOAT, ("B", 64, "T")), ("length", _INT64, ("B",))],
        [("outputs", _FLOAT, ("B", 1, "T")), ("encoded_lengths", _INT64, ("B",))],
        metadata=metadata,
    )


def _decoder() -> bytes:
    """Say which token came last."""
    return _model(
        [
            _node("Cast", ["targets"], ["last"], to=_FLOAT),
            _node("Reshape", ["last", "shape"], ["outputs"]),
            _node("Identity", ["target_length"], ["prednet_lengths"]),
            _node("Identity", ["h"], ["next_h"]),
            _node("Identity", ["c"], ["next_c"]),
        ],
        [
            ("targets", _INT32, ("B", 1)),
            ("target_length", _INT32, ("B",)),
            ("h", _FLOAT, (1, "B", 1)),
            ("c", _FLOAT, (1, "B", 1)),
        ],
        [
            ("outputs", _FLOAT, ("B", 1, 1)),
            ("prednet_lengths", _INT32, ("B",)),
            ("next_h", _FLOAT, (1, "B", 1)),
            ("next_c", _FLOAT, (1, "B", 1)),
        ],
        [_tensor("shape", _INT64, (3,), struct.pack("<3q", -1, 1, 1))],
    )


def _joiner() -> bytes:
    """Weigh each token behind the last one: the next piece as loud as it is, nothing else."""
    follows = {_BLANK: 0, 0: 1, 1: 2}
    rows = [
        [_QUIET if follows.get(last) == token else -_LOUD for token in range(_BLANK)] + [0.0]
        for last in range(_BLANK + 1)
    ]
    weights = [weight for row in rows for weight in row]
    size = _BLANK + 1
    return _model(
        [
            _node("Reshape", ["decoder_outputs", "one"], ["last"]),
            _node("Cast", ["last"], ["row"], to=_INT64),
            _node("Gather", ["table", "row"], ["expected"], axis=0),
            _node("Reshape", ["encoder_outputs", "single"], ["loud"]),
            _node("MatMul", ["loud", "share"], ["heard"]),
            _node("Add", ["expected", "heard"], ["logits"]),
        ],
        [
            ("encoder_outputs", _FLOAT, ("B", 1, 1)),
            ("decoder_outputs", _FLOAT, ("B", 1, 1)),
        ],
        [("logits", _FLOAT, ("B", size))],
        [
            _tensor("one", _INT64, (1,), struct.pack("<q", -1)),
            _tensor("single", _INT64, (2,), struct.pack("<2q", 1, 1)),
            _tensor("table", _FLOAT, (size, size), struct.pack(f"<{size * size}f", *weights)),
            _tensor("share", _FLOAT, (1, size), struct.pack(f"<{size}f", *[1.0] * _BLANK, 0.0)),
        ],
    )


# The fields of ONNX's messages, by their numbers there.

_Shape = Sequence[int | str]
_Value = tuple[str, int, _Shape]


def _model(
    nodes: Sequence[bytes],
    inputs: Sequence[_Value],
    outputs: Sequence[_Value],
    constants: Sequence[bytes] = (),
    metadata: dict[str, str] | None = None,
) -> bytes:
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"tiny"),
            *(_field(5, constant) for constant in constants),
            *(_field(11, _value(*one)) for one in inputs),
            *(_field(12, _value(*one)) for one in outputs),
        ]
    )
    told = [
        _field(14, _field(1, key.encode()) + _field(2, value.encode()))
        for key, value in (metadata or {}).items()
    ]
    return b"".join([_field(1, 8), _field(7, graph), _field(8, _field(2, 13)), *told])


def _node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], **settings: int | tuple[int, ...]
) -> bytes:
    parts = [_field(1, name.encode()) for name in inputs]
    parts += [_field(2, name.encode()) for name in outputs]
    parts.append(_field(4, operator.encode()))
    for name, value in settings.items():
        if isinstance(value, int):
            told = _field(3, value) + _field(20, 2)
        else:
            told = b"".join(_field(8, one) for one in value) + _field(20, 7)
        parts.append(_field(5, _field(1, name.encode()) + told))
    return b"".join(parts)


def _tensor(name: str, kind: int, shape: Sequence[int], content: bytes) -> bytes:
    sizes = b"".join(_field(1, size) for size in shape)
    return sizes + _field(2, kind) + _field(8, name.encode()) + _field(9, content)


def _value(name: str, kind: int, shape: _Shape) -> bytes:
    sizes = b"".join(
        _field(1, _field(1, size) if isinstance(size, int) else _field(2, size.encode()))
        for size in shape
    )
    tensor = _field(1, kind) + _field(2, sizes)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
