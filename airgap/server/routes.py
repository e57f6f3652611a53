"""Reading the path of a request (distribution-spec, "Endpoints"); pure.

A repository name has slashes and may itself hold ``blobs`` or ``manifests``, so a path is read from
its end: the last verb in it counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto


class Endpoint(Enum):
    """What a path addresses."""

    BASE = auto()
    TOKEN = auto()
    CATALOG = auto()
    TAGS = auto()
    MANIFEST = auto()
    BLOB = auto()
    UPLOADS = auto()
    UPLOAD = auto()
    REFERRERS = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """A path, taken apart and not yet judged.

    Attributes:
        endpoint: what is addressed.
        name: the repository as it stands in the path; empty where there is none.
        leaf: the tag, digest or upload id; empty where there is none.
    """

    endpoint: Endpoint
    name: str = ""
    leaf: str = ""


_FIXED = {
    "/v2": Route(Endpoint.BASE),
    "/v2/": Route(Endpoint.BASE),
    "/v2/_catalog": Route(Endpoint.CATALOG),
    "/token": Route(Endpoint.TOKEN),
}

_IN_REPOSITORY = re.compile(
    r"/v2/(?P<name>.+)/(?:"
    r"(?P<TAGS>tags/list)"
    r"|manifests/(?P<MANIFEST>[^/]+)"
    r"|(?P<UPLOADS>blobs/uploads/?)"
    r"|blobs/uploads/(?P<UPLOAD>[^/]+)"
    r"|blobs/(?P<BLOB>[^/]+)"
    r"|referrers/(?P<REFERRERS>[^/]+)"
    r")",
    re.ASCII,
)
_WITHOUT_LEAF = frozenset({"TAGS", "UPLOADS"})


def parse_route(path: str) -> Route | None:
    """Take a decoded path apart; None where no endpoint of the API has such a path."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed
    match = _IN_REPOSITORY.fullmatch(path)
    if match is None or match.lastgroup is None:
        return None
    kind = match.lastgroup
    leaf = "" if kind in _WITHOUT_LEAF else match[kind]
    return Route(Endpoint[kind], match["name"], leaf)
