"""A private certificate authority for one test, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """The files of a private authority: for a server on loopback, and for a client.

    Attributes:
        ca: the authority's certificate (PEM), which a client must be told to trust.
        server_cert: valid for ``localhost``, ``127.0.0.1`` and ``::1``.
        server_key: belongs to ``server_cert``.
        client_cert: what a server that asks for client certificates accepts.
        client_key: belongs to ``client_cert``.
    """

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make a certificate authority, a server certificate and a client certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, ca = folder / "ca.key", folder / "ca.crt"
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", ca_key, "-out", ca, "-days", "2", "-subj", "/CN=airgap test authority"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
    server_cert, server_key = _issue(folder, "server", ca, ca_key, names)
    client_cert, client_key = _issue(folder, "client", ca, ca_key, "extendedKeyUsage=clientAuth")
    return Certificates(ca, server_cert, server_key, client_cert, client_key)


def _issue(folder: Path, name: str, ca: Path, ca_key: Path, extension: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.cert"
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-CA", ca, "-CAkey", ca_key, "-keyout", key, "-out", certificate, "-days", "2"),
        *("-subj", f"/CN=airgap test {name}", "-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", extension),
    )
    return certificate, key


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
