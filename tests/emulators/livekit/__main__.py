"""`python -m tests.emulators.livekit`: by hand, with `livekit-server --dev`'s defaults."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import warnings

import jwt

from . import LiveKitServer


async def _run(options: argparse.Namespace) -> None:
    server = LiveKitServer(
        host=options.bind,
        port=options.port,
        key=options.key,
        secret=options.secret,
        webhook_urls=options.webhook,
    )
    async with server:
        print(f"LIVEKIT_URL={server.ws_url}")
        print(f"LIVEKIT_API_KEY={server.key}")
        print(f"LIVEKIT_API_SECRET={server.secret}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    # The development secret is shorter than PyJWT likes; the real server takes it as well.
    warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.livekit", description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7880)
    parser.add_argument("--key", default="devkey")
    parser.add_argument("--secret", default="secret")
    parser.add_argument("--webhook", action="append", default=[], metavar="URL")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
