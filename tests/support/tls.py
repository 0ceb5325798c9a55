"""TLS before a service of a test, as the real services have one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trustme

CLOSE_TIMEOUT_S = 1.0  # seconds for the end of TLS


@asynccontextmanager
async def behind_tls(url: str, authority: Path) -> AsyncIterator[str]:
    """Serve what is at `url` at the https address yielded; `authority` is written: its issuer."""
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("localhost").configure_cert(context)
    inner, passing = urlsplit(url), set[asyncio.Task[None]]()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(64 * 1024):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await writer.wait_closed()

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection(inner.hostname, inner.port)
        for one in (carry(reader, behind[1]), carry(behind[0], writer)):
            task = asyncio.create_task(one)
            passing.add(task)
            task.add_done_callback(passing.discard)

    server = await asyncio.start_server(enter, "localhost", 0, family=2, ssl=context)
    async with server:
        try:
            yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
        finally:
            for task in list(passing):
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
