"""Reading the path of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.server.routes import Endpoint, Route, parse_route


@pytest.mark.parametrize(
    "path, route",
    [
        ("/v2", Route(Endpoint.BASE)),
        ("/v2/", Route(Endpoint.BASE)),
        ("/v2/_catalog", Route(Endpoint.CATALOG)),
        ("/token", Route(Endpoint.TOKEN)),
        ("/v2/a/tags/list", Route(Endpoint.TAGS, "a")),
        ("/v2/a/b/manifests/latest", Route(Endpoint.MANIFEST, "a/b", "latest")),
        ("/v2/a/blobs/sha256:00", Route(Endpoint.BLOB, "a", "sha256:00")),
        ("/v2/a/blobs/uploads/", Route(Endpoint.UPLOADS, "a")),
        ("/v2/a/blobs/uploads", Route(Endpoint.UPLOADS, "a")),
        ("/v2/a/blobs/uploads/xyz", Route(Endpoint.UPLOAD, "a", "xyz")),
        ("/v2/a/referrers/sha256:00", Route(Endpoint.REFERRERS, "a", "sha256:00")),
        ("/v2/tags/list/tags/list", Route(Endpoint.TAGS, "tags/list")),
        ("/v2/blobs/uploads/blobs/uploads/x", Route(Endpoint.UPLOAD, "blobs/uploads", "x")),
        ("/v2/manifests/blobs/manifests/1", Route(Endpoint.MANIFEST, "manifests/blobs", "1")),
    ],
)
def test_a_path_is_read_from_its_end(path: str, route: Route) -> None:
    """The last verb in a path counts, so that a repository may be named like one."""
    assert parse_route(path) == route


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1/", "/v2/a", "/v2/tags/list", "/v2/a/tags", "/v2/a/manifests/", "/v2//", "/v3/a"],
)
def test_other_paths_are_no_endpoint(path: str) -> None:
    """What the API does not know is told apart from what is not there."""
    assert parse_route(path) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No path breaks the reading, and a leaf never holds a slash."""
    route = parse_route("/v2/" + text)
    if route is not None:
        assert "/" not in route.leaf
