"""``airgap daemon``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click

from airgap.app import App
from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.config.loading import find_config
from airgap.config.serving import ListenAddress
from airgap.daemon.logs import Logger, logging_to
from airgap.daemon.records import Outcome, Run
from airgap.daemon.service_manager import ServiceManager
from airgap.daemon.status import run_document
from airgap.daemon.unattended import Surroundings, run_once, run_unattended
from airgap.errors import AirgapError, PartialFailure, UsageError
from airgap.operations.sizes import counted


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("--once", is_flag=True, help="Do what is due, or each NAME, and end.")
@click.option(
    "--listen", metavar="HOST:PORT", help="Where the status pages are [the config, 127.0.0.1:8484]."
)
@store_option
@common_options
def daemon(
    invocation: Invocation, *, names: tuple[str, ...], once: bool, listen: str | None
) -> int:
    """Do what the config's section `daemon` says, by itself, until told to stop.

    Jobs run at their times, bundles that appear in drop folders are taken in, sticks get the next
    bundle of their channel. Status pages show all of it. SIGHUP reads the config again, SIGTERM
    ends: what is running may come to its end for a while, and goes on at the next start otherwise.

    --once is for timers: it does what is due since the last time, looks into the folders, and ends.
    With NAME it does those jobs, folders or sticks whether they are due or not.
    """
    if names and not once:
        raise UsageError(names[0], "names go with --once", "without it, everything is done")
    app = invocation.app()
    if not once:
        return _unattended(invocation, app, listen)

    async def work(view: EventView) -> Result:
        del view
        with logging_to(sys.stderr, os.environ, verbosity=invocation.verbosity) as logger:
            runs = await run_once(_surroundings(invocation, app, logger), app, names)
        document = {"runs": [run_document(run) for run in runs]}
        return Result(document, _lines(runs), _error(runs))

    return perform(invocation, "daemon", work)


def _unattended(invocation: Invocation, app: App, listen: str | None) -> int:
    address = ListenAddress.parse(listen) if listen is not None else None

    with logging_to(sys.stderr, os.environ, verbosity=invocation.verbosity) as logger:
        surroundings = _surroundings(invocation, app, logger, address)
        asyncio.run(run_unattended(surroundings, _listening(app, address)))
    return 0


def _surroundings(
    invocation: Invocation, app: App, logger: Logger, address: ListenAddress | None = None
) -> Surroundings:
    file = find_config(invocation.config, app.environ)

    def load() -> App:
        # A config that has come or gone is found or missed as at the start.
        return _listening(App.start(invocation.config, invocation.store), address)

    return Surroundings(load, file, logger, ServiceManager.from_environment(app.environ))


def _listening(app: App, address: ListenAddress | None) -> App:
    """Return the app with what the command line says of the status pages."""
    if address is None:
        return app
    section = app.config.daemon.model_copy(update={"listen": address})
    config = app.config.model_copy(update={"daemon": section})
    return replace(app, config=config)


def _lines(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        yield f"  {run.outcome:<14} {run.name}: {run.summary}"
    yield f"{counted(len(runs), 'run')}" if runs else "nothing was due"


def _error(runs: Sequence[Run]) -> AirgapError | None:
    bad = [run for run in runs if not run.outcome.is_good and run.outcome is not Outcome.WAITING]
    if not bad:
        return None
    return PartialFailure(
        ", ".join(dict.fromkeys(run.name for run in bad)),
        f"{counted(len(bad), 'run')} did not go well",
        "each of them is listed with its cause; the status pages have all of it",
    )
