"""The place where layers are made small, beside the store they come from."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airgap.bundle.delivery import Holding
from airgap.content.events import Emit, Note
from airgap.packing.scratch import telling
from airgap.store.store import Store
from airgap.usecases.pack_rules import PackRules

if TYPE_CHECKING:
    from airgap.usecases.layer_packing import LayerPacker

_PREFIX = "work-"


@asynccontextmanager
async def packer_at(
    store: Store, rules: PackRules | None, holding: Holding | None, emit: Emit
) -> AsyncIterator[LayerPacker | None]:
    """Have a packer, and a folder that it works in, for one bundle.

    Args:
        store: where the layers are, and the folder is, unless it can only be read.
        rules: how to pack; None where every blob travels as it is.
        holding: what the other side has.
        emit: is told of what takes long.

    Yields:
        The packer; None without rules.

    Raises:
        NotPermitted, NoSpace: there is no place to work.
    """
    if rules is None:
        yield None
        return
    # The coders take a while to load, and few exports want them.
    from airgap.usecases.layer_packing import LayerPacker, open_workshop  # noqa: PLC0415

    warn_of_slowness(emit)
    own = store.places.own / "packing" if store.writable else None
    place = _work_folder(own)
    folder = await asyncio.to_thread(place.__enter__)
    try:
        workshop = open_workshop(folder, own or folder, rules)
        yield LayerPacker(store, rules, workshop, holding, emit)
    finally:
        await asyncio.to_thread(place.__exit__, None, None, None)


def warn_of_slowness(emit: Emit) -> None:
    """Say so where the coder runs uncompiled, and what to do about it."""
    from airgap.deflate.models import is_compiled  # noqa: PLC0415 - see above

    if not is_compiled():
        text = (
            "the deflate coder is not compiled, and takes some fifty times as long: install a C "
            "compiler and Python's headers, then airgap again; or a wheel made where they are"
        )
        emit(Note("warning", text))


@contextmanager
def _work_folder(own: Path | None) -> Iterator[Path]:
    if own is None:
        with tempfile.TemporaryDirectory(prefix="airgap-") as name:
            yield Path(name)
        return
    with telling(own):
        own.mkdir(parents=True, exist_ok=True)
    for left in own.glob(f"{_PREFIX}*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(left):
            shutil.rmtree(left, ignore_errors=True)
    with telling(own):
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=own))
    with _locked(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
