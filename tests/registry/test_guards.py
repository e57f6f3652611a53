"""Where a registry may send a client on."""

from __future__ import annotations

import pytest
from yarl import URL

from airgap.errors import RegistryFault
from airgap.registry import guards

PUBLIC = URL("https://registry.example.com/v2/a/blobs/x")
INSIDE = URL("http://10.1.2.3:5000/v2/a/blobs/x")


def test_a_redirect_may_lead_to_an_object_store() -> None:
    """Its signed query comes along to the character."""
    location = "https://store.example.net/b%2Fx?sig=a%2Bb+c&x=%20"
    assert str(guards.redirect_target(PUBLIC, PUBLIC, location, "r")) == location


def test_a_relative_location_is_of_the_same_host() -> None:
    """GHCR answers with a path alone."""
    target = guards.upload_target(PUBLIC, "/v2/a/blobs/uploads/1?_state=a%3D%3D", "r")
    assert str(target) == "https://registry.example.com/v2/a/blobs/uploads/1?_state=a%3D%3D"


@pytest.mark.parametrize(
    "location",
    [
        "http://store.example.net/x",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://localhost/x",
        "file:///etc/passwd",
        "https://user:secret@store.example.net/x",
        "",
        None,
        "https://[broken/x",
    ],
)
def test_a_public_registry_may_not_lead_inside_nor_to_plain_http(location: str | None) -> None:
    """Neither a redirect nor an upload goes where it would do harm."""
    with pytest.raises(RegistryFault):
        guards.redirect_target(PUBLIC, PUBLIC, location, "r")
    with pytest.raises(RegistryFault):
        guards.upload_target(PUBLIC, location, "r")


def test_a_registry_inside_may_redirect_to_a_store_inside() -> None:
    """The object store beside a private registry has a private address too."""
    target = guards.redirect_target(INSIDE, INSIDE, "http://10.1.2.4:9000/x", "r")
    assert target.host == "10.1.2.4"


def test_an_upload_may_not_wander_to_another_private_address() -> None:
    """Bytes of ours would go to whoever listens there."""
    with pytest.raises(RegistryFault):
        guards.upload_target(INSIDE, "http://10.1.2.4/x", "r")


def test_two_names_of_this_machine_are_one_host() -> None:
    """A registry on 127.0.0.1 may call itself localhost."""
    here = URL("http://127.0.0.1:5000/v2/")
    assert guards.upload_target(here, "http://localhost:5000/x", "r").host == "localhost"


def test_a_listing_stays_where_it_is() -> None:
    """The next page is of the same scheme, host and port."""
    assert guards.next_page(PUBLIC, "/v2/a/tags/list?last=x", "r").query == {"last": "x"}
    for link in ("https://other.example.com/v2/", "https://registry.example.com:444/v2/"):
        with pytest.raises(RegistryFault):
            guards.next_page(PUBLIC, link, "r")


@pytest.mark.parametrize(
    "realm,registry,allowed",
    [
        ("https://auth.example.com/token", "https://r.example.com", True),
        ("https://auth.example.com/token", "http://r.example.com", True),
        ("http://r.example.com/token", "https://r.example.com", False),
        ("http://r.example.com/token", "http://r.example.com", True),
        ("http://other.example.com/token", "http://r.example.com", False),
        ("http://127.0.0.1:81/token", "http://localhost:80", True),
        ("http://10.0.0.9/token", "http://10.0.0.8", True),
        ("ftp://r.example.com/token", "http://r.example.com", False),
    ],
)
def test_credentials_go_only_where_nobody_listens_in(
    realm: str,
    registry: str,
    allowed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Plain http is for a token server as near as a plain http registry itself."""
    assert guards.may_send_credentials(URL(realm), URL(registry)) is allowed


def test_a_url_is_shown_without_its_secrets() -> None:
    """Neither user nor query gets into a message."""
    shown = guards.shown(URL("https://u:p@h.example/path?sig=secret#f"))
    assert shown == "https://h.example/path"
