"""``airgap config``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from airgap.app import App
from airgap.cli.invocation import Invocation, common_options
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.config.loading import find_config, load_config
from airgap.config.reference import example_config, json_schema
from airgap.errors import NotFound
from airgap.operations.sizes import counted


@click.group(short_help="Check the config file; print an example or the schema.")
def config() -> None:
    """Check the config file, and print what can stand in one."""


@config.command(short_help="Say whether a config file is right, and what it amounts to.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@common_options
def check(invocation: Invocation, *, file: Path | None) -> int:
    """Read a config file and list everything that is wrong with it, with line and key."""

    async def work(view: EventView) -> Result:
        del view
        path = file or find_config(invocation.config, os.environ)
        if path is None:
            raise NotFound(
                "config",
                "there is none",
                "name one, or begin with `airgap config example > airgap.yaml`",
            )
        loaded = load_config(path)
        # Secrets are looked up too: a missing password file is found here and not in the night.
        app = App(loaded, os.environ)
        app.registries()
        app.read_signers()
        document = {
            "file": str(path),
            "mirror": len(loaded.mirror),
            "registries": sorted(loaded.registries),
            "export": sorted(loaded.exports),
            "import": sorted(loaded.imports),
        }
        line = (
            f"{path}: right. {counted(len(loaded.mirror), 'mirror rule')}, "
            f"{counted(len(loaded.exports), 'export channel')}, "
            f"{counted(len(loaded.imports), 'import channel')}"
        )
        return Result(document, [line])

    return perform(invocation, "config check", work)


@config.command(short_help="Print a commented config with every key.")
def example() -> None:
    """Print a commented config in which every key stands once."""
    click.echo(example_config(), nl=False)


@config.command(short_help="Print the JSON schema of the config.")
def schema() -> None:
    """Print the JSON schema of the config, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))
