"""What an engine holds and does: its images, its containers, saving, loading, committing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airgap.archive.opening import open_archive
from airgap.archive.source import ArchiveSource
from airgap.engine.client import EngineClient
from airgap.engine.spool import engine_spool
from airgap.errors import ContentMismatch, EngineFault, InvalidReference
from airgap.oci.digest import Digest
from airgap.oci.json_object import JsonObject
from airgap.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image of an engine.

    Attributes:
        image_id: the digest of its config.
        names: its references; none where it is untagged.
        size: bytes that it takes unpacked.
        created: seconds since 1970.
    """

    image_id: Digest
    names: tuple[Reference, ...]
    size: int
    created: int


@dataclass(frozen=True, slots=True)
class EngineContainer:
    """A container of an engine.

    Attributes:
        container_id: 64 hex digits.
        names: without slashes.
        image: what it was made from, as its maker wrote it.
        state: ``running``, ``exited`` and so on.
    """

    container_id: str
    names: tuple[str, ...]
    image: str
    state: str


@dataclass(frozen=True, slots=True)
class ContainerCommit:
    """How a container is made an image.

    Attributes:
        target: the name of the new image; None leaves it untagged.
        author: who.
        message: why.
        changes: Dockerfile instructions.
        pause: whether the container stands still meanwhile.
    """

    target: Reference | None = None
    author: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    pause: bool = True


class Engine:
    """A Docker Engine, or what speaks its API."""

    def __init__(self, client: EngineClient) -> None:
        """Use a client that is open."""
        self._client = client

    async def images(self) -> tuple[EngineImage, ...]:
        """Return all images that have a name or are nobody's parent, in the engine's order."""
        listed = await self._client.ask("GET", "/images/json", what="images")
        return tuple(_read(_image, item, "image") for item in _list(listed, "images"))

    async def inspect(self, name: Reference | Digest) -> dict[str, Any]:
        """Return what the engine says of one image, as it says it.

        Raises:
            NotFound: it has no such image.
        """
        shown = _shown(name)
        answer = await self._client.ask("GET", f"/images/{quote(shown)}/json", what=shown)
        if not isinstance(answer, dict):
            raise EngineFault(shown, "the engine's answer is not an object")
        return answer

    async def image_id(self, name: Reference | Digest) -> Digest:
        """Return the id of one image, as the engine has it.

        Raises:
            NotFound: it has no such image.
        """
        answer = JsonObject(await self.inspect(name), _shown(name))
        try:
            return _digest(answer.text("Id"))
        except (ContentMismatch, InvalidReference) as error:
            raise EngineFault(_shown(name), f"the engine does not say its id ({error})") from None

    async def tag(self, name: Reference | Digest, target: Reference) -> None:
        """Give an image one more name.

        Raises:
            NotFound: there is no such image.
        """
        shown = _shown(name)
        parameters = {"repo": str(target.repository), "tag": target.tag or "latest"}
        await self._client.ask(
            "POST", f"/images/{quote(shown)}/tag", what=shown, parameters=parameters
        )

    async def remove(self, image_id: Digest) -> None:
        """Remove an image that has no name.

        Raises:
            NotFound: there is no such image.
            EngineFault: it has a name, or a container uses it.
        """
        parameters = {"noprune": "true"}
        await self._client.ask(
            "DELETE", f"/images/{image_id}", what=image_id, parameters=parameters
        )

    async def containers(self) -> tuple[EngineContainer, ...]:
        """Return all containers, stopped ones included."""
        listed = await self._client.ask(
            "GET", "/containers/json", what="containers", parameters={"all": "true"}
        )
        return tuple(_read(_container, item, "container") for item in _list(listed, "containers"))

    async def commit(self, container: str, commit: ContainerCommit) -> Digest:
        """Make an image of a container, and return its id.

        Args:
            container: a name or an id.
            commit: how.

        Raises:
            NotFound: there is no such container.
            EngineFault: the engine does not take an instruction, or fails.
        """
        parameters = [
            ("container", container),
            ("author", commit.author),
            ("comment", commit.message),
            ("pause", "true" if commit.pause else "false"),
            *(("changes", change) for change in commit.changes),
        ]
        if commit.target is not None:
            parameters += [
                ("repo", str(commit.target.repository)),
                ("tag", commit.target.tag or "latest"),
            ]
        async with self._client.request(
            "POST", "/commit", what=container, parameters=parameters, json_body={}
        ) as answer:
            raw = await self._client.body(answer, container)
        try:
            return _digest(JsonObject.parse(raw, container, limit=len(raw)).text("Id"))
        except (ContentMismatch, InvalidReference) as error:
            raise EngineFault(container, f"the engine does not say the new id ({error})") from None

    @asynccontextmanager
    async def saved(
        self, names: Sequence[Reference | Digest], *, scratch: Path
    ) -> AsyncIterator[ArchiveSource]:
        """Let the engine save images, and offer them as a source.

        What the engine sends is kept in the scratch folder for as long as the block lasts: an
        archive can be read only when its end, where older engines name the images, has come.

        Raises:
            NotFound: the engine has no such image.
            NoSpace: the scratch folder has no room for it.
            ArchiveDamaged, ContentMismatch: what it sends is not what it should be.
        """
        shown = ", ".join(_shown(name) for name in names)
        for name in names:
            # Some engines send an empty archive for a name that they do not know.
            await self.inspect(name)
        parameters = [("names", _shown(name)) for name in names]
        async with engine_spool(shown, scratch=scratch) as spool:
            async with self._client.request(
                "GET", "/images/get", what=shown, parameters=parameters
            ) as answer:
                async for piece in self._client.pieces(answer):
                    await spool.write(piece)
            async with open_archive(spool.path, scratch=scratch) as source:
                yield source

    async def load(self, archive: AsyncIterator[bytes]) -> None:
        """Let the engine load an archive that is being written.

        Raises:
            EngineFault: it does not take it; its own words are the cause.
        """
        async with self._client.request(
            "POST", "/images/load", what="images", parameters={"quiet": "1"}, data=archive
        ) as answer:
            raw = await self._client.body(answer, "images")
        for line in raw.splitlines():
            message = _error_in(line)
            if message is not None:
                raise EngineFault("images", f"the engine does not load them: {message}")


def _shown(name: Reference | Digest) -> str:
    return name if isinstance(name, Digest) else name.tagged().familiar


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise EngineFault(what, "the engine's answer is not a list of objects")
    return value


def _read(reader: Any, item: dict[str, Any], what: str) -> Any:
    try:
        return reader(JsonObject(item, what))
    except (ContentMismatch, InvalidReference) as error:
        raise EngineFault(what, f"the engine describes it in another way ({error})") from None


def _image(item: JsonObject) -> EngineImage:
    names = (text for text in item.texts("RepoTags") if text != "<none>:<none>")
    return EngineImage(
        _digest(item.text("Id")),
        tuple(Reference.parse(text) for text in names),
        item.integer("Size"),
        item.integer("Created", minimum=-(2**63)),
    )


def _container(item: JsonObject) -> EngineContainer:
    return EngineContainer(
        item.text("Id"),
        tuple(name.lstrip("/") for name in item.texts("Names")),
        item.text("Image"),
        item.optional_text("State") or "unknown",
    )


def _digest(text: str) -> Digest:
    # Podman leaves the algorithm out in places.
    return Digest(text if ":" in text else f"sha256:{text}")


def _error_in(line: bytes) -> str | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    detail = value.get("errorDetail")
    message = detail.get("message") if isinstance(detail, dict) else value.get("error")
    return str(message)[:500] if message else None
