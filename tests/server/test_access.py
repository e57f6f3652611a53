"""Signing in, tokens, rules, read-only mode and TLS."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from airgap.content.hosting import Hosting
from airgap.errors import ConfigError
from airgap.oci import media_types
from airgap.server import Action, Rule, ServerSettings, TlsFiles, running_registry
from airgap.server.accounts import Accounts, parse_htpasswd
from airgap.server.tokens import TOKEN_SECONDS, InvalidTokenError, Tokens
from tests.server.api import Api
from tests.support.certificates import make_certificates
from tests.support.images import image, random_layer

ALPINE = image([random_layer(1)])


@pytest.fixture
def htpasswd(tmp_path: Path) -> Path:
    """A password file with ann and bob, made by Apache's own tool."""
    path = tmp_path / "htpasswd"
    for name, flags in (("ann", "-cbB"), ("bob", "-bB")):
        command = ["htpasswd", flags, "-C", "4", str(path), name, f"secret of {name}"]
        subprocess.run(command, check=True, capture_output=True)
    return path


def basic(user: str, password: str | None = None) -> Mapping[str, str]:
    """Return the header of a user with the right, or another, password."""
    text = f"{user}:{password or f'secret of {user}'}"
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@asynccontextmanager
async def served(hosting: Hosting, settings: ServerSettings) -> AsyncIterator[Api]:
    """Run a registry and a client that does not sign in."""
    async with running_registry(hosting, settings) as running, aiohttp.ClientSession() as session:
        yield Api(session, running.url)


async def test_everything_needs_a_password_behind_htpasswd(
    hosting: Hosting, htpasswd: Path
) -> None:
    """Without anonymous reading nobody gets in unsigned, and the challenge says how."""
    async with served(hosting, ServerSettings(htpasswd=htpasswd)) as api:
        for path in ("/v2/", "/v2/app/tags/list"):
            answer = await api.request("GET", path)
            assert answer.status == 401
            assert answer.codes == ["UNAUTHORIZED"]
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="airgap"'
        ann = Api(api.session, api.base, basic("ann"))
        assert (await ann.request("GET", "/v2/")).status == 200
        await ann.push_image("app", ALPINE, "1")


@pytest.mark.parametrize(
    "headers",
    [
        basic("ann", "wrong"),
        basic("nobody"),
        basic("ann", "x" * 200),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Digest x"},
    ],
)
@pytest.mark.parametrize("anonymous_read", [False, True])
async def test_wrong_credentials_never_pass_for_none(
    hosting: Hosting, htpasswd: Path, headers: Mapping[str, str], *, anonymous_read: bool
) -> None:
    """Whoever shows something wrong is told so, even where nothing would do."""
    settings = ServerSettings(htpasswd=htpasswd, anonymous_read=anonymous_read)
    async with served(hosting, settings) as api:
        answer = await Api(api.session, api.base, headers).request("GET", "/v2/app/tags/list")
        assert answer.status == 401


async def test_anonymous_reading_with_signed_in_writing(hosting: Hosting, htpasswd: Path) -> None:
    """Everybody pulls without a token; only users push and delete."""
    settings = ServerSettings(htpasswd=htpasswd, anonymous_read=True)
    async with served(hosting, settings) as api:
        ann = Api(api.session, api.base, basic("ann"))
        await ann.push_image("app", ALPINE, "1")
        assert (await api.request("GET", "/v2/app/manifests/1")).status == 200
        refused = await api.post("app")
        assert refused.status == 401
        assert 'scope="repository:app:pull,push"' in refused.headers["WWW-Authenticate"]
        assert (await api.request("DELETE", "/v2/app/manifests/1")).status == 401
        assert (await ann.request("DELETE", "/v2/app/manifests/1")).status == 202


