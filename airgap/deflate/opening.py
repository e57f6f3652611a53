"""Gzip files into plain bytes and a recipe."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Generator, Iterator, Sequence

from airgap.deflate import container
from airgap.deflate.faults import CannotOpen
from airgap.deflate.following import Following
from airgap.deflate.model import Model
from airgap.deflate.models import candidates, make
from airgap.deflate.recipe import MAX_MODELS, Member, RecipeWriter
from airgap.deflate.trial import Sample, best_model

__all__ = ["CannotOpen", "Opener"]

_HEADER_STEP = 512  # bytes of a header that are looked at more at a time
_MAX_TAIL = 1 << 20  # bytes behind the last member
_MAX_TRIALS = 8  # later members that other models are tried on
_BEARABLE = 64  # bytes of corrections of a later member's head,
_BEARABLE_SHARE = 128  # and this part of it, that call for no other model
_QUICK = 3  # the level of zstd for a guess at what a recipe will weigh
_DOUBT = 1.3  # how much larger than the recipe such a guess may be


class _Stage(enum.Enum):
    """What a file goes on with."""

    HEADER = enum.auto()
    STREAM = enum.auto()
    TRAILER = enum.auto()
    TAIL = enum.auto()


class Opener:
    """Opens one gzip file, of one member or many, in bounded memory.

    The model is chosen by the head of the file, and again where a later member is badly predicted
    by the model of the one before.
    """

    def __init__(self, *, max_recipe: int, models: Sequence[str] | None = None) -> None:
        """Stand at the start of a file.

        Args:
            max_recipe: bytes of the largest recipe that is worth having.
            models: the names of the models to choose from, the likeliest first; by default all,
                in the order that the file's header suggests.
        """
        self._max_recipe = max_recipe
        self._weighed_at = max_recipe
        self._names = tuple(models or ())
        self._following = Following()
        self._recipe = RecipeWriter()
        self._stage = _Stage.HEADER
        self._pending = bytearray()
        self._header = b""
        self._members = 0
        self._model: Model | None = None
        self._model_name = ""
        self._sample: Sample | None = None
        self._mark = self._following.mark()
        self._trials = 0
        self._checksum = 0
        self._plain_size = 0

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that the members opened so far are predicted by."""
        return tuple(self._recipe.names)

    def feed(self, piece: bytes | bytearray | memoryview) -> bytes:
        """Go on with more bytes of the file, and give the plain bytes now known.

        Raises:
            CannotOpen: it is not gzip, is damaged, or has a recipe larger than is worth it.
        """
        return b"".join(self.pieces(piece))

    def pieces(self, piece: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Do as :meth:`feed`, but give the plain bytes in pieces of 256 KiB at most.

        A deflate stream may unpack to a thousand times its size.
        """
        rest = memoryview(piece)
        while rest:
            match self._stage:
                case _Stage.HEADER:
                    rest = self._read_header(rest)
                case _Stage.STREAM:
                    rest = yield from self._read_stream(rest)
                case _Stage.TRAILER:
                    rest = self._read_trailer(rest)
                case _Stage.TAIL:
                    rest = self._read_tail(rest)

    def finish(self) -> bytes:
        """Say that the file has no more bytes, and give the recipe.

        Raises:
            CannotOpen: the file is truncated, or the recipe larger than is worth it.
        """
        if self._stage in {_Stage.STREAM, _Stage.TRAILER}:
            raise CannotOpen("it is truncated")
        if self._members == 0:
            raise CannotOpen("it is not gzip")
        self._recipe.tail += self._pending
        recipe = self._recipe.write(self._following.corrections.columns)
        if len(recipe) > self._max_recipe:
            raise CannotOpen("its recipe is larger than is worth it")
        return recipe

    # One member: its header, its stream, its trailer.

    def _read_header(self, rest: memoryview) -> memoryview:
        known = len(self._pending)
        self._pending += rest[:_HEADER_STEP]
        begins = container.begins_member(self._pending)
        if begins is False:
            if self._members == 0:
                raise CannotOpen("it is not gzip")
            del self._pending[known:]
            self._stage = _Stage.TAIL
            return rest
        size = container.header_size(self._pending)
        if size is None:
            return rest[_HEADER_STEP:]
        self._header = bytes(self._pending[:size])
        self._pending.clear()
        self._begin_stream()
        return rest[size - known :]

    def _begin_stream(self) -> None:
        if self._model is None:
            self._take_model((self._names or candidates(self._header))[0])
        assert self._model is not None  # noqa: S101 - one was taken
        self._mark = self._following.mark()
        self._following.begin(self._model)
        self._sample = Sample()
        self._checksum = 0
        self._plain_size = 0
        self._stage = _Stage.STREAM

    def _take_model(self, name: str) -> None:
        self._model = make(name)
        self._model_name = name

    def _read_stream(self, rest: memoryview) -> Generator[bytes, None, memoryview]:
        following = self._following
        part = rest[: self._sample.room()] if self._sample else rest
        for plain in following.pieces(part):
            self._checksum = zlib.crc32(plain, self._checksum)
            self._plain_size += len(plain)
            yield plain
        used = following.used
        if self._sample:
            self._sample.add(part[:used], following.plain_size, complete=following.ended)
            if self._sample.room() == 0:
                self._settle(self._sample)
        if following.ended:
            self._stage = _Stage.TRAILER
        self._weigh()
        return rest[used:]

    def _read_trailer(self, rest: memoryview) -> memoryview:
        lacking = container.TRAILER - len(self._pending)
        self._pending += rest[:lacking]
        if len(self._pending) == container.TRAILER:
            trailer = bytes(self._pending)
            self._pending.clear()
            fits = trailer == container.trailer(self._checksum, self._plain_size)
            self._recipe.add(
                Member(
                    header=self._header,
                    model=self._model_name,
                    plain_size=self._plain_size,
                    padding=self._following.padding,
                    trailer=None if fits else trailer,
                )
            )
            self._members += 1
            self._stage = _Stage.HEADER
        return rest[lacking:]

    def _read_tail(self, rest: memoryview) -> memoryview:
        if len(self._recipe.tail) + len(rest) > _MAX_TAIL:
            raise CannotOpen("too much follows its last member")
        self._recipe.tail += self._pending
        self._recipe.tail += rest
        self._pending.clear()
        return rest[len(rest) :]

    # Which model, and whether it is worth it.

    def _settle(self, sample: Sample) -> None:
        """Find the model for the stream that ``sample`` is the head of, and follow it by that."""
        following = self._following
        self._sample = None
        cost = following.cost - sum(self._mark.sizes)
        if self._members:
            bearable = cost <= _BEARABLE + len(sample.data) // _BEARABLE_SHARE
            if bearable or self._trials >= _MAX_TRIALS or len(self.models) >= MAX_MODELS:
                return
            self._trials += 1
        names = self._names or candidates(self._header)
        best = best_model(sample, names, self._model_name, cost)
        if best == self._model_name:
            return
        self._take_model(best)
        assert self._model is not None  # noqa: S101 - one was taken
        following.go_back(self._mark)
        following.begin(self._model)
        for _ in following.pieces(memoryview(sample.data)):
            pass  # these plain bytes were given already

    def _weigh(self) -> None:
        """Refuse as soon as it is clear that the recipe will be larger than is worth it.

        While the model is still on trial, nothing is.

        Raises:
            CannotOpen: it will.
        """
        size = self._recipe.size() + self._following.cost
        if size <= self._weighed_at or self._sample:
            return
        columns = self._following.corrections.columns
        if len(self._recipe.write(columns, _QUICK)) > self._max_recipe * _DOUBT:
            raise CannotOpen("its recipe is larger than is worth it")
        self._weighed_at = size + size // 4
