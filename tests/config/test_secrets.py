"""Secrets that a config only points to."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap.config.registries import CredentialsSection
from airgap.config.secrets import MAX_SECRET_SIZE, read_password
from airgap.errors import AirgapError, ConfigError, NotFound


def _in_file(path: Path) -> CredentialsSection:
    return CredentialsSection(username="me", password_file=path)


@pytest.mark.parametrize(
    "raw, password",
    [(b"secret\n", "secret"), (b"secret", "secret"), (b"a b \r\n", "a b "), (b"\n\n", "\n")],
)
def test_one_newline_at_the_end_of_a_file_does_not_count(
    raw: bytes, password: str, tmp_path: Path
) -> None:
    """Editors add it; spaces may belong to the password."""
    (tmp_path / "password").write_bytes(raw)
    assert read_password(_in_file(tmp_path / "password"), {}) == password


def test_a_variable_is_taken_as_it_is() -> None:
    """From the environment that was handed in, not from the process."""
    credentials = CredentialsSection(username="me", password_env="THE_PASSWORD")  # noqa: S106 - the name of a variable
    assert read_password(credentials, {"THE_PASSWORD": "s3cret\n"}) == "s3cret\n"
    with pytest.raises(NotFound, match="THE_PASSWORD"):
        read_password(credentials, {})
    with pytest.raises(ConfigError, match="is empty"):
        read_password(credentials, {"THE_PASSWORD": ""})


def test_a_helper_has_to_be_asked_elsewhere() -> None:
    """Running a program is not what reading a config does."""
    assert read_password(CredentialsSection(helper="pass"), {}) is None


@pytest.mark.parametrize(
    "raw, cause", [(b"", "is empty"), (b"\n", "is empty"), (b"hidden\xff", "is not UTF-8")]
)
def test_what_is_no_password_is_refused_unseen(raw: bytes, cause: str, tmp_path: Path) -> None:
    """The error names the file, and none of what is in it."""
    (tmp_path / "password").write_bytes(raw)
    with pytest.raises(ConfigError, match=cause) as caught:
        read_password(_in_file(tmp_path / "password"), {})
    assert "hidden" not in repr(caught.value)


def test_a_missing_file_a_folder_and_an_endless_one_are_errors(tmp_path: Path) -> None:
    """Each names the path."""
    for path in (tmp_path / "nothing", tmp_path, Path("/dev/zero")):
        with pytest.raises(AirgapError) as caught:
            read_password(_in_file(path), {})
        assert caught.value.thing == str(path)
    (tmp_path / "long").write_bytes(b"x" * (MAX_SECRET_SIZE + 1))
    with pytest.raises(ConfigError, match="at most"):
        read_password(_in_file(tmp_path / "long"), {})