async def test_the_token_dance_lets_docker_pull_anonymously_and_push_signed_in(
    hosting: Hosting, htpasswd: Path
) -> None:
    """The ping's challenge leads to a token: for nobody it reads, for a user it writes."""
    settings = ServerSettings(htpasswd=htpasswd, anonymous_read=True)
    async with served(hosting, settings) as api:
        ping = await api.request("GET", "/v2/")
        assert ping.status == 401
        realm = re.search(r'Bearer realm="([^"]+)/token"', ping.headers["WWW-Authenticate"])
        assert realm is not None
        assert realm[1] == api.base
        for headers, push_status in ((None, 401), (basic("ann"), 202)):
            asking = Api(api.session, api.base, headers or {})
            granted = await asking.request("GET", "/token?service=airgap&scope=repository:app:pull")
            assert granted.status == 200
            bearer = {"Authorization": f"Bearer {granted.document['token']}"}
            holder = Api(api.session, api.base, bearer)
            assert (await holder.request("GET", "/v2/")).status == 200
            assert (await holder.request("GET", "/v2/app/tags/list")).status == 404
            assert (await holder.post("app")).status == push_status
        wrong = Api(api.session, api.base, basic("ann", "wrong"))
        refused = await wrong.request("GET", "/token")
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic")


async def test_a_public_url_stands_in_the_challenge(hosting: Hosting, htpasswd: Path) -> None:
    """Behind a proxy clients are sent to where the registry is reached."""
    settings = ServerSettings(
        htpasswd=htpasswd, anonymous_read=True, public_url="https://registry.example/"
    )
    async with served(hosting, settings) as api:
        challenge = (await api.request("GET", "/v2/")).headers["WWW-Authenticate"]
        assert 'realm="https://registry.example/token"' in challenge


async def test_rules_open_and_close_repositories(hosting: Hosting, htpasswd: Path) -> None:
    """Rules decide for each repository, and the catalog shows what may be pulled."""
    rules = (
        Rule("team-a/**", frozenset({"ann"}), frozenset(Action)),
        Rule("team-b/**", frozenset({"bob"}), frozenset(Action)),
        Rule("team-b/**", frozenset({"*"}), frozenset({Action.PULL})),
    )
    settings = ServerSettings(htpasswd=htpasswd, anonymous_read=True, rules=rules)
    async with served(hosting, settings) as api:
        ann = Api(api.session, api.base, basic("ann"))
        bob = Api(api.session, api.base, basic("bob"))
        await ann.push_image("team-a/app", ALPINE, "1")
        await bob.push_image("team-b/app", ALPINE, "1")
        assert (await bob.request("GET", "/v2/team-a/app/manifests/1")).status == 403
        assert (await api.request("GET", "/v2/team-a/app/manifests/1")).status == 401
        assert (await api.request("GET", "/v2/team-b/app/manifests/1")).status == 200
        refused = await ann.request("DELETE", "/v2/team-b/app/manifests/1")
        assert refused.status == 403
        assert refused.codes == ["DENIED"]
        catalogs = [
            (await client.request("GET", "/v2/_catalog")).document["repositories"]
            for client in (ann, bob, api)
        ]
        assert catalogs == [["team-a/app", "team-b/app"], ["team-b/app"], ["team-b/app"]]


async def test_a_rule_holds_under_every_spelling_of_a_name(
    hosting: Hosting, htpasswd: Path
) -> None:
    """Naming the default domain, or ``?ns=``, does not lead around a rule."""
    rules = (Rule("secret/**", frozenset({"ann"}), frozenset(Action)),)
    async with served(hosting, ServerSettings(htpasswd=htpasswd, rules=rules)) as api:
        await Api(api.session, api.base, basic("ann")).push_image("secret/app", ALPINE, "1")
        bob = Api(api.session, api.base, basic("bob"))
        for path in (
            "/v2/secret/app/manifests/1",
            "/v2/localhost/secret/app/manifests/1",
            "/v2/secret/app/manifests/1?ns=localhost",
            "/v2/secret%2Fapp/manifests/1",
        ):
            assert (await bob.request("GET", path)).status == 403, path


async def test_a_mount_needs_the_right_to_pull_the_source(hosting: Hosting, htpasswd: Path) -> None:
    """Knowing a digest is not the right to read it: such a mount begins an upload instead."""
    rules = (Rule("secret/**", frozenset({"ann"}), frozenset(Action)),)
    async with served(hosting, ServerSettings(htpasswd=htpasswd, rules=rules)) as api:
        ann = Api(api.session, api.base, basic("ann"))
        bob = Api(api.session, api.base, basic("bob"))
        digest = await ann.push_blob("secret/app", b"for ann")
        assert (await bob.post("open", mount=digest, **{"from": "secret/app"})).status == 202
        assert (await bob.post("open", mount=digest)).status == 202
        assert (await ann.post("open", mount=digest, **{"from": "secret/app"})).status == 201


