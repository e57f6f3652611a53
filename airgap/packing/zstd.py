"""The zstd of the standard library: ``compression.zstd``, or its backport before Python 3.14.

It is not the binding that bundles are written with elsewhere. A base as a *prefix*, which is what a
delta is made of, compresses several times better than the raw dictionary of other bindings, whose
entries are loaded into the match finder alone and not into the long-distance matcher.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import (
        CompressionParameter,
        DecompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
        get_frame_info,
    )
else:
    from backports.zstd import (
        CompressionParameter,
        DecompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
        get_frame_info,
    )

__all__ = [
    "CompressionParameter",
    "DecompressionParameter",
    "ZstdCompressor",
    "ZstdDecompressor",
    "ZstdDict",
    "ZstdError",
    "get_frame_info",
]
