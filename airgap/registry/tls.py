"""TLS contexts: private authorities and client certificates, from settings and ``certs.d``."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airgap.errors import NotFound, NotPermitted, UsageError
from airgap.registry.settings import ClientSettings, HostSettings


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files that say whom a host is trusted by, and who we are to it.

    Attributes:
        authorities: PEM certificates to trust besides the system's.
        identities: pairs of client certificate and key.
    """

    authorities: tuple[Path, ...] = ()
    identities: tuple[tuple[Path, Path], ...] = field(default=())

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.authorities or self.identities)


def certificate_folders(settings: ClientSettings) -> tuple[Path, ...]:
    """Return where ``HOST/*.crt`` may be, the first that has the host counts (certs.d(5))."""
    own = () if settings.home is None else (settings.home / ".config/containers/certs.d",)
    return (*own, *settings.system_certs)


def find_tls_files(host: str, settings: HostSettings, folders: Iterable[Path]) -> TlsFiles:
    """Return the TLS files of one host: what is set, else what the first folder has.

    In a folder ``HOST`` every ``*.crt`` is an authority and every ``*.cert`` with its ``*.key`` a
    client certificate, as docker and podman have it.

    Raises:
        NotFound: a client certificate has no key beside it.
        NotPermitted: a folder may not be read.
        UsageError: a client certificate is set without its key, or a key without certificate.
    """
    if (settings.client_cert is None) != (settings.client_key is None):
        raise UsageError(
            host, "a client certificate and its key belong together", "set both, or none of them"
        )
    if settings.ca_file is not None or settings.client_cert is not None:
        return TlsFiles(
            (settings.ca_file,) if settings.ca_file is not None else (),
            ((settings.client_cert, settings.client_key),)
            if settings.client_cert is not None and settings.client_key is not None
            else (),
        )
    for folder in folders:
        try:
            names = sorted((folder / host).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            raise NotPermitted(str(folder / host), "may not be read") from error
        return _read_folder(names)
    return TlsFiles()


def _read_folder(names: list[Path]) -> TlsFiles:
    identities = []
    for certificate in (name for name in names if name.suffix == ".cert"):
        key = certificate.with_suffix(".key")
        if key not in names:
            raise NotFound(str(certificate), "has no key beside it", f"put it at {key}")
        identities.append((certificate, key))
    return TlsFiles(tuple(n for n in names if n.suffix == ".crt"), tuple(identities))


@dataclass(frozen=True, slots=True)
class HostTls:
    """The TLS of one host.

    Attributes:
        own: for the host itself.
        others: for hosts that it sends us to (token server, object store): they may well have
            certificates of the same authority, but who we are is not their business.
    """

    own: ssl.SSLContext | None
    others: ssl.SSLContext | None


def host_tls(host: str, files: TlsFiles) -> HostTls:
    """Read the TLS files of a host; without any, the system's authorities alone count.

    Raises:
        NotFound: a file is not there.
        NotPermitted: a file may not be read.
        UsageError: a file is not what it should be.
    """
    if not files:
        return HostTls(None, None)
    others = _context(host, TlsFiles(files.authorities))
    return HostTls(_context(host, files) if files.identities else others, others)


def _context(host: str, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for authority in files.authorities:
        with _errors_of(host, authority):
            context.load_verify_locations(authority)
    for certificate, key in files.identities:
        with _errors_of(host, certificate):
            context.load_cert_chain(certificate, key)
    return context


@contextmanager
def _errors_of(host: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(str(path), f"the TLS file of {host} is not there") from error
    except PermissionError as error:
        raise NotPermitted(str(path), f"the TLS file of {host} may not be read") from error
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            str(path), f"is no PEM file, or not one with its key, for {host}"
        ) from error
