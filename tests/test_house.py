"""The house keeps its own rules: style, types, import directions, sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "airgap").rglob("*.py"))
MAX_LINES = 400


def _run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_has_nothing_to_say() -> None:
    """Ruff, with all rules that pyproject.toml does not switch off with a reason."""
    _run("ruff", "check", ".")


def test_the_formatter_would_change_nothing() -> None:
    """One way of laying out code, so that a diff shows what changed."""
    _run("ruff", "format", "--check", ".")


def test_types_are_strict() -> None:
    """Mypy strict over the package and the tests."""
    _run("mypy")


def test_rooms_import_only_from_rooms_above_them() -> None:
    """The import directions of the architecture, as import-linter's contract has them."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_two_rooms(module: Path) -> None:
    """A module over about 400 lines is usually two; and nobody finds things in a ``utils.py``."""
    assert len(module.read_text().splitlines()) <= MAX_LINES
    assert module.stem not in {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_swallowed_in_silence(module: Path) -> None:
    """No handler catches everything, and none has an empty body."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            assert caught not in {"", "Exception", "BaseException"} or _raises(node), (
                f"line {node.lineno} catches {caught or 'everything'}"
            )


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))
