"""Listings that come in pages (distribution-spec, "Listing Tags"; RFC 8288 for ``Link``)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from airgap.errors import AccessDenied, NotFound, RegistryFault, Unsupported
from airgap.oci.reference import Repository, is_tag
from airgap.registry import guards, scopes
from airgap.registry.answers import Answer
from airgap.registry.exchange import Call, Host
from airgap.registry.pull import OUT_OF_REACH

PAGE_SIZE = 1000
"""Entries asked for at once; ECR refuses more."""

_MAX_PAGE = 16 * 1024 * 1024
"""Bytes of a page; some registries send everything in one, whatever was asked for."""

_MAX_PAGES = 10_000
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_IS_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next\b)", re.IGNORECASE)


def next_link(header: str | None) -> str | None:
    """Return the target of ``rel="next"`` in a ``Link`` header, or None."""
    for target, parameters in _LINK.findall(header or ""):
        if _IS_NEXT.search(parameters):
            return str(target)
    return None


async def of(host: Host, call: Call) -> AsyncIterator[Answer]:
    """Yield every page of a listing.

    Raises:
        RegistryFault: the pages lead elsewhere, in a circle, or on without end.
    """
    seen = {call.url}
    for _ in range(_MAX_PAGES):
        answer = await host.call(call)
        yield answer
        link = next_link(answer.headers.get("Link"))
        if link is None:
            return
        url = guards.next_page(call.url, link, host.name)
        if url in seen:
            raise RegistryFault(call.thing, f"{host.name}: its listing leads in a circle")
        seen.add(url)
        call = replace(call, url=url)
    raise RegistryFault(call.thing, f"{host.name}: its listing does not end")


async def tags(hosts: Sequence[Host], repository: Repository) -> AsyncIterator[str]:
    """Yield every tag of a repository once.

    The registry itself is asked first, as a mirror may know only what passed through it; the
    mirrors are asked where it is out of reach.

    Raises:
        NotFound: there is no such repository.
        RegistryFault: what it answers is no list of tags.
    """
    *mirrors, origin = hosts
    in_order = (origin, *mirrors)
    seen: set[str] = set()
    for host in in_order:
        try:
            async for tag in _tags(host, repository):
                if tag not in seen:
                    seen.add(tag)
                    yield tag
        except OUT_OF_REACH as error:
            if seen or host is in_order[-1]:
                raise
            host.note("info", f"{error.cause}; asking a mirror for the tags of {repository}")
        else:
            return


async def _tags(host: Host, repository: Repository) -> AsyncIterator[str]:
    url = host.endpoint.of(repository, "tags", "list")
    call = Call(
        "GET",
        url.with_query({"n": str(PAGE_SIZE)}),
        str(repository),
        scopes=(scopes.pull(host.endpoint.path(repository)),),
        limit=_MAX_PAGE,
    )
    async for answer in of(host, call):
        for tag in _entries(answer, "tags", host, str(repository)):
            # Artifactory lists digests among the tags.
            if is_tag(tag):
                yield tag


async def repositories(host: Host) -> AsyncIterator[str]:
    """Yield the path of every repository once.

    Raises:
        Unsupported: the registry has no catalog, or does not show it to us.
    """
    call = Call(
        "GET",
        host.endpoint.catalog().with_query({"n": str(PAGE_SIZE)}),
        f"catalog of {host.name}",
        scopes=scopes.CATALOG,
        limit=_MAX_PAGE,
    )
    seen: set[str] = set()
    try:
        async for answer in of(host, call):
            for path in _entries(answer, "repositories", host, host.name):
                if path not in seen:
                    seen.add(path)
                    yield path
    except (NotFound, AccessDenied) as error:
        raise Unsupported(
            host.name,
            f"it does not list its repositories ({error.cause})",
            "name the repositories one by one",
        ) from error


def _entries(answer: Answer, key: str, host: Host, thing: str) -> list[str]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise RegistryFault(thing, f"{host.name}: its list of {key} is not JSON") from None
    # Nexus says null where there are none.
    entries = document.get(key) if isinstance(document, dict) else document
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise RegistryFault(thing, f"{host.name}: its list of {key} is not a list")
    return [entry for entry in entries if isinstance(entry, str)]
