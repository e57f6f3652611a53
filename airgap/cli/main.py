"""The ``airgap`` command: its groups, loaded when they are called, and the way errors end."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

import airgap
from airgap.cli.invocation import Invocation
from airgap.errors import AirgapError

_COMMANDS = {
    "mirror": "airgap.cli.mirror:mirror",
    "export": "airgap.cli.export:export",
    "import": "airgap.cli.import_bundle:import_bundle",
    "push": "airgap.cli.push:push",
    "images": "airgap.cli.images:images",
    "inspect": "airgap.cli.inspect:inspect",
    "verify": "airgap.cli.verify:verify",
    "serve": "airgap.cli.serve:serve",
    "store": "airgap.cli.store:store",
    "config": "airgap.cli.config:config",
    "demo": "airgap.cli.demo:demo",
    "completion": "airgap.cli.completion:completion",
}
"""Each command and where it lives; the order is that of ``airgap --help``."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that starting is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order people need them."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; where there is none, suggest the nearest without importing any."""
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            suggestion = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{suggestion}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(airgap.__version__, prog_name="airgap")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Carry container images across an air gap, bit for bit.

    On the connected side: mirror images into a local store, then export them into a bundle. Carry
    the bundle across. On the isolated side: import it, which verifies everything, and push it into
    the local registry. `airgap demo` shows the whole way on this machine.
    """
    ctx.obj = Invocation()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with the exit code that the outcome has."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code (see ``airgap.errors`` for the table)."""
    try:
        outcome: Any = cli.main(args=list(arguments), prog_name="airgap", standalone_mode=False)
    except AirgapError as error:
        show_error(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader went away (`airgap images | head`); nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was complete is kept, the next run goes on", err=True)
        return 130
    return outcome if isinstance(outcome, int) else 0


def show_error(error: AirgapError) -> None:
    """Print an error as a person reads it: what and why, then what to do."""
    click.echo(f"airgap: {error}", err=True)
    if error.hint:
        click.echo(f"  → {error.hint}", err=True)
