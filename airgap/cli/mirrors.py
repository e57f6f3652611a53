"""``airgap mirrors``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import click

from airgap.app import App
from airgap.cli.invocation import Invocation, common_options, plain_http_option, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import NotPermitted
from airgap.oci.name_mapping import Destination
from airgap.store.push_record import pushed_repositories
from airgap.usecases.mirror_rules import mirror_rules
from airgap.usecases.runtime_files import (
    Access,
    Runtime,
    RuntimeConfig,
    RuntimeFile,
    runtime_config,
)


@click.command()
@click.option(
    "--for",
    "runtime",
    type=click.Choice([str(runtime) for runtime in Runtime]),
    required=True,
    help="What pulls the images.",
)
@click.option(
    "--registry", metavar="REGISTRY", help="Only what was pushed to this registry[/prefix] [all]."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the files below this folder; / writes them where the runtime looks.",
)
@store_option
@plain_http_option
@common_options
def mirrors(
    invocation: Invocation, *, runtime: str, registry: str | None, output: Path | None
) -> int:
    """Print the runtime configuration that sends pulls of mirrored images to the local registry.

    It is made from what was really pushed from this store, by `push` and by `import --to`, so that
    every name it sends somewhere is there: pods keep the image names that they were written with.
    """
    app = invocation.app()
    only = Destination.parse(registry) if registry else None

    async def work(view: EventView) -> Result:
        async with app.open_store() as store:
            pushes = await pushed_repositories(store)
        upstreams = mirror_rules(pushes, only)
        config = runtime_config(Runtime(runtime), upstreams, lambda host: access_to(app, host))
        for note in config.notes:
            view.say(f"note: {note}")
        document = {
            "runtime": runtime,
            "files": [{"path": file.path, "content": file.content} for file in config.files],
            "notes": list(config.notes),
        }
        if output is None:
            return Result(document, _printed(config), always=True)
        written = [_write(output, file) for file in config.files]
        return Result(document, [f"wrote {path}" for path in written])

    return perform(invocation, "mirrors", work)


def access_to(app: App, host: str) -> Access:
    """Return how the config, or the command line, says that a registry is talked to."""
    section = app.config.registry(host)
    plain = section.plain_http
    if plain is None:
        plain = app.plain_http or _is_loopback(host)
    return Access(plain, section.tls.ca)


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") else host
    name = (name or host).strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _printed(config: RuntimeConfig) -> Iterator[str]:
    for file in config.files:
        if len(config.files) > 1:
            yield f"# {file.path}"
        yield file.content.rstrip("\n")
        if len(config.files) > 1:
            yield ""


def _write(folder: Path, file: RuntimeFile) -> Path:
    path = folder / file.path.lstrip("/")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content)
    except OSError as error:
        raise NotPermitted(str(path), f"cannot be written: {error.strerror}") from None
    return path
