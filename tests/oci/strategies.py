"""Hypothesis strategies for names, grown from the distribution project's grammar."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from airgap.oci.digest import Digest
from airgap.oci.reference import Reference, Repository

_LOWER = string.ascii_lowercase + string.digits
_WORD = string.ascii_letters + string.digits + "_"

_alphanumerics = st.text(_LOWER, min_size=1, max_size=8)
_separators = st.sampled_from([".", "_", "__", "-", "--", "---"])

components = st.builds(
    lambda first, rest: first + "".join(s + part for s, part in rest),
    _alphanumerics,
    st.lists(st.tuples(_separators, _alphanumerics), max_size=2),
)
paths = st.lists(components, min_size=1, max_size=4).map("/".join)
tags = st.builds(
    str.__add__,
    st.sampled_from(_WORD),
    st.text(_WORD + ".-", max_size=20),
)
digests = st.binary(max_size=4).map(Digest.of)

_host_parts = st.from_regex(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,6}[a-zA-Z0-9])?", fullmatch=True)
_dotted_hosts = st.lists(_host_parts, min_size=2, max_size=4).map(".".join)
_ports = st.integers(1, 65535).map(str)
_addresses = st.ip_addresses(v=6).map(lambda address: f"[{address}]")
_hosts = st.one_of(st.just("localhost"), _dotted_hosts, st.just("docker.io"), _addresses)
domains = st.one_of(
    _hosts,
    st.builds("{}:{}".format, st.one_of(_host_parts, _hosts.filter("docker.io".__ne__)), _ports),
)
repositories = st.builds("{}/{}".format, domains, paths).map(Repository.parse)
references = st.builds(Reference, repositories, st.none() | tags, st.none() | digests)
