"""GET /static: anybody. Addresses with a version are kept for ever, others are asked for again."""

from __future__ import annotations

import gzip
import mimetypes
import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Message, Receive, Scope, Send

from web.render import STATIC, scripts

COMPRESSED = {".js", ".css", ".svg"}
SCRIPTS = STATIC / "js"
_VERSION = re.compile(r"js@([0-9a-f]+)(?=/)")
_DOCUMENTATION = re.compile(r"/\*\*.*?\*/", re.DOTALL)


def lean(script: str) -> str:
    """Return one of our scripts without its JSDoc, on the same lines.

    The types are for people and the type checker; they would be a fifth of what travels.
    """
    return _DOCUMENTATION.sub(lambda comment: "\n" * comment[0].count("\n"), script)


@lru_cache(maxsize=256)
def _compressed(path: Path, _modified: float) -> bytes:
    """Return a file as it travels, made once per version of the file."""
    content = path.read_bytes()
    if path.suffix == ".js" and path.is_relative_to(SCRIPTS):
        content = lean(content.decode()).encode()
    return gzip.compress(content, compresslevel=9, mtime=0)


class VersionedStatic(StaticFiles):
    """Static files. Under another digest than theirs, scripts are served as they are and not kept:

    a page of the release before may still ask, or another server that has the next one already.
    """

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        digest = _VERSION.match(super().get_path(scope))
        versioned = (
            digest[1] == scripts()
            if digest
            else "v" in parse_qs(scope.get("query_string", b"").decode("latin-1"))
        )
        keep = "public, max-age=31536000, immutable" if versioned else "no-cache"

        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                message["headers"].append((b"cache-control", keep.encode()))
            await send(message)

        await super().__call__(scope, receive, send_kept)

    def get_path(self, scope: Scope) -> str:
        """Return which file is asked for."""
        return _VERSION.sub("js", super().get_path(scope), count=1)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, compressed for those who take it so."""
        path, asked = Path(full_path), Headers(scope=scope)
        if path.suffix not in COMPRESSED or "gzip" not in asked.get("accept-encoding", ""):
            return super().file_response(full_path, stat_result, scope, status_code)
        plain = FileResponse(path, stat_result=stat_result)
        headers = {
            "content-encoding": "gzip",
            "vary": "Accept-Encoding",
            "etag": f'"{plain.headers["etag"].strip(chr(34))}-gzip"',
        }
        if self.is_not_modified(Headers(headers), asked):
            return NotModifiedResponse(Headers(headers))
        body = _compressed(path, stat_result.st_mtime)
        return Response(body, status_code, headers, mimetypes.guess_type(path.name)[0])
