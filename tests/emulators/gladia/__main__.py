"""Runs the emulator by hand: `python -m tests.emulators.gladia [--port N] [--recognizer ...]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from . import API_KEY, GladiaEmulator, MoonshineRecognizer, Timings, WordRecognizer


async def _serve(arguments: argparse.Namespace) -> None:
    recognizer = MoonshineRecognizer if arguments.recognizer == "moonshine" else WordRecognizer
    emulator = GladiaEmulator(
        api_keys=None,
        max_sessions=arguments.max_sessions,
        timings=Timings.lifelike(),
        recognizer=recognizer,
        host=arguments.host,
        port=arguments.port,
    )
    async with emulator:
        print(f"Gladia emulator ({arguments.recognizer}) at {emulator.url}, any key works.")
        print("Point Sessions at it with:\n")
        print(
            f"  GLADIA_API_KEY={API_KEY} GLADIA_API_URL={emulator.url} uvicorn app:app", flush=True
        )
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.gladia")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--max-sessions", type=int, default=30)
    parser.add_argument("--recognizer", choices=["moonshine", "words"], default="moonshine")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
