"""``airgap`` in a process of its own that is killed at a point that a test names.

The process runs the real command; what is added is only the moment of its death.
"""

from __future__ import annotations

import signal
import sys

from tests.support.command import run

_PRELUDE = """
import os, signal, sys
from airgap.cli.main import run
from airgap.store.journal import StoreJournal
from airgap.store.ledger import StoreLedger

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""

_IN_STATE = """
def until(step):
    async def stepped(*arguments, **keywords):
        entry = await step(*arguments, **keywords)
        if entry.state.value == {state!r}:
            die()
        return entry
    return stepped

for name in ("begin", "advance", "publish", "note"):
    setattr(StoreJournal, name, until(getattr(StoreJournal, name)))
"""

_BEFORE_THE_NAME = """
def watch(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith({name!r}):
        die()

sys.addaudithook(watch)
"""

_BEFORE_IT_IS_WRITTEN_DOWN = """
async def settle(self, record):
    die()

StoreLedger.settle = settle
"""

_RUN = """
sys.exit(run(sys.argv[1:]))
"""


async def killed_in_state(state: str, *arguments: str) -> None:
    """Run an import that dies as soon as its journal has a state."""
    await _killed(_IN_STATE.format(state=state), arguments)


async def killed_before_the_name(name: str, *arguments: str) -> None:
    """Run an export that dies right before its file gets its name."""
    await _killed(_BEFORE_THE_NAME.format(name=name), arguments)


async def killed_before_it_is_written_down(*arguments: str) -> None:
    """Run an export that dies when its file has its name, and the ledger does not know it yet."""
    await _killed(_BEFORE_IT_IS_WRITTEN_DOWN, arguments)


async def _killed(how: str, arguments: tuple[str, ...]) -> None:
    done = await run(sys.executable, "-c", _PRELUDE + how + _RUN, *arguments)
    assert done.code == -signal.SIGKILL, done.out + done.err
