"""Credentials where docker, podman and skopeo keep them."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import AccessDenied, ConfigError, ContentMismatch, NotFound, NotPermitted
from airgap.registry.credential_store import CredentialStore
from airgap.registry.credentials import CredentialFile, keys_of, normalised, places
from airgap.registry.settings import Login

HELPER = """#!/bin/sh
# Keeps credentials in one file for each server; writes its arguments down.
echo "$@" >> "$HELPER_FOLDER/arguments"
read -r line
case "$1" in
get) if [ -f "$HELPER_FOLDER/$(echo "$line" | tr / _)" ]; then
       cat "$HELPER_FOLDER/$(echo "$line" | tr / _)"
     else
       echo "credentials not found in native keychain"; exit 1
     fi ;;
store) server=$(echo "$line" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/' | tr / _)
       echo "$line" > "$HELPER_FOLDER/$server" ;;
erase) rm -f "$HELPER_FOLDER/$(echo "$line" | tr / _)" ;;
esac
"""


def auth(user: str, password: str) -> dict[str, str]:
    """Return an entry as docker writes it."""
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(path: Path, document: Any) -> None:
    """Write a credential file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a credential helper on its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    kept = tmp_path / "kept"
    kept.mkdir()
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HELPER_FOLDER": str(kept)}


def test_the_places_are_those_of_docker_and_podman() -> None:
    """In their order; one that is named stands for all."""
    home = Path("/home/u")
    assert places({}, home) == (
        home / ".config/containers/auth.json",
        home / ".docker/config.json",
    )
    environ = {"XDG_RUNTIME_DIR": "/run/u", "XDG_CONFIG_HOME": "/c", "DOCKER_CONFIG": "/d"}
    assert places(environ, home) == (
        Path("/run/u/containers/auth.json"),
        Path("/c/containers/auth.json"),
        Path("/d/config.json"),
    )
    assert places({**environ, "REGISTRY_AUTH_FILE": "/x"}, home) == (Path("/x"),)
    assert places({}, None) == ()


def test_the_most_specific_key_counts() -> None:
    """A repository's, then its parents', then the host's."""
    document = {
        "auths": {
            "r.lan": auth("host", "1"),
            "r.lan/team": auth("team", "2"),
            "r.lan/team/app": auth("app", "3"),
        }
    }
    file = CredentialFile(document, "f")
    found = [
        file.login_of("r.lan", path) for path in ("team/app", "team/app/x", "team/b", "other", "")
    ]
    assert [login.username for login in found if login] == ["app", "app", "team", "host", "host"]
    assert file.login_of("r.lan.evil", "team/app") is None


@pytest.mark.parametrize(
    "key",
    ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "https://registry-1.docker.io"],
)
def test_docker_hub_is_found_under_all_its_names(key: str) -> None:
    """Docker writes an URL, podman the host."""
    file = CredentialFile({"auths": {key: auth("u", "p")}}, "f")
    assert file.login_of("docker.io", "library/alpine") == Login("u", "p")


def test_old_keys_with_scheme_are_understood() -> None:
    """``https://host/v1/`` is the host."""
    assert normalised("https://r.lan:5000/v1/") == "r.lan:5000"
    assert list(keys_of("r.lan", "a/b")) == ["r.lan/a/b", "r.lan/a", "r.lan"]


def test_every_form_of_an_entry_is_read() -> None:
    """Name and password, both encoded, an identity token; a password may have colons."""
    entries = [
        ({"username": "u", "password": "p"}, Login("u", "p")),
        (auth("u", "a:b:c"), Login("u", "a:b:c")),
        ({"identitytoken": "t"}, Login("", "", "t")),
        (
            {**auth("00000000-0000-0000-0000-000000000000", ""), "identitytoken": "t"},
            Login("", "", "t"),
        ),
        ({}, None),
    ]
    for entry, expected in entries:
        file = CredentialFile({"auths": {"r.lan": entry}}, "f")
        assert file.login_of("r.lan", "") == expected


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | (
                st.dictionaries(
                    st.sampled_from(["auths", "auth", "credsStore", "credHelpers", "r"]), inner
                )
            )
        ),
    )
)
def test_any_file_can_be_read(document: Any) -> None:
    """Whatever JSON stands there, it is credentials, none, or our error."""
    raw = json.dumps({"auths": {"r": document}, "credHelpers": document}).encode()
    file = CredentialFile.parse(raw, "f")
    file.helper_of("r")
    try:
        login = file.login_of("r", "")
    except ContentMismatch:
        return
    assert login is None or isinstance(login, Login)


async def test_an_earlier_file_hides_a_later_one(tmp_path: Path) -> None:
    """And a file without an entry hides nothing."""
    write(tmp_path / ".docker/config.json", {"auths": {"r.lan": auth("docker", "p")}})
    store = CredentialStore({}, tmp_path)
    assert await store.find("r.lan") == Login("docker", "p")
    write(tmp_path / ".config/containers/auth.json", {"auths": {"other.lan": auth("x", "p")}})
    assert await store.find("r.lan") == Login("docker", "p")
    write(tmp_path / ".config/containers/auth.json", {"auths": {"r.lan": auth("podman", "p")}})
    assert await store.find("r.lan") == Login("podman", "p")
    assert await store.find("nobody.lan") is None


