"""GET /static: anybody. Addresses with a version are kept for ever, others are asked for again.

What pages name of our scripts and style sheets travels with all it imports, see web/joining.py:
`/static/js@<digest of all scripts>/room/main.ru.js`. Without a digest each file is only itself.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Message, Receive, Scope, Send

from web import joining
from web.render import STATIC, digest_of
from web.words import Language, is_language

COMPRESSED = {".js", ".css", ".svg"}
_VERSION = re.compile(r"(js|css)@([0-9a-f]+)(?=/)")
_LANGUAGE = re.compile(r"\.([a-z]+)(?=\.js$)")


@lru_cache(maxsize=256)
def _compressed(path: Path, _modified: float) -> bytes:
    """Return a file as it travels, made once per version of the file."""
    return _packed(path.read_bytes())


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)


@lru_cache(maxsize=64)
def _joined(path: str, language: Language, _digest: str) -> tuple[bytes, bytes, str]:
    """Return an entry with all it imports: as it is, as it travels, and the digest of that."""
    if path in joining.SHEETS:
        whole = joining.sheet(STATIC, path)
    else:
        catalogue = STATIC / f"js/words/{language}.js"
        words = joining.catalogue(catalogue.read_text("utf-8")) if language != "en" else {}
        whole = joining.script(STATIC, path, words)
    content = whole.encode()
    return content, _packed(content), hashlib.sha256(content).hexdigest()[:12]


def _entry(path: str) -> tuple[str, Language]:
    """Return which entry a path means, and in which language; none has no name."""
    chosen = _LANGUAGE.search(path)
    language = chosen[1] if chosen else "en"
    entry = _LANGUAGE.sub("", path)
    if not is_language(language) or entry not in joining.SCRIPTS | joining.SHEETS:
        return "", "en"
    return entry, language


def _takes_gzip(scope: Scope) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")


class VersionedStatic(StaticFiles):
    """Static files. Scripts and style sheets are served under any digest, and kept under their own:

    a page of the release before may still ask, or of another server that has the next one already.
    """

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        asked = self._version(scope)
        versioned = (
            asked[2] == digest_of(asked[1])
            if asked
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
        return _VERSION.sub(r"\1", super().get_path(scope), count=1)

    def _version(self, scope: Scope) -> re.Match[str] | None:
        return _VERSION.match(super().get_path(scope))

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return an entry with all it imports, any other file as it is."""
        version = self._version(scope)
        entry, language = _entry(path)
        if not version or not entry or scope["method"] not in ("GET", "HEAD"):
            return await super().get_response(path, scope)
        digest = digest_of(version[1])
        content, packed, tag = await run_in_threadpool(_joined, entry, language, digest)
        packs = _takes_gzip(scope)
        return self._answer(scope, entry, tag, lambda: packed if packs else content, packs=packs)

    def _answer(
        self, scope: Scope, path: str, tag: str, body: Callable[[], bytes], *, packs: bool
    ) -> Response:
        """Return the body, or that the browser has it: then it isn't made."""
        headers = {"vary": "Accept-Encoding", "etag": f'"{tag}{"-gzip" if packs else ""}"'}
        if packs:
            headers["content-encoding"] = "gzip"
        if self.is_not_modified(Headers(headers), Headers(scope=scope)):
            return NotModifiedResponse(Headers(headers))
        return Response(body(), headers=headers, media_type=mimetypes.guess_type(path)[0])

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, compressed for those who take it so."""
        path = Path(full_path)
        if path.suffix not in COMPRESSED or not _takes_gzip(scope):
            return super().file_response(full_path, stat_result, scope, status_code)
        tag = FileResponse(path, stat_result=stat_result).headers["etag"].strip('"')
        packed = partial(_compressed, path, stat_result.st_mtime)
        return self._answer(scope, path.name, tag, packed, packs=True)
