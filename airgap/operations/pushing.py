"""Who pushes into a registry is the only one who does, from this store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from airgap.content.copy_images import ImageCopy
from airgap.content.events import Emit, Note, discard
from airgap.operations.turns import Busy, turn
from airgap.store.store import Store


def registries_of(copies: Iterable[ImageCopy]) -> frozenset[str]:
    """Return the registries that copies go to."""
    return frozenset(copy.target.repository.domain for copy in copies)


@asynccontextmanager
async def turn_at(
    store: Store, registries: Iterable[str], *, patience: float = 0.0, emit: Emit = discard
) -> AsyncIterator[None]:
    """Be the only one who pushes from a store into some registries.

    What a name stands for is read from the store, and moved in the registry some time later; two
    pushes at once could leave there what the store had before. Where the store can only be read,
    nothing in it moves, and there is no lock to take.

    Args:
        store: where it is pushed from.
        registries: their hosts and ports.
        patience: seconds to wait for somebody else, at each of them.
        emit: is told for whom it waits.

    Raises:
        Busy: somebody else has been pushing there for all of that time.
    """
    async with AsyncExitStack() as stack:
        # All take them in the same order, so that no two wait for each other.
        for registry in sorted(set(registries)) if store.writable else ():
            what = f"push.{registry}"
            try:
                await stack.enter_async_context(turn(store, what))
            except Busy as busy:
                if not patience:
                    raise
                emit(Note("warning", f"{busy}; waiting for that"))
                await stack.enter_async_context(turn(store, what, patience=patience))
        yield
