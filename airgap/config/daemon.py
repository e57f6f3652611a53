"""What `airgap daemon` does by itself: when, from which folders, and whom it tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PlainSerializer, model_validator
from pydantic import WithJsonSchema as Schema

from airgap.config.cron import CronTimes
from airgap.config.quantities import parse_duration
from airgap.config.scalars import (
    Channel,
    Count,
    FilePath,
    Flag,
    Glob,
    OneOrMany,
    Placeholder,
    Text,
    Words,
    parsed,
    value_error,
)
from airgap.config.section import Section
from airgap.config.serving import Address, ListenAddress

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
_STRING = {"type": "string"}


class Verb(StrEnum):
    """What a step of a job does."""

    MIRROR = "mirror"
    EXPORT = "export"
    IMPORT = "import"
    PUSH = "push"
    COLLECT = "collect"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a verb of the command line, and what to do it with.

    Attributes:
        verb: what to do.
        what: MIRROR: a pattern over repositories and references of the config's entries; EXPORT: a
            channel; IMPORT: a drop folder; PUSH: a pattern over references. Empty means all.
    """

    verb: Verb
    what: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.what}".rstrip()


def _step(text: str) -> Step:
    verb, _, what = text.strip().partition(" ")
    what = what.strip()
    if verb not in set(Verb):
        raise value_error(f"{verb!r} is nothing to do", f"verbs are {', '.join(Verb)}")
    if what and verb == Verb.COLLECT:
        raise value_error(f"{verb} takes nothing after it")
    if not what and verb == Verb.EXPORT:
        raise value_error("does not say for which channel", "write `export CHANNEL`")
    return Step(Verb(verb), what)


def _time_zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise value_error(
            f"{text!r} is not a time zone of this machine", "such as Europe/Berlin, or UTC"
        ) from None


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise value_error(
            f"{text!r} is not a name", "at most 64 lower-case letters, digits, '.', '_', '-'"
        )
    return text


def _web_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise value_error("is not an http or https URL")
    if parts.password is not None:
        raise value_error("has a password in it", "name a file with `token-file`")
    return text


StepText = Annotated[
    Step,
    parsed(_step, Step),
    PlainSerializer(str),
    Schema(_STRING),
    Words("`mirror [PATTERN]`, `export CHANNEL`, `import [FOLDER]`, `push [PATTERN]`, `collect`"),
]
Cron = Annotated[
    CronTimes,
    parsed(CronTimes.parse, CronTimes),
    PlainSerializer(str),
    Schema(_STRING),
    Words("five fields as in crontab, or `@daily`, `@hourly`, …"),
]
Duration = Annotated[
    float,
    parsed(parse_duration, float),
    Schema(_STRING),
    Words("a number with `s`, `min`, `h`, `d` or `w`"),
]
TimeZone = Annotated[
    ZoneInfo,
    parsed(_time_zone, ZoneInfo),
    PlainSerializer(str),
    Schema(_STRING),
    Words("a name such as `Europe/Berlin`"),
]
Name = Annotated[str, parsed(_name, str), Schema(_STRING), Words("a name")]
Command = Annotated[tuple[Text, ...], OneOrMany]
WebUrl = Annotated[str, parsed(_web_url, str), Schema(_STRING), Words("`http[s]://…`")]


class Missed(StrEnum):
    """What is done about a run whose time went by while the daemon was down."""

    RUN = "run"
    SKIP = "skip"


class Done(StrEnum):
    """What becomes of a bundle that was taken in."""

    LEAVE = "leave"
    MOVE = "move"
    DELETE = "delete"


class Unwanted(StrEnum):
    """What becomes of a bundle that was refused."""

    LEAVE = "leave"
    QUARANTINE = "quarantine"


class Occasion(StrEnum):
    """When somebody is told."""

    SUCCESS = "success"
    FAILURE = "failure"
    LATE = "late"


class HooksSection(Section):
    """Programs that run around a job, each a list of the program and its arguments.

    They get a JSON document on standard input; what they print is kept with the run.
    """

    before_publish: Command = ()
    """Runs when all content is in the store and before any name stands for it (`mirror`, `import`),
    or before anything leaves it (`export`, `push`): for a malware scanner, or a policy. Any exit
    code but 0 refuses."""

    after: Command = ()
    """Runs at the end, however it ended. Its exit code changes nothing; it is kept."""

    within: Duration = 600.0
    """How long each may take; then it is killed, which refuses."""


class NotifySection(Section):
    """Whom the daemon tells."""

    explained: ClassVar = {
        "email": "let `command` send it",
        "token": "a secret does not stand in a config: write token-file",
    }

    on: Annotated[tuple[Occasion, ...], OneOrMany] = (Occasion.FAILURE, Occasion.LATE)
    """When: after a `success`, after a `failure`, and once when a job or folder is `late`."""

    webhook: WebUrl | None = None
    """Gets a POST with a JSON document."""

    token_file: FilePath | None = None
    """A file with the token that `webhook` gets, as `Authorization: Bearer`."""

    command: Command = ()
    """A program and its arguments; gets the same document on standard input."""

    within: Duration = 30.0
    """How long telling may take."""


