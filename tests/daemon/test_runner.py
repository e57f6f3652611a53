"""Runs with their hooks, their notices and their history."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from airgap.app import App
from airgap.config.daemon import HooksSection, Step, Verb
from airgap.daemon.programs import KEPT_OUTPUT, run_program
from airgap.daemon.records import Outcome
from airgap.daemon.runner import Work
from airgap.daemon.steps import Action, StepEnd, action_of, export_action
from airgap.errors import NoSpace, Refused
from airgap.operations.watching import Watcher
from tests.daemon.places import Place, small_image
from tests.support.scripted_registry import scripted_registry

NO_HOOKS = HooksSection()


def action(act: Callable[[App, Watcher], Awaitable[StepEnd]], title: str = "test") -> Action:
    """Return something to do."""
    return Action(title, act)


async def nothing(_app: App, _watcher: Watcher) -> StepEnd:
    """Do nothing, well."""
    return StepEnd(Outcome.SUCCEEDED, "done")


async def full(_app: App, _watcher: Watcher) -> StepEnd:
    """Find the disk full."""
    raise NoSpace("store", "the disk is full")


def script(folder: Path, text: str) -> str:
    """Write a program, and return its path."""
    path = folder / f"hook-{len(list(folder.iterdir()))}"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_failed_step_ends_the_job_and_is_told(isolated: Place) -> None:
    """With its cause, in the history and in the log; what comes after it is not done."""
    app = isolated.configure("")
    with isolated.runner() as runner:
        run = await runner.run(app, Work("job", (action(full), action(nothing)), NO_HOOKS))
        assert run.outcome is Outcome.FAILED
        assert [step["summary"] for step in run.report["steps"]] == ["store: the disk is full"]
        assert runner.history.run(run.number) == run
    assert "the disk is full" in isolated.log.getvalue()


async def test_a_name_is_never_run_twice_at_a_time(isolated: Place) -> None:
    """The second run waits for the first one."""
    app = isolated.configure("")
    inside = 0
    most = 0

    async def counting(_app: App, _watcher: Watcher) -> StepEnd:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return StepEnd(Outcome.SUCCEEDED, "")

    with isolated.runner() as runner:
        work = Work("job", (action(counting),), NO_HOOKS)
        await asyncio.gather(*(runner.run(app, work) for _ in range(5)))
    assert most == 1


async def test_a_run_that_is_cut_off_is_written_down_as_such(isolated: Place) -> None:
    """So that it is made up for at the next start."""
    app = isolated.configure("")
    begun = asyncio.Event()

    async def endless(_app: App, _watcher: Watcher) -> StepEnd:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    with isolated.runner() as runner:
        task = asyncio.create_task(runner.run(app, Work("job", (action(endless),), NO_HOOKS)))
        await begun.wait()
        assert list(runner.board.activities) == ["job"]
        task.cancel()
        await asyncio.wait([task])
        assert runner.board.activities == {}
        assert runner.history.newest()["job"].outcome is Outcome.CUT_OFF
        assert runner.history.cut_off(0.0) == ["job"]


async def test_a_mistake_of_ours_is_a_failed_run_and_not_the_end_of_the_daemon(
    isolated: Place,
) -> None:
    """It is raised for the log, and the history says that something went wrong."""
    app = isolated.configure("")

    async def broken(_app: App, _watcher: Watcher) -> StepEnd:
        raise ZeroDivisionError

    with isolated.runner() as runner:
        with pytest.raises(ZeroDivisionError):
            await runner.run(app, Work("job", (action(broken),), NO_HOOKS))
        assert "ZeroDivisionError" in runner.history.newest()["job"].summary
        assert (await runner.run(app, Work("job", (action(nothing),), NO_HOOKS))).outcome.is_good


async def test_a_scanner_that_finds_something_keeps_names_from_moving(
    isolated: Place, tmp_path: Path
) -> None:
    """Mirrored content is in the store, and no name stands for it; the scanner's words are kept."""
    seen = tmp_path / "seen"
    refusing = script(tmp_path, f"cat > {seen}; echo 'found a virus'; exit 3")
    async with scripted_registry() as registry:
        registry.add("team/app:1", small_image(1))
        app = isolated.configure(f"mirror: ['{registry.host}/team/app:1']\n")
        with isolated.runner() as runner:
            mirror = action_of(Step(Verb.MIRROR))
            hooks = HooksSection(before_publish=(refusing,))
            run = await runner.run(app, Work("job", (mirror,), hooks))
            assert run.outcome is Outcome.REFUSED
            (program,) = run.report["programs"]
            assert (program["exit_code"], program["output"]) == (3, "found a virus\n")
            assert await isolated.names() == {}
            run = await runner.run(app, Work("job", (mirror,), NO_HOOKS))
            assert run.outcome is Outcome.SUCCEEDED
    proposal = json.loads(seen.read_text())
    assert proposal["what"] == "mirror"
    assert [name["digest"] for name in proposal["names"]] == [small_image(1).digest]
    assert list((await isolated.names()).values()) == [small_image(1).digest]


async def test_a_policy_that_says_no_keeps_a_bundle_from_leaving(
    connected: Place, tmp_path: Path
) -> None:
    """Before anything is written, and without using up a number."""
    app = connected.load()
    with connected.runner() as runner:
        hooks = HooksSection(before_publish=(script(tmp_path, "exit 1"),))
        folder = connected.folder / "out"
        folder.mkdir()
        work = Work("job", (export_action("plant", folder),), hooks)
        assert (await runner.run(app, work)).outcome is Outcome.REFUSED
        assert list(folder.iterdir()) == []
        work = Work("job", (export_action("plant", folder),), NO_HOOKS)
        run = await runner.run(app, work)
        assert run.report["steps"][0]["sequence"] == 1
        again = await runner.run(app, work)
        assert again.outcome is Outcome.NOTHING


