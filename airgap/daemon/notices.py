"""Telling people: a webhook, a program. What cannot be told is logged, and ends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiofiles
import aiohttp

import airgap
from airgap.config.daemon import NotifySection, Occasion
from airgap.config.secrets import MAX_SECRET_SIZE
from airgap.daemon.logs import Logger
from airgap.daemon.programs import run_program
from airgap.errors import AirgapError, ConfigError, NotFound

_GOOD = 300


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people may want to be told.

    Attributes:
        occasion: why.
        about: the job, folder or stick.
        summary: it in a sentence.
        report: all of it, as JSON has it.
    """

    occasion: Occasion
    about: str
    summary: str
    report: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return what is sent."""
        return {
            "occasion": str(self.occasion),
            "about": self.about,
            "summary": self.summary,
            "text": f"airgap: {self.about}: {self.summary}",
            "report": self.report,
        }


async def tell(section: NotifySection, notice: Notice, logger: Logger) -> None:
    """Tell whomever the config names."""
    if notice.occasion not in section.on:
        return
    if section.webhook is not None:
        await _post(section, section.webhook, notice, logger)
    if section.command:
        ended = await run_program(section.command, notice.document(), within=section.within)
        if not ended.is_good:
            logger.warning(
                "notify command failed",
                about=notice.about,
                exit_code=ended.code,
                trouble=ended.trouble,
                output=ended.output,
            )


async def _post(section: NotifySection, url: str, notice: Notice, logger: Logger) -> None:
    # The path of a webhook is often its secret, so only the host is logged.
    host = urlsplit(url).hostname
    headers = {"User-Agent": f"airgap/{airgap.__version__}"}
    try:
        if section.token_file is not None:
            headers["Authorization"] = f"Bearer {await read_token(section.token_file)}"
        timeout = aiohttp.ClientTimeout(total=section.within)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(
                url, json=notice.document(), headers=headers, allow_redirects=False
            ) as answer,
        ):
            if answer.status >= _GOOD:
                logger.warning("webhook refused", host=host, status=answer.status)
    except (aiohttp.ClientError, OSError) as error:
        logger.warning("webhook not reached", host=host, cause=type(error).__name__)
    except AirgapError as error:
        logger.warning("webhook not told", host=host, cause=str(error))


async def read_token(path: Path) -> str:
    """Return the token in a file, without the newline at its end.

    Raises:
        NotFound: the file is not there.
        ConfigError: it cannot be read, is empty, or holds no token. The token is not in the error.
    """
    try:
        async with aiofiles.open(path, "rb") as file:
            raw = await file.read(MAX_SECRET_SIZE + 1)
    except FileNotFoundError:
        raise NotFound(str(path), "there is no such token file") from None
    except OSError as error:
        raise ConfigError(str(path), f"the token cannot be read: {error.strerror}") from None
    token = raw.strip()
    if not token or len(raw) > MAX_SECRET_SIZE or not token.isascii() or b"\n" in token:
        raise ConfigError(str(path), "should hold a token: one line of ASCII text")
    return token.decode()
