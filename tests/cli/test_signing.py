"""Who signs, who is trusted, and what becomes of bundles that nobody trusted has signed."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from airgap.bundle.keys import write_key_pair
from airgap.cli.passphrases import new_passphrase, passphrase_source
from airgap.errors import NotFound, UsageError
from airgap.operations.passphrases import VARIABLE, read_passphrase
from tests.support.command import airgap
from tests.support.filled_store import filled_store
from tests.support.images import image, random_layer
from tests.support.memory import MemorySource

SECRET = "correct horse battery"  # noqa: S105 - the passphrase of keys that tests make


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with one image."""
    source = MemorySource({"docker.io/team/app:1": image([random_layer(1)])})
    return await filled_store(tmp_path / "connected", source)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with ``open`` and ``closed`` keys; the second has a passphrase."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "pass").write_text(f"{SECRET}\n")
    write_key_pair(folder / "open", None)
    write_key_pair(folder / "closed", SECRET.encode())
    return folder


async def exported(store: Path, path: Path, *options: str) -> Path:
    """Export everything of a store."""
    done = await airgap("export", "--all", "--store", str(store), "-o", str(path), *options)
    assert done.code == 0, done.err
    return path


def config(tmp_path: Path, text: str) -> dict[str, str]:
    """Write a config beside the keys, and return the environment that names it."""
    path = tmp_path / "airgap.yaml"
    path.write_text(text)
    return {"AIRGAP_CONFIG": str(path)}


async def test_a_signed_bundle_is_taken_in_and_told_of(
    tmp_path: Path, store: Path, keys: Path
) -> None:
    """What the config trusts counts for import, verify and inspect alike, and nothing is warned."""
    bundle = await exported(store, tmp_path / "b.tar", "--sign", str(keys / "open.key"))
    trusting = config(tmp_path, "trust: {signers: keys/open.pub}\n")
    for command in (("verify",), ("inspect",), ("import", "--store", str(tmp_path / "isolated"))):
        done = await airgap(*command, str(bundle), environment=trusting)
        assert done.code == 0, done.err
        assert "signed by open (" in done.out
        assert "): valid" in done.out
        assert "warning" not in done.err
    done = await airgap("verify", "--json", str(bundle), environment=trusting)
    signatures = done.document["signatures"]
    assert [key["name"] for key in signatures["valid"]] == ["open"]
    assert signatures["checked"] is True


async def test_an_unsigned_bundle_is_refused_where_signers_are_configured(
    tmp_path: Path, store: Path, keys: Path
) -> None:
    """Exit code 15, the missing signer's name, and no store is made."""
    bundle = await exported(store, tmp_path / "b.tar")
    trusting = config(tmp_path, "trust: {signers: [keys/open.pub, keys/closed.pub]}\n")
    isolated = tmp_path / "isolated"
    for command in (("verify",), ("import", "--store", str(isolated))):
        done = await airgap(*command, str(bundle), environment=trusting)
        assert done.code == 15
        assert "is not signed" in done.err
        assert "open (" in done.err
        assert "closed (" in done.err
    assert not isolated.exists()
    assert keys.exists()


async def test_an_unsigned_bundle_is_warned_about_where_none_are(
    tmp_path: Path, store: Path
) -> None:
    """Without signers it is taken in, and the person is told what that means."""
    bundle = await exported(store, tmp_path / "b.tar")
    done = await airgap("import", str(bundle), "--store", str(tmp_path / "isolated"))
    assert done.code == 0
    assert "warning: the bundle is not signed: nothing says who made it" in done.err


async def test_a_channel_without_signers_is_no_way_around_them(
    tmp_path: Path, store: Path, keys: Path
) -> None:
    """Where one channel has signers, a bundle of no channel is not taken in with a warning."""
    bundle = await exported(store, tmp_path / "b.tar", "--sign", str(keys / "open.key"))
    guarded = config(tmp_path, "import:\n  plant: {signers: keys/open.pub}\n")
    done = await airgap("import", str(bundle), "--store", str(tmp_path / "i"), environment=guarded)
    assert done.code == 15
    assert "no signers are configured for it" in done.err
    assert (await airgap("inspect", str(bundle), environment=guarded)).code == 0


async def test_two_must_have_signed(tmp_path: Path, store: Path, keys: Path) -> None:
    """The config's threshold counts, and the passphrase comes from a file."""
    one = await exported(store, tmp_path / "1.tar", "--sign", str(keys / "open.key"))
    both = await exported(
        store,
        tmp_path / "2.tar",
        *("--sign", str(keys / "open.key"), "--sign", str(keys / "closed.key")),
        *("--passphrase-file", str(keys / "pass")),
    )
    text = "trust: {signers: [keys/open.pub, keys/closed.pub], threshold: 2}\n"
    trusting = config(tmp_path, text)
    refused = await airgap("verify", str(one), environment=trusting)
    assert refused.code == 15
    assert "only open (" in refused.err
    assert "missing is any of closed (" in refused.err
    assert (await airgap("verify", str(both), environment=trusting)).code == 0


