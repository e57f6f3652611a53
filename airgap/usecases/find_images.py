"""``images find``: which images manifests, charts, docker-compose files and lists name."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from airgap.discovery.charts import CHART_FILE, Chart, chart_images
from airgap.discovery.compose import env_variables
from airgap.discovery.documents import text_images
from airgap.discovery.findings import Findings, Place, unread
from airgap.errors import AirgapError, NotFound, NotPermitted, Unsupported

MAX_FILE_SIZE = 32 * 1024 * 1024
"""Bytes of one file; what ``helm template`` prints of the largest charts has a few MiB."""

MAX_ARCHIVE_SIZE = 128 * 1024 * 1024
"""Bytes of all files of one chart, unpacked."""

_MAX_MEMBERS = 20_000
_MAX_DEPTH = 4
_ARCHIVES = (".tgz", ".tar.gz", ".tar")
_YAML = (".yaml", ".yml", ".json")
_CHART_TEXTS = (".yaml", ".yml", ".tpl")
_ENV_FILE = ".env"


async def find_images(paths: Sequence[Path]) -> Findings:
    """Find the images that files and folders name.

    A folder with a ``Chart.yaml`` is a chart, and so is an archive with one. In any other folder
    all YAML and JSON files and charts are read, hidden ones left out; a list must be named itself.

    Raises:
        NotFound: there is no such file.
        NotPermitted: a file may not be read.
        Unsupported: it is larger than any manifest, or not text.
    """
    findings = Findings()
    for path in paths:
        findings += await asyncio.to_thread(_of_path, path)
    return findings


def find_in_stream(stream: IO[bytes], name: str = "-") -> Findings:
    """Find the images in what comes from a pipe, such as ``helm template``'s output.

    Raises:
        Unsupported: it is larger than any manifest, or not text.
    """
    return text_images(_text(stream.read(MAX_FILE_SIZE + 1), name), name)


def _of_path(path: Path) -> Findings:
    try:
        if path.is_dir():
            return _of_folder(path)
        if path.name.endswith(_ARCHIVES):
            return _of_archive(path)
        return _of_file(path)
    except FileNotFoundError:
        raise NotFound(str(path), "there is no such file or folder") from None
    except OSError as error:
        raise NotPermitted(str(path), f"cannot be read: {error.strerror}") from None


def _of_file(path: Path) -> Findings:
    variables = path.parent / _ENV_FILE
    known = env_variables(_read(variables)) if variables.is_file() else {}
    return text_images(_read(path), str(path), known)


def _of_folder(folder: Path) -> Findings:
    if (folder / CHART_FILE).is_file():
        return _of_chart(str(folder), dict(_chart_files(folder)))
    findings = Findings()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            findings += _of_folder(path)
        elif path.name.endswith((*_ARCHIVES, *_YAML)):
            findings += _softly(path)
    return findings


def _softly(path: Path) -> Findings:
    """Read a file that nobody named; one that cannot be read is left out with a word."""
    try:
        return _of_archive(path) if path.name.endswith(_ARCHIVES) else _of_file(path)
    except AirgapError as error:
        return Findings(unread=(unread(path.name, error.cause, Place(str(path))),))


def _of_archive(path: Path) -> Findings:
    with path.open("rb") as file:
        files = dict(_archive_files(file, str(path)))
    if CHART_FILE not in files:
        raise Unsupported(str(path), "is an archive without a Helm chart", "unpack it, name files")
    return _of_chart(str(path), files)


def _of_chart(name: str, files: dict[str, str]) -> Findings:
    return Findings.of(chart_images(Chart(name, files)))


def _chart_files(folder: Path) -> Iterator[tuple[str, str]]:
    size = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            within = path.relative_to(folder).as_posix()
            if path.is_symlink():
                continue
            if name.endswith(_CHART_TEXTS):
                text = _read(path)
                size += len(text)
                yield within, text
            elif name.endswith(_ARCHIVES) and path.parent.name == "charts":
                with path.open("rb") as file:
                    for inner, text in _archive_files(file, str(path)):
                        size += len(text)
                        yield _below(within, inner), text
            if size > MAX_ARCHIVE_SIZE:
                raise Unsupported(str(folder), f"has over {MAX_ARCHIVE_SIZE} bytes of text")


def _archive_files(file: IO[bytes], name: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the texts of a chart's archive by their path below its only folder."""
    left = MAX_ARCHIVE_SIZE
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            for number, member in enumerate(archive):
                left -= member.size
                if number >= _MAX_MEMBERS or left < 0:
                    raise Unsupported(name, "is larger than any chart")
                within = "/".join(PurePosixPath(member.name).parts[1:])
                content = archive.extractfile(member) if member.isreg() and within else None
                if content is None:
                    continue
                if within.endswith(_CHART_TEXTS):
                    yield within, _text(content.read(MAX_FILE_SIZE + 1), f"{name}!{within}")
                elif within.endswith(_ARCHIVES) and depth < _MAX_DEPTH:
                    inner = _archive_files(content, f"{name}!{within}", depth + 1)
                    for path, text in inner:
                        yield _below(within, path), text
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Unsupported(name, f"is no archive of a chart ({type(error).__name__})") from None


def _below(archive: str, inner: str) -> str:
    """Return where a file of a packed subchart would stand if that was a folder.

    ``charts/redis-18.1.0.tgz`` stands for ``charts/redis``: values are set by the chart's name.
    """
    folder, _, name = archive.rpartition("/")
    stem = name
    for ending in _ARCHIVES:
        stem = stem.removesuffix(ending)
    parts = stem.split("-")
    version = next((n for n, part in enumerate(parts) if n and part[:1].isdecimal()), len(parts))
    return f"{folder}/{'-'.join(parts[:version])}/{inner}"


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return _text(file.read(MAX_FILE_SIZE + 1), str(path))


def _text(raw: bytes, name: str) -> str:
    if len(raw) > MAX_FILE_SIZE:
        raise Unsupported(name, f"has over {MAX_FILE_SIZE} bytes, too many for a manifest")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unsupported(name, "is not UTF-8 text") from None
