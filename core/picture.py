"""People's pictures: whatever they upload becomes a small square of our own making.

Nothing of what came is kept but what can be seen: the file is decoded and written anew, so that
metadata, such as where a photo was taken, and whatever else was hidden in it are gone. Only four
decoders are ever reached, and none before the size that the file's head tells is known to be small
enough: a picture of 20,000 × 20,000 pixels takes some kB as a file and gigabytes in memory.
"""

from __future__ import annotations

import contextlib
from io import BytesIO
from typing import Literal

from PIL import Image, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_FILE = 5 * 1024 * 1024  # bytes
MAX_PIXELS = 24_000_000  # of a camera's 6000 × 4000; decoded they take 96 MB for a moment
SIDE = (
    256  # pixels of what is kept; the largest place for one has 128, on screens of double density
)
MAX_BYTES = 100_000  # of what is kept, as the table has it
QUALITIES = (85, 60, 30, 5)  # the first that is small enough; 85 always is but for noise
Image.MAX_IMAGE_PIXELS = None  # Pillow only warns beyond its own bound; ours is asked first

Flaw = Literal["empty", "large", "unknown", "pixels", "broken"]
_ORIENTATION = 0x0112  # of EXIF: how to turn what a camera took, 1 for not at all
_TURNED = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


class PictureError(Exception):
    """No picture can be made of what came; `flaw` says why."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw: Flaw = flaw


def square(file: bytes) -> bytes:
    """Return the picture of a file as a WebP of SIDE × SIDE, its middle, of an animation the first.

    It may take a quarter of a second: call it in a thread, and one at a time. Raises PictureError.
    """
    if not file:
        raise PictureError("empty")
    if len(file) > MAX_FILE:
        raise PictureError("large")
    if _pixels_of_webp(file) > MAX_PIXELS:  # its decoder takes memory as soon as it is opened
        raise PictureError("pixels")
    try:
        with Image.open(BytesIO(file), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureError("pixels")
            return _written(_turned(image, _cut(image)))
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("unknown") from None
    except Exception as problem:  # decoders of broken files raise whatever they stumble over
        raise PictureError("broken") from problem


def _cut(image: Image.Image) -> Image.Image:
    """Return the square in the middle, small."""
    image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG may be decoded at a fraction of its size
    image.load()
    seen = image
    if image.mode not in ("RGB", "RGBA"):
        clear = image.mode in ("P", "PA", "LA", "La") or "transparency" in image.info
        seen = image.convert("RGBA" if clear else "RGB")
    side = min(seen.size)
    left, top = (seen.width - side) // 2, (seen.height - side) // 2
    return seen.resize(
        (SIDE, SIDE),
        Resampling.LANCZOS,
        box=(left, top, left + side, top + side),
        reducing_gap=3.0,
    )


def _turned(image: Image.Image, small: Image.Image) -> Image.Image:
    """Return the square as the camera was held."""
    orientation = 1
    with contextlib.suppress(Exception):  # EXIF that can't be read turns nothing
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    turn = _TURNED.get(orientation)
    return small if turn is None else small.transpose(turn)


def _written(small: Image.Image) -> bytes:
    # Of its pixels alone: what else an image carries would be written, too.
    clean = Image.frombytes(small.mode, small.size, small.tobytes())
    for quality in QUALITIES:
        out = BytesIO()
        clean.save(out, "WEBP", quality=quality)
        if out.tell() <= MAX_BYTES:
            break
    return out.getvalue()


def _pixels_of_webp(file: bytes) -> int:
    """Return how many pixels a WebP says that it has, 0 for any other file: RFC 9649."""
    if file[:4] != b"RIFF" or file[8:12] != b"WEBP":
        return 0
    kind, little = file[12:16], int.from_bytes(file[21:25], "little")
    if kind == b"VP8X":
        sides = (int.from_bytes(file[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        sides = ((little >> shift & 0x3FFF) + 1 for shift in (0, 14))
    else:
        sides = (int.from_bytes(file[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    width, height = sides
    return width * height
