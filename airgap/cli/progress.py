"""Rendering events while they happen: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from airgap.content import events
from airgap.operations.sizes import human_size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LEVELS = {"debug": 2, "info": 1, "warning": 0}
"""The verbosity from which on a note is shown."""

_SMALL_BLOB = 1_000_000
"""Bytes below which a blob gets no bar of its own."""


class EventView(Protocol):
    """Something that shows events; entered while a use case runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def emit(self, event: events.Event) -> None:
        """Show one event."""
        ...

    def say(self, text: str) -> None:
        """Show a line between events."""
        ...


class PlainView:
    """One line an image, and the notes: for logs, pipes and screen readers."""

    def __init__(self, stream: TextIO, verbosity: int) -> None:
        self._stream = stream
        self._verbosity = verbosity

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.flush()

    def emit(self, event: events.Event) -> None:
        """Print a line for what a person wants to see."""
        line = describe(event, self._verbosity)
        if line is not None:
            self.say(line)

    def say(self, text: str) -> None:
        """Print a line, unless the person wants quiet."""
        if self._verbosity >= 0:
            self._stream.write(text + "\n")
            self._stream.flush()


class BarView:
    """Bars for what moves, lines above them for what is done."""

    def __init__(self, stream: TextIO, verbosity: int) -> None:
        self._verbosity = verbosity
        self._progress = _bars(stream)
        self._total: TaskID = self._progress.add_task("all blobs", total=0, visible=False)
        self._expected = 0
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def emit(self, event: events.Event) -> None:
        """Move bars, and print a line for what a person wants to see."""
        progress = self._progress
        match event:
            case events.BlobStarted(descriptor):
                self._expected += descriptor.size
                progress.update(self._total, total=self._expected, visible=True)
                if descriptor.size >= _SMALL_BLOB:
                    bar = progress.add_task(f"  {descriptor.digest.short}", total=descriptor.size)
                    self._bars[descriptor.digest] = bar
            case events.BlobProgress(descriptor, byte_count):
                progress.advance(self._total, byte_count)
                if descriptor.digest in self._bars:
                    progress.advance(self._bars[descriptor.digest], byte_count)
            case events.BlobFinished(descriptor):
                if descriptor.digest in self._bars:
                    progress.remove_task(self._bars.pop(descriptor.digest))
            case _:
                line = describe(event, self._verbosity)
                if line is not None:
                    self.say(line)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self._verbosity >= 0:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def view_for(stream: TextIO, *, verbosity: int, machine: bool) -> EventView:
    """Return the view that fits who is watching."""
    if machine or verbosity < 0 or not stream.isatty():
        return PlainView(stream, -1 if machine and verbosity == 0 else verbosity)
    return BarView(stream, verbosity)


def describe(event: events.Event, verbosity: int) -> str | None:
    """Return the line for an event, or None where it is not worth one at this verbosity."""
    needed, line = _line(event)
    return line if verbosity >= needed else None


def _line(event: events.Event) -> tuple[int, str | None]:
    """Return the verbosity from which on an event is shown, and its line."""
    needed, line = 0, None
    match event:
        case events.ImageStarted(reference):
            needed, line = 2, f"  ·        {reference.familiar}"
        case events.ImageFinished(reference, descriptor, unchanged):
            word = "same  " if unchanged else "copied"
            line = f"  {word}   {reference.familiar}  {descriptor.digest.short}"
        case events.ImageSkipped(reference, target, existing):
            there = f"{target} stands for {existing.digest.short}"
            line = f"  left     {reference.familiar}: {there}"
        case events.ImageFailed(reference, error):
            line = f"  FAILED   {reference.familiar}: {error}"
        case events.BlobFinished(descriptor):
            needed, line = 1, f"  blob     {descriptor.digest.short}  {human_size(descriptor.size)}"
        case events.BlobReused(descriptor):
            needed, line = 2, f"  reused   {descriptor.digest.short}  {human_size(descriptor.size)}"
        case events.TagMoved(reference, descriptor):
            needed, line = 1, f"  tagged   {reference}  {descriptor.digest.short}"
        case events.Note(level, text):
            needed, line = _LEVELS.get(level, 0), f"  {level + ':':<8} {text}"
    return needed, line


def _bars(stream: TextIO) -> Progress:
    # Only a terminal pays for rich: importing it costs as much memory as a bundle's head.
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import (  # noqa: PLC0415 - see above
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(file=stream, stderr=True),
        transient=True,
    )
