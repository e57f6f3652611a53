"""What ``push`` pushes where, from every shape of its command line."""

from __future__ import annotations

import pytest

from airgap.errors import AirgapError, NotFound, Refused, UsageError
from airgap.oci.location import Transport
from airgap.oci.name_mapping import Change, Destination, MappingRule, NameMapping
from airgap.usecases.local_images import image_id
from airgap.usecases.push_names import PushNames, PushWords, push_names
from tests.usecases.listings import listed

IMAGES = [listed("app:1"), listed("app:2"), listed("quay.io/team/app:1")]
HUB = NameMapping(Destination.parse("reg.lan:5000/hub"))


def names(found: PushNames) -> list[tuple[str, str]]:
    """Return the pairs as text."""
    return [(source.familiar, str(target)) for source, target in found.pairs]


def test_a_name_alone_goes_where_it_says() -> None:
    """As with docker: the registry is part of the name."""
    found = push_names(PushWords(["quay.io/team/app:1"]), IMAGES)
    assert names(found) == [("quay.io/team/app:1", "quay.io/team/app:1")]


def test_a_second_name_is_what_it_is_called_there() -> None:
    """By name or id, with or without the transport's name."""
    wanted = [("app:1", "reg.lan:5000/x:7")]
    assert names(push_names(PushWords(["app:1", "reg.lan:5000/x:7"]), IMAGES)) == wanted
    words = PushWords(["app:1", "docker://reg.lan:5000/x:7"])
    assert names(push_names(words, IMAGES)) == wanted
    by_id = push_names(PushWords([image_id(IMAGES[0]).short, "reg.lan:5000/x:7"]), IMAGES)
    assert str(by_id.pairs[0][1]) == "reg.lan:5000/x:7"


def test_a_registry_takes_any_number() -> None:
    """With --to names are mapped, two names included."""
    words = PushWords(["app:1", "app:2"], mapping=HUB, mapping_is_given=True)
    assert [target for _, target in names(push_names(words, IMAGES))] == [
        "reg.lan:5000/hub/docker.io/library/app:1",
        "reg.lan:5000/hub/docker.io/library/app:2",
    ]
    assert len(push_names(PushWords([], everything=True, mapping=HUB), IMAGES).pairs) == 3
    assert len(push_names(PushWords(["*app:1"], mapping=HUB), IMAGES).pairs) == 2


def test_all_tags_of_a_repository() -> None:
    """Where the repository says, to another one, or by the mapping."""
    words = PushWords(["app"], all_tags=True)
    assert [target for _, target in names(push_names(words, IMAGES))] == [
        "docker.io/library/app:1",
        "docker.io/library/app:2",
    ]
    other = PushWords(["app", "reg.lan:5000/x"], all_tags=True)
    assert [target for _, target in names(push_names(other, IMAGES))] == [
        "reg.lan:5000/x:1",
        "reg.lan:5000/x:2",
    ]
    mapped = PushWords(["app"], all_tags=True, mapping=HUB)
    assert all(str(target).startswith("reg.lan") for _, target in push_names(mapped, IMAGES).pairs)


def test_an_engine_is_a_destination_too() -> None:
    """Named with another name, or as a whole: then names stay."""
    one = push_names(PushWords(["app:1", "docker-daemon:x:7"]), IMAGES)
    assert (one.transport, names(one)) == (Transport.ENGINE, [("app:1", "docker.io/library/x:7")])
    keeping = push_names(PushWords(["app:1", "docker-daemon:"]), IMAGES)
    assert names(keeping) == [("app:1", "docker.io/library/app:1")]
    whole = push_names(PushWords(["app:1", "app:2"], to_engine=True), IMAGES)
    assert (whole.transport, len(whole.pairs)) == (Transport.ENGINE, 2)


@pytest.mark.parametrize(
    "words,error",
    [
        (PushWords([]), UsageError),
        (PushWords([], everything=True), UsageError),
        (PushWords(["app:1"], everything=True), UsageError),
        (PushWords(["app:1", "app:2", "quay.io/team/app:1"]), UsageError),
        # Two images for the configured registry, or an image and its name? Nobody is to guess.
        (PushWords(["app:1", "app:2"], mapping=HUB), UsageError),
        (PushWords(["app:1", "oci:folder"]), UsageError),
        (PushWords(["app:1"], all_tags=True), UsageError),
        (PushWords(["absent"], all_tags=True), NotFound),
        (PushWords(["absent:1"]), NotFound),
    ],
)
def test_words_that_do_not_fit_together_are_refused(
    words: PushWords, error: type[AirgapError]
) -> None:
    """Each with one error, before anything is pushed."""
    with pytest.raises(error):
        push_names(words, IMAGES)


def test_two_names_do_not_become_one() -> None:
    """A mapping that would let them is refused."""
    rules = (
        MappingRule("docker.io/library", Change.STRIP),
        MappingRule("quay.io/team", Change.STRIP),
    )
    mapping = NameMapping(Destination.parse("reg.lan:5000"), rules)
    with pytest.raises(Refused):
        push_names(PushWords([], everything=True, mapping=mapping), IMAGES)
