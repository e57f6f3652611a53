"""The isolated side gets airgap itself from wheels, by the commands of the operations guide."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.command import succeed

ROOT = Path(__file__).parents[2]
_WHEELS = re.compile(r"^pip (wheel .*)$", re.MULTILINE)
_INSTALL = re.compile(
    r"^python3 -m venv /opt/airgap && (/opt/airgap/bin/pip install --no-index .*)$", re.MULTILINE
)


async def test_wheels_are_all_that_has_to_cross(tmp_path: Path) -> None:
    """Gathered with a package index, and installed where there is no network at all."""
    guide = (ROOT / "docs" / "operations.md").read_text()
    wheels, install = _WHEELS.search(guide), _INSTALL.search(guide)
    assert wheels is not None
    assert install is not None
    gather = wheels[1].replace("'airgap[", f"'{ROOT}[")
    python = f"cd {tmp_path} && python3 -m venv gathering && gathering/bin/pip -q {gather}"
    await succeed("sh", "-euc", python)
    place = str(tmp_path / "opt")
    offline = install[1].replace("/opt/airgap", place)
    script = f"cd {tmp_path} && python3 -m venv {place} && {offline} && {place}/bin/airgap demo -q"
    # A network of its own with nothing in it but loopback.
    done = await succeed("unshare", "-n", "sh", "-euc", f"ip link set lo up; {script}")
    assert "Successfully installed" in done
