"""Reading from a registry and its mirrors: names, manifests, blobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar

from airgap.errors import AccessDenied, AirgapError, InvalidReference, RateLimited, Unreachable
from airgap.oci import media_types
from airgap.oci.descriptor import Descriptor
from airgap.oci.digest import Digest
from airgap.oci.manifest import MAX_MANIFEST_SIZE, parse_manifest
from airgap.oci.reference import Reference, Repository
from airgap.registry import scopes
from airgap.registry.answers import Answer
from airgap.registry.blob_reader import ResumingReader
from airgap.registry.exchange import Call, Host
from airgap.registry.manifest_cache import ManifestCache
from airgap.registry.pacing import Lane

_ACCEPT = {"Accept": ", ".join(media_types.ACCEPT_MANIFESTS)}
_NO_HEAD = frozenset({200, 405, 501})

Result = TypeVar("Result")


OUT_OF_REACH = (AccessDenied, RateLimited, Unreachable)
"""Errors of a registry itself after which a listing may be asked of its mirrors."""


async def first_that_works(
    hosts: Sequence[Host], ask: Callable[[Host], Awaitable[Result]]
) -> Result:
    """Ask mirrors, then the registry itself; the registry's own error is the one that counts.

    Raises:
        AirgapError: none of them gave an answer.
    """
    *mirrors, origin = hosts
    for mirror in mirrors:
        try:
            return await ask(mirror)
        except AirgapError as error:
            mirror.note("info", f"{error.cause}; asking {origin.name} instead")
    return await ask(origin)


async def resolve(hosts: Sequence[Host], reference: Reference, cache: ManifestCache) -> Descriptor:
    """Return what a reference stands for, at the cost of one HEAD where that tells all.

    Raises:
        NotFound: no such repository, tag or digest.
        InvalidReference: the reference names a whole repository.
    """

    async def ask(host: Host) -> Descriptor:
        call = manifest_call(host, reference.repository, reference.name, str(reference))
        answer = await host.call(_as_head(call))
        found = _described(answer, reference.digest) if answer.status == HTTPStatus.OK else None
        if found is not None:
            return found
        host.note("debug", f"HEAD of {reference} does not tell digest, size and type; using GET")
        return _remembered(await host.call(call), reference, cache)

    return await first_that_works(hosts, ask)


async def read_manifest(
    hosts: Sequence[Host], repository: Repository, descriptor: Descriptor, cache: ManifestCache
) -> bytes:
    """Return a manifest's bytes; a mirror that has others for this digest is passed over.

    Raises:
        NotFound: there is no such manifest.
        ContentMismatch: the registry itself has other bytes for this digest.
    """
    cached = cache.get(repository, descriptor.digest)
    if cached is not None:
        return cached.raw
    thing = f"{repository}@{descriptor.digest}"

    def check(raw: bytes) -> str:
        actual = Digest.of(raw, descriptor.digest.algorithm)
        return "" if actual == descriptor.digest else f"the manifest hashes to {actual}"

    async def ask(host: Host) -> bytes:
        call = manifest_call(host, repository, descriptor.digest, thing)
        return (await host.call(replace(call, check=check))).body

    return await first_that_works(hosts, ask)


def open_blob(
    hosts: Sequence[Host], repository: Repository, descriptor: Descriptor, offset: int
) -> ResumingReader:
    """Return a reader of a blob, to be entered, that takes the first host that has it."""

    def call_for(host: Host) -> Call:
        return Call(
            "GET",
            host.endpoint.of(repository, "blobs", descriptor.digest),
            f"{repository}@{descriptor.digest}",
            scopes=(scopes.pull(host.endpoint.path(repository)),),
            accepted=frozenset({200, 206, 416}),
            lane=Lane.READ,
        )

    return ResumingReader(hosts, call_for, descriptor, offset)


def manifest_call(host: Host, repository: Repository, name: str, thing: str) -> Call:
    """Return the call that reads a manifest by tag or digest."""
    return Call(
        "GET",
        host.endpoint.of(repository, "manifests", name),
        thing,
        scopes=(scopes.pull(host.endpoint.path(repository)),),
        headers=_ACCEPT,
        limit=MAX_MANIFEST_SIZE,
    )


def _as_head(call: Call) -> Call:
    return Call(
        "HEAD",
        call.url,
        call.thing,
        scopes=call.scopes,
        headers=call.headers,
        accepted=_NO_HEAD,
    )


def media_type_of(answer: Answer) -> str:
    """Return the media type of an answer, without parameters; may be empty."""
    return answer.headers.get("Content-Type", "").partition(";")[0].strip()


def _described(answer: Answer, wanted: Digest | None) -> Descriptor | None:
    """Read a descriptor from headers; None where they do not tell all or contradict."""
    try:
        announced = Digest(answer.headers.get("Docker-Content-Digest", ""))
    except InvalidReference:
        announced = None
    digest = wanted or announced
    media_type = media_type_of(answer)
    length = answer.headers.get("Content-Length", "")
    if digest is None or not length.isdecimal() or not int(length):
        return None
    if media_type not in media_types.MANIFESTS | media_types.DOCKER_SCHEMA1:
        return None
    if wanted and announced and announced.algorithm == wanted.algorithm and announced != wanted:
        return None
    return Descriptor(media_type, digest, int(length))


def _remembered(answer: Answer, reference: Reference, cache: ManifestCache) -> Descriptor:
    digest = reference.digest or Digest.of(answer.body)
    descriptor = parse_manifest(answer.body, media_type_of(answer), digest=digest).descriptor
    cache.put(reference.repository, descriptor, answer.body)
    return descriptor
