"""The units in ``systemd/`` are what systemd takes, and shut in tightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command import run

UNITS = sorted((Path(__file__).parents[2] / "systemd").glob("airgap-*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MOST_EXPOSED = 1.5


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
async def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    """No unknown directive, no value that does not parse."""
    # systemd looks for the program too, which stands elsewhere where the tests run.
    for other in UNITS:
        text = other.read_text().replace("/usr/local/bin/airgap", "/bin/true")
        (tmp_path / other.name).write_text(text)
    done = await run("systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name))
    assert done.code == 0, done.err
    assert unit.stem not in done.err


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
async def test_the_service_is_shut_in(unit: Path) -> None:
    """Systemd's own rating of its exposure, from 0 to 10."""
    done = await run("systemd-analyze", "security", "--offline=true", str(unit))
    rating = re.search(r"exposure level for [^:]+: ([0-9.]+)", done.out)
    assert rating is not None, done.out + done.err
    assert float(rating[1]) <= MOST_EXPOSED
