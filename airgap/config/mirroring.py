"""What to mirror: whole references, or a repository and which of its tags."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import model_validator

from airgap.config.scalars import (
    Count,
    FilePath,
    Flag,
    Glob,
    Image,
    OneOrMany,
    PlatformName,
    Range,
    Regex,
    Repositories,
    Tag,
    Text,
    value_error,
)
from airgap.config.section import Section, also_written_as
from airgap.oci.platform_filter import Platforms
from airgap.oci.selection import Newest, Order, TagFilter, TagSelection

_EVERY_TAG = "all"
_ENGINE = "docker-daemon:"
_NUMBERS = {2: "two", 3: "three", 4: "four"}


class NewestSection(Section):
    """How many to keep. A number alone means that many by `semver`."""

    model_config = also_written_as("integer")
    short_forms: ClassVar = "a whole number"

    count: Count
    """How many; by `semver`, so many for each entry of `suffixes`."""

    by: Order = Order.SEMVER
    """By version, or by the time that each image says it was created, which costs two or three
    small requests a tag."""

    @model_validator(mode="before")
    @classmethod
    def _number_alone(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, str) else value


class ExcludeSection(Section):
    """What not to take; any match will do."""

    names: Annotated[tuple[Tag, ...], OneOrMany] = ()
    """Exact tags."""

    glob: Annotated[tuple[Glob, ...], OneOrMany] = ()
    """Shell patterns."""

    regex: Annotated[tuple[Regex, ...], OneOrMany] = ()
    """Regular expressions; each must match the whole tag."""

    semver: Annotated[tuple[Range, ...], OneOrMany] = ()
    """Version ranges."""

    def filter(self) -> TagFilter:
        """Return the exclusion as the selection takes it."""
        return TagFilter(self.names, self.glob + self.regex, self.semver)


class TagsSection(Section):
    """Which tags of the repository. `all` takes every one; a list takes those by name."""

    model_config = also_written_as("string", "array")
    short_forms: ClassVar = "`all`, a list of tags"

    explained: ClassVar = {
        "latest": "write `newest` for the newest few, or `names: [latest]` for the tag",
        "flavors": "builds such as alpine are `suffixes` here",
    }

    names: Annotated[tuple[Tag, ...], OneOrMany] = ()
    """Tags to take in any case; one that is not there is an error."""

    glob: Annotated[tuple[Glob, ...], OneOrMany] = ()
    """Shell patterns (`*`, `?`, `[a-c]`, `[!x]`); a tag must match one of them."""

    regex: Annotated[tuple[Regex, ...], OneOrMany] = ()
    """Regular expressions in RE2's syntax; a tag must match one of them as a whole."""

    semver: Annotated[tuple[Range, ...], OneOrMany] = ()
    """Version ranges (`>=1.2 <2`, `^1.4`, `~1.2`, `1.x`, `1.2 - 1.4`); a tag must be a version in
    one of them. Prereleases come in only where the range names one (`>=1.3.0-rc1`)."""

    suffixes: Annotated[tuple[Text, ...], OneOrMany] = ()
    """Sorts of build that `semver` and `newest` look at, as shell patterns without the hyphen
    (`alpine`, `k3s*`; `''` is the plain build). When not set: the plain build; or every sort,
    where `glob` or `regex` say what the tag looks like."""

    newest: NewestSection | None = None
    """Keep only the newest of what all of the above let through; `names` come on top."""

    exclude: ExcludeSection = ExcludeSection()
    """What not to take, whatever stands above."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if value == _EVERY_TAG:
            return {"glob": "*"}
        return {"names": value} if isinstance(value, str | list) else value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.names or self.glob or self.regex or self.semver or self.newest):
            raise value_error("selects by nothing", "write `tags: all` for every tag")
        return self

    def selection(self) -> TagSelection:
        """Return the choice as a value of the vocabulary."""
        return TagSelection(
            names=self.names,
            globs=self.glob,
            regexes=self.regex,
            ranges=self.semver,
            suffixes=self.suffixes,
            newest=Newest(self.newest.count, self.newest.by) if self.newest else None,
            exclude=self.exclude.filter(),
        )


class VerifySection(Section):
    """Whose signature an image must have to be mirrored."""

    explained: ClassVar = {
        "keys": "the key is called `key`, and a list of them may stand there",
        "identity": "only public keys are taken; certificates need sigstore's servers to be judged",
        "issuer": "only public keys are taken; certificates need sigstore's servers to be judged",
    }

    key: Annotated[tuple[FilePath, ...], OneOrMany]
    """PEM public keys, as `cosign generate-key-pair` writes them to `cosign.pub`; a signature by
    any one of them will do."""


class MirrorEntry(Section):
    """What to mirror: `references`, a `repository` with `tags`, `engine`, or `from-file`.

    Text alone is one reference; `docker-daemon:NAME` is one image of the Docker Engine.
    """

    model_config = also_written_as("string")
    short_forms: ClassVar = "a reference"

    explained: ClassVar = {
        "source": "write `repository` for tags of a repository, or `references`",
        "image": "write `references`, or the reference alone",
        "tag": "write `tags`",
        "platform": "write `platforms`",
    }

    repository: Repositories | None = None
    """The repository to take tags from; needs `tags`. `quay.io/team/*` is every one of a registry
    that has a catalog: `*` and `?` stay within a component of the name, `**` crosses them."""

    tags: TagsSection | None = None
    """Which of its tags."""

    references: Annotated[tuple[Image, ...], OneOrMany] = ()
    """References with tag or digest; with neither, the tag `latest`."""

    engine: Annotated[tuple[Image, ...], OneOrMany] = ()
    """Images of the Docker Engine that `DOCKER_HOST` names, else of this machine's."""

    from_file: Annotated[tuple[FilePath, ...], OneOrMany] = ()
    """Files or folders whose images are taken: Kubernetes manifests, Helm charts and values,
    docker-compose files, lists. `airgap images find PATH` shows what that is."""

    platforms: Annotated[tuple[PlatformName, ...], OneOrMany] = ()
    """Platforms to take of multi-platform images; when not set, all of them."""

    referrers: Flag = True
    """Take along what belongs to the images: signatures, SBOMs, attestations, found by the
    referrers API and by cosign's tags."""

    verify: VerifySection | None = None
    """Whose signature each image must have. One without is not mirrored, and is reported."""

    rewrite_index: Flag = False
    """Write a new index of only `platforms`, which has another digest. Otherwise the index stays
    byte for byte, and names platforms whose content stays behind."""

    @model_validator(mode="before")
    @classmethod
    def _reference_alone(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_ENGINE):
            return {"engine": [value.removeprefix(_ENGINE)]}
        return {"references": [value]} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = {
            "repository": self.repository is not None,
            "references": bool(self.references),
            "engine": bool(self.engine),
            "from-file": bool(self.from_file),
        }
        sources = [name for name, is_given in given.items() if is_given]
        if not sources:
            raise value_error("names nothing", "give repository and tags, references or from-file")
        if len(sources) > 1:
            raise value_error(
                f"has {' and '.join(sources)}",
                f"make {_NUMBERS[len(sources)]} entries of it",
            )
        if self.repository is None and self.tags is not None:
            raise value_error("has tags without repository", "references carry their own tags")
        if self.repository is not None and self.tags is None:
            raise value_error(
                f"does not say which tags of {self.repository}", "`tags: all` takes every one"
            )
        if self.rewrite_index and not self.platforms:
            raise value_error("has rewrite-index without platforms, so nothing to leave out")
        return self

    @property
    def platform_choice(self) -> Platforms:
        """The platforms to take; empty means all."""
        return frozenset(self.platforms)
