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
    "mirror": ("airgap.cli.mirror:mirror", "Copy images from registries into the local store."),
    "export": ("airgap.cli.export:export", "Pack images of the local store into a bundle."),
    "import": (
        "airgap.cli.import_bundle:import_bundle",
        "Verify a bundle, take it in, and push it on.",
    ),
    "push": ("airgap.cli.push:push", "Push images of the local store into a registry."),
    "pull": ("airgap.cli.pull:pull", "Copy images by name into the local store."),
    "images": ("airgap.cli.images:images", "List the images of the local store."),
    "tag": ("airgap.cli.tag:tag", "Give an image of the local store one more name."),
    "rmi": ("airgap.cli.tag:rmi", "Remove names, and images with their last name."),
    "save": ("airgap.cli.archives:save", "Write images into an archive for docker or podman."),
    "load": ("airgap.cli.archives:load", "Take in the images of an archive."),
    "commit": ("airgap.cli.commit:commit", "Make a new image from one of the local store."),
    "copy": ("airgap.cli.copy:copy", "Copy an image from any place to any other."),
    "inspect": ("airgap.cli.inspect:inspect", "Show what a bundle is and does."),
    "history": ("airgap.cli.look:history", "Show the steps of an image's making."),
    "ls": ("airgap.cli.look:ls", "List a folder of an image."),
    "cat": ("airgap.cli.look:cat", "Print a file of an image."),
    "verify": ("airgap.cli.verify:verify", "Check a bundle completely, taking nothing in."),
    "status": ("airgap.cli.status:status", "Show where each channel stands."),
    "receipt": ("airgap.cli.receipt:receipt", "Take in what the other side sends back."),
    "report": ("airgap.cli.report:report", "List the imports, or print the report of one."),
    "repair": ("airgap.cli.repair:repair", "Rebuild lost volumes of a bundle from parity."),
    "bundle": ("airgap.cli.bundle:bundle", "Make a plain bundle of a packed one."),
    "keygen": ("airgap.cli.keygen:keygen", "Make a pair of keys to sign bundles with."),
    "serve": ("airgap.cli.serve:serve", "Serve the local store, or bundles, as a registry."),
    "mirrors": (
        "airgap.cli.mirrors:mirrors",
        "Print the config by which runtimes pull what was pushed.",
    ),
    "daemon": ("airgap.cli.daemon:daemon", "Do it all by itself: schedules, folders, sticks."),
    "store": ("airgap.cli.store:store", "Check, repair, tidy and rebuild the local store."),
    "config": ("airgap.cli.config:config", "Check the config; print an example or the schema."),
    "login": ("airgap.cli.login:login", "Log in to a registry."),
    "logout": ("airgap.cli.login:logout", "Forget the credentials of a registry."),
    "demo": ("airgap.cli.demo:demo", "Show the whole way on this machine."),
    "completion": ("airgap.cli.completion:completion", "Print a shell's completion script."),
}
"""Each command, where it lives and what it does; the order is that of ``airgap --help``.

The words stand here, so that the list of commands can be shown without importing any of them.
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that starting is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order people need them."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        where, _ = _COMMANDS[cmd_name]
        module, _, attribute = where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with what they do."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])

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
