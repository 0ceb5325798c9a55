"""A LiveKit server on its wire protocol, for tests: signalling, media, server API and webhooks.

By hand: `python -m tests.emulators.livekit`. In tests: `LiveKitServer` on the running event
loop, or `LiveKitThread` where there is none.
"""

from .server import LiveKitServer
from .thread import LiveKitThread

__all__ = ["LiveKitServer", "LiveKitThread"]
