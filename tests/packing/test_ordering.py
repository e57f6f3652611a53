"""The order of layers in one stream: what is alike is near enough to be found again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airgap.oci.digest import Digest
from airgap.packing.ordering import PlainLayer, in_stream_order
from airgap.packing.signature import Signature

MIB = 1024 * 1024


def _layer(name: str, *parts: str, size: int = 50 * MIB) -> PlainLayer:
    files = [(f"{part}/{n}", size // len(parts) // 50) for part in parts for n in range(50)]
    return PlainLayer(Digest.of(name.encode()), size, Signature.of(files) if parts else None)


def test_like_stands_beside_like() -> None:
    """Two versions of two images, that came by turns."""
    web1, db1, web2, db2 = (
        _layer("web1", "web"),
        _layer("db1", "db"),
        _layer("web2", "web"),
        _layer("db2", "db"),
    )
    assert in_stream_order([web1, db1, web2, db2]) == (web1, web2, db1, db2)


def test_layers_without_likeness_stay_in_their_order() -> None:
    """So that the same content always gives the same bundle, in an order that people know."""
    layers = [_layer("x"), _layer("y", "y"), _layer("z"), _layer("w", "w")]
    assert in_stream_order(layers) == tuple(layers)


def test_no_layer_is_fine() -> None:
    """An export may have none to pack."""
    assert in_stream_order([]) == ()


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), unique=True), st.integers(0, 1 << 30)),
        max_size=8,
    )
)
def test_every_layer_is_there_once(layers: list[tuple[list[str], int]]) -> None:
    """Whatever they are like."""
    made = [_layer(str(n), *parts, size=size) for n, (parts, size) in enumerate(layers)]
    ordered = in_stream_order(made)
    assert sorted(layer.digest for layer in ordered) == sorted(layer.digest for layer in made)
    assert ordered == in_stream_order(made)
