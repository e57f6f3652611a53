"""What ``push`` pushes, and under which names: from what stands on its command line.

::

    push REF                  where REF itself says, as docker has it
    push REF DST              under another name, there
    push REF… --to REGISTRY   into one registry, by the mapping of names
    push --all [--to …]       everything, by the mapping of names
    push --all-tags REPO      every tag of a repository; DST or --to as above

DST and REGISTRY can be the Docker Engine: ``docker-daemon:NAME`` and ``docker-daemon:``.

Where the config names a registry to push to, ``push REF`` means that one, as ``--to`` would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airgap.errors import InvalidReference, NotFound, UsageError
from airgap.oci.location import Location, Transport
from airgap.oci.name_mapping import NameMapping
from airgap.oci.reference import Reference
from airgap.store.listing import ListedImage
from airgap.usecases.choose import choose
from airgap.usecases.local_images import find_image
from airgap.usecases.places import parse_place

_PAIR = 2


@dataclass(frozen=True, slots=True)
class PushWords:
    """What a person has written.

    Attributes:
        names: the arguments.
        everything: ``--all``.
        all_tags: ``--all-tags``.
        mapping: from ``--to`` or the config; None where neither says.
        mapping_is_given: it is from ``--to``.
        to_engine: ``--to docker-daemon:``; images keep their names there.
    """

    names: Sequence[str]
    everything: bool = False
    all_tags: bool = False
    mapping: NameMapping | None = None
    mapping_is_given: bool = False
    to_engine: bool = False


@dataclass(frozen=True, slots=True)
class PushNames:
    """Names at the source and at the destination.

    Attributes:
        pairs: both, for each image.
        transport: a registry or an engine.
    """

    pairs: tuple[tuple[Reference, Reference], ...]
    transport: Transport = Transport.REGISTRY


def push_names(words: PushWords, images: Sequence[ListedImage]) -> PushNames:
    """Find out what to push where.

    Raises:
        UsageError: the words do not fit together.
        NotFound: an image is not in the store.
        Refused: two names would become one.
    """
    if not words.names and not words.everything:
        raise UsageError("", "nothing to push", "name references, or push all with --all")
    if words.everything and (words.names or words.all_tags):
        raise UsageError("--all", "takes everything, so there is nothing to name beside it")
    destination = _destination(words)
    if destination is not None:
        return _under_another_name(words, destination, images)
    chosen = _chosen(words, images)
    if words.to_engine:
        return PushNames(tuple((name, name) for name in chosen), Transport.ENGINE)
    if words.mapping is not None:
        return PushNames(tuple(zip(chosen, words.mapping.map_all(chosen), strict=True)))
    if words.everything:
        raise UsageError(
            "", "no registry is named to push to", "name it with --to REGISTRY, or in the config"
        )
    return PushNames(tuple((name, name) for name in chosen))


def _destination(words: PushWords) -> Location | None:
    if words.to_engine or words.mapping_is_given:
        return None
    if len(words.names) != _PAIR:
        if len(words.names) > _PAIR and words.mapping is None:
            raise UsageError(
                "", "several images need a registry to go to", "name it with --to REGISTRY"
            )
        return None
    if words.mapping is not None:
        raise UsageError(
            " ".join(words.names),
            f"could be two images for {words.mapping.destination}, or an image and its new name",
            "say --to for the first, or `airgap copy` for the second",
        )
    place = parse_place(words.names[1])
    if place.transport not in {Transport.STORE, Transport.REGISTRY, Transport.ENGINE}:
        raise UsageError(
            words.names[1], "is no registry", f"`airgap copy {' '.join(words.names)}` writes files"
        )
    return place


def _under_another_name(
    words: PushWords, destination: Location, images: Sequence[ListedImage]
) -> PushNames:
    engine = destination.transport is Transport.ENGINE
    transport = Transport.ENGINE if engine else Transport.REGISTRY
    if words.all_tags:
        if destination.reference is None:
            return PushNames(tuple((n, n) for n in _chosen(words, images)), transport)
        repository = destination.reference.repository
        return PushNames(
            tuple((n, Reference(repository, n.tag)) for n in _chosen(words, images)), transport
        )
    found = find_image(words.names[0], images)
    target = destination.reference or found.name
    if target is None:
        raise InvalidReference(words.names[0], "has no name", "name it behind docker-daemon:")
    return PushNames(((found.reference, target),), transport)


def _chosen(words: PushWords, images: Sequence[ListedImage]) -> list[Reference]:
    tagged = [image.reference for image in images if image.reference.tag is not None]
    if not words.all_tags:
        return choose(words.names, tagged)
    wanted = Reference.parse(words.names[0])
    if wanted.tag is not None or wanted.digest is not None:
        raise UsageError(
            words.names[0],
            "names one image, and --all-tags takes all",
            f"write {wanted.repository.familiar}",
        )
    found = [name for name in tagged if name.repository == wanted.repository]
    if not found:
        raise NotFound(wanted.repository.familiar, "the store has no such repository")
    return found
