"""Stories of images that come again: which old layer each new one is held against."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airgap.oci.digest import Digest
from airgap.oci.platform import Platform
from airgap.oci.reference import Reference
from airgap.packing.base_choice import LayeredImage, choose_bases, likely_bases
from airgap.packing.signature import Signature

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")


def _layer(name: str) -> Digest:
    return Digest.of(name.encode())


def _image(name: str, *layers: str, platform: Platform | None = AMD) -> LayeredImage:
    return LayeredImage(Reference.parse(name), tuple(map(_layer, layers)), platform)


def _tar(*parts: str, version: int = 1) -> Signature:
    """Return the signature of a tar of some parts; each new version has a tenth changed."""
    return Signature.of(
        (f"{part}/{n}", 10_000 + (version if n % 10 == version else 0))
        for part in parts
        for n in range(100)
    )


def _tars(**parts: tuple[str, int]) -> dict[Digest, Signature]:
    """Return signatures by the layers' names: what is in it, and the version of that."""
    return {
        _layer(name): _tar(*content.split(), version=version)
        for name, (content, version) in parts.items()
    }


def test_a_rebuilt_image_finds_each_layer_at_its_place() -> None:
    """The monthly update, with nothing known but names and places."""
    old = _image("shop/web:1", "base1", "deps1", "app1")
    new = _image("shop/web:1", "base2", "deps2", "app2")
    found = choose_bases([new], [old], {})
    assert [found[layer][0] for layer in new.layers] == list(old.layers)


def test_a_new_tag_finds_the_old_one() -> None:
    """Another tag of the same repository is the next best thing to the same one."""
    new = _image("shop/web:2", "base2", "app2")
    held = [_image("shop/api:1", "other1", "other2"), _image("shop/web:1", "base1", "app1")]
    found = choose_bases([new], held, {})
    assert [found[layer][0] for layer in new.layers] == [_layer("base1"), _layer("app1")]
    assert _layer("other1") not in found[_layer("base2")]


def test_the_same_platform_comes_first() -> None:
    """An index has an image for each; machine code of one is no base for the other."""
    held = [_image("web:1", "arm1", platform=ARM), _image("web:1", "amd1", platform=AMD)]
    new = [_image("web:1", "amd2", platform=AMD), _image("web:1", "arm2", platform=ARM)]
    found = choose_bases(new, held, {})
    assert found[_layer("amd2")][0] == _layer("amd1")
    assert found[_layer("arm2")][0] == _layer("arm1")


def test_an_inserted_layer_shifts_nothing_for_those_counted_from_the_top() -> None:
    """With names and places alone, the top layer still finds the old top layer."""
    old = _image("web:1", "base1", "app1")
    new = _image("web:1", "base2", "patch2", "app2")
    found = choose_bases([new], [old], {})
    assert found[_layer("app2")][0] == _layer("app1")
    assert found[_layer("base2")][0] == _layer("base1")


def test_a_layer_that_moved_is_found_by_its_files() -> None:
    """Whatever stands at its place now."""
    old = _image("web:1", "base1", "deps1", "app1")
    new = _image("web:1", "base2", "tools2", "deps2", "app2")
    known = _tars(
        base1=("base", 1),
        base2=("base", 2),
        deps1=("deps", 1),
        deps2=("deps", 2),
        app1=("app", 1),
        app2=("app", 2),
        tools2=("tools", 2),
    )
    found = choose_bases([new], [old], known)
    for name in ("base", "deps", "app"):
        assert found[_layer(f"{name}2")][0] == _layer(f"{name}1")


def test_a_dockerfile_in_another_order_finds_its_layers() -> None:
    """Two instructions changed places."""
    old = _image("web:1", "base1", "fonts1", "deps1")
    new = _image("web:1", "base2", "deps2", "fonts2")
    known = _tars(
        base1=("base", 1),
        base2=("base", 2),
        deps1=("deps", 1),
        deps2=("deps", 2),
        fonts1=("fonts", 1),
        fonts2=("fonts", 2),
    )
    found = choose_bases([new], [old], known)
    assert found[_layer("deps2")] == (_layer("deps1"),)
    assert found[_layer("fonts2")] == (_layer("fonts1"),)


def test_a_new_repository_finds_the_content_of_an_old_one() -> None:
    """Another team builds on the same base, in an image that was never there."""
    held = [_image("shop/web:1", "base1", "app1"), _image("shop/db:1", "db1")]
    new = _image("lab/notebook:1", "base2", "science2")
    known = _tars(
        base1=("base", 1),
        base2=("base", 2),
        app1=("app", 1),
        db1=("db", 1),
        science2=("science", 2),
    )
    found = choose_bases([new], held, known)
    assert found[_layer("base2")] == (_layer("base1"),)
    assert found[_layer("science2")] == ()


def test_layers_that_became_one_are_both_its_bases() -> None:
    """A squashed image takes from each old layer what it has, the larger share first."""
    old = _image("web:1", "base1", "app1")
    new = _image("web:2", "all2")
    known = _tars(base1=("base libs", 1), app1=("app", 1), all2=("base libs app", 2))
    found = choose_bases([new], [old], known)
    assert found[_layer("all2")] == (_layer("base1"), _layer("app1"))


def test_a_layer_that_adds_nothing_is_no_base() -> None:
    """The second copy of the same files would only take memory."""
    held = [_image("a:1", "base1"), _image("b:1", "base0")]
    known = _tars(base1=("base", 1), base0=("base", 1), base2=("base", 2))
    found = choose_bases([_image("a:1", "base2")], held, known)
    assert found[_layer("base2")] == (_layer("base1"),)


def test_what_the_other_side_has_needs_no_base() -> None:
    """It does not travel at all."""
    old = _image("web:1", "base1", "app1")
    found = choose_bases([_image("web:2", "base1", "app2")], [old], {})
    assert list(found) == [_layer("app2")]


def test_the_layers_worth_reading_come_by_name() -> None:
    """All of the same repository, and none of another: reading them all would take hours."""
    held = [_image("a:1", "x1", "y1"), _image("b:1", "z1")]
    found = likely_bases([_image("a:2", "x2")], held)
    assert found == {_layer("x2"): (_layer("x1"), _layer("y1"))}


@given(
    new=st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=4),
    held=st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=4),
    known=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9)),
    limit=st.integers(1, 4),
)
def test_bases_are_always_held_and_bounded(
    new: list[list[str]], held: list[list[str]], known: dict[str, int], limit: int
) -> None:
    """Whatever the images: for each layer that is missing, each base once and never too many."""
    images = [_image(f"app:{n}", *layers) for n, layers in enumerate(new)]
    old = [_image(f"app:{n}", *layers) for n, layers in enumerate(held)]
    signatures = {_layer(name): _tar("x", version=version) for name, version in known.items()}
    there = {layer for image in old for layer in image.layers}
    found = choose_bases(images, old, signatures, limit=limit)
    assert set(found) == {layer for image in images for layer in image.layers} - there
    for bases in found.values():
        assert len(bases) == len(set(bases)) <= limit
        assert there.issuperset(bases)
    assert found == choose_bases(images, old, signatures, limit=limit)
