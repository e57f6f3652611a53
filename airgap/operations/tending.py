"""``push`` and ``store gc`` as the config has them."""

from __future__ import annotations

from airgap.app import App
from airgap.errors import ConfigError
from airgap.operations.keeping import held_for_deltas
from airgap.operations.pushing import turn_at
from airgap.operations.turns import turn
from airgap.operations.watching import NOBODY, Watcher
from airgap.store.collection import GcReport, GcRules, collect_garbage
from airgap.store.push_record import record_pushes
from airgap.usecases.choose import available_references, choose
from airgap.usecases.push import PushReport, PushRequest, plan_push, push


async def push_matching(app: App, pattern: str = "", watcher: Watcher = NOBODY) -> PushReport:
    """Push images of the store into the config's registry, and ask for each name again.

    Args:
        app: the program's config and places.
        pattern: a shell pattern over whole references; empty means everything.
        watcher: is told what happens, and asked before anything is pushed.

    Raises:
        ConfigError: the config names no registry.
        InvalidReference: the pattern fits nothing.
        Refused: two names would become one, or the watcher does not let it leave.
        Busy: somebody else pushes there right now.
    """
    mapping = app.config.push.name_mapping()
    if mapping is None:
        raise ConfigError("push.to", "names no registry to push to", "add `push: {to: …}`")
    registries = (mapping.destination.domain,)
    async with (
        app.open_store() as store,
        turn_at(store, registries, patience=watcher.patience, emit=watcher.emit),
        app.registries(watcher.emit) as registry,
    ):
        chosen = choose([pattern] if pattern else [], await available_references(store))
        request = PushRequest(chosen, mapping.map_all, on_existing=app.config.push.on_existing)
        await watcher.ask(
            {
                "what": "push",
                "to": str(mapping.destination),
                "names": [
                    {"name": str(copy.source), "target": str(copy.target)}
                    for copy in plan_push(request)
                ],
            }
        )
        report = await push(request, store, registry, watcher.emit)
        await record_pushes(store, report.copied)
        return report


async def collect(app: App, watcher: Watcher = NOBODY) -> GcReport:
    """Remove what no name needs any more.

    Raises:
        StoreUnusable: somebody else has been publishing for too long.
        Busy: somebody else collects right now.
    """
    async with (
        app.open_store() as store,
        turn(store, "collect", patience=watcher.patience),
    ):
        rules = GcRules(held=await held_for_deltas(app, store))
        return await collect_garbage(store, rules)
