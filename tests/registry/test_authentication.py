"""Being let in at a scripted registry: Basic, and a token server in all its variants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap.errors import AccessDenied, NotFound, RegistryFault
from airgap.oci.reference import Reference
from airgap.registry.client import RegistryClient
from airgap.registry.credential_store import CredentialStore
from airgap.registry.settings import ClientSettings, Login
from tests.support import images
from tests.support.blob_sources import BlobSource
from tests.support.registry_clients import QUICK, MakeClient, Told, quick, read_blob
from tests.support.registry_faults import Answer
from tests.support.registry_gate import BasicGate, TokenGate
from tests.support.scripted_registry import ScriptedRegistry

LAYER = images.random_layer(1)
IMAGE = images.image([LAYER])
ROOT = IMAGE.root.descriptor
USER = Login("user", "secret")


def gate(**changes: object) -> TokenGate:
    """Return a token server that knows one user, and one identity token of theirs."""
    made = TokenGate(users={"user": "secret"}, refresh_tokens={"refresh-secret": "user"})
    for name, value in changes.items():
        setattr(made, name, value)
    return made


async def test_basic_credentials_are_sent_once_they_are_asked_for(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """The first request goes without; from the challenge on every one carries them."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(BasicGate("user", "secret"))
    client = await make_client(quick(login=USER))
    for _ in range(3):
        assert await client.resolve(Reference(repository, "1")) == ROOT
    assert [seen.status for seen in scripted.requests] == [401, 200, 200, 200]
    assert "Authorization" not in scripted.requests[0].headers


