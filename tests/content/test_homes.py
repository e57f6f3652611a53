"""Which repositories the pieces of a plan belong to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airgap.content.homes import Edges, find_homes, manifest_levels
from airgap.content.ports import TagMove
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository
from tests.support.images import BuiltImage, artifact, image, index, random_layer


def _edges(*built: BuiltImage) -> dict[Digest, Edges]:
    return {m.descriptor.digest: Edges.of(m) for b in built for m in b.manifests}


def test_content_of_two_repositories_belongs_to_both() -> None:
    """A layer that images of two repositories share belongs to each of them."""
    shared = random_layer(1)
    one, two = image([shared, random_layer(2)]), image([shared], author="other")
    roots = [
        TagMove(Reference.parse("a.example/one:1"), one.root.descriptor),
        TagMove(Reference.parse("a.example/two:1"), two.root.descriptor),
    ]
    homes = find_homes(roots, _edges(one, two))
    assert homes[shared.descriptor.digest] == (
        Repository("a.example", "one"),
        Repository("a.example", "two"),
    )
    assert homes[one.digest] == (Repository("a.example", "one"),)


def test_a_referrer_belongs_where_its_subject_is() -> None:
    """A signature of a signature has no name, and still a home."""
    built = image([random_layer(1)])
    signature = artifact(b"signature", subject=built.root.descriptor)
    attested = artifact(b"about the signature", subject=signature.root.descriptor)
    roots = [TagMove(Reference.parse("a.example/app:1"), built.root.descriptor)]
    homes = find_homes(roots, _edges(built, signature, attested))
    assert homes[attested.digest] == (Repository("a.example", "app"),)


def test_what_no_root_reaches_has_no_home() -> None:
    """Content that a hostile bundle carries beside its images belongs nowhere."""
    built, stray = image([random_layer(1)]), image([random_layer(2)])
    roots = [TagMove(Reference.parse("a.example/app:1"), built.root.descriptor)]
    assert stray.digest not in find_homes(roots, _edges(built, stray))


def test_levels_put_children_before_parents() -> None:
    """Images are level 0, an index of them is above."""
    amd, arm = image([random_layer(1)]), image([random_layer(2)], platform="linux/arm64")
    both = index({"linux/amd64": amd, "linux/arm64": arm})
    levels = manifest_levels(_edges(both))
    assert levels == {amd.digest: 0, arm.digest: 0, both.digest: 1}


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=30))
def test_every_level_is_above_all_levels_below_it(shape: list[list[int]]) -> None:
    """Whatever the shape of the graph, a parent's level is greater than its children's."""
    digests = [Digest.of(str(n).encode()) for n in range(len(shape))]
    edges = {
        # Only earlier nodes can be children, as a digest cannot contain itself.
        digests[n]: Edges(tuple(digests[c] for c in children if c < n), None)
        for n, children in enumerate(shape)
    }
    levels = manifest_levels(edges)
    for digest, edge in edges.items():
        assert all(levels[child] < levels[digest] for child in edge.children)
