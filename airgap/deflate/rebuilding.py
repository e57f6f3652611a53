"""Gzip files again, from their plain bytes and a recipe."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from airgap.deflate import container
from airgap.deflate.corrections import CorrectionReader
from airgap.deflate.faults import CannotRebuild
from airgap.deflate.models import make
from airgap.deflate.recipe import Member, RecipeReader
from airgap.deflate.repeating import Repetition
from airgap.deflate.running import repeat
from airgap.deflate.signals import FAULT, FULL, WORDS
from airgap.deflate.writing import BlockWriter

__all__ = ["CannotRebuild", "Rebuilder"]


class Rebuilder:
    """Rebuilds one gzip file, in bounded memory.

    Whether it is the file that was opened is for its digest to say: a damaged recipe, or other
    plain bytes, make an error or other bytes.

    Attributes:
        plain_size: plain bytes that the recipe wants.

    Raises:
        CannotRebuild: the recipe is none that this version reads.
    """

    def __init__(self, recipe: bytes) -> None:
        self._recipe = RecipeReader(recipe)
        self.plain_size = self._recipe.plain_size
        self._members = self._recipe.members()
        self._corrections = CorrectionReader(self._recipe.corrections)
        self._writer = BlockWriter()
        self._models: dict[str, Repetition] = {}
        self._member: Member | None = None
        self._repetition: Repetition | None = None
        self._left = 0
        self._checksum = 0

    def feed(self, plain: bytes | bytearray | memoryview) -> bytes:
        """Go on with more plain bytes, and give the bytes of gzip now known.

        Raises:
            CannotRebuild: these are too many, or the corrections do not fit them.
        """
        return b"".join(self.pieces(plain))

    def finish(self) -> bytes:
        """Say that there are no more plain bytes, and give the last bytes of gzip.

        Raises:
            CannotRebuild: there were too few, or the corrections do not fit them.
        """
        return b"".join(self.last_pieces())

    def pieces(self, plain: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Do as :meth:`feed`, but give the bytes in pieces of 1 MiB at most."""
        rest = memoryview(plain)
        while rest:
            if self._left == 0:
                yield from self._next_member()
                continue
            assert self._repetition is not None  # noqa: S101 - a member was begun
            model = self._repetition.model
            part = rest[: min(self._left, model.room())]
            rest = rest[len(part) :]
            self._left -= len(part)
            self._checksum = zlib.crc32(part, self._checksum)
            model.feed(part)
            if self._left == 0:
                yield from self._end_member()
            else:
                yield from self._run(self._repetition)

    def last_pieces(self) -> Iterator[bytes]:
        """Do as :meth:`finish`, but give the bytes in pieces of 1 MiB at most."""
        if self._left:
            raise CannotRebuild("there are fewer plain bytes than the recipe wants")
        while (member := next(self._members, None)) is not None:
            if member.plain_size:
                raise CannotRebuild("there are fewer plain bytes than the recipe wants")
            yield from self._begin_member(member)
        if not self._corrections.exhausted():
            raise CannotRebuild("a recipe has more corrections than were used")
        yield self._recipe.tail

    def _next_member(self) -> Iterator[bytes]:
        member = next(self._members, None)
        if member is None:
            raise CannotRebuild("there are more plain bytes than the recipe wants")
        yield from self._begin_member(member)

    def _begin_member(self, member: Member) -> Iterator[bytes]:
        self._member = member
        self._repetition = self._repetition_of(member.model)
        self._repetition.restart()
        self._left = member.plain_size
        self._checksum = 0
        yield member.header
        if member.plain_size == 0:
            yield from self._end_member()

    def _repetition_of(self, name: str) -> Repetition:
        if name not in self._models:
            try:
                model = make(name)
            except KeyError as error:
                reason = "a recipe wants a model that this version does not have"
                raise CannotRebuild(reason) from error
            self._models[name] = Repetition(model, self._corrections, self._writer)
        return self._models[name]

    def _run(self, repetition: Repetition) -> Iterator[bytes]:
        """Write what can be written now."""
        signal = FULL
        while signal == FULL:
            try:
                signal = repeat(repetition)
            except IndexError as error:
                # Every index is checked; no recipe is known that gets so far.
                raise CannotRebuild("a recipe leads its model astray") from error
            if signal >= FAULT:
                raise CannotRebuild(f"a recipe does not fit the plain bytes: {WORDS[signal]}")
            yield self._writer.bits.take()

    def _end_member(self) -> Iterator[bytes]:
        member, repetition = self._member, self._repetition
        assert member is not None  # noqa: S101 - a member was begun
        assert repetition is not None  # noqa: S101 - likewise
        repetition.model.close()
        yield from self._run(repetition)
        yield self._writer.end(member.padding)
        yield member.trailer or container.trailer(self._checksum, member.plain_size)
