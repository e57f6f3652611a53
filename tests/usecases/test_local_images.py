"""Finding images as docker does: a name wins, an id may be short, and must be unique."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import InvalidReference, NotFound
from airgap.oci.reference import Reference
from airgap.usecases.choose_images import ImageFilter, choose_images
from airgap.usecases.local_images import UNTAGGED, find_image, image_id
from tests.usecases.listings import digest, listed

APP = listed("app:1", created="2024-01-01T00:00:00Z")
SAME = listed("quay.io/team/app:2", seed="app:1", created="2024-01-01T00:00:00Z")
MANY = listed("many:1", platforms=("linux/amd64", "linux/arm64"), created="2025-01-01T00:00:00Z")
NAMELESS = listed(f"{UNTAGGED}@{digest('nameless')}", seed="nameless")
IMAGES = [APP, SAME, MANY, NAMELESS]


def test_a_name_has_the_usual_defaults() -> None:
    """``app:1`` is on Docker Hub; without a tag it is ``latest``."""
    found = find_image("docker.io/library/app:1", IMAGES)
    assert (found.digest, found.image_id, found.by_id) == (APP.digest, image_id(APP), False)
    with pytest.raises(NotFound) as error:
        find_image("app", IMAGES)
    assert "did you mean app:1" in error.value.hint


def test_a_name_with_a_digest_is_found_by_it() -> None:
    """Of the index itself and of its entries, within the repository only."""
    assert find_image(f"many@{MANY.digest}", IMAGES).digest == MANY.digest
    entry = MANY.variants[1]
    found = find_image(f"many@{entry.manifest}", IMAGES)
    assert (found.digest, found.image_id) == (entry.manifest, entry.config)
    with pytest.raises(NotFound):
        find_image(f"app@{MANY.digest}", IMAGES)


def test_an_id_finds_all_names() -> None:
    """The same image under two names is one image; a nameless one is reached as well."""
    found = find_image(image_id(APP).short, IMAGES)
    assert found.by_id
    assert found.names == (APP.reference, SAME.reference)
    nameless = find_image(f"sha256:{image_id(NAMELESS).hex}", IMAGES)
    assert nameless.name is None
    assert nameless.reference.repository == UNTAGGED


def test_an_image_of_an_index_has_an_id_of_its_own() -> None:
    """The index by its digest, its images by their configs."""
    assert find_image(MANY.digest.short, IMAGES).digest == MANY.digest
    arm = MANY.variants[1]
    assert find_image(arm.config.hex, IMAGES).digest == arm.manifest


def test_a_name_wins_over_an_id() -> None:
    """An image that happens to be called like an id is meant by its name."""
    prefix = image_id(APP).hex[:8]
    called = listed(f"{prefix}:latest", seed="called like an id")
    assert find_image(prefix, [*IMAGES, called]).digest == called.digest


@given(st.integers(min_value=1, max_value=64), st.sampled_from(IMAGES))
def test_a_beginning_is_unique_or_refused(length: int, image: object) -> None:
    """Whatever is found begins so, and whatever is ambiguous is an error of its own."""
    chosen = next(one for one in IMAGES if one is image)
    prefix = image_id(chosen).hex[:length]
    ids = {image_id(one) for one in IMAGES} | {
        digest for one in IMAGES for v in one.variants for digest in (v.config, v.manifest)
    }
    matching = {known for known in ids if known.hex.startswith(prefix)}
    if len(matching) == 1:
        assert find_image(prefix, IMAGES).image_id == image_id(chosen)
    else:
        with pytest.raises(InvalidReference, match="beginning"):
            find_image(prefix, IMAGES)


@given(st.text(max_size=80))
def test_any_text_finds_or_fails_clearly(text: str) -> None:
    """Nothing that a person types is anything but found, absent or malformed."""
    with suppress(NotFound, InvalidReference):
        find_image(text, IMAGES)


def _chosen(*filters: str, repository: str | None = None) -> list[Reference]:
    wanted = ImageFilter.parse(repository, filters)
    labels = {image_id(APP): {"team": "blue"}}
    return [image.reference for image in choose_images(wanted, IMAGES, labels)]


def test_images_are_filtered_as_docker_does() -> None:
    """By repository, pattern, label, age, and whether they have a name."""
    assert _chosen(repository="app") == [APP.reference]
    assert _chosen(repository="app:2") == []
    assert _chosen("reference=quay.io/*") == [SAME.reference]
    assert _chosen("dangling=true") == [NAMELESS.reference]
    assert _chosen("dangling=false", "before=many:1") == [APP.reference, SAME.reference]
    assert _chosen(f"since={image_id(APP).short}") == [MANY.reference]
    assert _chosen("label=team=blue") == [APP.reference, SAME.reference]
    assert _chosen("label=team=red") == []
