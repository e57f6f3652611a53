"""Where a config names a secret, the secret itself: from a file or from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airgap.config.registries import CredentialsSection
from airgap.errors import ConfigError, NotFound, NotPermitted

MAX_SECRET_SIZE = 64 * 1024
"""Bytes of a password file; tokens of cloud registries have a few thousand."""


def read_password(credentials: CredentialsSection, environ: Mapping[str, str]) -> str | None:
    """Return the password that the section points to, or None where a helper has to be asked.

    One newline at the end of a file does not count, as editors and ``echo`` add one.

    Raises:
        NotFound: there is no such file, or no such variable.
        NotPermitted: the file may not be read.
        ConfigError: the secret is empty, too long, or not text. It never appears in the error.
    """
    if credentials.password_env is not None:
        return _from_environment(credentials.password_env, environ)
    if credentials.password_file is not None:
        return password_in(credentials.password_file)
    return None


def _from_environment(variable: str, environ: Mapping[str, str]) -> str:
    if variable not in environ:
        raise NotFound(f"${variable}", "is not set", "the config's password-env names it")
    if not environ[variable]:
        raise ConfigError(f"${variable}", "is empty, and should hold a password")
    return environ[variable]


def password_in(path: Path) -> str:
    """Return the password in a file; raises as ``read_password``."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_SIZE + 1)
    except FileNotFoundError:
        hint = "the config's password-file names it"
        raise NotFound(str(path), "there is no such password file", hint) from None
    except PermissionError:
        raise NotPermitted(str(path), "the password file may not be read") from None
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise ConfigError(str(path), f"the password file cannot be read: {cause}") from None
    if len(raw) > MAX_SECRET_SIZE:
        raise ConfigError(str(path), f"a password file has at most {MAX_SECRET_SIZE} bytes")
    try:
        password = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(str(path), "the password file is not UTF-8 text") from None
    if not password:
        raise ConfigError(str(path), "the password file is empty")
    return password
