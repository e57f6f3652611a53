"""What systemd hears, on a socket as systemd makes it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airgap.daemon.service_manager import ServiceManager


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which a service manager listens."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(5)
        yield channel


def test_everything_is_told_as_sd_notify_has_it(listening: socket.socket) -> None:
    """One datagram each, one assignment a line."""
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": listening.getsockname()})
    manager.ready("2 jobs,\nall well")
    assert listening.recv(4096) == b"READY=1\nSTATUS=2 jobs, all well"
    manager.alive()
    assert listening.recv(4096) == b"WATCHDOG=1"
    manager.reloading(12.5)
    assert listening.recv(4096) == b"RELOADING=1\nMONOTONIC_USEC=12500000"
    manager.stopping(30)
    assert listening.recv(4096) == b"STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000"


def test_abstract_sockets_are_reached() -> None:
    """In a container there may be one."""
    name = f"airgap-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as channel:
        channel.bind("\0" + name)
        channel.settimeout(5)
        ServiceManager(f"@{name}").status("here")
        assert channel.recv(4096) == b"STATUS=here"


def test_nobody_to_tell_is_no_failure(tmp_path: Path) -> None:
    """Without systemd, and when it is gone."""
    ServiceManager().ready("alone")
    ServiceManager(str(tmp_path / "gone")).ready("alone")


def test_the_watchdog_is_that_of_this_process() -> None:
    """A hook that inherits the variables does not take it for its own."""
    read = ServiceManager.from_environment
    assert read({"WATCHDOG_USEC": "30000000"}).watchdog == 30.0
    assert read({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}).watchdog == 30.0
    assert read({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog is None
    assert read({"WATCHDOG_USEC": "soon"}).watchdog is None
