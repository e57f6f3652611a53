"""What the config says of signatures, encryption and volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.config.loading import parse_config
from airgap.errors import ConfigError

CHANNEL = "export:\n  plant:\n    "


def test_sizes_and_media_become_bytes() -> None:
    """A volume is as large as the person wrote, in numbers or by the name of a medium."""
    config = parse_config(f"{CHANNEL}volumes: {{size: 4GiB-1, parity: 2}}\n", "f")
    assert config.exports["plant"].volumes.size == 2**32 - 1
    assert config.exports["plant"].volumes.parity == 2
    dvd = parse_config(f"{CHANNEL}volumes: {{size: dvd}}\n", "f").exports["plant"].volumes
    assert dvd.size is not None
    assert 4_600_000_000 < dvd.size < 4_700_000_000


def test_keys_are_found_beside_the_config(tmp_path: Path) -> None:
    """Relative paths begin at the config's folder, also those of recipients."""
    path = tmp_path / "airgap.yaml"
    text = (
        f"{CHANNEL}sign: {{with: keys/a.key}}\n    encrypt: [age1xyz, ssh-rsa AAAA, keys/r.txt]\n"
        "trust: {signers: keys/a.pub, identities: age.txt}\n"
    )
    config = parse_config(text, str(path), folder=tmp_path)
    assert config.exports["plant"].sign.with_ == (tmp_path / "keys/a.key",)
    assert config.exports["plant"].encrypt == ("age1xyz", "ssh-rsa AAAA", f"{tmp_path}/keys/r.txt")
    assert config.trust.signers == (tmp_path / "keys/a.pub",)
    assert config.trust.identities == (tmp_path / "age.txt",)


@pytest.mark.parametrize(
    "text, cause",
    [
        (f"{CHANNEL}volumes: {{parity: 1}}\n", "size is not set"),
        (f"{CHANNEL}volumes: {{size: huge}}\n", "is not a size"),
        (f"{CHANNEL}sign: {{passphrase-file: a, passphrase-env: B}}\n", "passphrase-env"),
        (f"{CHANNEL}sign: {{passphrase: x}}\n", "never stands in the config"),
        (f"{CHANNEL}sign: {{keys: a.key}}\n", "the list is called"),
        (f"{CHANNEL}encrypt: AGE-SECRET-KEY-1QQ\n", "is a secret key"),
        ("trust: {signers: a.pub, threshold: 2}\n", "asks for 2 signatures, and there are 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, cause: str) -> None:
    """Each problem is said with its key, and no secret is repeated."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "f")
    assert cause in f"{caught.value} {caught.value.hint}"
    assert "1QQ" not in f"{caught.value} {caught.value.hint}"
