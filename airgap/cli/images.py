"""``airgap images``."""

from __future__ import annotations

import click

from airgap.cli.invocation import Invocation, common_options, store_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.cli.sizes import counted
from airgap.usecases.choose import available_references


@click.command()
@store_option
@common_options
def images(invocation: Invocation) -> int:
    """List the images of the local store."""
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        async with app.open_store() as store:
            names = await available_references(store)
            found = [(name, await store.resolve(name)) for name in names]
        document = {
            "images": [
                {"reference": str(name), "digest": d.digest, "media_type": d.media_type}
                for name, d in found
            ]
        }
        width = max((len(name.familiar) for name, _ in found), default=0)
        lines = [f"{name.familiar:<{width}}  {d.digest.short}" for name, d in found]
        return Result(document, [*lines, counted(len(found), "image")])

    return perform(invocation, "images", work)
