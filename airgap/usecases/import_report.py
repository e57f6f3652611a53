"""The report that an import leaves: for machines, and as a page that a person prints and signs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

import airgap
from airgap.bundle import durable
from airgap.bundle.failures import telling
from airgap.bundle.journal import ImportEntry

_STEP = 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report was written.

    Attributes:
        document: the JSON.
        page: the HTML, which needs nothing but itself.
    """

    document: Path
    page: Path


def report_document(entry: ImportEntry) -> dict[str, Any]:
    """Return the report of an import as JSON has it."""
    return {
        "format": 1,
        "import": entry.number,
        "state": entry.state.value,
        "tool": f"airgap {airgap.__version__}",
        **entry.evidence,
    }


def report_page(document: Mapping[str, Any]) -> str:
    """Return the report of an import as a page.

    Everything in it came with the bundle, and is text to the browser whatever it looks like.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["size"] = _size
    template = resources.files("airgap.usecases").joinpath("import_report.html").read_text("utf-8")
    return environment.from_string(template).render(report=document)


def _size(count: int) -> str:
    value = float(count)
    for unit in _UNITS:
        if value < _STEP or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == _UNITS[0] else f"{value:.1f} {unit}"
        value /= _STEP
    raise AssertionError("the last unit takes everything")


def report_files(folder: Path, number: int) -> ReportFiles:
    """Return where the report of an import is, or would be."""
    return ReportFiles(folder / f"import-{number}.json", folder / f"import-{number}.html")


def write_report(entry: ImportEntry, folder: Path, *, sync: bool = True) -> ReportFiles:
    """Write the report of an import into a folder; blocks.

    Raises:
        NotPermitted, NoSpace: the folder does not take it.
    """
    files = report_files(folder, entry.number)
    document = report_document(entry)
    with telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
        durable.replace_file(files.page, report_page(document).encode(), sync=sync)
        text = json.dumps(document, indent=1)
        durable.replace_file(files.document, text.encode() + b"\n", sync=sync)
        if sync:
            durable.sync_folder(folder)
    return files
