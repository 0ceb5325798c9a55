"""How much speech may be in memory until it is text.

Nothing that is said touches a disk before it is text. So speech is in memory wherever it is on its
way: while it waits for a slot or the engine, while the local engine works it off, and while Gladia
has not sent its final, in case the connection or the session is lost. All of it is counted in one
budget, of which each page has a share.

It used to be in a file, encrypted, for streams of Gladia. That wrote on the event loop's thread, up
to thousands of times a second, to save memory that is hardly ever used: 32 kB for each second of
speech without a final, which is a few seconds of each person who speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

# Of one page: a quarter of an hour of speech, as long as an engine may be away or behind.
MAX_SPEECH_OF_PAGE = 900 * 32_000  # bytes
# Of a process: an eighth of the memory of its machine or container. The rest is for its rooms
# (60 kB a stream), the local engine (0.2 GB), an embedded PostgreSQL and whatever else runs there.
SHARE = 8
# At least what two pages may have, however small the machine; at most nine hours of speech, as
# with a service that is away so long for so many nobody waits for captions any more.
LEAST = 64 * 1024 * 1024
MOST = 1024 * 1024 * 1024


class AudioBudget:
    """The bytes of speech that may be in memory: of one page, as a part of the process's."""

    __slots__ = ("_left", "_whole", "limit")

    def __init__(self, limit: int = MAX_SPEECH_OF_PAGE, whole: AudioBudget | None = None) -> None:
        self.limit = limit  # bytes, in all
        self._left = limit  # bytes that may still be reserved here
        self._whole = whole  # what this is a part of, where each byte is reserved too

    @property
    def used(self) -> int:
        """Bytes that are reserved."""
        return self.limit - self._left

    def reserve(self, size: int) -> bool:
        """Reserve `size` bytes; False when they are not to be had."""
        # Its own first: a page that has used up its share takes nothing from the others.
        if size > self._left or (self._whole is not None and not self._whole.reserve(size)):
            return False
        self._left -= size
        return True

    def release(self, size: int) -> None:
        """Return reserved bytes."""
        self._left += size
        if self._whole is not None:
            self._whole.release(size)


def speech_memory(
    groups_of_process: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")
) -> int:
    """Return how many bytes of speech a process may have: see `SHARE`, `LEAST` and `MOST`.

    The paths are where Linux tells which control groups a process is in, and what they allow.
    """
    machine: int = psutil.virtual_memory().total
    allowed = min(_limits(groups_of_process, groups), default=machine)
    return max(LEAST, min(MOST, min(machine, allowed) // SHARE))


def _limits(groups_of_process: Path, groups: Path) -> Iterator[int]:
    """Yield the limits of all control groups around this process, of either version.

    Lines are `0::/path` (version 2) and `4:memory:/path` (1); a group's parents bind it too. Within
    a container the path may be the one outside, of which only the root is seen here.
    """
    with suppress(OSError):
        for line in groups_of_process.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            root = groups / controllers if controllers else groups
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            here = root / path.lstrip("/")
            for group in (here, *here.parents):
                with suppress(OSError, ValueError):  # a group that isn't seen, or "max"
                    yield int((group / name).read_text())
                if group == root:
                    break
