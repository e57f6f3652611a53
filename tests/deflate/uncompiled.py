"""Runs a module of tests on the coder's plain Python, whether it is compiled or not.

``python -m tests.deflate.uncompiled MODULE [ARGUMENT ...]`` runs it as ``python -m MODULE`` would.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

ROOM = "airgap.deflate"


class SourcesOnly(MetaPathFinder):
    """Finds the modules of the coder as sources only."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of the coder beside its package; leave all others to others."""
        if not fullname.startswith(ROOM) or path is None:
            return None
        for folder in path:
            finder = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
            if (found := finder.find_spec(fullname)) is not None:
                return found
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, SourcesOnly())
    sys.modules["cython"] = None  # type: ignore[assignment] # as where it is not installed
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
