"""What becomes of a name that stands for something else already. Pure."""

from __future__ import annotations

from enum import StrEnum

from airgap.errors import Refused
from airgap.oci.digest import Digest
from airgap.oci.reference import Reference


class OnExisting(StrEnum):
    """What is done with a tag at the destination that stands for another digest."""

    OVERWRITE = "overwrite"
    SKIP = "skip"
    FAIL = "fail"


def must_skip(policy: OnExisting, name: Reference, existing: Digest | None, wanted: Digest) -> bool:
    """Tell whether a name is to be left as it is; one that stands for ``wanted`` never is.

    Raises:
        Refused: the policy takes it for an error.
    """
    if existing is None or existing == wanted or name.tag is None:
        return False
    if policy is OnExisting.FAIL:
        raise Refused(
            str(name),
            f"stands for {existing} already, and would be moved to {wanted}",
            "give it another name, or allow it: --on-existing=overwrite",
        )
    return policy is OnExisting.SKIP
