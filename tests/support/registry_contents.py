"""What the scripted registry holds, and how it would answer if nothing went wrong."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from airgap.oci import media_types
from airgap.oci.digest import Digest
from tests.support.images import BuiltImage
from tests.support.registry_faults import Reply
from tests.support.registry_gate import BasicGate, TokenGate

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>.*)")


@dataclass(frozen=True)
class Request:
    """A request with its whole body."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    ignores_range: bool = False

    @property
    def arguments(self) -> Mapping[str, list[str]]:
        """The fields of the query."""
        return parse_qs(self.query, keep_blank_values=True)


@dataclass
class Habits:
    """How this registry differs from others.

    Attributes:
        referrers_api: whether it keeps lists of referrers, and says ``OCI-Subject``.
        mounts: whether it mounts; else it begins an upload instead.
        keeps_broken_uploads: whether what a broken request brought is there afterwards.
        loses_chunks: whether a PATCH is answered well and forgotten, as ECR does.
        largest_body: bytes of a request's body; over it the answer is 413.
        smallest_chunk: bytes, said in ``OCI-Chunk-Min-Length``.
        largest_chunk: bytes of a PATCH; over it the answer is 416, as GHCR does.
        page: entries of a page of a listing, whatever was asked for.
        relative: whether a Location is a path.
        created: the status of a successful PUT.
    """

    referrers_api: bool = True
    mounts: bool = True
    keeps_broken_uploads: bool = True
    loses_chunks: bool = False
    largest_body: int | None = None
    smallest_chunk: int | None = None
    largest_chunk: int | None = None
    page: int = 1000
    relative: bool = False
    created: int = 201


