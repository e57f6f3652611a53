"""What ``auth.json`` and ``config.json`` say (containers-auth.json(5), docker's CLI). Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from airgap.errors import ContentMismatch
from airgap.oci.json_object import JsonObject
from airgap.oci.reference import DOCKER_HUB
from airgap.registry.settings import Login

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""Under this, and nothing else, docker keeps the credentials of Docker Hub."""

MAX_FILE_SIZE = 4 * 1024 * 1024

_DOCKER_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_TOKEN_USER = "<token>"  # noqa: S105 - the name by which helpers mark a token, not a secret
_EMPTY_USER = "00000000-0000-0000-0000-000000000000"


def places(environ: Mapping[str, str], home: Path | None) -> tuple[Path, ...]:
    """Return the files that may hold credentials, in the order in which they are looked at.

    ``REGISTRY_AUTH_FILE`` stands for all others where it is set, as with podman and skopeo.
    """
    if chosen := environ.get("REGISTRY_AUTH_FILE"):
        return (Path(chosen),)
    found: list[Path] = []
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(runtime) / "containers/auth.json")
    if config := environ.get("XDG_CONFIG_HOME"):
        found.append(Path(config) / "containers/auth.json")
    elif home is not None:
        found.append(home / ".config/containers/auth.json")
    if docker := environ.get("DOCKER_CONFIG"):
        found.append(Path(docker) / "config.json")
    elif home is not None:
        found.append(home / ".docker/config.json")
    return tuple(found)


def keys_of(host: str, path: str) -> Iterator[str]:
    """Yield the keys under which credentials may stand, the most specific first.

    ``reg.lan/team/app``, ``reg.lan/team``, ``reg.lan``; Docker Hub has further names.
    """
    parts = path.split("/") if path else []
    for length in range(len(parts), 0, -1):
        yield "/".join([host, *parts[:length]])
    yield host
    if host == DOCKER_HUB:
        yield DOCKER_HUB_KEY


def key_to_write(host: str) -> str:
    """Return the key that every tool looks a host up by."""
    return DOCKER_HUB_KEY if host == DOCKER_HUB else host


def normalised(key: str) -> str:
    """Return a key as :func:`keys_of` has it: old docker wrote URLs with scheme and version."""
    name = key
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            name = key.removeprefix(scheme).partition("/")[0]
    host, slash, path = name.partition("/")
    if host in _DOCKER_HUB_NAMES:
        host = DOCKER_HUB
    return f"{host}{slash}{path}".rstrip("/")


class CredentialFile:
    """One file's content."""

    def __init__(self, document: Mapping[str, Any], what: str) -> None:
        self._document = document
        self._what = what

    @classmethod
    def parse(cls, raw: bytes, what: str) -> CredentialFile:
        """Read a file.

        Raises:
            ContentMismatch: it is not JSON, or not an object.
        """
        JsonObject.parse(raw, what, limit=MAX_FILE_SIZE)
        return cls(json.loads(raw), what)

    def helper_of(self, host: str) -> str | None:
        """Return the helper that keeps a host's credentials, by its short name, or None."""
        helpers = self._document.get("credHelpers")
        if isinstance(helpers, dict):
            for key, name in helpers.items():
                if normalised(key) == host and isinstance(name, str) and name:
                    return name
        store = self._document.get("credsStore")
        return store if isinstance(store, str) and store else None

    def login_of(self, host: str, path: str) -> Login | None:
        """Return the credentials that stand in the file itself, or None.

        Raises:
            ContentMismatch: there is an entry, and it cannot be read.
        """
        entries = {normalised(key): value for key, value in self._entries().items()}
        for key in keys_of(host, path):
            entry = entries.get(normalised(key))
            if isinstance(entry, dict):
                login = _login_in(entry, f"{self._what}: {key}")
                if login is not None:
                    return login
        return None

    def names(self, host: str) -> bool:
        """Tell whether the file has an entry for exactly this host."""
        return any(normalised(key) == host for key in self._entries())

    def with_login(self, host: str, login: Login | None) -> dict[str, Any]:
        """Return the document with an entry for a host; None makes an empty one (for helpers)."""
        document = self.without(host)
        entry: dict[str, str] = {}
        if login is not None:
            pair = f"{login.username}:{login.password}".encode()
            entry["auth"] = base64.b64encode(pair).decode("ascii")
            if login.identity_token:
                entry["identitytoken"] = login.identity_token
        document["auths"] = {**document.get("auths", {}), key_to_write(host): entry}
        return document

    def without(self, host: str) -> dict[str, Any]:
        """Return the document without a host's entry; everything else stays."""
        document = dict(self._document)
        kept = {key: value for key, value in self._entries().items() if normalised(key) != host}
        if "auths" in document:
            document["auths"] = kept
        return document

    def _entries(self) -> Mapping[str, Any]:
        entries = self._document.get("auths")
        return entries if isinstance(entries, dict) else {}


def _login_in(entry: Mapping[str, Any], what: str) -> Login | None:
    def text(key: str) -> str:
        value = entry.get(key)
        return value if isinstance(value, str) else ""

    username, password = text("username"), text("password")
    if encoded := text("auth"):
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise ContentMismatch(what, "its 'auth' is not base64 text") from None
        username, colon, password = pair.partition(":")
        if not colon:
            raise ContentMismatch(what, "its 'auth' is not user:password")
        # Docker pads with zero bytes.
        password = password.rstrip("\x00")
    if username == _EMPTY_USER:
        username = ""
    token = text("identitytoken")
    try:
        f"{username}{password}{token}".encode()
    except UnicodeEncodeError:
        raise ContentMismatch(what, "has characters that are none") from None
    if not (username and password) and not token:
        return None
    return Login(username, password, token)


def login_from_helper(username: str, secret: str) -> Login:
    """Return the credentials that a helper hands out; it marks tokens by the user's name."""
    if username == _TOKEN_USER:
        return Login("", identity_token=secret)
    return Login(username, secret)


def helper_fields(host: str, login: Login) -> dict[str, str]:
    """Return what a helper wants to be told to keep credentials."""
    token = login.identity_token
    return {
        "ServerURL": key_to_write(host),
        "Username": _TOKEN_USER if token else login.username,
        "Secret": token or login.password,
    }
