"""Both sides of a gap, worked by command."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airgap.content.copy_images import ImageCopy, copy_images
from airgap.store.store import Store
from airgap.usecases.choose import available_references
from tests.support.command import Done, airgap
from tests.support.images import BuiltImage
from tests.support.memory import MemorySource


@dataclass
class Site:
    """Both sides of a gap, in a folder: two stores, two configs, and what is carried."""

    folder: Path

    @property
    def connected(self) -> Path:
        """The store that exports."""
        return self.folder / "connected"

    def configure(self, *, export: str = "", imports: str = "") -> None:
        """Write both configs; each text is more keys of the channel."""
        (self.folder / "export.yaml").write_text(
            f"export:\n  plant:\n    output: '{{channel}}.tar'\n{_indented(export)}"
        )
        (self.folder / "import.yaml").write_text(
            f"import:\n  plant:\n    receipts: outbox\n{_indented(imports)}"
        )

    async def publish(self, wanted: dict[str, BuiltImage]) -> None:
        """Let the connected store have exactly these names."""
        source = MemorySource(wanted)
        async with Store.open(self.connected, create=True, sync=False) as store:
            copies = [ImageCopy(name, name) for name in source.roots]
            assert (await copy_images(source, store, copies)).error() is None
            for name in await available_references(store):
                if name not in source.roots:
                    await store.remove_tag(name)

    async def on_connected(self, *arguments: str) -> Done:
        """Run a command on the connected side."""
        return await self._run("export.yaml", self.connected, arguments)

    async def on_isolated(self, *arguments: str) -> Done:
        """Run a command on the isolated side."""
        return await self._run("import.yaml", self.folder / "isolated", arguments)

    async def _run(self, config: str, store: Path, arguments: tuple[str, ...]) -> Done:
        config_file = ("--config", str(self.folder / config), "--json")
        if arguments[:2] == ("receipt", "show"):
            return await airgap(*arguments, *config_file)
        return await airgap(*arguments, "--store", str(store), *config_file)

    async def export(self, *options: str) -> dict[str, Any]:
        """Export the next bundle to the file that the number names."""
        done = await self.on_connected("export", "plant", *options, "--force")
        assert done.code == 0, done.out
        carried = self.folder / f"{done.document['sequence']}.tar"
        shutil.copy(done.document["bundle"], carried)
        return done.document

    async def take_in(self, number: int, *options: str) -> Done:
        """Import a bundle."""
        return await self.on_isolated("import", str(self.folder / f"{number}.tar"), *options)


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
