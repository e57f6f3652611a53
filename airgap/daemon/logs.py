"""What the daemon says while it works: fields for journald, lines for people, never a secret."""

from __future__ import annotations

import logging
import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

JOURNAL = "/run/systemd/journal/socket"
HIDDEN = "[hidden]"

_SECRET_KEY = re.compile(
    r"pass(word|phrase)|token|secret|authori[sz]ation|cookie|credential", re.IGNORECASE
)
_SECRET_TEXT = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\b(authorization|cookie)(['\"]?\s*[:=]\s*)[^\s,;]+"), rf"\1\2{HIDDEN}"),
    (
        re.compile(r"(?i)\b(password|passphrase|token|secret)(\s*[:=]\s*)[^\s,;&]+"),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"://[^/\s@]+@"), f"://{HIDDEN}@"),
    (re.compile(r"AGE-SECRET-KEY-[A-Z0-9]+"), HIDDEN),
)
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_LONGEST_FIELD = 32 * 1024

Logger = FilteringBoundLogger


class Redaction:
    """Takes secrets out of what is about to be logged."""

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Return the event without secrets."""
        return {key: cleaned(key, value) for key, value in event.items()}


def cleaned(key: str, value: Any) -> Any:
    """Return a value, as JSON has it, in which credentials are hidden.

    Args:
        key: what the value is called; a password is hidden whatever it looks like.
        value: text, a number, a list, a mapping; anything else becomes text.
    """
    if _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {str(inner): cleaned(str(inner), item) for inner, item in value.items()}
    if isinstance(value, Sequence):
        return [cleaned("", item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))


def without_secrets(text: str) -> str:
    """Return text in which whatever looks like a credential is hidden."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


class JournalWriter:
    """Sends each event to journald with its fields (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""

    def __init__(self, address: str = JOURNAL) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._address = address

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def msg(self, message: bytes) -> None:
        """Send what the renderer has made of an event."""
        # What cannot be logged must not end what is being done.
        with suppress(OSError):
            self._socket.sendto(message, self._address)

    log = debug = info = warning = error = critical = fatal = failure = err = exception = msg


class JournalRenderer:
    """Makes an event what journald takes."""

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        """Return the event's fields; the message has them too, for whoever reads only that."""
        level = str(event.pop("level", "info"))
        words = str(event.pop("event", ""))
        shown = " ".join(f"{key}={value}" for key, value in event.items())
        fields = {
            "MESSAGE": f"{words}  {shown}".rstrip(),
            "PRIORITY": str(_PRIORITIES.get(level, 6)),
            "SYSLOG_IDENTIFIER": "airgap",
            **{f"AIRGAP_{_field_name(key)}": str(value) for key, value in event.items()},
        }
        return b"".join(_journal_field(key, value) for key, value in fields.items())


def _field_name(key: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", key.upper())[:50]


def _journal_field(key: str, text: str) -> bytes:
    value = text.encode("utf-8", "replace")[:_LONGEST_FIELD]
    if b"\n" not in value:
        return key.encode() + b"=" + value + b"\n"
    return key.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"


@contextmanager
def logging_to(
    stream: TextIO, environ: Mapping[str, str], *, verbosity: int = 0
) -> Iterator[Logger]:
    """Give the daemon's logger; what libraries log goes the same way meanwhile.

    Args:
        stream: standard error: a terminal gets lines for people, journald gets fields, and anything
            else ``key=value`` with the time.
        environ: says in ``JOURNAL_STREAM`` whether the stream leads to journald.
        verbosity: -1 warnings and errors, 0 what is done, 1 and above everything.
    """
    level = {-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG)
    journal = JournalWriter() if leads_to_journal(stream, environ) else None
    logger = make_logger(journal if journal is not None else stream, level)
    bridge = _Bridge(logger)
    root = logging.getLogger()
    before = root.level
    root.addHandler(bridge)
    root.setLevel(max(level, logging.WARNING) if verbosity < 2 else level)  # noqa: PLR2004 - -vv
    try:
        yield logger
    finally:
        root.removeHandler(bridge)
        root.setLevel(before)
        if journal is not None:
            journal.close()


def make_logger(sink: TextIO | JournalWriter, level: int = logging.INFO) -> Logger:
    """Return a logger that writes where it is told, and whose secrets are hidden."""
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        Redaction(),
    ]
    if isinstance(sink, JournalWriter):
        processors.append(JournalRenderer())
        target: Any = sink
    else:
        if sink.isatty():
            processors.append(structlog.processors.TimeStamper("%H:%M:%S", utc=False))
            processors.append(structlog.dev.ConsoleRenderer())
        else:
            processors.append(structlog.processors.TimeStamper("iso"))
            order = ("timestamp", "level", "event")
            processors.append(structlog.processors.LogfmtRenderer(key_order=order))
        target = structlog.WriteLogger(sink)
    made: Logger = structlog.wrap_logger(
        target,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    return made


def leads_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is the one that systemd has connected to journald (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class _Bridge(logging.Handler):
    """Brings what libraries log to the daemon's logger."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        fields: dict[str, Any] = {"library": record.name}
        if record.exc_info is not None and record.exc_info[0] is not None:
            fields["exception"] = self.format(record)
        self._logger.log(record.levelno, record.getMessage(), **fields)
