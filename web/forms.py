"""Forms: urlencoded in UTF-8, as browsers send ours, and nothing else but one: web/upload.py.

Any other kind is refused before its body is read (web/guard.py), so that no other parser is
reachable: those of multipart bodies take a charset from outside, of which some cost a third of a
second of the loop for 60 kB, and Python keeps whatever name it is asked for.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

KIND = "application/x-www-form-urlencoded"
MAX_FIELDS = 30  # to plan a session takes 22

_NO_BYTE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def may_be_form(headers: Headers) -> bool:
    """Whether a request has no body, or says that it is a form of ours."""
    kind = headers.get("content-type")
    if kind is None:
        return headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    name, _, parameters = kind.partition(";")
    if name.strip().lower() != KIND:
        return False
    return parameters.strip().lower() in ("", "charset=utf-8", 'charset="utf-8"')


def parse(body: bytes, most: int = MAX_FIELDS) -> dict[str, str]:
    """Return the fields of a form; of several of one name, the last. Raises ValueError."""
    if _NO_BYTE.search(body):
        raise ValueError("a percent sign without a byte")
    fields = parse_qsl(
        body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most
    )
    return dict(fields)


async def form_of(request: Request, most: int = MAX_FIELDS) -> dict[str, str]:
    """Return what somebody filled in, `most` fields of it.

    Raises HTTPException: 400 when it can't be read.
    """
    try:
        return parse(await request.body(), most)
    except ValueError as problem:
        raise HTTPException(400) from problem
