"""``airgap login`` and ``airgap logout``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from airgap.cli.invocation import Invocation, common_options, plain_http_option
from airgap.cli.output import Result, perform
from airgap.cli.progress import EventView
from airgap.errors import AccessDenied, InvalidReference, UsageError
from airgap.oci.reference import DOCKER_HUB, Repository, names_a_host

if TYPE_CHECKING:
    from airgap.registry.settings import Login

_MAX_PASSWORD = 64 * 1024
"""Characters read from standard input; tokens of cloud registries have a few thousand."""

_WRONG = (
    "nothing was kept: check the name and the password; accounts with a second factor need an "
    "access token in place of the password"
)
_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", "hub.docker.com"})


@click.command()
@click.argument("server", required=False)
@click.option("-u", "--username", metavar="NAME", help="Who to log in as [asked for].")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@plain_http_option
@common_options
def login(
    invocation: Invocation, *, server: str | None, username: str | None, password_stdin: bool
) -> int:
    """Log in to a registry, for airgap and for docker, podman and skopeo.

    SERVER is a host as references name it; without it, Docker Hub. The registry is asked first, and
    only credentials that it takes are kept: in the auth.json or config.json that the other tools
    read, or in the credential helper that is named there. A password is never an argument, which
    every user of the machine could read.
    """
    host = registry_host(server)
    app = invocation.app()
    # Asked for before the loop runs: a prompt waits for a person.
    name, password = _ask(host, username, from_stdin=password_stdin)

    async def work(view: EventView) -> Result:
        login = _login(name, password)
        async with app.registries(view.emit) as registries:
            try:
                checked = await registries.check_login(host, login)
            except AccessDenied as error:
                raise AccessDenied(error.thing, error.cause, _WRONG) from None
        where = await app.credentials().store(host, login)
        lines = [f"logged in to {host} as {name}; kept in {where}"]
        if host in app.config.registries and app.config.registry(host).credentials is not None:
            lines.insert(0, f"the config has credentials for {host}, which airgap uses instead")
        if not checked:
            lines.insert(0, f"{host} asks nobody for credentials, so these could not be checked")
        document = {"server": host, "username": name, "checked": checked, "stored": where}
        return Result(document, lines)

    return perform(invocation, "login", work)


@click.command()
@click.argument("server", required=False)
@common_options
def logout(invocation: Invocation, *, server: str | None) -> int:
    """Forget the credentials of a registry, wherever they are kept.

    SERVER is a host as references name it; without it, Docker Hub. Files and credential helpers of
    docker, podman and skopeo are all looked at.
    """
    host = registry_host(server)
    app = invocation.app()

    async def work(view: EventView) -> Result:
        del view
        erased = await app.credentials().erase(host)
        lines = [f"forgotten: {host} in {where}" for where in erased]
        return Result(
            {"server": host, "erased": list(erased)}, lines or [f"nobody is logged in to {host}"]
        )

    return perform(invocation, "logout", work)


def registry_host(text: str | None) -> str:
    """Return the host that a person names a registry by; what they paste may be a URL.

    Raises:
        InvalidReference: it is not a registry's host.
    """
    if text is None:
        return DOCKER_HUB
    _, separator, rest = text.partition("://")
    host, _, path = (rest if separator else text).partition("/")
    if host in _HUB_NAMES:
        host = DOCKER_HUB
    if path.strip("/") not in {"", "v1", "v2"}:
        raise InvalidReference(
            repr(text), "is not a registry, but a place in one", f"log in to {host}"
        )
    if not names_a_host(host):
        raise InvalidReference(
            repr(text),
            "is not a registry host as references name it",
            f"write it with its domain or port, such as {host}:5000",
        )
    return Repository(host, "any/path").domain


def _ask(host: str, username: str | None, *, from_stdin: bool) -> tuple[str, str]:
    """Return name and password, from options, standard input or a prompt.

    Raises:
        UsageError: nobody is there to be asked, or what was given cannot be used.
    """
    if from_stdin:
        if username is None:
            raise UsageError("--password-stdin", "needs a name too", "add -u NAME")
        return _usable(username), _password(sys.stdin.read(_MAX_PASSWORD + 1))
    if not sys.stdin.isatty():
        raise UsageError(
            "", "there is no terminal to ask for a password", "use -u NAME --password-stdin"
        )
    name: str = username or click.prompt(f"User at {host}", err=True)
    password: str = click.prompt("Password", hide_input=True, err=True)
    return _usable(name), _password(password)


def _usable(name: str) -> str:
    if not name or ":" in name:
        raise UsageError(repr(name), "cannot be a user's name: it is empty, or has a colon")
    return name


def _password(text: str) -> str:
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError("", "the password is empty")
    if len(password) > _MAX_PASSWORD:
        raise UsageError("", f"a password has at most {_MAX_PASSWORD} characters")
    return password


def _login(name: str, password: str) -> Login:
    # Loaded here, so that help and completion come without the adapters.
    from airgap.registry.settings import Login  # noqa: PLC0415 - see above

    return Login(name, password)