class JobSection(Section):
    """Something that is done at certain times."""

    explained: ClassVar = {
        "schedule": "write `cron` or `every`",
        "at": "write `cron`",
        "interval": "write `every`",
    }

    do: Annotated[tuple[StepText, ...], OneOrMany]
    """What to do, in this order. A step that fails ends the job; single images of a `mirror` that
    fail do not."""

    cron: Cron | None = None
    """When: minute, hour, day of the month, month, day of the week, as cron reads them."""

    every: Duration | None = None
    """How often, instead of `cron`."""

    timezone: TimeZone | None = None
    """Where the clock of `cron` hangs. When not set, that of the whole daemon."""

    jitter: Duration | None = None
    """Begin up to this much later, by chance, so that many sites do not ask at once."""

    missed: Missed = Missed.RUN
    """What happens about runs whose time went by while the daemon was down: one `run` makes up for
    all of them, or `skip`. A run that was cut off is made up for in either case."""

    late_after: Duration | None = None
    """So long after the last success the job is late, which is told once and shown."""

    hooks: HooksSection | None = None
    """Programs around this job. When not set, those of the whole daemon."""

    @model_validator(mode="after")
    def _has_one_schedule(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise value_error("needs exactly one of cron, every")
        if not self.do:
            raise value_error("has nothing to do")
        return self


class FolderSection(Section):
    """A drop folder: bundles that appear in it are taken in, and so are receipts and requests.

    A request is answered with the next bundle of its channel, where the channel has `signers`;
    otherwise it is reported.
    """

    path: FilePath
    """The folder. Bundles lie in it, or in a folder of it, as sticks are mounted below `/media`."""

    every: Duration = 10.0
    """How often to look. A file is complete when its `.sha256` is there (or all volumes are) and
    two looks in a row found the same sizes."""

    done: Done = Done.LEAVE
    """What becomes of a bundle that was taken in: `leave` it, `move` it to `done-to`, or `delete`
    it. One that is left is not taken in again."""

    done_to: FilePath | None = None
    """Where `move` moves it."""

    refused: Unwanted = Unwanted.LEAVE
    """What becomes of a bundle that was refused: `leave` it, or move it to `quarantine`."""

    quarantine: FilePath | None = None
    """Where `refused: quarantine` moves it."""

    late_after: Duration | None = None
    """So long after the last bundle the folder is late, which is told once and shown."""

    hooks: HooksSection | None = None
    """Programs around each import. When not set, those of the whole daemon."""

    @model_validator(mode="after")
    def _knows_where_to(self) -> Self:
        if (self.done is Done.MOVE) != (self.done_to is not None):
            raise value_error("`done: move` and done-to go together")
        if (self.refused is Unwanted.QUARANTINE) != (self.quarantine is not None):
            raise value_error("`refused: quarantine` and quarantine go together")
        return self


class StickSection(Section):
    """A medium that gets the next bundle of a channel when it is put in."""

    path: FilePath
    """The folder below which media are mounted, such as `/media`."""

    label: Glob | None = None
    """A pattern for the name of the mounted folder, which is the medium's label."""

    marker: Text | None = None
    """The name of a file that the medium has at its top."""

    export: Channel
    """The channel whose next bundle is written."""

    every: Duration = 5.0
    """How often to look."""

    @model_validator(mode="after")
    def _is_recognised(self) -> Self:
        if self.label is None and self.marker is None:
            raise value_error("needs label or marker", "no stick is written to by accident")
        if self.marker is not None and "/" in self.marker:
            raise value_error("marker is the name of a file, not a path")
        return self


class DaemonSection(Section):
    """What `airgap daemon` does."""

    explained: ClassVar = {
        "port": "write it into `listen`",
        "token": "a secret does not stand in a config: write token-file",
        "schedule": "schedules stand below `jobs`",
    }

    listen: Address = ListenAddress("127.0.0.1", 8484)
    """Where the status pages and metrics are."""

    token_file: FilePath | None = None
    """A file with the token that whoever starts a job from the status pages needs. When not set,
    nothing can be started there."""

    timezone: TimeZone = ZoneInfo("UTC")
    """Where the clocks of all `cron` hang, and of the status pages."""

    stop_within: Duration = 30.0
    """How long a running job may go on when the daemon is told to stop; then it is cut off, and
    goes on at the next start."""

    history: Count = 200
    """How many runs of each job and folder are remembered."""

    watch_config: Flag = True
    """Read this file again when it changes. SIGHUP does so in any case. A file with mistakes is
    refused, and the daemon goes on by the old one."""

    jobs: Annotated[Mapping[Name, JobSection], Placeholder("JOB")] = Field(default_factory=dict)
    """What is done when."""

    folders: Annotated[Mapping[Name, FolderSection], Placeholder("FOLDER")] = Field(
        default_factory=dict
    )
    """Drop folders."""

    sticks: Annotated[Mapping[Name, StickSection], Placeholder("STICK")] = Field(
        default_factory=dict
    )
    """Media that bundles are written to when they are put in."""

    hooks: HooksSection = HooksSection()
    """Programs around everything that is done."""

    notify: NotifySection = NotifySection()
    """Whom the daemon tells."""

    def problem(self, channels: frozenset[str]) -> str | None:
        """Return what it names that is not there; None where all is.

        Args:
            channels: the names of the config's `export` sections.
        """
        twice = self.jobs.keys() & self.folders.keys() | self.jobs.keys() & self.sticks.keys()
        if twice | (self.folders.keys() & self.sticks.keys()):
            return "a job, a folder and a stick have different names, as they share one history"
        for name, stick in self.sticks.items():
            if stick.export not in channels:
                return f"daemon.sticks.{name}: there is no `export` section {stick.export}"
        for name, job in self.jobs.items():
            for step in job.do:
                known = {Verb.EXPORT: channels, Verb.IMPORT: self.folders.keys()}.get(step.verb)
                if known is not None and step.what and step.what not in known:
                    return f"daemon.jobs.{name}: `{step}` names what is not in the config"
        return None
