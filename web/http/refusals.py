"""Answers that the protocol class gives by itself, where no request reaches the app."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from web.headers import NOTHING, security_headers

CROWDED = {429, 503}  # what else but trying again would help
RETRY_AFTER = b"10"  # seconds
TEXTS = {
    400: "This request could not be read.",
    408: "This request took too long.",
    413: "This request is too large.",
    414: "This address is too long.",
    429: "Your network has too many connections.",
    431: "The headers of this request are too large.",
    503: "Too many people are connected. Try again in a moment.",
}


def refusal(status: int, usual: list[tuple[bytes, bytes]], *, https: bool) -> bytes:
    """Return a whole answer with one of TEXTS, the server's usual headers and those of safety."""
    text = TEXTS[status].encode()
    safety = security_headers(NOTHING, https=https)
    headers = [
        *usual,
        *((name.lower().encode(), value.encode()) for name, value in safety),
        (b"cache-control", b"no-store"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    if status in CROWDED:
        headers.append((b"retry-after", RETRY_AFTER))
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", text])
