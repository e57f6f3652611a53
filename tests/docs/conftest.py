"""What the pages on installing need: airgap's wheels, gathered once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.command import succeed

ROOT = Path(__file__).parents[2]
_GATHER = re.compile(r"^pip (wheel .*)$", re.MULTILINE)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gather airgap and all that it needs, by the command of the operations guide."""
    folder = tmp_path_factory.mktemp("gathering")
    gather = _GATHER.search((ROOT / "docs" / "operations.md").read_text())
    assert gather is not None
    words = gather[1].replace("'airgap[", f"'{ROOT}[")
    script = f"cd {folder} && python3 -m venv venv && venv/bin/pip -q {words}"
    # What is compiled is only faster, and compiling takes longer than all the rest here.
    await succeed("sh", "-euc", script, environment={"AIRGAP_COMPILE": "no"})
    return folder / "airgap-wheels"
