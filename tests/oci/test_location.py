"""Places as people write them, after ``containers-transports(5)``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import AirgapError, InvalidReference, Unsupported
from airgap.oci.digest import Digest
from airgap.oci.location import Location, Transport, parse_location
from airgap.oci.reference import Reference

ID = Digest.of(b"an image")
BUSYBOX = Reference.parse("busybox:latest")


@pytest.mark.parametrize(
    "text,expected",
    [
        ("busybox", Location(Transport.STORE, reference=BUSYBOX)),
        (
            "host:5000/a/b:1",
            Location(Transport.STORE, reference=Reference.parse("host:5000/a/b:1")),
        ),
        ("docker:24", Location(Transport.STORE, reference=Reference.parse("docker:24"))),
        ("docker://busybox", Location(Transport.REGISTRY, reference=BUSYBOX)),
        ("docker-daemon:busybox", Location(Transport.ENGINE, reference=BUSYBOX)),
        ("docker-daemon:", Location(Transport.ENGINE)),
        (f"docker-daemon:{ID}", Location(Transport.ENGINE, image_id=ID)),
        ("dir:/a:b", Location(Transport.DIR, "/a:b")),
        ("oci:a/b", Location(Transport.LAYOUT, "a/b")),
        ("oci:/a:v1", Location(Transport.LAYOUT, "/a", "v1")),
        ("oci:/a:busybox:latest", Location(Transport.LAYOUT, "/a", "busybox:latest", BUSYBOX)),
        ("oci-archive:a.tar:@0", Location(Transport.OCI_ARCHIVE, "a.tar", "@0")),
        ("docker-archive:-", Location(Transport.DOCKER_ARCHIVE, "-")),
        (
            "docker-archive:a.tar:busybox",
            Location(Transport.DOCKER_ARCHIVE, "a.tar", "busybox", BUSYBOX),
        ),
        ("docker-archive:a.tar:@3", Location(Transport.DOCKER_ARCHIVE, "a.tar", "@3")),
    ],
)
def test_places_are_read(text: str, expected: Location) -> None:
    """Each transport has its own grammar after the colon."""
    assert parse_location(text) == expected


@pytest.mark.parametrize(
    "text,error",
    [
        ("containers-storage:busybox", Unsupported),
        ("ostree:busybox", Unsupported),
        ("tarball:a.tar", Unsupported),
        ("docker://", InvalidReference),
        ("docker://host.x/UPPER", InvalidReference),
        ("docker-daemon:sha256:abc", InvalidReference),
        ("docker-archive:a.tar:UPPER", InvalidReference),
        ("oci:", InvalidReference),
        ("oci:a:", InvalidReference),
        ("oci:a:b\nc", InvalidReference),
        ("dir:", InvalidReference),
        ("dir:a\0b", InvalidReference),
        ("", InvalidReference),
        ("oci", None),
    ],
)
def test_what_is_no_place_is_told(text: str, error: type[AirgapError] | None) -> None:
    """Unknown content of a known transport is an error; a bare word is an image's name."""
    if error is None:
        assert parse_location(text).transport is Transport.STORE
        return
    with pytest.raises(error):
        parse_location(text)


@given(st.text(max_size=60) | st.from_regex(r"(oci|dir|docker|docker-daemon)(-archive)?:.{0,20}"))
def test_any_text_is_a_place_or_one_error(text: str) -> None:
    """Nothing but our own errors comes out, and what is read says the same when written again."""
    try:
        location = parse_location(text)
    except AirgapError:
        return
    assert parse_location(str(location)) == location
