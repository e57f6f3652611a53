"""What every command is told: config, store, verbosity, and who reads the output."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from airgap.oci.platform import Platform

if TYPE_CHECKING:
    from airgap.app import App

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """The options that all commands share.

    Attributes:
        config: the config file named on the command line, or None to look for one.
        store: the store's folder named on the command line, or None.
        json: print one JSON document on standard output instead of text.
        chosen_verbosity: what ``-q`` and ``-v`` say; None leaves it to the config.
        plain_http: hosts, loopback aside, that may be spoken to without TLS; all where true.
    """

    config: Path | None = None
    store: Path | None = None
    json: bool = False
    chosen_verbosity: int | None = None
    plain_http: bool = False

    _app: App | None = field(default=None, repr=False)

    def app(self) -> App:
        """Load the config, once, and return the program that it describes.

        Raises:
            ConfigError: the config does not say what it must.
        """
        if self._app is None:
            # Loaded here, so that help and completion come without the adapters.
            from airgap.app import App  # noqa: PLC0415 - see above

            self._app = App.start(self.config, self.store, plain_http=self.plain_http)
        return self._app

    @property
    def verbosity(self) -> int:
        """-1 quiet, 0 normal, 1 decisions too, 2 everything: the options, else the config."""
        if self.chosen_verbosity is not None:
            return self.chosen_verbosity
        return self._app.config.log.verbosity.level if self._app is not None else 0


def platform_option(command: Command) -> Command:
    """Add ``--platform``, which may be given several times and arrives as a set."""
    return click.option(
        "--platform",
        "platforms",
        multiple=True,
        metavar="OS/ARCH",
        callback=lambda _ctx, _param, values: frozenset(map(Platform.parse, values)),
        help="Take this platform of multi-platform images; may be repeated [all].",
    )(command)


def one_platform_option(command: Command) -> Command:
    """Add ``--platform`` for commands that look at one image; it arrives as one, or None."""
    return click.option(
        "--platform",
        metavar="OS/ARCH",
        callback=lambda _ctx, _param, value: Platform.parse(value) if value else None,
        help="Which image of a multi-platform one [this machine's, or the only one].",
    )(command)


_FOLDER = click.Path(file_okay=True, path_type=Path)


def common_options(command: Command) -> Command:
    """Add ``--config``, ``--json``, ``-q``, ``-v``; the command gets an ``Invocation`` first."""
    return _common_options(command, "--config")


def common_options_beside_config(command: Command) -> Command:
    """Add the same to a command for which ``--config`` means the config of an image."""
    return _common_options(command, "--config-file")


def _common_options(command: Command, config: str) -> Command:
    return _gathering(
        command,
        (
            click.option(
                config,
                "config",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Config file [$AIRGAP_CONFIG, ./airgap.yaml, /etc/airgap/airgap.yaml].",
            ),
            click.option("--json", is_flag=True, help="Print one JSON document for machines."),
            click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
            click.option(
                "-v", "--verbose", count=True, help="Tell every decision; -vv also debugs."
            ),
        ),
    )


def store_option(command: Command) -> Command:
    """Add ``--store DIR``."""
    return click.option(
        "--store",
        type=_FOLDER,
        metavar="DIR",
        help="The local store [$AIRGAP_STORE, the config, the user's data folder].",
    )(command)


def plain_http_option(command: Command) -> Command:
    """Add ``--plain-http``."""
    return click.option(
        "--plain-http",
        is_flag=True,
        help="Allow plain http for every registry, not only for loopback addresses.",
    )(command)


def _gathering(
    command: Command, options: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...]
) -> Command:
    @functools.wraps(command)
    def gather(**arguments: Any) -> Any:
        above = click.get_current_context().find_object(Invocation) or Invocation()
        quiet, verbose = arguments.pop("quiet"), arguments.pop("verbose")
        invocation = replace(
            above,
            config=arguments.pop("config") or above.config,
            json=arguments.pop("json") or above.json,
            chosen_verbosity=-1 if quiet else verbose or above.chosen_verbosity,
            store=arguments.pop("store", None) or above.store,
            plain_http=arguments.pop("plain_http", False) or above.plain_http,
        )
        return command(invocation, **arguments)

    gathered: Callable[..., Any] = gather
    for option in reversed(options):
        gathered = option(gathered)
    return cast("Command", gathered)