async def test_wrong_basic_credentials_are_not_tried_again(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """A locked account is worse than an error; which does not show the password."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(BasicGate("user", "secret"))
    client = await make_client(quick(login=Login("user", "wrong-secret")))
    with pytest.raises(AccessDenied) as caught:
        await client.read_manifest(repository, ROOT)
    assert scripted.count() == 2
    assert "authentication required" in str(caught.value)
    assert "airgap login" in caught.value.hint
    assert "wrong-secret" not in f"{caught.value!r}"


async def test_an_anonymous_token_is_fetched_once_for_a_repository(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """One refusal, one token, and every further request is let in at once."""
    repository = scripted.add("team/app:1", IMAGE)
    public = gate()
    scripted.guard(public)
    for _ in range(3):
        assert await client.resolve(Reference(repository, "1")) == ROOT
    await read_blob(client, repository, LAYER.descriptor)
    assert public.requests == [
        (
            "GET",
            {
                "service": ["scripted, with a comma"],
                "scope": ["repository:team/app:pull"],
                "client_id": ["airgap"],
            },
        )
    ]
    assert scripted.count() == 6


async def test_many_requests_at_once_share_one_token(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A thousand tags of one repository do not ask a thousand times."""
    repository = scripted.add("team/app:1", IMAGE)
    public = gate()
    scripted.guard(public)
    await asyncio.gather(*(client.resolve(Reference(repository, "1")) for _ in range(40)))
    assert len(public.requests) == 1


@pytest.mark.parametrize(
    "change,expected",
    [
        ({}, ["GET"]),
        ({"key": "access_token"}, ["GET"]),
        ({"get": False}, ["GET", "POST"]),
        ({"life": None}, ["GET"]),
        ({"silent": True}, ["GET"]),
    ],
)
async def test_a_password_gets_a_token_whichever_way_the_server_knows(
    scripted: ScriptedRegistry,
    make_client: MakeClient,
    change: dict[str, object],
    expected: list[str],
) -> None:
    """By GET with Basic, else by POST; also where the challenge comes from the root alone."""
    repository = scripted.add("team/app:1", IMAGE)
    private = gate(public=frozenset(), **change)
    scripted.guard(private)
    client = await make_client(quick(login=USER))
    assert await client.resolve(Reference(repository, "1")) == ROOT
    assert [method for method, _ in private.requests] == expected
    first = private.requests[0][1]
    assert first.get("account") == ["user"]


@pytest.mark.parametrize("get", [True, False])
async def test_an_identity_token_is_a_refresh_token(
    scripted: ScriptedRegistry, make_client: MakeClient, *, get: bool
) -> None:
    """It goes by POST, and never as a password."""
    repository = scripted.add("team/app:1", IMAGE)
    private = gate(public=frozenset(), get=get)
    scripted.guard(private)
    client = await make_client(quick(login=Login("", "", "refresh-secret")))
    assert await client.resolve(Reference(repository, "1")) == ROOT
    ((method, fields),) = private.requests
    assert method == "POST"
    assert fields["grant_type"] == ["refresh_token"]


async def test_a_wrong_password_is_named_by_the_token_servers_reason(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """The error has the reason and no secret."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(gate(public=frozenset(), post=False))
    client = await make_client(quick(login=Login("user", "wrong-secret")))
    with pytest.raises(AccessDenied, match="incorrect username or password") as caught:
        await client.resolve(Reference(repository, "1"))
    assert "wrong-secret" not in f"{caught.value!r}"


async def test_pushing_asks_for_both_rights_and_reading_reuses_them(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """The actions of one repository are asked for together."""
    private = gate(public=frozenset())
    scripted.guard(private)
    client = await make_client(quick(login=USER))
    repository = scripted.repository("team/app")
    await client.put_blob(repository, LAYER.descriptor, BlobSource(LAYER.content), lambda _: None)
    assert await read_blob(client, repository, LAYER.descriptor) == LAYER.content
    assert [fields["scope"] for _, fields in private.requests] == [
        ["repository:team/app:pull,push"]
    ]


async def test_a_mount_asks_for_the_right_to_read_its_origin(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """The scope of the target stands first."""
    private = gate(public=frozenset())
    scripted.guard(private)
    client = await make_client(quick(login=USER))
    for path in ("team/one", "team/two"):
        await client.put_blob(
            scripted.repository(path), LAYER.descriptor, BlobSource(LAYER.content), lambda _: None
        )
    assert private.requests[-1][1]["scope"] == [
        "repository:team/two:pull,push",
        "repository:team/one:pull",
    ]
    assert scripted.received("team/two") == 0


async def test_a_mount_without_right_to_the_origin_is_done_without(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """The 401 is no failure: the bytes go the plain way."""
    private = gate(public=frozenset())
    scripted.guard(private)
    client = await make_client(quick(login=USER))
    await client.put_blob(
        scripted.repository("team/one"), LAYER.descriptor, BlobSource(LAYER.content), lambda _: None
    )
    scripted.fail(Answer(401), "POST", "mount=", times=None)
    await client.put_blob(
        scripted.repository("team/two"), LAYER.descriptor, BlobSource(LAYER.content), lambda _: None
    )
    assert scripted.content("team/two").blobs[LAYER.descriptor.digest] == LAYER.content


async def test_a_token_that_is_no_longer_good_is_replaced(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """A registry that restarted has forgotten its tokens."""
    repository = scripted.add("team/app:1", IMAGE)
    public = gate()
    scripted.guard(public)
    await client.resolve(Reference(repository, "1"))
    public.revoke()
    assert await client.resolve(Reference(repository, "1")) == ROOT
    assert len(public.requests) == 2


async def test_an_insufficient_scope_is_tried_once_more_and_then_told(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """Rights that are not there do not come by asking again and again."""
    repository = scripted.add("team/app:1", IMAGE)
    private = gate(forbidden=frozenset({"repository:team/app"}))
    scripted.guard(private)
    client = await make_client(quick(login=USER))
    with pytest.raises(AccessDenied):
        await client.resolve(Reference(repository, "1"))
    assert len(private.requests) == 2


async def test_credentials_do_not_go_to_a_token_server_over_plain_http(
    scripted: ScriptedRegistry, make_client: MakeClient
) -> None:
    """A realm elsewhere, unprotected, gets nothing at all."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(gate(public=frozenset(), realm="http://auth.example.invalid/token"))
    client = await make_client(quick(login=USER))
    with pytest.raises(AccessDenied, match="unprotected"):
        await client.resolve(Reference(repository, "1"))


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "nonsense", "http://u:p@127.0.0.1/token"])
async def test_a_realm_of_another_kind_is_a_fault(
    scripted: ScriptedRegistry, client: RegistryClient, realm: str
) -> None:
    """A token server is asked by http or https alone."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(gate(realm=realm))
    with pytest.raises(RegistryFault, match="token server"):
        await client.resolve(Reference(repository, "1"))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"token":7}', b"x" * 70_000])
async def test_a_token_that_is_none_is_a_fault(
    scripted: ScriptedRegistry, client: RegistryClient, body: bytes
) -> None:
    """Nor is more than 64 KiB read of it."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(gate())
    scripted.fail(Answer(200, {}, body), path="^/token", times=None)
    with pytest.raises(RegistryFault, match="token server"):
        await client.resolve(Reference(repository, "1"))


