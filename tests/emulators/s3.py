"""A bucket of an S3-compatible service, which takes nobody at their word.

It knows PUT, GET with a range, and DELETE of objects, path-style, and checks each request's AWS
Signature Version 4 as the service's documents say (“Create a signed request”, “Error responses”):
the canonical request is made of what arrived and of the headers that were named as signed. It has
no listing, no versions, no uploads in parts, no signatures in the address.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

BUCKET, REGION = "meetings", "eu-central-1"
KEY_ID, SECRET = "AKIDOFTHETESTS", "secret/of+the-tests/0123456789"
SKEW = timedelta(minutes=15)

_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/]+)/s3/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})"
)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class RefusedError(Exception):
    """What it answers instead: a status and a code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in small letters
    body: bytes


class S3:
    """Runs in a thread while it is a context; `stop` and `start` make it go away and come back."""

    def __init__(self, folder: str = "") -> None:
        self.objects: dict[str, bytes] = {}  # by key
        self.keys = {KEY_ID: SECRET}
        self.region = REGION
        self.folder = folder
        self.ahead = timedelta(0)  # of its clock
        self.denied: set[str] = set()  # methods that no key may use
        self.answered: list[tuple[str, str, int]] = []  # method, key, status
        self.stored: list[str] = []  # keys, as often as they were put, answered or not
        # Objects are stored, and answered once this is set, unless who asked is gone by then.
        self.answers = threading.Event()
        self.answers.set()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """Where the bucket is."""
        return f"http://127.0.0.1:{self._port}/{BUCKET}{self.folder}"

    @property
    def settings(self) -> dict[str, str]:
        """What Sessions is told of it."""
        return {
            "AUDIO_BUCKET": self.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
        }

    def __enter__(self) -> S3:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer from now on, at the same address as before."""
        handler = type("Handler", (_Handler,), {"bucket": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on, and cut those that there are."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._server = None

    def answer(self, asked: Asked, now: datetime) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body. Raises RefusedError."""
        check(asked, self.keys, self.region, now + self.ahead)
        bucket, _, key = unquote(urlsplit(asked.target).path).lstrip("/").partition("/")
        if asked.method in self.denied:
            raise RefusedError(403, "AccessDenied")
        if bucket != BUCKET:
            raise RefusedError(404, "NoSuchBucket")
        if asked.method == "PUT":
            self.objects[key] = asked.body
            self.stored.append(key)
            self.answers.wait()
            return 200, {"ETag": f'"{hashlib.md5(asked.body).hexdigest()}"'}, b""
        if asked.method == "DELETE":
            self.objects.pop(key, None)
            return 204, {}, b""
        if key not in self.objects:
            raise RefusedError(404, "NoSuchKey")
        return _part(self.objects[key], asked.headers.get("range"))


def _part(whole: bytes, asked: str | None) -> tuple[int, dict[str, str], bytes]:
    found = _RANGE.fullmatch(asked or "")
    if found is None:
        return 200, {"Accept-Ranges": "bytes"}, whole
    first, last = int(found[1]), min(int(found[2] or len(whole)), len(whole) - 1)
    if first > last:
        raise RefusedError(416, "InvalidRange")
    told = {"Content-Range": f"bytes {first}-{last}/{len(whole)}"}
    return 206, told, whole[first : last + 1]


def check(asked: Asked, keys: Mapping[str, str], region: str, now: datetime) -> None:
    """Check who asks. Raises RefusedError."""
    shown = asked.headers.get("authorization")
    if shown is None:
        raise RefusedError(403, "AccessDenied")
    found = _SIGNED.fullmatch(shown)
    if found is None or found[3] != region:
        raise RefusedError(400, "AuthorizationHeaderMalformed")
    key, day, _, named, signature = found.groups()
    if key not in keys:
        raise RefusedError(403, "InvalidAccessKeyId")
    names = named.split(";")
    at = asked.headers.get("x-amz-date", "")
    own = {name for name in asked.headers if name.startswith("x-amz-")}
    if names != sorted(names) or not {"host", *own} <= set(names) or not at.startswith(day):
        raise RefusedError(403, "AccessDenied")
    told = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(now - told) > SKEW:
        raise RefusedError(403, "RequestTimeTooSkewed")
    scope = "/".join((day, region, "s3", "aws4_request"))
    canonical = hashlib.sha256(_canonical(asked, names).encode()).hexdigest()
    to_sign = "\n".join(("AWS4-HMAC-SHA256", at, scope, canonical))
    proof = ("AWS4" + keys[key]).encode()
    for part in (*scope.split("/"), to_sign):
        proof = hmac.new(proof, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(proof.hex(), signature):
        raise RefusedError(403, "SignatureDoesNotMatch")
    digest = asked.headers["x-amz-content-sha256"]
    if digest not in (hashlib.sha256(asked.body).hexdigest(), "UNSIGNED-PAYLOAD"):
        raise RefusedError(400, "XAmzContentSHA256Mismatch")


def _canonical(asked: Asked, names: list[str]) -> str:
    """Return the canonical request, of what arrived."""
    parts = urlsplit(asked.target)
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    headers = [f"{name}:{' '.join(asked.headers.get(name, '').split())}\n" for name in names]
    return "\n".join(
        (
            asked.method,
            quote(unquote(parts.path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(headers),
            ";".join(names),
            asked.headers.get("x-amz-content-sha256", ""),
        )
    )


class _Handler(BaseHTTPRequestHandler):
    bucket: S3
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.bucket._connections.add(self.connection)

    def finish(self) -> None:
        self.bucket._connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(OSError):  # who asked is gone, or we are
            super().handle()

    def _any(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        asked = Asked(self.command, self.path, headers, body)
        try:
            status, told, content = self.bucket.answer(asked, datetime.now(UTC))
        except RefusedError as refusal:
            status, told = refusal.status, {"Content-Type": "application/xml"}
            content = (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{refusal.code}</Code>'
                "<Message>It isn't to be.</Message></Error>"
            ).encode()
        key = unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/")
        self.bucket.answered.append((self.command, key, status))
        self.send_response(status)
        for name, value in told.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_DELETE = _any  # noqa: N815 - the parent's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing."""
