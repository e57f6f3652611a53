"""What is being done right now, as the status pages show it; only in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airgap.content import events
from airgap.content.events import Event

_NOTES = 20


@dataclass(slots=True)
class Activity:
    """Something that is being done.

    Attributes:
        name: the job, folder or stick.
        title: what is done, in words.
        number: the number of its run.
        started: seconds since 1970.
        step: what of it is done right now.
        images_started: images that work has begun on.
        images_done: images that are through.
        images_failed: images that failed.
        bytes_expected: bytes of the blobs that have begun to move.
        bytes_done: bytes of them that have moved.
        moving: blobs that move right now: digest, bytes, and how many of them have moved.
        notes: the last things worth telling.
    """

    name: str
    title: str
    number: int
    started: float
    step: str = ""
    images_started: int = 0
    images_done: int = 0
    images_failed: int = 0
    bytes_expected: int = 0
    bytes_done: int = 0
    moving: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=_NOTES))

    @property
    def share(self) -> float:
        """How much of what has begun to move has moved, from 0 to 1."""
        return self.bytes_done / self.bytes_expected if self.bytes_expected else 0.0

    def take(self, event: Event) -> None:
        """Take in what happens."""
        match event:
            case events.ImageStarted():
                self.images_started += 1
            case events.ImageFinished():
                self.images_done += 1
            case events.ImageFailed(reference, error):
                self.images_failed += 1
                self.notes.append(f"{reference.familiar}: {error}")
            case events.BlobStarted(descriptor):
                self.bytes_expected += descriptor.size
                self.moving[descriptor.digest.short] = (descriptor.size, 0)
            case events.BlobProgress(descriptor, count):
                self.bytes_done += count
                size, moved = self.moving.get(descriptor.digest.short, (descriptor.size, 0))
                self.moving[descriptor.digest.short] = (size, moved + count)
            case events.BlobFinished(descriptor):
                self.moving.pop(descriptor.digest.short, None)
            case events.Note("warning", text):
                self.notes.append(text)
            case _:
                pass


class Board:
    """Everything that is being done.

    Attributes:
        problem: why the config on the disk is not the one in use; None where it is.
        absent: drop folders that cannot be looked into, each with the reason.
        bytes_moved: bytes that have moved since the daemon began.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.absent: dict[str, str] = {}
        self.bytes_moved = 0
        self._activities: dict[str, Activity] = {}

    @property
    def activities(self) -> Mapping[str, Activity]:
        """What is being done, by the name of the job, folder or stick."""
        return self._activities

    def begin(self, activity: Activity) -> Callable[[Event], None]:
        """Show that something is being done; return what is to be told of events."""
        self._activities[activity.name] = activity

        def take(event: Event) -> None:
            if isinstance(event, events.BlobProgress):
                self.bytes_moved += event.byte_count
            activity.take(event)

        return take

    def end(self, name: str) -> None:
        """Show that it is over."""
        self._activities.pop(name, None)
