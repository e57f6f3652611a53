"""``airgap serve``."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import UsageError
from airgap.server.registry import running_registry
from airgap.server.settings import ServerSettings, TlsFiles


@click.command()
@click.option(
    "--listen", default="127.0.0.1:5000", show_default=True, metavar="HOST:PORT", help="Where."
)
@click.option("--read-only", is_flag=True, help="Refuse every push and deletion.")
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Serve https.")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its key.")
@click.option(
    "--htpasswd", type=click.Path(path_type=Path), metavar="FILE", help="Users (htpasswd -B)."
)
@click.option("--anonymous-read", is_flag=True, help="With --htpasswd: everybody may pull.")
@store_option
@common_options
def serve(
    invocation: Invocation,
    *,
    listen: str,
    read_only: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    htpasswd: Path | None,
    anonymous_read: bool,
) -> int:
    """Serve the local store as an OCI registry, until interrupted.

    What is pushed is at once in the store; what was imported as docker.io/library/alpine:3 can be
    pulled as HOST:PORT/docker.io/library/alpine:3.
    """
    app = invocation.app()
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise UsageError(repr(listen), "is not HOST:PORT")
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("", "--tls-cert and --tls-key go together")
    settings = ServerSettings(
        host=host.strip("[]"),
        port=int(port),
        read_only=read_only,
        tls=TlsFiles(tls_cert, tls_key) if tls_cert and tls_key else None,
        htpasswd=htpasswd,
        anonymous_read=anonymous_read,
    )

    async def work(view: EventView) -> Result:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with (
            app.open_store(create=not read_only, long_lived=True) as store,
            running_registry(store, settings) as registry,
        ):
            view.say(f"serving {app.store_path} at {registry.url}")
            await stop.wait()
        return Result({"url": registry.url}, ["stopped"])

    return perform(invocation, "serve", work)
