"""Our reading of ``docker commit --change``, side by side with Docker's own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from airgap.engine.client import EngineAddress, EngineClient
from airgap.engine.engine import ContainerCommit, Engine
from airgap.engine.target import engine_target
from airgap.image.instructions import apply_changes
from tests.archive.moving import carry
from tests.archive.peers import busybox_image
from tests.support.engines import docker_engine
from tests.support.memory import MemorySource

pytestmark = pytest.mark.xdist_group("engines")

# Docker's commit takes no STOPSIGNAL; ours does.
INSTRUCTIONS = [
    'CMD ["/bin/httpd", "-f"]',
    "CMD echo $HOME  twice",
    'ENTRYPOINT ["/e", "x"]',
    "ENV A=1 B=\"two words\" C='$A' D=a\\ b",
    "ENV PATH=$PATH:/opt E=${NONE:-there} F=${PATH:+set}",
    "ENV G the whole rest",
    "EXPOSE 80 53/udp 8000-8002",
    'LABEL a=b "c d"="e f"',
    "ONBUILD RUN make all",
    "USER 1000:1000",
    'VOLUME ["/a", "/b c"]',
    "VOLUME /x /y",
    "WORKDIR sub/folder",
    "HEALTHCHECK NONE",
    'HEALTHCHECK --interval=1m30s --timeout=2s --retries=3 CMD ["/check"]',
    "HEALTHCHECK CMD curl -f http://localhost || exit 1",
]
FIELDS = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "OnBuild")
MORE_FIELDS = ("User", "Volumes", "WorkingDir", "Healthcheck")


async def test_every_instruction_does_what_docker_does() -> None:
    """Debian's dockerd commits each instruction to the config that we make."""
    source = MemorySource({"busybox:1": busybox_image()})
    with tempfile.TemporaryDirectory(prefix="ag-", ignore_cleanup_errors=True) as folder:
        async with (
            docker_engine(Path(folder)) as address,
            EngineClient(EngineAddress.parse(address)) as client,
        ):
            engine = Engine(client)
            async with engine_target(engine) as target:
                await carry(source, target, ["busybox:1"])
            body = {"Image": "busybox:1"}
            name = {"name": "made"}
            await client.ask(
                "POST", "/containers/create", what="container", parameters=name, body=body
            )
            base = _fields((await engine.inspect(await _commit(engine)))["Config"])
            for instruction in INSTRUCTIONS:
                made = await engine.inspect(await _commit(engine, instruction))
                ours = _fields(apply_changes(base, [instruction]))
                assert ours == _fields(made["Config"]), instruction


async def _commit(engine: Engine, *changes: str) -> Any:
    return await engine.commit("made", ContainerCommit(changes=changes, pause=False))


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """Return what an instruction may change, empty fields left out."""
    return {key: config[key] for key in (*FIELDS, *MORE_FIELDS) if config.get(key)}
