"""``airgap completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete airgap's commands and options.

    bash: add  eval "$(airgap completion bash)"  to ~/.bashrc; zsh likewise in ~/.zshrc; fish: put
    the output into ~/.config/fish/completions/airgap.fish.
    """
    from airgap.cli.main import cli  # noqa: PLC0415 - the group loads this module

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "airgap", "_AIRGAP_COMPLETE").source())