async def test_a_channel_signs_by_its_config(tmp_path: Path, store: Path, keys: Path) -> None:
    """The channel's keys sign, and their passphrase comes from the variable that it names."""
    environment = config(
        tmp_path,
        "export:\n  plant:\n    output: plant.tar\n"
        "    sign: {with: keys/closed.key, passphrase-env: SIGNING}\n"
        "trust: {signers: keys/closed.pub}\n",
    )
    secret = {**environment, "SIGNING": SECRET}
    done = await airgap("export", "plant", "--store", str(store), environment=secret)
    assert done.code == 0, done.err
    assert SECRET not in done.out + done.err
    checked = await airgap("verify", str(tmp_path / "plant.tar"), environment=environment)
    assert checked.code == 0, checked.err
    assert keys.exists()


@pytest.mark.parametrize("passphrase", [None, "wrong horse"], ids=["none", "wrong"])
async def test_a_passphrase_that_is_missing_or_wrong_writes_nothing(
    tmp_path: Path, store: Path, keys: Path, passphrase: str | None
) -> None:
    """Exit code 6 before anything is packed, and the passphrase is not repeated."""
    environment = {"AIRGAP_KEY_PASSPHRASE": passphrase} if passphrase else {}
    done = await airgap(
        *("export", "--all", "--store", str(store), "-o", str(tmp_path / "b.tar")),
        *("--sign", str(keys / "closed.key")),
        environment=environment,
    )
    assert done.code == 6
    assert str(keys / "closed.key") in done.err
    assert "horse" not in done.out + done.err
    assert not list(tmp_path.glob("b.tar*"))


async def test_keygen_never_replaces_and_wants_a_decision(tmp_path: Path) -> None:
    """Without a terminal it does not leave a key readable unasked, and it keeps what is there."""
    name = str(tmp_path / "k")
    done = await airgap("keygen", name)
    assert done.code == 2
    assert "--no-passphrase" in done.err
    assert (await airgap("keygen", name, "--no-passphrase")).code == 0
    again = await airgap("keygen", name, "--no-passphrase")
    assert again.code == 2
    assert "never replaced" in again.err
    both = await airgap("keygen", name, "--no-passphrase", "--passphrase-file", "f")
    assert both.code == 2


async def test_a_signer_that_is_not_there_is_found_by_config_check(
    tmp_path: Path, keys: Path
) -> None:
    """Every key that the config names is read, and the first that is missing is named."""
    path = tmp_path / "airgap.yaml"
    path.write_text("trust: {signers: keys/open.pub}\n")
    assert (await airgap("config", "check", str(path))).code == 0
    path.write_text("import:\n  plant: {signers: [keys/open.pub, keys/gone.pub]}\n")
    done = await airgap("config", "check", str(path))
    assert done.code == 5
    assert str(keys / "gone.pub") in done.err


def test_keygen_asks_for_the_passphrase_twice(tmp_path: Path) -> None:
    """At a terminal the passphrase is asked for, unseen, and a slip of the finger is noticed."""
    answers = iter([b"first try\n", b"first tri\n", b"secret words\n", b"secret words\n"])
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "airgap", "keygen", tmp_path / "k"],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
        env={**os.environ, "AIRGAP_CONFIG": os.devnull},
    )
    os.close(its_end)
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 1024)
        except OSError:  # What a terminal says when nobody has the other end any more.
            break
        seen += piece
        if piece.rstrip().endswith(b":"):
            os.write(terminal, next(answers))
    os.close(terminal)
    assert process.wait() == 0, seen
    assert b"secret" not in seen
    assert b"do not match" in seen
    assert b"ENCRYPTED PRIVATE KEY" in (tmp_path / "k.key").read_bytes()


def test_a_passphrase_is_looked_for_in_turn(tmp_path: Path) -> None:
    """The file goes first, then the config's variable, then the usual one."""
    (tmp_path / "file").write_bytes(b"from the file\r\n")
    environ = {"OWN": "from its variable", VARIABLE: "from the usual one"}
    key = tmp_path / "k.key"
    assert passphrase_source(tmp_path / "file", "OWN", environ)(key) == b"from the file"
    assert passphrase_source(None, "OWN", environ)(key) == b"from its variable"
    assert passphrase_source(None, "OTHER", environ)(key) == b"from the usual one"
    assert new_passphrase(None, environ) == b"from the usual one"
    assert new_passphrase(tmp_path / "file", environ) == b"from the file"


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 5000], ids=["empty", "line", "long"])
def test_a_file_that_is_no_passphrase_is_named(tmp_path: Path, content: bytes) -> None:
    """An empty file would leave a key readable, and a long one is something else."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="file"):
        read_passphrase(tmp_path / "file")
    with pytest.raises(NotFound):
        read_passphrase(tmp_path / "nothing")
