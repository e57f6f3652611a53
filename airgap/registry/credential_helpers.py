"""``docker-credential-NAME``: programs that keep credentials (docker-credential-helpers).

What they must know is written to their standard input, never put among their arguments, where
every user of the machine could read it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping

from airgap.errors import AccessDenied, ContentMismatch, NotFound
from airgap.oci.json_object import JsonObject
from airgap.registry.credentials import helper_fields, key_to_write, login_from_helper
from airgap.registry.settings import Login

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_PATIENCE = 60.0
"""Seconds; some helpers ask a person, or a cloud."""

_MAX_ANSWER = 64 * 1024
_NOT_THERE = ("credentials not found", "no credentials")


class CredentialHelper:
    """One helper program, by its short name (``pass``, ``ecr-login``)."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        """Name a helper.

        Raises:
            ContentMismatch: the name is not one that a program may have.
        """
        if not _NAME.fullmatch(name):
            raise ContentMismatch(repr(name[:80]), "is not the name of a credential helper")
        self.program = f"docker-credential-{name}"
        self._environ = dict(environ)

    async def get(self, host: str) -> Login | None:
        """Return a host's credentials, or None where the helper has none.

        Raises:
            AccessDenied: the helper fails.
            NotFound: there is no such program.
        """
        status, answer = await self._run("get", key_to_write(host).encode())
        if status:
            text = answer.decode("utf-8", "replace").lower()
            if any(phrase in text for phrase in _NOT_THERE):
                return None
            raise self._failure("get", status)
        try:
            document = JsonObject.parse(answer, self.program, limit=_MAX_ANSWER)
            username, secret = document.text("Username"), document.text("Secret")
        except ContentMismatch as error:
            raise AccessDenied(self.program, f"its answer {error.cause}") from None
        return login_from_helper(username, secret) if secret else None

    async def store(self, host: str, login: Login) -> None:
        """Have a host's credentials kept.

        Raises:
            AccessDenied: the helper fails.
            NotFound: there is no such program.
        """
        status, _ = await self._run("store", json.dumps(helper_fields(host, login)).encode())
        if status:
            raise self._failure("store", status)

    async def erase(self, host: str) -> None:
        """Have a host's credentials forgotten; what is not there is forgotten already.

        Raises:
            AccessDenied: the helper fails.
            NotFound: there is no such program.
        """
        status, answer = await self._run("erase", key_to_write(host).encode())
        text = answer.decode("utf-8", "replace").lower()
        if status and not any(phrase in text for phrase in _NOT_THERE):
            raise self._failure("erase", status)

    async def _run(self, verb: str, given: bytes) -> tuple[int, bytes]:
        try:
            process = await asyncio.create_subprocess_exec(
                self.program,
                verb,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environ,
            )
        except FileNotFoundError:
            raise NotFound(self.program, "is not installed, or not on PATH") from None
        except PermissionError:
            raise AccessDenied(self.program, "may not be run") from None
        try:
            async with asyncio.timeout(_PATIENCE):
                answer, _ = await process.communicate(given)
        except TimeoutError:
            raise AccessDenied(self.program, f"did not answer within {_PATIENCE:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, answer[: _MAX_ANSWER + 1]

    def _failure(self, verb: str, status: int) -> AccessDenied:
        # What the helper says may hold the secret, so only its status is shown.
        return AccessDenied(
            self.program, f"{verb} failed with status {status}", f"try it: {self.program} list"
        )
