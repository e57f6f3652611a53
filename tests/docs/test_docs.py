"""The docs say what the code does, and their commands run."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

import airgap.errors as tree
from tests.support.command import run
from tests.support.command_reference import REFERENCE, render

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")


def test_the_reference_of_commands_is_that_of_the_code() -> None:
    """``python -m tests.support.command_reference`` writes it anew."""
    assert REFERENCE.read_text() == render()


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    """Every error class stands in the table with its code."""
    table = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    for name, code in re.findall(r"[─ ]*(\w+) +(\d+)  ", tree.__doc__ or ""):
        assert f"| {code} | `{name}` |" in table


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links name files that are there."""
    for target in _LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_opens_with_two_commands() -> None:
    """One runs the main job, one the tests; each is one line that does its own set-up."""
    first, second, *_ = _BLOCK.findall((ROOT / "README.md").read_text())
    for command, ending in ((first, "bin/airgap demo\n"), (second, "bin/pytest\n")):
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && ")
        assert command.endswith(ending)


@pytest.mark.xdist_group("real-peers")
async def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Every command of the tutorial, pasted one after the other into one shell."""
    script = "\n".join(_BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text()))
    # The registries take a moment to listen, which a person typing does not notice.
    script = script.replace(
        "registry local 15002\n", "registry local 15002\n" + _wait(15001) + _wait(15002)
    )
    storage = tmp_path / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{tmp_path}/run"\ngraphroot = "{tmp_path}/graph"\n'
    )
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CONTAINERS_STORAGE_CONF": str(storage),
    }
    shell = ("bash", "-euo", "pipefail", "-c", f"cd {tmp_path}\n{script}")
    done = await run(*shell, environment=environment)
    assert done.code == 0, done.out + done.err


def _wait(port: int) -> str:
    return f"timeout 20 sh -c 'until curl -fs http://127.0.0.1:{port}/v2/; do :; done'\n"
