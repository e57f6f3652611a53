"""The guide to incremental bundles: every command in it runs as it stands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.support.command import run
from tests.support.filled_store import filled_store, several_megabytes

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "incremental.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def test_the_guide_runs(tmp_path: Path) -> None:
    """Full, confirmed, incremental, lost, asked for, answered, and reported."""
    await filled_store(tmp_path / "connected", several_megabytes())
    script = "\n".join(_BLOCK.findall(PAGE.read_text()))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = ("bash", "-euo", "pipefail", "-c", f"cd {tmp_path}\n{script}")
    done = await run(*shell, environment={"PATH": path})
    assert done.code == 0, done.out + done.err
    assert "plant, bundle 1: confirmed" in done.out
    assert "on top of bundle 1: 1 new, 4 same" in done.out
    assert "exit code 15" in done.out
    assert "plant, bundle 5, full" in done.out
    assert (tmp_path / "receipts" / "plant-5.receipt").exists()