async def test_a_login_is_stored_where_docker_and_podman_find_it(tmp_path: Path) -> None:
    """With nothing there it is docker's file, for this user's eyes only."""
    store = CredentialStore({}, tmp_path)
    place = tmp_path / ".docker/config.json"
    assert await store.store("docker.io", Login("u", "p")) == str(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert json.loads(place.read_text()) == {
        "auths": {"https://index.docker.io/v1/": auth("u", "p")}
    }
    assert await store.find("docker.io", "library/alpine") == Login("u", "p")


async def test_storing_keeps_everything_else_and_replaces_the_entry(tmp_path: Path) -> None:
    """Unknown fields are docker's own; the host stands once, however it was written."""
    place = tmp_path / ".docker/config.json"
    write(
        place,
        {
            "detachKeys": "ctrl-e,e",
            "auths": {"https://r.lan/v1/": auth("old", "p"), "x": auth("x", "p")},
        },
    )
    store = CredentialStore({}, tmp_path)
    await store.store("r.lan", Login("u", "p", "token"))
    document = json.loads(place.read_text())
    assert document["detachKeys"] == "ctrl-e,e"
    assert set(document["auths"]) == {"x", "r.lan"}
    assert await store.find("r.lan") == Login("u", "p", "token")


async def test_storing_goes_to_the_file_that_counts(tmp_path: Path) -> None:
    """What is stored in a later file would never be found."""
    first, second = tmp_path / ".config/containers/auth.json", tmp_path / ".docker/config.json"
    write(second, {"auths": {"r.lan": auth("old", "p")}})
    store = CredentialStore({}, tmp_path)
    assert await store.store("r.lan", Login("new", "p")) == str(second)
    write(first, {"auths": {"r.lan": auth("old", "p")}})
    assert await store.store("r.lan", Login("newer", "p")) == str(first)
    assert await store.find("r.lan") == Login("newer", "p")


async def test_erasing_forgets_everywhere(tmp_path: Path) -> None:
    """And says where it was."""
    first, second = tmp_path / ".config/containers/auth.json", tmp_path / ".docker/config.json"
    for place in (first, second):
        write(place, {"auths": {"r.lan": auth("u", "p"), "x": auth("x", "p")}})
    store = CredentialStore({}, tmp_path)
    assert await store.erase("r.lan") == (str(first), str(second))
    assert await store.find("r.lan") is None
    assert await store.find("x") == Login("x", "p")
    assert await store.erase("r.lan") == ()


@pytest.mark.parametrize("login", [Login("u", "p"), Login("", "", "identity")])
async def test_a_helper_keeps_credentials_without_seeing_them_in_its_arguments(
    tmp_path: Path, environ: dict[str, str], login: Login
) -> None:
    """Stored, found and erased; the secret went through standard input alone."""
    place = tmp_path / ".docker/config.json"
    write(place, {"credsStore": "test"})
    store = CredentialStore(environ, tmp_path)
    assert await store.store("r.lan", login) == "docker-credential-test"
    assert await store.find("r.lan", "team/app") == login
    assert json.loads(place.read_text())["auths"] == {"r.lan": {}}
    assert await store.erase("r.lan") == ("docker-credential-test", str(place))
    assert await store.find("r.lan") is None
    arguments = Path(environ["HELPER_FOLDER"], "arguments").read_text().split()
    assert set(arguments) == {"get", "store", "erase"}


async def test_a_helper_is_for_its_host_alone(tmp_path: Path, environ: dict[str, str]) -> None:
    """Others stand in the file; and what the helper does not have may stand there too."""
    write(
        tmp_path / ".docker/config.json",
        {
            "credHelpers": {"r.lan": "test"},
            "auths": {"r.lan": auth("file", "p"), "x": auth("x", "p")},
        },
    )
    store = CredentialStore(environ, tmp_path)
    assert await store.find("r.lan") == Login("file", "p")
    assert await store.find("x") == Login("x", "p")


async def test_a_helper_that_fails_or_is_not_there_is_named(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """So is one whose name is a path."""
    place = tmp_path / ".docker/config.json"
    store = CredentialStore(environ, tmp_path)
    write(place, {"credsStore": "nowhere"})
    with pytest.raises(NotFound, match="docker-credential-nowhere"):
        await store.find("r.lan")
    write(place, {"credsStore": "../../bin/sh"})
    with pytest.raises(ConfigError, match="not the name of a credential helper"):
        await store.find("r.lan")
    program = tmp_path / "bin/docker-credential-broken"
    program.write_text("#!/bin/sh\nread -r line\necho secret-in-output; exit 3\n")
    program.chmod(0o755)
    write(place, {"credsStore": "broken"})
    with pytest.raises(AccessDenied, match="status 3") as caught:
        await store.find("r.lan")
    assert "secret-in-output" not in f"{caught.value!r}"


@pytest.mark.parametrize("content", ["{", "[]", '{"auths":{"r.lan":{"auth":"%%%"}}}'])
async def test_a_file_that_is_broken_is_named(tmp_path: Path, content: str) -> None:
    """Nobody guesses why a login does not work."""
    place = tmp_path / ".docker/config.json"
    place.parent.mkdir()
    place.write_text(content)
    with pytest.raises(ConfigError, match=str(place)):
        await CredentialStore({}, tmp_path).find("r.lan")


async def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    """As is whatever else the operating system has against reading it."""
    (tmp_path / ".docker/config.json").mkdir(parents=True)
    with pytest.raises(NotPermitted, match="cannot be read"):
        await CredentialStore({}, tmp_path).find("r.lan")
