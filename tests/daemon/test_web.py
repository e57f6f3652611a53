"""The status pages over real HTTP, and in a real browser."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from airgap.daemon.board import Activity
from airgap.daemon.records import Arrival, Outcome
from airgap.daemon.service import Daemon
from airgap.daemon.status import StatusReader
from airgap.daemon.unattended import opened_daemon
from airgap.daemon.web import serving_status
from tests.daemon.places import Place, carry, settled
from tests.support.command import run, succeed

FAILED = 1
"""The number of the run that has failed."""

EVIL = "<script>alert(1)</script>"
TOKEN = "t0ken-of-the-pages"  # noqa: S105 - the tests sign in with it
CONFIG = """
export: {plant: {output: outbox/plant.tar}}
daemon:
  listen: 127.0.0.1:0
  token-file: token
  timezone: Europe/Berlin
  jobs:
    nightly: {do: [mirror, export plant], cron: '30 2 * * *', late-after: 2d}
    tidy: {do: collect, cron: '@weekly'}
  folders:
    inbox: {path: inbox}
"""


@dataclass(frozen=True)
class Site:
    """Running pages, and a client of them."""

    url: str
    daemon: Daemon
    client: aiohttp.ClientSession

    async def text(self, path: str, status: int = 200) -> str:
        """Return what a path answers."""
        async with self.client.get(self.url + path) as answer:
            assert answer.status == status, await answer.text()
            return await answer.text()


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[Site]:
    """Serve the pages of a place."""
    (place.folder / "token").write_text(f"{TOKEN}\n")
    app = place.configure(CONFIG)
    async with opened_daemon(place.surroundings(), app) as daemon:
        await daemon.start()
        reader = StatusReader(daemon, place.clock(), fresh_for=0)
        async with serving_status(daemon, reader) as site, aiohttp.ClientSession() as client:
            yield Site(site.url, daemon, client)
        await daemon.stop(5)


@pytest.fixture
async def site(connected: Place) -> AsyncIterator[Site]:
    """The pages of a side that has exported, failed and refused."""
    await connected.export()
    async with serving(connected) as opened:
        history = opened.daemon.history
        number = history.begin("nightly", "mirror", connected.clock())
        report = {"steps": [], "programs": [_program(f"found {EVIL}")]}
        history.end(number, Outcome.FAILED, f"no: {EVIL}", report, connected.clock())
        arrival = Arrival("inbox", "a-b", f"/in/{EVIL}.tar", Outcome.REFUSED, EVIL, 1.7e9, number)
        history.arrived(arrival)
        yield opened


def _program(output: str) -> dict[str, object]:
    return {
        "when": "before-publish",
        "command": ["scan", "--strict"],
        "exit_code": 1,
        "seconds": 1.5,
        "trouble": "",
        "output": output,
    }


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


async def test_the_overview_shows_what_a_person_wants_to_know(site: Site) -> None:
    """Jobs with their last and next runs, channels, what to carry, refusals, the store."""
    text = await site.text("/")
    for wanted in ("1 thing to look at", "nightly: failed", "30 2 * * *", "plant", "inbox"):
        assert wanted in text
    assert "plant.tar" in text
    assert "Saved by keeping each piece once" in text
    assert "refused" in text


async def test_nothing_from_outside_becomes_part_of_a_page(site: Site) -> None:
    """File names, reasons and output of programs are text, whatever they look like."""
    for path in ("/", f"/runs/{FAILED}", "/channels/plant", "/?said=<script>"):
        text = await site.text(path)
        page = Page(text)
        assert "<script" not in text
        assert page.all("script") == []
        assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
        linked = [a.get("href") or a.get("src") or "" for _, a in page.tags]
        assert not [link for link in linked if re.match(r"(?:https?:)?//", link)]
    assert "&lt;script&gt;" in await site.text(f"/runs/{FAILED}")


async def test_pages_are_marked_up_for_those_who_do_not_see_them(site: Site) -> None:
    """A language, a title, one main heading, labelled fields and sections, headed tables."""
    for path in ("/", f"/runs/{FAILED}", "/channels/plant"):
        page = Page(await site.text(path))
        assert page.all("html")[0]["lang"] == "en"
        assert len(page.all("h1")) == len(page.all("title")) == len(page.all("main")) == 1
        assert all(a.get("aria-labelledby") or a.get("aria-label") for a in page.all("section"))
        assert all(a.get("scope") for a in page.all("th"))
        identifiers = [a["id"] for _, a in page.tags if "id" in a]
        assert len(identifiers) == len(set(identifiers))
        labels = len(page.all("label"))
        assert labels == len(page.all("input")) + len(page.all("select"))


async def test_browsers_are_told_to_load_nothing_from_elsewhere(site: Site) -> None:
    """And not to show the pages within others."""
    async with site.client.get(site.url + "/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_same_is_there_for_machines(site: Site) -> None:
    """As JSON, with the same troubles."""
    async with site.client.get(site.url + "/status.json") as answer:
        document = await answer.json()
    assert document["ok"] is False
    assert document["troubles"] == ["nightly: failed"]
    assert {job["name"] for job in document["jobs"]} == {"nightly", "tidy", "inbox"}
    assert document["channels"]["sending"]["plant"]["last"]["sequence"] == 1
    assert document["channels"]["sending"]["plant"]["to_carry"][0].endswith("plant.tar")
    assert document["store"]["names"] == 1
    async with site.client.get(f"{site.url}/runs/{FAILED}.json") as answer:
        assert (await answer.json())["report"]["programs"][0]["exit_code"] == 1


async def test_running_work_is_shown_with_its_progress(site: Site) -> None:
    """And the page reads itself again meanwhile, without a script."""
    activity = Activity("tidy", "collect", 7, site.daemon.runner.clock(), step="collect")
    activity.bytes_expected, activity.bytes_done = 2_000_000, 500_000
    activity.moving["0123456789ab"] = (2_000_000, 500_000)
    site.daemon.board.begin(activity)
    page = await site.text("/")
    assert '<progress max="2000000" value="500000"' in page
    assert 'http-equiv="refresh"' in page
    assert "500.0 kB of 2.0 MB" in page
    site.daemon.board.end("tidy")
    assert 'http-equiv="refresh"' not in await site.text("/")


async def test_metrics_are_what_prometheus_reads(site: Site) -> None:
    """Each with its help, in the format that its own parser takes."""
    families = {
        family.name: family
        for family in text_string_to_metric_families(await site.text("/metrics"))
    }
    good = {of.labels["name"]: of.value for of in families["airgap_job_last_run_good"].samples}
    assert good["nightly"] == 0
    assert families["airgap_store_names"].samples[0].value == 1
    assert families["airgap_channel_outstanding"].samples[0].labels == {"channel": "plant"}
    assert families["airgap_config_ok"].samples[0].value == 1
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    for name, family in families.items():
        assert f"| `{name}" in page, name
        assert family.documentation in page


async def test_health_is_the_process_and_readiness_the_store(site: Site, connected: Place) -> None:
    """So that a store that cannot be opened does not get the daemon restarted."""
    assert await site.text("/healthz") == "ok\n"
    assert await site.text("/readyz") == "ok\n"
    connected.store.rename(connected.folder / "away")
    assert await site.text("/healthz") == "ok\n"
    assert "no store" in await site.text("/readyz", 503)
    (connected.folder / "away").rename(connected.store)


async def test_only_who_has_the_token_can_start_something(site: Site) -> None:
    """In a form's field or a header; a page of another site has neither."""
    start = site.url + "/start"
    for data, headers in (
        ({"name": "tidy"}, {}),
        ({"name": "tidy", "token": "wrong"}, {}),
        ({"name": "tidy"}, {"Authorization": "Bearer wrong"}),
        ({"name": "tidy"}, {"Authorization": f"Basic {TOKEN}"}),
    ):
        async with site.client.post(start, data=data, headers=headers) as answer:
            assert answer.status == 403
    before = len(site.daemon.history.runs("tidy"))
    form = {"name": "tidy", "token": TOKEN}
    async with site.client.post(start, data=form, allow_redirects=False) as answer:
        assert answer.status == 303
    await settled(site.daemon)
    assert len(site.daemon.history.runs("tidy")) == before + 1
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    async with site.client.post(start, data={"name": "nobody"}, headers=headers) as answer:
        assert answer.status == 404
    async with site.client.post(start, data={"name": "tidy"}, headers=headers) as answer:
        assert answer.status in {202, 409}


