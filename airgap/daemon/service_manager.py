"""Telling systemd how the service fares (sd_notify(3)); without systemd, nobody is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

_MICROSECONDS = 1e6


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """Whoever started the service, and wants to know how it fares.

    Attributes:
        address: the socket to tell; None where nobody wants to know. ``@`` stands for the zero byte
            of an abstract socket.
        watchdog: seconds within which the service must be heard from; None where it need not.
    """

    address: str | None = None
    watchdog: float | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> ServiceManager:
        """Return the service manager that ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` name."""
        microseconds = environ.get("WATCHDOG_USEC", "")
        meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog = None
        if meant and microseconds.isascii() and microseconds.isdigit() and int(microseconds):
            watchdog = int(microseconds) / _MICROSECONDS
        return cls(environ.get("NOTIFY_SOCKET") or None, watchdog)

    def ready(self, status: str) -> None:
        """Tell that the service is up, or is so again after a reload."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def reloading(self, monotonic_seconds: float) -> None:
        """Tell that the config is being read again."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_seconds * _MICROSECONDS)}")

    def status(self, text: str) -> None:
        """Tell in words how the service fares; ``systemctl status`` shows it."""
        self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """Tell the watchdog that all is well."""
        self._send("WATCHDOG=1")

    def stopping(self, within: float) -> None:
        """Tell that the service ends, and how long that may take at most."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(within * _MICROSECONDS)}")

    def _send(self, message: str) -> None:
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            # A manager that is gone or does not listen must not take the service with it.
            with suppress(OSError):
                channel.sendto(message.encode(), address)


def _line(text: str) -> str:
    return " ".join(text.split())
