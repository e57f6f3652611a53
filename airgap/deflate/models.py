"""The models by the names that recipes know them by, and which to try on a stream.

A name is for ever: a recipe made today is rebuilt by every later version, so a model that was
released never changes what it predicts. A better one gets a new name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from types import MappingProxyType

from airgap.deflate import running
from airgap.deflate.model import Model

# Of a gzip header (RFC 1952, section 2.3.1).
_EXTRA_FLAGS = 8
_SYSTEM = 9
_SLOWEST = 2
_FASTEST = 4
_UNIX = 3
_UNKNOWN = 255


def _go_chains(level: int) -> Callable[[], Model]:
    def make() -> Model:
        from airgap.deflate.encoders.go_chains import GoChains  # noqa: PLC0415 - only when needed

        return GoChains(level)

    return make


MODELS: Mapping[str, Callable[[], Model]] = MappingProxyType(
    {
        "none": Model,
        **{f"go:{level}": _go_chains(level) for level in range(2, 10)},
    }
)
"""What makes a model, by its name."""


def candidates(header: bytes) -> tuple[str, ...]:
    """Give the names of the models that may have written a member, the likeliest first.

    Args:
        header: its gzip header, of which the extra flags and the operating system are a hint.
    """
    del header
    return ("go:6",)


def is_compiled() -> bool:
    """Tell whether the coder runs as machine code; it is slow, but exact, where it does not."""
    return str(running.__file__).endswith(tuple(EXTENSION_SUFFIXES))