async def test_the_after_hook_gets_the_report(isolated: Place, tmp_path: Path) -> None:
    """On standard input, however the run ended."""
    app = isolated.configure("")
    seen = tmp_path / "seen"
    hooks = HooksSection(after=(script(tmp_path, f"cat > {seen}"),))
    with isolated.runner() as runner:
        await runner.run(app, Work("job", (action(full),), hooks))
    document = json.loads(seen.read_text())
    assert (document["when"], document["job"], document["outcome"]) == ("after", "job", "failed")
    assert document["steps"][0]["error"]["kind"] == "NoSpace"


async def test_programs_are_bounded_in_time_with_all_their_children() -> None:
    """A hook that hangs is killed, and so is what it has started."""
    ended = await run_program(["sh", "-c", "echo here; sleep 1000 & sleep 1000"], {}, within=0.2)
    assert not ended.is_good
    assert ended.trouble == "was killed after 0.2 seconds"
    assert ended.output == "here\n"


async def test_programs_are_bounded_in_words() -> None:
    """Of a great deal of output the end is kept."""
    ended = await run_program(["sh", "-c", "yes | head -c 1000000; echo end"], {}, within=30)
    assert ended.is_good
    assert len(ended.output) <= KEPT_OUTPUT
    assert ended.output.endswith("end\n")


async def test_programs_that_do_not_listen_or_are_not_there_are_told_from_others() -> None:
    """A document larger than a pipe, to a program that reads nothing; and no program at all."""
    large = {"text": "x" * 1_000_000}
    assert (await run_program(["true"], large, within=30)).is_good
    assert (await run_program(["/no/such/program"], {}, within=30)).trouble.startswith("cannot be")
    killed = await run_program(["sh", "-c", "kill -9 $$"], {}, within=30)
    assert killed.trouble == "was killed by signal 9"


async def test_programs_do_not_inherit_the_service_managers_socket() -> None:
    """A hook cannot speak in the daemon's name."""
    environ = {**os.environ, "NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "KEPT": "yes"}
    ended = await run_program(["env"], {}, within=30, environ=environ)
    assert "NOTIFY_SOCKET" not in ended.output
    assert "WATCHDOG_USEC" not in ended.output
    assert "KEPT=yes" in ended.output


@asynccontextmanager
async def hook_server(status: int = 200) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Receive webhooks; give their URL and what came."""
    received: list[dict[str, Any]] = []

    async def receive(request: web.BaseRequest) -> web.Response:
        received.append(
            {"auth": request.headers.get("Authorization"), **json.loads(await request.text())}
        )
        return web.Response(status=status)

    runner = web.ServerRunner(web.Server(receive))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/very-secret-path", received
    finally:
        await runner.cleanup()


async def test_failures_are_told_to_the_webhook_and_the_program(
    isolated: Place, tmp_path: Path
) -> None:
    """With the token, which stands in no log; successes only where somebody wants to know."""
    seen = tmp_path / "seen"
    telling = script(tmp_path, f"cat > {seen}")
    (isolated.folder / "token").write_text("t0ken-of-the-hook\n")
    async with hook_server() as (url, received):
        app = isolated.configure(
            f"daemon: {{notify: {{webhook: '{url}', token-file: token, command: ['{telling}']}}}}\n"
        )
        with isolated.runner() as runner:
            await runner.run(app, Work("good", (action(nothing),), NO_HOOKS))
            assert received == []
            await runner.run(app, Work("bad", (action(full),), NO_HOOKS))
    (notice,) = received
    assert notice["auth"] == "Bearer t0ken-of-the-hook"
    assert (notice["occasion"], notice["about"]) == ("failure", "bad")
    assert notice["text"] == "airgap: bad: store: the disk is full"
    assert json.loads(seen.read_text())["about"] == "bad"
    assert "t0ken" not in isolated.log.getvalue()


async def test_a_webhook_that_is_away_or_refuses_ends_nothing(isolated: Place) -> None:
    """It is logged by its host alone: the rest of its URL may be its secret."""
    async with hook_server(status=500) as (url, received):
        app = isolated.configure(f"daemon: {{notify: {{on: success, webhook: '{url}'}}}}\n")
        with isolated.runner() as runner:
            await runner.run(app, Work("good", (action(nothing),), NO_HOOKS))
    assert len(received) == 1
    with isolated.runner() as runner:
        await runner.run(app, Work("good", (action(nothing),), NO_HOOKS))
    log = isolated.log.getvalue()
    assert 'event="webhook refused"' in log
    assert 'event="webhook not reached"' in log
    assert "very-secret-path" not in log


async def test_what_a_step_says_is_kept_without_secrets(isolated: Place) -> None:
    """The history is shown on pages and sent to webhooks."""
    app = isolated.configure("")

    async def telling(_app: App, _watcher: Watcher) -> StepEnd:
        raise Refused("https://ann:hunter2@registry.example", "no")

    with isolated.runner() as runner:
        run = await runner.run(app, Work("job", (action(telling),), NO_HOOKS))
    assert "hunter2" not in run.summary
    assert "hunter2" not in json.dumps(run.report)
