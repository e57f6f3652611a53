"""Logging in and out, for airgap and for the tools beside it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from airgap.cli.login import registry_host
from airgap.errors import InvalidReference
from tests.support.command import Done, airgap, run, succeed
from tests.support.images import image, random_layer
from tests.support.real_registry import RealRegistry, real_registry
from tests.support.registry_gate import BasicGate, TokenGate
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

USER, PASSWORD = "robot", "pass:word with blanks"
HELPER = """#!/bin/sh
# Keeps credentials in files of its folder.
folder=$(dirname "$0")
read -r line
case "$1" in
store) echo "$line" > "$folder/kept" ;;
get) if ! cat "$folder/kept" 2>/dev/null; then
       echo "credentials not found in native keychain"; exit 1
     fi ;;
erase) rm -f "$folder/kept" ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of somebody who has never logged in anywhere."""
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_RUNTIME_DIR": str(home / "run"),
    }


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[RealRegistry]:
    """Run docker-registry behind htpasswd."""
    async with real_registry(tmp_path / "registry", user=(USER, PASSWORD)) as registry:
        yield registry


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedRegistry]:
    """Run a scripted registry with one image, ``app:1``."""
    async with scripted_registry() as registry:
        registry.add("app:1", image([random_layer(1)]))
        yield registry


async def log_in(
    host: str, environment: dict[str, str], password: str = PASSWORD, *options: str
) -> Done:
    """Run ``airgap login`` as a script does."""
    return await airgap(
        *("login", host, "-u", USER, "--password-stdin", *options),
        environment=environment,
        given=f"{password}\n",
    )


async def publish(host: str, folder: Path, environment: dict[str, str]) -> Done:
    """Push a small image with skopeo, which has its credentials from where it always looks."""
    layout = folder / "layout"
    await succeed("umoci", "init", "--layout", str(layout))
    await succeed("umoci", "new", "--image", f"{layout}:1")
    return await run(
        *("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{host}/app:1"),
        environment=environment,
    )


async def test_what_airgap_stores_lets_skopeo_and_airgap_in(
    guarded: RealRegistry, environment: dict[str, str], tmp_path: Path
) -> None:
    """Before the login neither may push or pull, afterwards both."""
    assert (await publish(guarded.host, tmp_path / "1", environment)).code != 0
    done = await log_in(guarded.host, environment)
    assert done.code == 0, done.err
    assert ".docker/config.json" in done.out
    assert PASSWORD not in done.out + done.err
    assert (await publish(guarded.host, tmp_path / "2", environment)).code == 0
    store = ("--store", str(tmp_path / "store"))
    mirrored = await airgap("mirror", f"{guarded.host}/app:1", *store, environment=environment)
    assert mirrored.code == 0, mirrored.err


@pytest.mark.parametrize("tool", ["skopeo", "podman"])
async def test_what_other_tools_store_lets_airgap_in(
    guarded: RealRegistry, environment: dict[str, str], tmp_path: Path, tool: str
) -> None:
    """``skopeo login`` and ``podman login`` do for airgap; ``airgap logout`` undoes them."""
    done = await run(
        *(tool, "login", "--tls-verify=false", "-u", USER, "--password-stdin", guarded.host),
        environment=environment,
        given=PASSWORD,
    )
    assert done.code == 0, done.err
    assert (await publish(guarded.host, tmp_path / "1", environment)).code == 0
    mirror = ("mirror", f"{guarded.host}/app:1", "--store", str(tmp_path / "store"))
    assert (await airgap(*mirror, environment=environment)).code == 0
    done = await airgap("logout", guarded.host, environment=environment)
    assert done.code == 0, done.err
    assert "auth.json" in done.out
    assert (await airgap(*mirror, environment=environment)).code == 6
    assert (await publish(guarded.host, tmp_path / "2", environment)).code != 0


async def test_a_wrong_password_is_not_stored(
    guarded: RealRegistry, environment: dict[str, str]
) -> None:
    """The registry is asked first; the error names it, and no secret."""
    done = await log_in(guarded.host, environment, "wrong-secret")
    assert done.code == 6, done.out
    assert guarded.host in done.err
    assert "nothing was kept" in done.err
    assert "wrong-secret" not in done.out + done.err
    assert not (Path(environment["HOME"]) / ".docker/config.json").exists()


@pytest.mark.parametrize(
    "make_gate",
    [
        lambda: BasicGate(USER, PASSWORD),
        lambda: TokenGate(users={USER: PASSWORD}, public=frozenset()),
        lambda: TokenGate(users={USER: PASSWORD}, public=frozenset(), get=False),
    ],
    ids=["basic", "token by GET", "token by POST"],
)
async def test_every_way_to_be_let_in_is_tried_before_storing(
    scripted: ScriptedRegistry,
    environment: dict[str, str],
    tmp_path: Path,
    make_gate: Callable[[], BasicGate | TokenGate],
) -> None:
    """Basic and token servers: right credentials are kept and used, wrong ones are not kept."""
    scripted.guard(make_gate())
    assert (await log_in(scripted.host, environment, "wrong")).code == 6
    done = await log_in(scripted.host, environment, PASSWORD, "--json")
    assert done.code == 0, done.out + done.err
    assert done.document["checked"] is True
    store = ("--store", str(tmp_path / "store"))
    mirrored = await airgap("mirror", f"{scripted.host}/app:1", *store, environment=environment)
    assert mirrored.code == 0, mirrored.err


async def test_a_registry_that_asks_nobody_cannot_check_a_login(
    scripted: ScriptedRegistry, environment: dict[str, str]
) -> None:
    """It is said, since the first push may show that the password is wrong."""
    done = await log_in(scripted.host, environment)
    assert done.code == 0, done.err
    assert "could not be checked" in done.out


async def test_a_helper_that_a_file_names_keeps_the_password(
    scripted: ScriptedRegistry, environment: dict[str, str], tmp_path: Path
) -> None:
    """The file learns the host alone; logging out empties both."""
    environment["PATH"] = f"{_helper(tmp_path)}:{os.environ['PATH']}"
    scripted.guard(BasicGate(USER, PASSWORD))
    config = Path(environment["HOME"]) / ".docker/config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"credsStore": "test", "detachKeys": "ctrl-x"}))
    done = await log_in(scripted.host, environment)
    assert done.code == 0, done.err
    assert "docker-credential-test" in done.out
    assert json.loads(config.read_text()) == {
        "credsStore": "test",
        "detachKeys": "ctrl-x",
        "auths": {scripted.host: {}},
    }
    mirror = ("mirror", f"{scripted.host}/app:1", "--store", str(tmp_path / "store"))
    assert (await airgap(*mirror, environment=environment)).code == 0
    done = await airgap("logout", scripted.host, environment=environment)
    assert "docker-credential-test" in done.out
    assert scripted.host not in config.read_text()
    assert (await airgap(*mirror, environment=environment)).code == 6


async def test_a_helper_that_the_config_names_is_asked(
    scripted: ScriptedRegistry, environment: dict[str, str], tmp_path: Path
) -> None:
    """``registries.HOST.credentials.helper`` needs no other file, and its absence is an error."""
    scripted.guard(BasicGate(USER, PASSWORD))
    config = tmp_path / "airgap.yaml"
    config.write_text(f"registries:\n  {scripted.host}:\n    credentials:\n      helper: test\n")
    mirror = (
        *("mirror", f"{scripted.host}/app:1", "--config", str(config)),
        *("--store", str(tmp_path / "store")),
    )
    done = await airgap(*mirror, environment=environment)
    assert done.code == 3
    assert "docker-credential-test" in done.err
    folder = _helper(tmp_path)
    kept = {"ServerURL": scripted.host, "Username": USER, "Secret": PASSWORD}
    (folder / "kept").write_text(json.dumps(kept))
    environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    done = await airgap(*mirror, environment=environment)
    assert done.code == 0, done.err


async def test_a_person_is_asked_for_name_and_password(
    scripted: ScriptedRegistry, environment: dict[str, str]
) -> None:
    """In a terminal; what is typed as the password does not show."""
    scripted.guard(BasicGate(USER, PASSWORD))
    shown = await _converse(
        (sys.executable, "-m", "airgap", "login", scripted.host),
        [("User at", USER), ("Password", PASSWORD)],
        environment,
    )
    assert f"logged in to {scripted.host} as {USER}" in shown
    assert PASSWORD not in shown


async def test_without_a_terminal_a_script_must_say_everything(
    environment: dict[str, str],
) -> None:
    """Nothing hangs at a prompt that nobody sees."""
    done = await airgap("login", "r.lan", environment=environment)
    assert done.code == 2
    assert "--password-stdin" in done.err
    done = await airgap("login", "r.lan", "--password-stdin", environment=environment, given="x")
    assert done.code == 2
    done = await airgap("logout", environment=environment)
    assert (done.code, "nobody is logged in to docker.io" in done.out) == (0, True)


@pytest.mark.parametrize(
    "text,host",
    [
        (None, "docker.io"),
        ("docker.io", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://r.lan:5000/", "r.lan:5000"),
        ("r.lan/v2/", "r.lan"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_a_registry_is_known_by_what_people_paste(text: str | None, host: str) -> None:
    """Schemes and the old names of Docker Hub are understood."""
    assert registry_host(text) == host


@pytest.mark.parametrize("text", ["registry", "r.lan/team/app", "", "r lan:5000", "-u.lan/"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    """A repository is not a server, and a bare word would be a repository of Docker Hub."""
    with pytest.raises(InvalidReference):
        registry_host(text)


async def _converse(
    command: tuple[str, ...], answers: list[tuple[str, str]], environment: dict[str, str]
) -> str:
    """Run a program in a terminal of its own; answer its prompts, and return what it showed."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "AIRGAP_CONFIG": os.devnull, **environment},
    )
    os.close(theirs)
    shown = ""
    try:
        for prompt, answer in answers:
            while prompt not in shown:
                shown += (await asyncio.to_thread(os.read, ours, 1000)).decode()
            os.write(ours, f"{answer}\n".encode())
        while True:
            shown += (await asyncio.to_thread(os.read, ours, 1000)).decode()
    except OSError:
        # So a terminal says that nobody is left at its other end.
        assert await process.wait() == 0, shown
    finally:
        os.close(ours)
    return shown


def _helper(folder: Path) -> Path:
    """Write a credential helper called ``test``; return the folder it is in."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    program = bin_folder / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    return bin_folder
