"""Channels by command: export, import, receipts, requests, removals, reports."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.site import Site
from tests.journeys.two_sides import images
from tests.support.command import airgap
from tests.support.registry_faults import Answer
from tests.support.scripted_registry import ScriptedRegistry, scripted_registry

FIRST = images(app=(1, 2), db=(1, 3))
SECOND = images(app=(1, 4), web=(1, 5))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two sides with a plain channel between them."""
    made = Site(tmp_path)
    made.configure()
    return made


@pytest.fixture
async def registry() -> AsyncIterator[ScriptedRegistry]:
    """An empty registry on the isolated side."""
    async with scripted_registry() as opened:
        yield opened


async def test_a_dry_run_shows_what_would_travel_and_uses_up_no_number(site: Site) -> None:
    """Added, moved and removed names, the bytes, and what the other side holds."""
    await site.publish(FIRST)
    await site.export()
    assert (await site.take_in(1)).code == 0
    await site.on_connected("receipt", "apply", str(site.folder / "outbox" / "plant-1.receipt"))
    await site.publish(SECOND)
    for _ in range(2):
        shown = (await site.on_connected("export", "plant", "--dry-run")).document
        changes = {c["reference"].partition("/team/")[2]: c["change"] for c in shown["changes"]}
        assert changes == {"app:1": "moved", "web:1": "added", "db:1": "removed"}
        assert (shown["sequence"], shown["kind"], shown["base"]) == (2, "incremental", 1)
    exported = await site.export()
    assert (exported["sequence"], exported["bytes"]) == (2, shown["bytes"])


async def test_status_tells_what_is_outstanding_on_both_sides(site: Site) -> None:
    """Exported, confirmed, taken in."""
    await site.publish(FIRST)
    await site.export()
    before = (await site.on_connected("status")).document["exports"]["plant"]
    assert (before["last_exported"]["sequence"], before["last_confirmed"]) == (1, None)
    assert [record["sequence"] for record in before["outstanding"]] == [1]
    await site.take_in(1)
    there = (await site.on_isolated("status")).document
    assert there["imports"]["plant"]["last_imported"] == 1
    assert there["unfinished"] == []
    await site.on_connected("receipt", "apply", str(site.folder / "outbox" / "plant-1.receipt"))
    after = (await site.on_connected("status")).document["exports"]["plant"]
    assert (after["last_confirmed"]["sequence"], after["outstanding"]) == (1, [])


@pytest.mark.parametrize("compress", ["none", "zstd"])
async def test_a_request_is_written_and_answered(site: Site, compress: str) -> None:
    """A lost bundle: refused with the list, the list goes back, the next bundle has it all."""
    site.configure(export=f"policy: assume-delivered\ncompress: {compress}")
    await site.publish(FIRST)
    await site.export()
    await site.export()
    await site.publish(SECOND)
    await site.export()
    await site.publish({**SECOND, **FIRST})
    await site.export()
    assert (await site.take_in(2)).code == 15
    assert (await site.take_in(1)).code == 0
    refused = await site.take_in(4)
    assert refused.code == 15
    request = site.folder / "outbox" / "plant-4.request"
    assert refused.document["request"] == str(request)
    said = (await site.on_connected("receipt", "show", str(request))).document["statements"][0]
    assert (said["type"], said["last"], said["sequence"]) == ("request", 1, 4)
    answer = await site.export("--request", str(request))
    assert (answer["sequence"], answer["base"]) == (5, 1)
    inspected = await airgap("inspect", str(site.folder / "5.tar"), "--json")
    carried = {blob["digest"] for blob in inspected.document["bundle_json"]["blobs"]}
    assert set(said["missing"]) <= carried
    assert said["missing"] == refused.document["missing"] != []
    taken = await site.take_in(5)
    assert taken.code == 0, taken.out
    names = (await site.on_isolated("images")).document["images"]
    assert len(names) == 3


