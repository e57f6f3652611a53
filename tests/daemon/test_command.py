"""``airgap daemon`` as systemd runs it: a process with signals, sockets and a journal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import aiohttp

from tests.daemon.places import APP, Place, carry, small_image
from tests.support.command import airgap


@dataclass(frozen=True)
class Running:
    """A daemon in a process of its own, and the socket at which it tells how it fares."""

    process: Process
    notified: socket.socket

    async def told(self, wanted: str) -> str:
        """Wait until the service manager is told something; return the whole message."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while True:
                message = (await loop.sock_recv(self.notified, 4096)).decode()
                if wanted in message:
                    return message

    async def ended(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and the log."""
        async with asyncio.timeout(20):
            _, log = await self.process.communicate()
        return self.process.returncode or 0, log.decode()


@asynccontextmanager
async def started(
    place: Place, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Start a daemon, and make sure of its end."""
    address = place.folder / "notify"
    address.unlink(missing_ok=True)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notified:
        notified.bind(str(address))
        notified.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "airgap", "daemon", "--config", str(place.config_file), *arguments),
            env={**os.environ, "NOTIFY_SOCKET": str(address), **(environment or {})},
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            yield Running(process, notified)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def test_a_service_is_ready_lives_reloads_and_stops(isolated: Place) -> None:
    """As ``Type=notify-reload`` with a watchdog wants it, in this order."""
    isolated.configure("daemon: {listen: '127.0.0.1:0', folders: {inbox: {path: inbox}}}\n")
    watchdog = {"WATCHDOG_USEC": "1000000"}
    async with started(isolated, environment=watchdog) as running:
        assert "1 thing to do by itself" in await running.told("READY=1")
        await running.told("WATCHDOG=1")
        await running.told("WATCHDOG=1")
        isolated.config_file.write_text("daemon: {jobs: {a: {do: collect, every: 1x}}}\n")
        running.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in await running.told("RELOADING=1")
        await running.told("READY=1")
        running.process.send_signal(signal.SIGTERM)
        await running.told("STOPPING=1")
        code, log = await running.ended()
    assert code == 0
    assert "config refused" in log
    assert "daemon has ended" in log


async def test_a_daemon_that_is_killed_goes_on_at_the_next_start(
    connected: Place, isolated: Place
) -> None:
    """What it was doing is written down as cut off, and the bundle is taken in after all."""
    hang = isolated.folder / "hang"
    os.mkfifo(hang)
    hooks = f"hooks: {{before-publish: [cat, '{hang}']}}"
    folders = "folders: {inbox: {path: inbox, every: 1s}}"
    isolated.configure(f"daemon: {{listen: '127.0.0.1:0', {folders}, {hooks}}}\n")
    carry(await connected.export(), isolated.folder / "inbox")
    async with started(isolated) as running:
        # Opening the other end waits until the hook runs: everything is staged, nothing named.
        writer = await asyncio.to_thread(os.open, hang, os.O_WRONLY)
        running.process.kill()
        await running.ended()
        os.close(writer)
    assert await isolated.names() == {}
    isolated.configure(f"daemon: {{{folders}}}\n")
    done = await airgap("daemon", "--once", "--json", "--config", str(isolated.config_file))
    assert done.code == 0, done.err
    assert [run["outcome"] for run in done.document["runs"]] == ["succeeded"]
    assert await isolated.names() == {APP: small_image(1).digest}
    with isolated.runner() as runner:
        assert [str(run.outcome) for run in runner.history.runs("inbox")] == [
            "succeeded",
            "cut off",
        ]


async def test_a_changed_config_file_is_noticed(isolated: Place) -> None:
    """Without any signal."""
    isolated.configure("daemon: {listen: '127.0.0.1:0'}\n")
    async with started(isolated) as running:
        await running.told("READY=1")
        isolated.configure(
            "daemon: {listen: '127.0.0.1:0', jobs: {tidy: {do: collect, cron: '@weekly'}}}\n"
        )
        await running.told("RELOADING=1")
        assert "1 thing to do" in await running.told("READY=1")


async def test_a_port_that_is_taken_is_told_in_plain_words(isolated: Place) -> None:
    """With the exit code of a wrong command line."""
    isolated.configure("")
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with started(isolated, "--listen", address) as running:
            code, log = await running.ended()
    assert code == 2
    assert "somebody listens there already" in log


async def test_no_secret_of_the_config_is_ever_logged(connected: Place) -> None:
    """A registry's password, the pages' token, a webhook's token and path: in log and pages."""
    secrets = {
        "password": "p4ssword-of-the-registry",
        "token": "t0ken-of-the-pages",
        "hook": "t0ken-of-the-webhook",
    }
    for name, secret in secrets.items():
        (connected.folder / name).write_text(f"{secret}\n")
    connected.configure(
        "registries: {127.0.0.1:9: {credentials: {username: ann, password-file: password}}}\n"
        "mirror: ['127.0.0.1:9/team/app:1']\n"
        "daemon:\n  listen: 127.0.0.1:0\n  token-file: token\n"
        "  notify: {webhook: 'http://127.0.0.1:9/very-secret-path', token-file: hook}\n"
        "  jobs: {m: {do: mirror, every: 1d}}\n"
    )
    async with started(connected, "-vv") as running:
        log = ""
        async with asyncio.timeout(60):
            assert running.process.stderr is not None
            while "webhook not reached" not in log:
                log += (await running.process.stderr.readline()).decode()
        url = log.split("status=")[1].split()[0]
        async with aiohttp.ClientSession() as client, client.get(f"{url}/status.json") as answer:
            pages = await answer.text()
        running.process.send_signal(signal.SIGTERM)
        log += (await running.ended())[1]
    assert json.loads(pages)["troubles"] == ["m: failed"]
    for secret in (*secrets.values(), "very-secret-path"):
        assert secret not in log
        assert secret not in pages
