"""What is remembered of runs, of jobs and of bundles that arrived; plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]


class Outcome(StrEnum):
    """How a run ended.

    ``RUNNING``: it has not. ``SUCCEEDED``: all is done. ``NOTHING``: there was nothing to do.
    ``PARTIAL``: some images failed, the others went through. ``REFUSED``: a policy, a signature or
    a hook said no. ``WAITING``: something is missing that may still come. ``CUT_OFF``: the daemon
    was stopped or killed meanwhile.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    NOTHING = "nothing to do"
    PARTIAL = "partly failed"
    FAILED = "failed"
    REFUSED = "refused"
    WAITING = "waiting"
    CUT_OFF = "cut off"

    @property
    def is_good(self) -> bool:
        """Whether all is as it should be."""
        return self in {Outcome.SUCCEEDED, Outcome.NOTHING}

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look."""
        return self in {Outcome.PARTIAL, Outcome.FAILED, Outcome.REFUSED}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, or one bundle of a folder. All times are seconds since 1970.

    Attributes:
        number: its number.
        name: the job, folder or stick.
        title: what is done, in words.
        started: when it began.
        ended: when it ended; None while it runs.
        outcome: how it ended.
        summary: that in a sentence.
        report: all of it, as JSON has it.
    """

    number: int
    name: str
    title: str
    started: float
    ended: float | None
    outcome: Outcome
    summary: str
    report: Document = field(repr=False)

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.ended is None else self.ended - self.started


@dataclass(frozen=True, slots=True)
class Mark:
    """What must be remembered of a job, folder or stick.

    Attributes:
        since: when it was first seen.
        begun: when it was begun last; None where it never was.
        succeeded: when it went well last.
        told_late: when somebody was told that it is late; None where it is not.
    """

    since: float
    begun: float | None = None
    succeeded: float | None = None
    told_late: float | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a bundle in a drop folder.

    Attributes:
        folder: the folder's name.
        fingerprint: tells this bundle from others, and after a hyphen what was there of it.
        path: where it lay.
        outcome: what became of it.
        reason: why, where it was not taken in.
        seen: when; seconds since 1970.
        run: the number of the run that tells more.
    """

    folder: str
    fingerprint: str
    path: str
    outcome: Outcome
    reason: str
    seen: float
    run: int