async def test_signed_receipts_are_required_where_signers_are_configured(site: Site) -> None:
    """One that is not signed is refused; one that is signed moves the ledger."""
    key = site.folder / "plant"
    assert (await airgap("keygen", str(key), "--no-passphrase")).code == 0
    site.configure(export="signers: plant.pub")
    await site.publish(FIRST)
    await site.export()
    receipt = site.folder / "outbox" / "plant-1.receipt"
    await site.take_in(1)
    assert (await site.on_connected("receipt", "apply", str(receipt))).code == 15
    site.configure(export="signers: plant.pub", imports="sign: {with: plant.key}")
    await site.take_in(1)
    done = await site.on_connected("receipt", "apply", str(receipt))
    assert done.code == 0, done.out
    assert done.document["receipts"][0]["news"]


async def test_requests_want_the_same_signatures(site: Site) -> None:
    """Nobody else can make the sender rely on what the destination does not hold."""
    key = site.folder / "plant"
    assert (await airgap("keygen", str(key), "--no-passphrase")).code == 0
    site.configure(export="signers: plant.pub\npolicy: assume-delivered")
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    await site.export()
    assert (await site.take_in(2)).code == 15
    request = site.folder / "outbox" / "plant-2.request"
    refused = await site.on_connected("export", "plant", "--request", str(request), "--force")
    assert refused.code == 15, refused.out
    site.configure(
        export="signers: plant.pub\npolicy: assume-delivered", imports="sign: {with: plant.key}"
    )
    assert (await site.take_in(2)).code == 15
    assert (await site.export("--request", str(request)))["sequence"] == 3


async def test_removals_are_previewed_and_applied_by_the_config(site: Site) -> None:
    """``--dry-run`` tells what would go; nothing goes before, and nothing else goes after."""
    site.configure(imports="removals: apply", export="policy: assume-delivered")
    await site.publish(FIRST)
    await site.export()
    await site.take_in(1)
    await site.publish(SECOND)
    await site.export()
    shown = (await site.take_in(2, "--dry-run")).document
    assert [r["name"] for r in shown["removals"] if r["removed"]] == ["docker.io/team/db:1"]
    before = (await site.on_isolated("images")).document["images"]
    assert len(before) == 2
    await site.take_in(2)
    after = (await site.on_isolated("images")).document["images"]
    assert {i["reference"] for i in after} == {
        "docker.io/team/app:1",
        "docker.io/team/web:1",
    }


async def test_removals_can_be_seen_before_the_bundle_travels(site: Site) -> None:
    """A preview names what is gone, and so does the bundle itself, to a person and a machine."""
    site.configure(export="policy: assume-delivered")
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    preview = await airgap(
        *("export", "plant", "--dry-run", "--store", str(site.connected)),
        *("--config", str(site.folder / "export.yaml")),
    )
    assert "gone   team/db:1" in preview.out
    assert "1 gone" in preview.out
    await site.export()
    bundle = str(site.folder / "2.tar")
    shown = await airgap("inspect", bundle)
    assert "brings    2 references: 1 added, 1 moved, 1 removed" in shown.out
    assert "removed   team/db:1" in shown.out
    references = (await airgap("inspect", bundle, "--json")).document["bundle_json"]["references"]
    removed = [named["name"] for named in references if named["change"] == "removed"]
    assert removed == ["docker.io/team/db:1"]


async def test_a_dry_run_without_a_store_tells_that_the_base_is_not_here(site: Site) -> None:
    """A full bundle would be all new; an incremental one would be refused, and nothing is made."""
    site.configure(export="policy: assume-delivered")
    await site.publish(FIRST)
    await site.export()
    await site.publish(SECOND)
    await site.export()
    assert (await site.take_in(1, "--dry-run")).code == 0
    assert (await site.take_in(2, "--dry-run")).code == 15
    assert not (site.folder / "isolated").exists()


async def test_old_files_go_as_the_config_has_it(site: Site) -> None:
    """The newest stay, and a file that is not what was written any more stays too."""
    site.configure(export="keep: {count: 1}")
    await site.publish(FIRST)
    files = [site.folder / f"out{number}.tar" for number in range(3)]
    for file in files:
        done = await site.on_connected("export", "plant", "-o", str(file))
        assert done.code == 0, done.out
    assert [file.exists() for file in files] == [False, False, True]
    assert not list(site.folder.glob("out0*"))
    files[2].write_bytes(b"somebody else's")
    await site.on_connected("export", "plant", "-o", str(site.folder / "out3.tar"))
    assert files[2].read_bytes() == b"somebody else's"


