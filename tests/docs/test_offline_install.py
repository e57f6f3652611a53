"""The isolated side gets airgap itself from wheels, by the commands of the operations guide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command import succeed

ROOT = Path(__file__).parents[2]
_INSTALL = re.compile(
    r"^python3 -m venv /opt/airgap && (/opt/airgap/bin/pip install --no-index .*)$", re.MULTILINE
)


@pytest.mark.xdist_group("wheels")
async def test_wheels_are_all_that_has_to_cross(wheels: Path, tmp_path: Path) -> None:
    """Gathered with a package index, and installed where there is no network at all."""
    install = _INSTALL.search((ROOT / "docs" / "operations.md").read_text())
    assert install is not None
    place = str(tmp_path / "opt")
    offline = install[1].replace("/opt/airgap", place)
    script = (
        f"cd {wheels.parent} && python3 -m venv {place} && {offline} && {place}/bin/airgap demo -q"
    )
    # A network of its own with nothing in it but loopback.
    done = await succeed("unshare", "-n", "sh", "-euc", f"ip link set lo up; {script}")
    assert "Successfully installed" in done
