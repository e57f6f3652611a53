"""The models by the names that recipes know them by, and which to try on a stream.

A name is for ever: a recipe made today is rebuilt by every later version, so a model that was
released never changes what it predicts. A better one gets a new name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from types import MappingProxyType

from airgap.deflate import running
from airgap.deflate.model import Model

# What stands in a gzip header (RFC 1952, section 2.3.1): of the extra flags,
_USUAL = 0
_SLOWEST = 2
_FASTEST = 4
# and of the operating systems.
_UNIX = 3
_UNKNOWN = 255

# The time of a stream that pgzip wrote without one: that of Go's zero time, cut to four bytes.
_PGZIP_TIME = bytes((0x00, 0x09, 0x6E, 0x88))

_TIME = slice(4, 8)
_EXTRA_FLAGS = 8
_SYSTEM = 9


@dataclass(frozen=True, slots=True)
class Released:
    """A model that recipes may name.

    Attributes:
        module: of ``airgap.deflate.encoders``,
        factory: the class in it,
        settings: and what it is made with.
        systems: the operating systems that gzip headers before such streams name,
        flags: and the extra flags.
        time: what tells its streams from all others, if there is a time that does.
    """

    module: str
    factory: str
    settings: tuple[int, ...]
    systems: tuple[int, ...] = ()
    flags: int = _USUAL
    time: bytes | None = None

    def likelihood(self, header: bytes) -> int:
        """How much a gzip header speaks for the model: -1 to 5.

        Its time weighs most, for good reason: the head of a stream by pgzip, which is all that a
        trial sees, may be that of a stream by the same encoder alone.
        """
        likelihood = (header[_SYSTEM] in self.systems) + (header[_EXTRA_FLAGS] == self.flags)
        if self.time is not None:
            likelihood += 3 if header[_TIME] == self.time else -1
        return likelihood


def _flags(level: int) -> int:
    """The extra flags that most encoders write at a level."""
    return {1: _FASTEST, 9: _SLOWEST}.get(level, _USUAL)


_GO = "go_chains"

_KLAUSPOST = "klauspost_stream"
_KLAUSPOST_GENERATIONS = {"1.15.10": 4, "1.18.1": 5, "1.15.0": 3, "1.14.1": 2, "1.10.2": 1}
_KLAUSPOST_QUICK_GENERATIONS = {"1.15.11": 4, "1.18.1": 5}
_KLAUSPOST_CHAIN_GENERATIONS = {"1.18.4": 5, "1.15.15": 4}
"""By the version of klauspost/compress that each began with; Go 1.27 is of 1.18.1."""


def _klauspost(level: int, generation: int, pieces: int) -> Released:
    return Released(
        _KLAUSPOST,
        "KlauspostStream",
        (level, generation, pieces),
        (_UNKNOWN,),
        _flags(level),
        _PGZIP_TIME if pieces else None,
    )


_LEVELS = (6, 9, 1, 5, 7, 4, 8, 3, 2)
"""Of zlib and those like it, the likeliest first."""

_ZLIB_SYSTEMS = (_UNIX, _UNKNOWN, 0)
"""zlib itself writes the first; Python's gzip the second, and Java, by its version, the others."""

_PIGZ_MODES = {
    "pigz": (0, _LEVELS),
    "pigz-single": (1, (1, 3, 2)),
    "pigz-independent": (2, _LEVELS),
}
"""With the levels of each; at the others, one thread writes what more of them do."""


# The likeliest come first; of those that a header speaks for equally, too.
_RELEASED: Mapping[str, Released] = MappingProxyType(
    {
        "go:6": Released(_GO, "GoChains", (6,), (_UNKNOWN,)),
        **{
            f"go:{level}": Released(_GO, "GoChains", (level,), (_UNKNOWN,), _flags(level))
            for level in (9, 8, 7, 5, 4, 3, 2)
        },
        "go:1": Released("go_speed", "GoSpeed", (), (_UNKNOWN,), _flags(1)),
        **{
            f"pgzip-{version}:{level}": _klauspost(level, generation, 1)
            for level in (5, 6)
            for version, generation in _KLAUSPOST_GENERATIONS.items()
        },
        **{
            f"klauspost-{version}:{level}": _klauspost(level, generation, 0)
            for level in (6, 5)
            for version, generation in sorted(_KLAUSPOST_GENERATIONS.items(), reverse=True)
        },
        **{
            f"{kind}-{version}:{level}": _klauspost(level, generation, pieces)
            for kind, pieces in (("klauspost", 0), ("pgzip", 1))
            for level in (1, 2)
            for version, generation in sorted(_KLAUSPOST_QUICK_GENERATIONS.items(), reverse=True)
        },
        **{
            f"klauspost-{version}:{level}": Released(
                "klauspost_chains",
                "KlauspostChains",
                (level, generation),
                (_UNKNOWN,),
                _flags(level),
            )
            for level in (9, 8, 7)
            for version, generation in _KLAUSPOST_CHAIN_GENERATIONS.items()
        },
        **{
            f"zlib:{level}": Released("zlib_plain", "Zlib", (level,), _ZLIB_SYSTEMS, _flags(level))
            for level in _LEVELS
        },
        **{
            f"gzip:{level}": Released("gnu_gzip", "GnuGzip", (level,), (_UNIX,), _flags(level))
            for level in _LEVELS
        },
        **{
            f"{name}:{level}": Released("pigz", "Pigz", (level, mode), (_UNIX,), _flags(level))
            for name, (mode, levels) in _PIGZ_MODES.items()
            for level in levels
        },
        **{
            f"zlib:{level}:9": Released(
                "zlib_plain", "Zlib", (level, 9), _ZLIB_SYSTEMS, _flags(level)
            )
            for level in _LEVELS
        },
        "go:huffman": Released("go_plain", "GoPlain", (1,), (_UNKNOWN,)),
        "go:0": Released("go_plain", "GoPlain", (0,), (_UNKNOWN,)),
    }
)

NONE = "none"
"""The name of the model that predicts nothing but literals: right, and of no use."""


def names() -> tuple[str, ...]:
    """The names of all models."""
    return (*_RELEASED, NONE)


def make(name: str) -> Model:
    """Make the model of a name.

    Raises:
        KeyError: there is none of that name.
    """
    if name == NONE:
        return Model()
    released = _RELEASED[name]
    module = import_module(f"airgap.deflate.encoders.{released.module}")
    model = getattr(module, released.factory)(*released.settings)
    assert isinstance(model, Model)  # noqa: S101 - the table says so
    return model


def candidates(header: bytes) -> tuple[str, ...]:
    """Give the names of the models that may have written a member, the likeliest first.

    Args:
        header: its gzip header, of which the extra flags and the operating system are a hint.
    """
    return tuple(
        sorted(_RELEASED, key=lambda name: _RELEASED[name].likelihood(header), reverse=True)
    )


def is_compiled() -> bool:
    """Tell whether the coder runs as machine code; it is slow, but exact, where it does not."""
    return str(running.__file__).endswith(tuple(EXTENSION_SUFFIXES))