async def test_an_increment_goes_straight_into_a_registry(
    site: Site, registry: ScriptedRegistry
) -> None:
    """``--direct``: what the bundle relies on is looked for in the registry, and found there."""
    site.configure(export="policy: assume-delivered", imports=f"to: {registry.host}")
    await site.publish(FIRST)
    await site.export()
    await site.publish({**FIRST, **SECOND})
    second = await site.export()
    assert second["kind"] == "incremental"
    refused = await site.take_in(2, "--direct")
    assert refused.code == 15, refused.out
    assert (site.folder / "outbox" / "plant-2.request").exists()
    assert (await site.take_in(1, "--direct")).code == 0
    done = await site.take_in(2, "--direct")
    assert done.code == 0, done.out
    assert done.document["audit"] == {"checked": 3, "differences": []}
    assert not list((site.folder / "isolated" / "blobs" / "sha256").iterdir())
    assert (site.folder / "outbox" / "plant-2.receipt").exists()
    by_store = await site.take_in(2)
    assert by_store.code == 15


async def test_a_failed_push_moves_no_name_and_goes_on(
    site: Site, registry: ScriptedRegistry
) -> None:
    """One image that the registry refuses holds the names of all others back."""
    site.configure(imports=f"to: {registry.host}")
    await site.publish(FIRST)
    await site.export()
    registry.fail(Answer(403), "PUT", r"/team/db/manifests/sha256", times=None)
    failed = await site.take_in(1)
    assert failed.code == 13, failed.out
    assert not any(registry.content(f"docker.io/team/{name}").tags for name in ("app", "db"))
    assert (await site.on_isolated("status")).document["unfinished"][0]["state"] == "published"
    assert not (site.folder / "outbox").exists()
    registry.rules.clear()
    again = await site.take_in(1)
    assert again.code == 0, again.out
    assert again.document["taken_in_before"]
    assert again.document["audit"]["differences"] == []


async def test_a_refused_name_is_told_from_those_that_moved(
    site: Site, registry: ScriptedRegistry
) -> None:
    """Registries have no transactions: exactly the names that moved are listed."""
    site.configure(imports=f"to: {registry.host}")
    await site.publish(FIRST)
    await site.export()
    registry.fail(Answer(403), "PUT", r"/team/db/manifests/1$", times=None)
    failed = await site.take_in(1)
    assert failed.code == 13
    pushed = failed.document["pushed"]["images"]
    outcomes = {image["target"].rpartition("/")[2]: image["outcome"] for image in pushed}
    assert outcomes == {"app:1": "copied", "db:1": "failed"}
    assert registry.content("docker.io/team/app").tags
    assert not registry.content("docker.io/team/db").tags


async def test_an_import_leaves_evidence(site: Site, registry: ScriptedRegistry) -> None:
    """JSON and a page: what came, who signed it, what was checked, digests, times."""
    site.configure(imports=f"to: {registry.host}")
    await site.publish(FIRST)
    exported = await site.export()
    done = await site.take_in(1)
    document = json.loads(Path(done.document["report"]).read_text())
    assert document["bundle"]["id"] == exported["id"]
    assert [name["change"] for name in document["names"]] == ["new", "new"]
    assert document["audit"]["present"] == 2
    assert list(document["times"]) == [
        *("received", "verified", "staged", "published", "pushed", "audited", "receipted")
    ]
    printed = (await site.on_isolated("report", "1")).document["report"]
    assert printed == document
    page = Path(done.document["report"]).with_suffix(".html").read_text()
    for built in FIRST.values():
        assert built.digest in page
    listed = (await site.on_isolated("report")).document["imports"]
    assert [(entry["import"], entry["state"]) for entry in listed] == [(1, "receipted")]
    assert (await site.on_isolated("report", "7")).code == 5


async def test_what_excludes_each_other_is_refused(site: Site) -> None:
    """``--full`` and ``--since`` together, and either of them without a channel."""
    await site.publish(FIRST)
    both = await site.on_connected("export", "plant", "--full", "--since", "1")
    alone = await site.on_connected("export", "team/app:1", "--full", "-o", "x.tar")
    unknown = await site.on_connected("export", "plant", "--since", "4")
    assert [both.code, alone.code, unknown.code] == [2, 2, 5]