async def test_a_read_only_registry_takes_nothing(hosting: Hosting) -> None:
    """Pulls go on, and every change is refused with a reason."""
    async with served(hosting, ServerSettings()) as api:
        await api.push_image("app", ALPINE, "1")
    async with served(hosting, ServerSettings(read_only=True)) as api:
        assert (await api.request("GET", "/v2/app/manifests/1")).status == 200
        put = await api.request(
            "PUT",
            "/v2/app/manifests/2",
            body=ALPINE.root.raw,
            Content_Type=media_types.OCI_MANIFEST,
        )
        delete = await api.request("DELETE", "/v2/app/manifests/1")
        for answer in (put, delete, await api.post("app")):
            assert answer.status == 405
            assert answer.codes == ["DENIED"]
            assert answer.headers["Allow"] == "GET, HEAD"


def test_the_password_file_is_read_again_when_it_changes(htpasswd: Path) -> None:
    """A new user gets in and a removed one does not, without a restart."""
    accounts = Accounts.load(htpasswd)
    assert asyncio.run(accounts.check("bob", "secret of bob"))
    lines = htpasswd.read_text().splitlines()
    replacement = htpasswd.with_name("new")
    replacement.write_text(lines[0] + "\n" + lines[0].replace("ann:", "eve:") + "\n")
    replacement.rename(htpasswd)
    assert not asyncio.run(accounts.check("bob", "secret of bob"))
    assert asyncio.run(accounts.check("eve", "secret of ann"))
    htpasswd.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        asyncio.run(accounts.check("ann", "secret of ann"))


@pytest.mark.parametrize(
    "line, cause",
    [
        ("ann", "not a line of the form"),
        (":$2y$05$x", "not a line of the form"),
        ("ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "not bcrypt"),
        ("ann:plain", "not bcrypt"),
        ("ann:$2y$05$" + "a" * 53 + "\nann:$2y$05$" + "a" * 53, "twice"),
    ],
)
def test_a_wrong_line_of_the_password_file_is_named(line: str, cause: str) -> None:
    """The error says which line, and what is wrong with it."""
    with pytest.raises(ConfigError, match=cause) as caught:
        parse_htpasswd(f"# users\n\n{line}\n", "users.txt")
    assert caught.value.thing.startswith("users.txt:")


def test_a_token_is_of_its_process_and_time() -> None:
    """A token is read by whoever issued it, until it expires, and not when it was changed."""
    tokens = Tokens()
    token = tokens.issue("ann", now=1000.0)
    assert tokens.read(token, now=1000.0 + TOKEN_SECONDS - 1) == "ann"
    assert tokens.read(tokens.issue(None, now=1000.0), now=1000.0) is None
    changed = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    for wrong, now in ((token, 1000.0 + TOKEN_SECONDS), (changed, 1000.0), ("ä", 0.0), ("", 0.0)):
        with pytest.raises(InvalidTokenError):
            tokens.read(wrong, now)
    with pytest.raises(InvalidTokenError):
        Tokens().read(token, now=1000.0)


async def test_tls_serves_large_blobs_and_ranges(hosting: Hosting, tmp_path: Path) -> None:
    """Over TLS, where the kernel cannot send files, blobs arrive all the same."""
    files = make_certificates(tmp_path / "tls")
    content = random_layer(3, 3_000_000).content
    settings = ServerSettings(tls=TlsFiles(files.server_cert, files.server_key))
    async with running_registry(hosting, settings) as running:
        assert running.url.startswith("https://")
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(files.ca)))
        async with aiohttp.ClientSession(connector=connector) as session:
            api = Api(session, running.url)
            digest = await api.push_blob("app", content)
            path = f"/v2/app/blobs/{digest}"
            assert (await api.request("GET", path)).body == content
            part = await api.request("GET", path, Range="bytes=1000000-")
            assert part.body == content[1_000_000:]


async def test_tls_files_that_do_not_fit_are_named(hosting: Hosting, tmp_path: Path) -> None:
    """A key of another certificate, or a file that is not there, is a configuration error."""
    files = make_certificates(tmp_path / "tls")
    for key, cause in (
        (files.client_key, "no certificate for"),
        (tmp_path / "no", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=cause):
            async with running_registry(
                hosting, ServerSettings(tls=TlsFiles(files.server_cert, key))
            ):
                pass
