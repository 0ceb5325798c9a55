"""A process that has every room: what rooms need of leases where no database is."""

from __future__ import annotations

from collections.abc import Collection

from core.leases import Claim


class Alone:
    """Claims: all are granted."""

    @property
    def held(self) -> list[str]:
        return []

    async def claim(self, session_id: str) -> Claim:
        return Claim(1, first=True)

    async def renew(self) -> set[str]:
        return set()

    async def release(self, sessions: Collection[str]) -> None:
        pass