@dataclass
class Content:
    """What one repository holds."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Contents:
    """Repositories and uploads in memory."""

    def __init__(self) -> None:
        self.url = ""
        self.habits = Habits()
        self.gate: BasicGate | TokenGate | None = None
        self.content: dict[str, Content] = {}
        self.uploads: dict[str, bytearray] = {}
        self._numbers = itertools.count()

    def add(self, name: str, built: BuiltImage) -> None:
        """Hold an image; ``name`` is a path, with a tag or without."""
        path, _, tag = name.partition(":")
        content = self.content.setdefault(path, Content())
        content.blobs |= {str(digest): blob for digest, blob in built.blobs.items()}
        for manifest in built.manifests:
            described = manifest.descriptor
            content.manifests[described.digest] = (described.media_type, manifest.raw)
        if tag:
            content.tags[tag] = built.digest

    def reply(self, request: Request) -> Reply:
        """Answer as a registry without faults would."""
        found = _PATH.fullmatch(request.path)
        if request.path == "/token":
            return self._token(request)
        if (refusal := self._refusal(request, found)) is not None:
            return refusal
        if found is not None:
            return self._of_repository(request, found["name"], found["kind"], found["rest"])
        if request.path == "/v2/_catalog":
            return self._page(request, "repositories", sorted(self.content))
        return Reply(200, {}, b"{}") if request.path == "/v2/" else Reply(404)

    def _token(self, request: Request) -> Reply:
        if self.gate is None:
            return Reply(404)
        return self.gate.token(
            request.method, request.query, request.body, request.headers.get("Authorization")
        )

    def _refusal(self, request: Request, found: re.Match[str] | None) -> Reply | None:
        if self.gate is None:
            return None
        needed = _needed_scope(request.method, request.path, found)
        realm = f"{self.url}/token"
        return self.gate.refusal(request.headers.get("Authorization"), needed, realm)

    def _of_repository(self, request: Request, name: str, kind: str, rest: str) -> Reply:
        if kind == "manifests":
            return self._manifest(request, name, rest)
        if kind == "referrers":
            return self._referrers(name, rest)
        if kind == "tags":
            if name not in self.content:
                return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
            return self._page(request, "tags", sorted(self.content[name].tags))
        if rest.startswith("uploads/"):
            return self._upload(request, name, rest.removeprefix("uploads/"))
        return self._blob(request, name, rest)

    def _page(self, request: Request, key: str, entries: list[str]) -> Reply:
        arguments = request.arguments
        last = arguments.get("last", [""])[0]
        left = [entry for entry in entries if entry > last]
        size = min(self.habits.page, int(arguments.get("n", ["1000"])[0]))
        headers = {"Content-Type": "application/json"}
        if len(left) > size:
            headers["Link"] = f'<{request.path}?last={left[size - 1]}&n={size}>; rel="next"'
        return Reply(200, headers, json.dumps({key: left[:size]}).encode())

    def _manifest(self, request: Request, name: str, which: str) -> Reply:
        if request.method == "PUT":
            return self._put_manifest(request, name, which)
        content = self.content.get(name, Content())
        digest = content.tags.get(which, which)
        if digest not in content.manifests:
            return _error(404, "MANIFEST_UNKNOWN", f"manifest unknown to {name}")
        media_type, raw = content.manifests[digest]
        return _content(request, raw, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _put_manifest(self, request: Request, name: str, which: str) -> Reply:
        body = request.body
        digest = Digest.of(body)
        if which.startswith("sha256:") and which != digest:
            return _error(400, "DIGEST_INVALID", "provided digest did not match")
        content = self.content.setdefault(name, Content())
        document: dict[str, Any] = json.loads(body)
        below = [document.get("config"), *document.get("layers", [])]
        lacking = [entry for entry in below if entry and entry["digest"] not in content.blobs]
        if lacking:
            return _error(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown: {lacking[0]['digest']}")
        content.manifests[digest] = (request.headers["Content-Type"], body)
        if not which.startswith("sha256:"):
            content.tags[which] = digest
        headers = {
            "Docker-Content-Digest": str(digest),
            "Location": f"/v2/{name}/manifests/{digest}",
        }
        if self.habits.referrers_api and document.get("subject"):
            headers["OCI-Subject"] = document["subject"]["digest"]
        return Reply(self.habits.created, headers)

    def _referrers(self, name: str, subject: str) -> Reply:
        if not self.habits.referrers_api:
            return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found")
        entries = []
        for digest, (kind, raw) in self.content.get(name, Content()).manifests.items():
            document = json.loads(raw)
            if (document.get("subject") or {}).get("digest") == subject:
                artifact = document.get("artifactType") or document["config"]["mediaType"]
                entry = {"mediaType": kind, "digest": digest, "size": len(raw)}
                extra = {"annotations": document.get("annotations", {})}
                entries.append(entry | extra | {"artifactType": artifact})
        index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
        return Reply(200, {"Content-Type": media_types.OCI_INDEX}, json.dumps(index).encode())

    def _blob(self, request: Request, name: str, digest: str) -> Reply:
        blob = self.content.get(name, Content()).blobs.get(digest)
        if blob is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked is None or request.ignores_range:
            return _content(request, blob, headers)
        start = int(asked[1])
        if start >= len(blob):
            return Reply(416, {"Content-Range": f"bytes */{len(blob)}"})
        headers["Content-Range"] = f"bytes {start}-{len(blob) - 1}/{len(blob)}"
        return Reply(206, headers, blob[start:])

    def _upload(self, request: Request, name: str, session_id: str) -> Reply:
        if self.habits.largest_body is not None and len(request.body) > self.habits.largest_body:
            return Reply(413, {"Content-Type": "text/html"}, b"<html>413</html>")
        if request.method == "POST":
            return self._begin(name, request.arguments)
        if session_id not in self.uploads or request.arguments.get("_state") != [session_id]:
            return _error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        if request.method == "PATCH":
            return self._patch(request, name, session_id)
        if request.method == "PUT":
            return self._finish(request, name, session_id)
        return Reply(204, self._session(name, session_id))

    def _finish(self, request: Request, name: str, session_id: str) -> Reply:
        digest = request.arguments["digest"][0]
        whole = bytes(self.uploads.pop(session_id)) + request.body
        if Digest.of(whole, Digest(digest).algorithm) != digest:
            return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.content.setdefault(name, Content()).blobs[digest] = whole
        return Reply(self.habits.created, {"Docker-Content-Digest": digest})

    def _begin(self, name: str, arguments: Mapping[str, list[str]]) -> Reply:
        if "mount" in arguments and self.habits.mounts:
            digest, origin = arguments["mount"][0], arguments["from"][0]
            blob = self.content.get(origin, Content()).blobs.get(digest)
            if blob is not None:
                self.content.setdefault(name, Content()).blobs[digest] = blob
                return Reply(201, {"Docker-Content-Digest": digest})
        session_id = f"upload-{next(self._numbers)}"
        self.uploads[session_id] = bytearray()
        return Reply(202, self._session(name, session_id))

    def _patch(self, request: Request, name: str, session_id: str) -> Reply:
        body = request.body
        session = self.uploads[session_id]
        span = re.fullmatch(r"(\d+)-(\d+)", request.headers.get("Content-Range", ""))
        largest = self.habits.largest_chunk
        wrong = span is not None and int(span[1]) != len(session)
        if wrong or (largest is not None and len(body) > largest):
            return Reply(416, self._session(name, session_id))
        if not self.habits.loses_chunks:
            session += body
        return Reply(202, self._session(name, session_id))

    def _session(self, name: str, session_id: str) -> dict[str, str]:
        location = f"/v2/{name}/blobs/uploads/{session_id}?_state={session_id}"
        headers = {
            "Location": location if self.habits.relative else f"{self.url}{location}",
            "Range": f"0-{max(0, len(self.uploads[session_id]) - 1)}",
        }
        if self.habits.smallest_chunk is not None:
            headers["OCI-Chunk-Min-Length"] = str(self.habits.smallest_chunk)
        return headers


def _needed_scope(method: str, path: str, found: re.Match[str] | None) -> str:
    if path == "/v2/_catalog":
        return "registry:catalog:*"
    if found is None:
        return ""
    actions = "pull" if method in {"GET", "HEAD"} and "/uploads/" not in path else "pull,push"
    return f"repository:{found['name']}:{actions}"


def _content(request: Request, body: bytes, headers: dict[str, str]) -> Reply:
    if request.method == "HEAD":
        return Reply(200, {**headers, "Content-Length": str(len(body))})
    return Reply(200, headers, body)


def _error(status: int, code: str, message: str) -> Reply:
    document = {"errors": [{"code": code, "message": message, "detail": {}}]}
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(document).encode())
