"""Which names a runtime must look for elsewhere: from what was pushed. Pure.

Where a registry keeps whole names below a prefix, one rule does for all of a host:
``docker.io/X`` is at ``reg.lan:5000/hub/docker.io/X``. A repository that has been renamed
(``docker.io/library/alpine`` is at ``reg.lan:5000/alpine``) needs a rule of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airgap.errors import NotFound
from airgap.oci.name_mapping import Destination
from airgap.oci.reference import Repository
from airgap.usecases.local_images import UNTAGGED


@dataclass(frozen=True, slots=True)
class Moved:
    """One repository and where it is.

    Attributes:
        source: its name.
        target: the repository that has it.
    """

    source: Repository
    target: Repository

    @property
    def prefix(self) -> str | None:
        """What the target's path has before the source's; None where it was renamed."""
        if self.target.path == self.source.path:
            return ""
        suffix = f"/{self.source.path}"
        if not self.target.path.endswith(suffix):
            return None
        return self.target.path.removesuffix(suffix)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A registry that is mirrored.

    Attributes:
        host: its domain.
        places: where all of its names are looked for, in this order; whole names stand below.
        renamed: repositories that are elsewhere under another name.
        repositories: everything of it that was pushed, renamed or not.
    """

    host: str
    places: tuple[Destination, ...]
    renamed: tuple[Moved, ...]
    repositories: tuple[Moved, ...]

    def targets(self) -> tuple[str, ...]:
        """Return the registries that have something of it."""
        return tuple(dict.fromkeys(moved.target.domain for moved in self.repositories))


def mirror_rules(
    pushes: Sequence[tuple[Repository, Repository]], only: Destination | None = None
) -> tuple[Upstream, ...]:
    """Return what is mirrored where, by host.

    Args:
        pushes: what was pushed, the latest first.
        only: the registry, and the path, that the runtimes shall use; None takes all.

    Raises:
        NotFound: nothing was pushed there.
    """
    by_host: dict[str, list[Moved]] = {}
    for source, target in pushes:
        if source in {target, UNTAGGED} or not _is_below(target, only):
            continue
        by_host.setdefault(source.domain, []).append(Moved(source, target))
    if not by_host:
        where = f" to {only}" if only is not None else ""
        raise NotFound(
            "mirrors",
            f"nothing was pushed{where} from this store",
            "push first: `airgap push --all --to REGISTRY`, or import with --to",
        )
    return tuple(_upstream(host, by_host[host]) for host in sorted(by_host))


def _is_below(target: Repository, only: Destination | None) -> bool:
    if only is None:
        return True
    below = f"{target.path}/".startswith(f"{only.path}/") if only.path else True
    return target.domain == only.domain and below


def _upstream(host: str, moved: Sequence[Moved]) -> Upstream:
    places: dict[Destination, None] = {}
    renamed: list[Moved] = []
    for one in moved:
        if one.prefix is None:
            renamed.append(one)
        else:
            places[Destination(one.target.domain, one.prefix)] = None
    ordered = sorted(renamed, key=lambda one: str(one.source))
    return Upstream(host, tuple(places), tuple(ordered), tuple(moved))