async def test_a_token_server_that_fails_is_asked_again(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """Its failures are retried as the registry's own."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(gate())
    scripted.fail(Answer(503), path="^/token", times=3)
    assert await client.resolve(Reference(repository, "1")) == ROOT


async def test_credentials_do_not_follow_a_redirect(
    scripted: ScriptedRegistry, second: ScriptedRegistry, make_client: MakeClient
) -> None:
    """The other host, which is only another port here, sees no Authorization."""
    repository = scripted.add("team/app:1", IMAGE)
    second.add("team/app:1", IMAGE)
    scripted.guard(BasicGate("user", "secret"))
    client = await make_client(quick(login=USER))
    await client.resolve(Reference(repository, "1"))
    path = f"/v2/team/app/blobs/{LAYER.descriptor.digest}"
    scripted.fail(Answer(307, {"Location": f"{second.url}{path}"}), "GET")
    assert await read_blob(client, repository, LAYER.descriptor) == LAYER.content
    assert "Authorization" in scripted.requests[-1].headers
    assert "Authorization" not in second.requests[-1].headers


@pytest.mark.parametrize(
    "make_gate", [lambda: BasicGate("user", "secret"), lambda: gate(public=frozenset())]
)
async def test_a_login_is_checked_before_it_is_kept(
    scripted: ScriptedRegistry, client: RegistryClient, make_gate: Callable[[], BasicGate]
) -> None:
    """Right ones pass, wrong ones are denied, whatever is configured."""
    scripted.guard(make_gate())
    await client.check_login(scripted.host, USER)
    with pytest.raises(AccessDenied):
        await client.check_login(scripted.host, Login("user", "wrong"))


async def test_a_helper_that_is_gone_does_not_keep_from_what_is_public(
    scripted: ScriptedRegistry, make_client: MakeClient, tmp_path: Path, told: Told
) -> None:
    """It is told, and the client goes on as nobody in particular."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(gate())
    config = tmp_path / "config.json"
    config.write_text('{"credsStore": "desktop-that-is-not-here"}')
    environ = {"REGISTRY_AUTH_FILE": str(config)}
    client = await make_client(ClientSettings(default=QUICK, environ=environ))
    assert await client.resolve(Reference(repository, "1")) == ROOT
    assert told.has("docker-credential-desktop-that-is-not-here", "warning")


async def test_a_login_made_meanwhile_is_used(
    scripted: ScriptedRegistry, make_client: MakeClient, tmp_path: Path
) -> None:
    """A daemon that was denied once looks for credentials again."""
    repository = scripted.add("team/app:1", IMAGE)
    scripted.guard(BasicGate("user", "secret"))
    client = await make_client(ClientSettings(default=QUICK, home=tmp_path))
    with pytest.raises(AccessDenied):
        await client.resolve(Reference(repository, "1"))
    await CredentialStore({}, tmp_path).store(scripted.host, USER)
    assert await client.resolve(Reference(repository, "1")) == ROOT


async def test_what_is_missing_is_not_taken_for_denied(
    scripted: ScriptedRegistry, client: RegistryClient
) -> None:
    """With a token in hand a missing tag is a missing tag."""
    scripted.guard(gate())
    with pytest.raises(NotFound):
        await client.resolve(Reference(scripted.repository("team/app"), "1"))
