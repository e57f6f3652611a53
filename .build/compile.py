"""Compiles the deflate coder while a wheel is built, where a compiler is at hand.

The coder is plain Python with C types beside it (``airgap/deflate/**/*.pxd``). Nothing depends on
its being compiled but speed, so a machine without a compiler gets a wheel all the same, with a word
about it. ``AIRGAP_COMPILE=no`` leaves it out, ``AIRGAP_COMPILE=must`` makes a failure an error.

By hand, after a change: ``python .build/compile.py [PART-OF-A-MODULE'S-PATH ...]``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOM = Path("airgap") / "deflate"
OBJECTS = Path("build") / "deflate"
SHARED = "airgap.deflate._buffers"
FLAGS = {"extra_compile_args": ["-O2", "-g0"], "extra_link_args": ["-s"]}
DIRECTIVES = {
    "boundscheck": True,  # recipes come from hostile bundles: every index is checked
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "annotation_typing": False,
    "language_level": 3,
    "show_performance_hints": False,
}


def modules(parts: Sequence[str] = ()) -> dict[str, Path]:
    """The modules with C types beside them, by name; only those whose path has one of ``parts``."""
    paths = sorted(types.with_suffix(".py") for types in ROOM.rglob("*.pxd"))
    return {
        path.with_suffix("").as_posix().replace("/", "."): path
        for path in paths
        if not parts or any(part in path.as_posix() for part in parts)
    }


@contextlib.contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Work in ``root``, one compilation at a time."""
    before = Path.cwd()
    os.chdir(root)
    try:
        OBJECTS.mkdir(parents=True, exist_ok=True)
        with (OBJECTS / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    finally:
        os.chdir(before)


def compile_in_place(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """Compile the modules beside their sources and return the files made, relative to ``root``."""
    # Imported here, because a build goes on where they are missing.
    import Cython  # noqa: PLC0415
    from Cython.Build import cythonize  # noqa: PLC0415
    from setuptools import Distribution, Extension  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    with alone_in(root):
        named = modules(parts)
        extensions = cythonize(
            [Extension(name, [str(path)], **FLAGS) for name, path in named.items()],
            compiler_directives=DIRECTIVES,
            build_dir=str(OBJECTS),
            quiet=True,
            shared_utility_qualified_name=SHARED,
        )
        # What all modules have of buffers is compiled once: it is most of the work.
        source = OBJECTS / Cython.__version__ / f"{SHARED.rpartition('.')[2]}.c"
        if not source.exists():
            source.parent.mkdir(exist_ok=True)
            generate = [sys.executable, "-m", "cython", f"--generate-shared={source}"]
            subprocess.run(generate, check=True)  # noqa: S603 - no word of it is anybody else's
        extensions.append(Extension(SHARED, [str(source)], **FLAGS))
        command = build_ext(Distribution({"name": "airgap", "ext_modules": extensions}))
        command.build_temp = str(OBJECTS)
        command.inplace = True
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        command.run()
        return [Path(command.get_ext_filename(extension.name)) for extension in extensions]


class CompileDeflate(BuildHookInterface[Any]):
    """Hatchling's hook: adds the compiled modules to the wheel, and says what it runs on."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless told not to; without a compiler leave the wheel a pure one."""
        wish = os.environ.get("AIRGAP_COMPILE", "")
        if wish == "no":
            return
        try:
            made = compile_in_place(Path(self.root))
        except (Exception, SystemExit) as error:
            if wish == "must":
                raise
            # Whatever a compiler does, an installation goes on.
            self.app.display_warning(
                f"The deflate coder stays uncompiled ({error}), and `--pack` will be slow. "
                "Install a C compiler and Python's headers, then install airgap again."
            )
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data.setdefault("artifacts", []).extend(f"/{path.as_posix()}" for path in made)


if __name__ == "__main__":
    for compiled in compile_in_place(Path(__file__).parent.parent, sys.argv[1:]):
        sys.stdout.write(f"{compiled}\n")
