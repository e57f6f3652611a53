"""Dockerfile instructions as ``docker commit --change`` takes them."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.errors import UsageError
from airgap.image.instructions import apply_changes

BASE: dict[str, Any] = {
    "Env": ["PATH=/bin", "A=1"],
    "Cmd": ["old"],
    "WorkingDir": "/srv",
    "Labels": {"kept": "yes"},
}

CASES: list[tuple[str, dict[str, Any]]] = [
    ('CMD ["/bin/httpd", "-f"]', {"Cmd": ["/bin/httpd", "-f"]}),
    ("cmd echo $A  b", {"Cmd": ["/bin/sh", "-c", "echo $A  b"]}),
    ("CMD [ -f x ] && y", {"Cmd": ["/bin/sh", "-c", "[ -f x ] && y"]}),
    ('ENTRYPOINT ["/e"]', {"Entrypoint": ["/e"], "Cmd": None}),
    ("ENV B=2", {"Env": ["PATH=/bin", "A=1", "B=2"]}),
    ("ENV A=x$A B=$A", {"Env": ["PATH=/bin", "A=x1", "B=1"]}),
    ("ENV C two words", {"Env": ["PATH=/bin", "A=1", "C=two words"]}),
    ("ENV C=\"a b\" D='$A' E=a\\ b", {"Env": ["PATH=/bin", "A=1", "C=a b", "D=$A", "E=a b"]}),
    ("ENV C=${Z:-none} D=${A:+set}", {"Env": ["PATH=/bin", "A=1", "C=none", "D=set"]}),
    ('LABEL a=b "c d"="e $A"', {"Labels": {"kept": "yes", "a": "b", "c d": "e 1"}}),
    ("EXPOSE 80 53/udp", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
    ("EXPOSE 8000-8001", {"ExposedPorts": {"8000/tcp": {}, "8001/tcp": {}}}),
    ("ONBUILD RUN make", {"OnBuild": ["RUN make"]}),
    ("USER 1000:1000", {"User": "1000:1000"}),
    ('VOLUME ["/a b"]', {"Volumes": {"/a b": {}}}),
    ("VOLUME /a /b", {"Volumes": {"/a": {}, "/b": {}}}),
    ("WORKDIR sub/../x", {"WorkingDir": "/srv/x"}),
    ("WORKDIR /abs", {"WorkingDir": "/abs"}),
    ("STOPSIGNAL SIGTERM", {"StopSignal": "SIGTERM"}),
    ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
    (
        'HEALTHCHECK --interval=1m30s --retries=3 CMD ["/c"]',
        {"Healthcheck": {"Test": ["CMD", "/c"], "Interval": 90 * 10**9, "Retries": 3}},
    ),
    (
        "HEALTHCHECK --timeout=1.5s CMD curl x || exit 1",
        {"Healthcheck": {"Test": ["CMD-SHELL", "curl x || exit 1"], "Timeout": 1_500_000_000}},
    ),
]


@pytest.mark.parametrize("instruction,expected", CASES)
def test_an_instruction_changes_its_field(instruction: str, expected: dict[str, Any]) -> None:
    """Each changes what it names, and nothing else; the base stays as it was."""
    before = dict(BASE)
    changed = apply_changes(BASE, [instruction])
    assert before == BASE
    wanted = {key: value for key, value in {**BASE, **expected}.items() if value is not None}
    assert changed == wanted


def test_a_command_given_before_its_entrypoint_stays() -> None:
    """Only a CMD of the base goes when the ENTRYPOINT is set."""
    changed = apply_changes(BASE, ['CMD ["new"]', 'ENTRYPOINT ["/e"]'])
    assert (changed["Cmd"], changed["Entrypoint"]) == (["new"], ["/e"])


@pytest.mark.parametrize(
    "instruction",
    [
        *("FROM x", "RUN make", "COPY a b", "MAINTAINER me", "", "nonsense", "SHELL []"),
        *("CMD", "CMD ['single']", 'CMD ["open"', "CMD [1]")[:2],
        *("CMD [1]", "ENV", "ENV A", "ENV =1", "ENV A=1 B", 'ENV A="open', "ENV A=${B"),
        *("EXPOSE 0", "EXPOSE 70000", "EXPOSE 2-1", "EXPOSE 80/icmp", "EXPOSE x"),
        *("ONBUILD ONBUILD RUN x", "ONBUILD FROM x", "USER a b", "VOLUME []"),
        *("STOPSIGNAL now", "HEALTHCHECK", "HEALTHCHECK CMD", "HEALTHCHECK NONE x"),
        *("HEALTHCHECK --interval=1 CMD x", "HEALTHCHECK --what=1s CMD x"),
        *("HEALTHCHECK --retries=0 CMD x", "HEALTHCHECK --interval=1us CMD x"),
    ],
)
def test_a_bad_instruction_is_named(instruction: str) -> None:
    """Unknown or malformed, the error says which it was."""
    with pytest.raises(UsageError) as refused:
        apply_changes(BASE, [instruction])
    assert refused.value.thing == repr(instruction)


@given(st.text(max_size=80))
def test_any_text_is_an_instruction_or_one_error(text: str) -> None:
    """No text makes anything but a config or our error."""
    for name in ("", "CMD ", "ENV ", "LABEL ", "EXPOSE ", "HEALTHCHECK ", "VOLUME ", "USER "):
        try:
            changed = apply_changes(BASE, [name + text])
        except UsageError:
            continue
        assert isinstance(changed, dict)


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text("ab '\"\\$ ü=")))
def test_quoted_values_come_out_as_they_were(variables: dict[str, str]) -> None:
    """What a shell would quote is taken literally within single quotes."""
    words = " ".join(f"{key}={_quoted(value)}" for key, value in variables.items())
    if not words:
        return
    assert apply_changes({}, [f"ENV {words}"])["Env"] == [f"{k}={v}" for k, v in variables.items()]


def _quoted(value: str) -> str:
    return shlex.quote(value)
