"""What is logged: fields for journald, lines for others, and no secret anywhere."""

from __future__ import annotations

import io
import logging
import socket
import struct
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.daemon.logs import HIDDEN, JournalWriter, logging_to, make_logger, without_secrets

SECRET = "hunter2hunter2"  # noqa: S105 - the tests look for it


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}",
        f"authorization=Bearer {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"https://robot:{SECRET}@registry.example/v2/",
        f"password={SECRET}",
        f"the token: {SECRET}",
        f"https://example/hook?token={SECRET}&x=1",
        f"AGE-SECRET-KEY-{SECRET.upper()}",
    ],
)
def test_no_secret_is_logged_in_whatever_shape_it_comes(text: str) -> None:
    """In the words, in a field, inside of a field, in an error, from a library."""
    stream = io.StringIO()
    with logging_to(stream, {}, verbosity=2) as logger:
        logger.info(text, place=text, inside={"deep": [text]}, error=ValueError(text))
        logging.getLogger("library").warning("said %s", text)
    assert SECRET.lower() not in stream.getvalue().lower()
    assert HIDDEN in stream.getvalue()


@pytest.mark.parametrize("key", ["password", "passphrase", "token", "Authorization", "api_secret"])
def test_fields_that_are_called_like_secrets_are_hidden(key: str) -> None:
    """Whatever stands in them."""
    stream = io.StringIO()
    make_logger(stream).info("signed in", **{key: SECRET}, headers={key: SECRET})
    assert SECRET not in stream.getvalue()


@given(st.text(max_size=200))
def test_hiding_secrets_never_fails_and_is_done_once(text: str) -> None:
    """What is clean stays clean."""
    cleaned = without_secrets(text)
    assert without_secrets(cleaned) == cleaned


def test_journald_gets_fields(tmp_path: Path) -> None:
    """By its native protocol, text of several lines with its length."""
    address = str(tmp_path / "journal")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as channel:
        channel.bind(address)
        channel.settimeout(5)
        with closing(JournalWriter(address)) as writer:
            make_logger(writer).warning("job failed", job="nightly", output="one\ntwo")
        sent = channel.recv(65536)
    assert sent.startswith(
        b"MESSAGE\n" + struct.pack("<Q", len(b"job failed  job=nightly output=one\ntwo"))
    )
    assert b"\nPRIORITY=4\n" in sent
    assert b"\nSYSLOG_IDENTIFIER=airgap\n" in sent
    assert b"\nAIRGAP_JOB=nightly\n" in sent
    assert sent.endswith(b"AIRGAP_OUTPUT\n" + struct.pack("<Q", 7) + b"one\ntwo\n")


def test_a_journal_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    """What cannot be logged must not keep work from being done."""
    with closing(JournalWriter(str(tmp_path / "gone"))) as writer:
        make_logger(writer).info("nobody hears")


def test_a_file_gets_one_line_an_event(tmp_path: Path) -> None:
    """With time and level, so that any tool can take it apart."""
    with (tmp_path / "log").open("w+") as stream:
        make_logger(stream).info("job done", job="nightly", seconds=3)
        stream.seek(0)
        (line,) = stream.read().splitlines()
    assert line.startswith("timestamp=20")
    assert line.endswith('level=info event="job done" job=nightly seconds=3')
