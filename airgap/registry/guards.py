"""Where a registry may send us on, and where not. Pure: nothing is looked up.

A registry is trusted with its own content and credentials. It is not trusted to point us at
services inside our own network, nor to take us from https to plain http.
"""

from __future__ import annotations

from yarl import URL

from airgap.errors import RegistryFault
from airgap.registry.endpoints import is_loopback, is_private

_MAX_SHOWN = 120


def same_origin(one: URL, other: URL) -> bool:
    """Tell whether two URLs have scheme, host and port in common, so credentials may go along."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def same_host(one: URL, other: URL) -> bool:
    """Tell whether two URLs are of one machine: the same name, or both loopback."""
    if one.host is None or other.host is None:
        return False
    return one.host == other.host or (is_loopback(one.host) and is_loopback(other.host))


def redirect_target(origin: URL, current: URL, location: str | None, host: str) -> URL:
    """Return where a redirected GET or HEAD goes on.

    Other hosts are fine: registries keep blobs in object stores. Private addresses are fine only
    for a registry that is at one itself.

    Args:
        origin: the URL that was asked first.
        current: the URL that answered with a redirect.
        location: its ``Location`` header.
        host: the registry's name, for errors.

    Raises:
        RegistryFault: there is no target, or not one that may be followed.
    """
    target = _target(current, location, host)
    _forbid_downgrade(current, target, host)
    if (
        not same_host(origin, target)
        and is_private(target.host or "")
        and not is_private(origin.host or "")
    ):
        raise RegistryFault(host, f"redirects to a private address, {shown(target)}")
    return target


def upload_target(current: URL, location: str | None, host: str) -> URL:
    """Return where an upload goes on: at the registry, or at a public host that it names.

    Raises:
        RegistryFault: there is no target, or it is another private address, or plain http.
    """
    target = _target(current, location, host)
    _forbid_downgrade(current, target, host)
    if not same_host(current, target) and is_private(target.host or ""):
        raise RegistryFault(host, f"sends the upload to a private address, {shown(target)}")
    return target


def next_page(current: URL, link: str, host: str) -> URL:
    """Return the next page of a listing, which stays where the first one was.

    Raises:
        RegistryFault: the link leads elsewhere.
    """
    target = _target(current, link, host)
    if not same_origin(current, target):
        raise RegistryFault(host, f"continues its listing elsewhere, at {shown(target)}")
    return target


def may_send_credentials(realm: URL, registry: URL) -> bool:
    """Tell whether credentials may go to a token realm.

    Over https always; over plain http only where the registry itself is spoken to in plain http,
    and the realm is on the same machine or at a private address as the registry is.
    """
    if realm.scheme == "https":
        return True
    if realm.scheme != "http" or registry.scheme != "http":
        return False
    return same_host(realm, registry) or is_private(realm.host or "")


def shown(url: URL) -> str:
    """Return a URL for a message: without user and query, where secrets are."""
    text = str(url.with_user(None).with_query(None).with_fragment(None))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _target(current: URL, location: str | None, host: str) -> URL:
    if not location:
        raise RegistryFault(host, f"gives no Location at {shown(current)}")
    try:
        # As it stands: object stores sign the very characters of path and query.
        target = current.join(URL(location, encoded=True))
    except ValueError:
        raise RegistryFault(host, f"gives a Location that is no URL at {shown(current)}") from None
    if target.scheme not in {"http", "https"} or not target.host or target.user:
        raise RegistryFault(host, f"gives a Location of another kind, {target.scheme}:")
    return target


def _forbid_downgrade(current: URL, target: URL, host: str) -> None:
    if current.scheme == "https" and target.scheme != "https":
        raise RegistryFault(host, f"leads from https to plain http, {shown(target)}")
