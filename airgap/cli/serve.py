"""``airgap serve``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from airgap.app import App
from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.config.serving import ListenAddress, ServeSection, ServeTlsSection
from airgap.content.events import Note
from airgap.content.hosting import Hosting
from airgap.errors import UsageError
from airgap.oci.reference import Repository, names_a_host
from airgap.server.bundle_hosting import bundles_as_hosting
from airgap.server.configured import exposures, server_settings
from airgap.server.pull_through import pulling_through
from airgap.server.registry import running_registry
from airgap.usecases.signature_rules import SignatureRules

_FILE = click.Path(path_type=Path)


def _address(_context: Any, _parameter: Any, text: str | None) -> ListenAddress | None:
    return ListenAddress.parse(text) if text is not None else None


def _hosts(_context: Any, _parameter: Any, hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not names_a_host(host):
            raise UsageError(
                repr(host), "is not a registry host as references name it", "such as docker.io"
            )
        Repository(host, "any/path")
    return hosts


@click.command(short_help="Serve the local store, or bundles as they are, as a registry.")
@click.option(
    "--bundle",
    "bundles",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Serve this bundle as it is instead of a store; may be repeated.",
)
@click.option(
    "--listen",
    callback=_address,
    metavar="HOST:PORT",
    help="Where to listen; port 0 takes a free one [the config, 127.0.0.1:5000].",
)
@click.option("--read-only", is_flag=True, help="Refuse every push and deletion.")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Serve https with this certificate.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="The certificate's key.")
@click.option("--htpasswd", type=_FILE, metavar="FILE", help="Users, as `htpasswd -B` writes them.")
@click.option("--anonymous-read", is_flag=True, help="With --htpasswd: everybody may pull.")
@click.option(
    "--default-domain",
    metavar="HOST",
    help="Whose the repositories are that a path names without host [localhost].",
)
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    callback=_hosts,
    metavar="HOST",
    help="Fetch what is missing of this registry, and keep it; may be repeated.",
)
@store_option
@common_options
def serve(
    invocation: Invocation,
    *,
    bundles: tuple[Path, ...],
    listen: ListenAddress | None,
    read_only: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    htpasswd: Path | None,
    anonymous_read: bool,
    default_domain: str | None,
    upstreams: tuple[str, ...],
) -> int:
    """Serve the local store, or bundles as they are, as an OCI registry, until interrupted.

    What is pushed is at once in the store; what was imported as docker.io/library/alpine:3 can be
    pulled as HOST:PORT/docker.io/library/alpine:3. A bundle is served without being unpacked, and
    can only be read.

    The config's section `serve` holds the same settings, and rules besides; options go first.
    """
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("", "--tls-cert and --tls-key go together")
    if bundles and (invocation.store is not None or upstreams):
        raise UsageError("--bundle", "goes with neither --store nor --upstream")
    app = invocation.app()
    section = _merged(
        app.config.serve,
        {
            "listen": listen,
            "tls": _tls(tls_cert, tls_key),
            "htpasswd": htpasswd,
            "anonymous_read": anonymous_read,
            "read_only": read_only or bool(bundles),
            "default_domain": default_domain,
            "upstream": () if bundles else upstreams or app.config.serve.upstream,
        },
    )
    if section.anonymous_read and section.htpasswd is None:
        raise UsageError("--anonymous-read", "goes with --htpasswd; without it, all may read")

    async def work(view: EventView) -> Result:
        async with (
            _place(app, section, bundles, view) as place,
            running_registry(place, server_settings(section)) as registry,
        ):
            what = ", ".join(map(str, bundles)) or app.store_path
            for warning in exposures(section):
                view.emit(Note("warning", warning))
            view.say(f"serving {what} at {registry.url}")
            received = await _interruption()
            view.say(f"{received.name} received, ending when running requests have")
        return Result({"url": registry.url}, ["stopped"])

    return perform(invocation, "serve", work)


def _tls(certificate: Path | None, key: Path | None) -> ServeTlsSection | None:
    if certificate is None or key is None:
        return None
    return ServeTlsSection(certificate=certificate, key=key)


def _merged(section: ServeSection, options: Mapping[str, object]) -> ServeSection:
    """Return the section with what the command line says put over it."""
    given = {key: value for key, value in options.items() if value not in {None, False}}
    return section.model_copy(update=given)


@asynccontextmanager
async def _place(
    app: App, section: ServeSection, bundles: tuple[Path, ...], view: EventView
) -> AsyncIterator[Hosting]:
    if bundles:
        async with bundles_as_hosting(bundles) as hosting:
            yield hosting
        return
    create = not section.read_only or bool(section.upstream)
    async with app.open_store(create=create, long_lived=True) as store:
        if not section.upstream:
            yield store
            return
        rules = await SignatureRules.of_entries(app.config.mirror)
        async with (
            app.registries(view.emit) as client,
            pulling_through(store, client, frozenset(section.upstream), rules.of) as hosting,
        ):
            yield hosting


async def _interruption() -> signal.Signals:
    """Wait to be told to stop; whoever tells it twice need not wait for running requests."""
    loop = asyncio.get_running_loop()
    received: asyncio.Future[signal.Signals] = loop.create_future()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, received.set_result, number)
    try:
        return await received
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
