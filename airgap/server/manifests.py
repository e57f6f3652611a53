"""Pulling, pushing and deleting manifests (distribution-spec, "Pulling/Pushing Manifests")."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from airgap.content.ports import capability
from airgap.errors import AirgapError
from airgap.oci import media_types
from airgap.oci.digest import Digest
from airgap.oci.manifest import MAX_MANIFEST_SIZE, Manifest, Role, parse_manifest
from airgap.oci.reference import Reference, is_tag
from airgap.server.answers import ApiError, Code
from airgap.server.call import Call, empty
from airgap.server.pull_through import Freshens

_MAX_TAGS = 100
"""Tags that one push may set; the specification asks for at least 10."""


async def get_manifest(call: Call) -> web.Response:
    """Send a manifest byte for byte, in the one type it has."""
    reference = _reference(call)
    upstream = capability(call.hosting, Freshens)
    warning = await upstream.freshen(reference) if upstream is not None else None
    descriptor = await call.hosting.find(reference)
    if descriptor is None:
        raise _unknown()
    headers = {
        "Content-Type": descriptor.media_type,
        "Docker-Content-Digest": str(descriptor.digest),
        "ETag": f'"{descriptor.digest}"',
    }
    if warning is not None:
        headers["Warning"] = f'299 - "{warning}"'
    if call.request.method == "HEAD":
        return empty(HTTPStatus.OK, headers | {"Content-Length": str(descriptor.size)})
    raw = call.service.manifests.get(descriptor.digest)
    if raw is None:
        raw = await call.hosting.read_manifest(call.repository, descriptor)
        call.service.manifests.put(descriptor.digest, raw)
    return web.Response(body=raw, headers=headers)


async def put_manifest(call: Call) -> web.Response:
    """Take in a manifest under a tag, or under its digest with any number of tags besides."""
    reference = _reference(call)
    tags = _tags(call, reference)
    raw = await call.service.body(call.request, MAX_MANIFEST_SIZE).whole()
    manifest = _parsed(raw, call.request.headers.get("Content-Type"), reference.digest)
    async with call.push() as push:
        if not call.service.settings.sparse_images:
            await _check_blobs(call, manifest)
        await call.hosting.publish_manifest(call.repository, manifest, tags)
        push.wrote = True
        push.take_in(manifest, tagged=bool(tags))
    headers = {
        "Location": call.location(f"manifests/{manifest.descriptor.digest}"),
        "Docker-Content-Digest": str(manifest.descriptor.digest),
    }
    if manifest.subject is not None:
        headers["OCI-Subject"] = str(manifest.subject.digest)
    if tags and reference.digest is not None:
        headers["OCI-Tag"] = ", ".join(tags)
    return empty(HTTPStatus.CREATED, headers)


async def delete_manifest(call: Call) -> web.Response:
    """Remove a tag; or, by digest, a manifest with all of its tags."""
    reference = _reference(call)
    if reference.digest is not None:
        removed = await call.hosting.remove_manifest(call.repository, reference.digest)
    else:
        removed = await call.hosting.remove_tag(reference)
    if not removed:
        raise _unknown()
    return empty(HTTPStatus.ACCEPTED, {})


def _reference(call: Call) -> Reference:
    leaf = call.route.leaf
    if ":" in leaf:
        return Reference(call.repository, digest=call.digest())
    if is_tag(leaf):
        return Reference(call.repository, leaf)
    if call.request.method == "PUT":
        raise _invalid("this is not a tag")
    raise _unknown()


def _tags(call: Call, reference: Reference) -> tuple[str, ...]:
    if reference.tag is not None:
        return (reference.tag,)
    tags = tuple(dict.fromkeys(call.request.query.getall("tag", ())))
    if len(tags) > _MAX_TAGS:
        raise ApiError(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            Code.MANIFEST_INVALID,
            f"one push sets {_MAX_TAGS} tags at most",
        )
    if not all(map(is_tag, tags)):
        raise _invalid("a tag to set is not a tag")
    return tags


def _parsed(raw: bytes, content_type: str | None, digest: Digest | None) -> Manifest:
    if digest is not None and Digest.of(raw, digest.algorithm) != digest:
        raise ApiError(
            HTTPStatus.BAD_REQUEST, Code.DIGEST_INVALID, "the manifest has another digest"
        )
    try:
        manifest = parse_manifest(raw, content_type, digest=digest)
    except AirgapError as error:
        raise _invalid(f"{error}") from None
    kind = manifest.descriptor.media_type
    if kind not in media_types.MANIFESTS:
        raise _invalid(f"{kind[:100]} is no type of manifest that is known here")
    if kind in media_types.IMAGE_MANIFESTS and manifest.config is None:
        raise _invalid("an image manifest names a config")
    return manifest


async def _check_blobs(call: Call, manifest: Manifest) -> None:
    """Refuse an image whose blobs are not there; what an index names may come later or never."""
    blobs = [
        child.descriptor
        for child in manifest.children()
        if child.role is not Role.MANIFEST
        and not media_types.is_foreign_layer(child.descriptor.media_type)
    ]
    missing = await call.hosting.missing(call.repository, blobs) if blobs else frozenset()
    if missing:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            Code.MANIFEST_BLOB_UNKNOWN,
            "a blob that the manifest names is not in the repository",
            details=tuple({"digest": str(digest)} for digest in sorted(missing)),
        )


def _invalid(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, Code.MANIFEST_INVALID, message)


def _unknown() -> ApiError:
    return ApiError(
        HTTPStatus.NOT_FOUND, Code.MANIFEST_UNKNOWN, "the repository has no such manifest"
    )
