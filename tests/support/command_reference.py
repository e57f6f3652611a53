"""The reference of all commands, as Markdown: ``python -m tests.support.command_reference``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from airgap.cli.main import cli

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"


def render() -> str:
    """Return the text that ``docs/reference/commands.md`` must have."""
    lines = [
        "# Commands",
        "",
        "Every command takes `--help`. Progress and messages go to standard error, the report to",
        "standard output; with `--json` that is exactly one document.",
    ]
    context = click.Context(cli, info_name="airgap")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        lines += _command(command, click.Context(command, context, name))
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield ""
    yield f"## {context.command_path}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _command(child, click.Context(child, context, name))
        return
    usage = command.collect_usage_pieces(context)
    # Arguments stand in the usage line and in the text; they have no help of their own.
    yield ""
    yield f"    {context.command_path} {' '.join(usage)}"
    yield ""
    yield "| option | meaning |"
    yield "|---|---|"
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            option, meaning = (text.replace("|", "\\|") for text in record)
            yield f"| `{option}` | {meaning} |"


if __name__ == "__main__":
    REFERENCE.write_text(render())
