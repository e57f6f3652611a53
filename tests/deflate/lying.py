"""Opens and rebuilds random streams by models that lie: at random, but the same lies each time.

``python -m tests.deflate.uncompiled tests.deflate.lying COUNT``; it runs on plain Python only,
where a model can be made of Python.
"""

from __future__ import annotations

import sys
from types import ModuleType

from airgap.deflate import models
from airgap.deflate.format import CONTINUED, DYNAMIC, FIXED, STORED
from airgap.deflate.header import Header
from airgap.deflate.model import Model
from tests.deflate.streams import chance, gzip_file, random_head, random_stream
from tests.deflate.trips import there_and_back


class Liar(Model):
    """Says anything that a model may say, by chance: the same as long as it is asked the same."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.continues = seed % 2
        self.random = chance(seed)

    def restart(self) -> int:
        """Lie the same way again, for each stream."""
        self.random = chance(self.seed)
        return super().restart()

    def ends_block(self) -> int:
        """End blocks seldom, and sometimes at once."""
        at_end = super().ends_block()
        return 1 if self.random.random() < 0.02 else at_end

    def predict(self) -> int:
        """Give literals and matches that are none."""
        most = min(self.end - self.pos, 258)
        if most < 3 or self.random.random() < 0.5:
            return 0
        return self.random.randint(3, most) << 16 | self.random.randint(1, 300)

    def choose(self, header: Header) -> int:
        """Choose any kind of head, the last as well as others."""
        made = random_head(self.random, [97]) if self.random.random() < 0.5 else Header()
        header.clear()
        for name in vars(made):
            setattr(header, name, getattr(made, name))
        if made.kind != DYNAMIC:
            header.kind = self.random.choice((STORED, FIXED, CONTINUED))
        header.final = self.random.randrange(2)
        return 0


def main(count: int) -> None:
    """Try streams, each with a liar of its own."""
    module = ModuleType("airgap.deflate.encoders.lying")
    module.Liar = Liar  # type: ignore[attr-defined] # a module made by hand
    sys.modules[module.__name__] = module
    for seed in range(count):
        name = f"lying:{seed}"
        models._RELEASED = {name: models.Released("lying", "Liar", (seed,))}
        random = chance(seed)
        blocks, size = random.randint(1, 8), random.choice((3, 30, 300))
        files = [random_stream(100 * seed + number, blocks, size) for number in range(2)]
        file = b"".join(gzip_file(*made) for made in files)
        got = there_and_back(file, [name], random.choice((1, 50, 1 << 20)))
        assert got.plain == b"".join(plain for _, plain in files)
    sys.stdout.write(f"{count} liars came back\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