async def test_what_is_not_there_is_told_so(site: Site) -> None:
    """With the same headers as everything else."""
    for path in ("/runs/999", "/channels/nowhere", "/imports/9", "/nowhere", "/runs/x"):
        assert "Traceback" not in await site.text(path, 404)


async def test_an_import_has_a_report_to_print(connected: Place, isolated: Place) -> None:
    """The one that the import has written."""
    carry(await connected.export(), isolated.folder / "inbox")
    async with serving(isolated) as site:
        await site.daemon._folders["inbox"].look(site.daemon.app)
        await site.daemon._folders["inbox"].look(site.daemon.app)
        assert "plant" in await site.text("/imports/1")
        assert "/imports/1" in await site.text("/channels/plant")


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)], ids=["phone", "wide"])
async def test_a_browser_shows_it_without_sideways_scrolling(
    site: Site, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Chromium lays the page out within its window, with the style sheet loaded."""
    width, height = size
    browser = (
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},{height}",
    )
    # The page runs no script, so another one frames its text, as narrow as no window can be.
    text = (await site.text("/")).replace("/style.css", f"{site.url}/style.css")
    measuring = tmp_path / "measure.html"
    measuring.write_text(
        f'<title></title><iframe style="border:0;width:{width}px;height:{height}px" '
        f'srcdoc="{html.escape(text)}"></iframe><script>addEventListener("load", () => {{'
        "const inner = frames[0], root = inner.document.documentElement;"
        "const section = inner.document.querySelector('section');"
        "document.title = `${root.scrollWidth} ${inner.getComputedStyle(section).borderRadius}`"
        "})</script>"
    )
    dumped = await succeed(*browser, "--dump-dom", measuring.as_uri())
    measured = re.search(r"<title>(\d+) (\S+)</title>", dumped)
    assert measured is not None, dumped[-500:]
    assert int(measured[1]) == width
    assert measured[2] == "10px"
    shot = tmp_path / "shot.png"
    await run(*browser, f"--screenshot={shot}", site.url + "/")
    assert shot.read_bytes().startswith(b"\x89PNG")


async def test_the_example_rules_and_dashboard_use_metrics_that_there_are(site: Site) -> None:
    """Every name that they ask for is served."""
    served = await site.text("/metrics")
    examples = Path(__file__).parents[2] / "docs" / "examples"
    rules = yaml.safe_load((examples / "airgap-alerts.yaml").read_text())
    board = json.loads((examples / "airgap-dashboard.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    names = {name for text in asked for name in re.findall(r"airgap_\w+", text)}
    assert len(names) > 10
    for name in names:
        assert f"# HELP {name} " in served, name
