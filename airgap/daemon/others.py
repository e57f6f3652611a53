"""Daemons on other machines, which share the store and have the same to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from airgap.operations.turns import turn
from airgap.store.store import Store


@dataclass(frozen=True, slots=True)
class Others:
    """What is known of them.

    Attributes:
        store: the store that is shared; None where there can be no others.
        patience: seconds to wait for one of them that does the same.
    """

    store: Store | None = None
    patience: float = 0.0

    @property
    def can_be(self) -> bool:
        """Whether there can be any."""
        return self.store is not None

    def alone(self, name: str) -> AbstractAsyncContextManager[None]:
        """Be the only one who runs a name.

        Raises:
            Busy: another one has been at it for all of our patience.
        """
        if self.store is None:
            return nullcontext()
        return turn(self.store, _at(name), patience=self.patience)

    async def busy_with(self, names: Iterable[str]) -> frozenset[str]:
        """Return those names that one of them is running right now."""
        return await asyncio.to_thread(self._busy_with, frozenset(names))

    def _busy_with(self, names: frozenset[str]) -> frozenset[str]:
        if self.store is None:
            return frozenset()
        busy: set[str] = set()
        for name in names:
            lock = self.store.locks.try_exclusive(f"turn.{_at(name)}")
            if lock is None:
                busy.add(name)
            else:
                lock.release()
        return frozenset(busy)


def _at(name: str) -> str:
    return f"run.{name}"
