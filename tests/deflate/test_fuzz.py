"""The fuzzer over the deflate coder runs with the tests, for some seconds and from one seed."""

from __future__ import annotations

import sys

from tests.support.command import run

SECONDS = 60


async def test_damaged_files_and_recipes_are_refused_or_come_back() -> None:
    """No trial crashes, hangs, takes much memory, fails with another error, or loses a bit."""
    command = ("-m", "tests.deflate.fuzz", "--seconds", str(SECONDS), "--seed", "1")
    done = await run(sys.executable, *command)
    assert done.code == 0, done.out + done.err
    assert " 0 findings" in done.out
