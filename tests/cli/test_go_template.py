"""The templates behind ``--format`` do what Go's do, and fail with one clear error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.cli.go_template import Template
from airgap.errors import UsageError

IMAGE = {
    "Id": "sha256:abc",
    "RepoTags": ["app:1", "app:2"],
    "Size": 7,
    "Nothing": None,
    "Config": {
        "Cmd": ["/bin/httpd", "-f"],
        "Labels": {"b": "2", "a": "1"},
        "ExposedPorts": {"80/tcp": {}},
        "Env": [],
    },
}


@pytest.mark.parametrize(
    "text,shown",
    [
        ("", ""),
        ("plain", "plain"),
        ("{{.Id}}", "sha256:abc"),
        ("{{ .Config.Cmd }}", "[/bin/httpd -f]"),
        ("{{json .Config.Cmd}}", '["/bin/httpd","-f"]'),
        ("{{.Config.Cmd | json}}", '["/bin/httpd","-f"]'),
        ("{{.Config.Labels}}", "map[a:1 b:2]"),
        ('{{index .Config.Labels "a"}}', "1"),
        ('{{index .Config.Labels "none"}}', ""),
        ("{{index .RepoTags 1}}", "app:2"),
        ('{{join .RepoTags ", "}}', "app:1, app:2"),
        ("{{len .RepoTags}} {{.Size}}", "2 7"),
        ("{{range .RepoTags}}<{{.}}>{{end}}", "<app:1><app:2>"),
        ("{{range .RepoTags}}{{$.Id}} {{end}}", "sha256:abc sha256:abc "),
        ("{{range .Config.Env}}x{{else}}none{{end}}", "none"),
        ("{{range .Config.Labels}}{{.}}{{end}}", "12"),
        ("{{if .Config.Env}}yes{{else}}no{{end}}", "no"),
        ("{{if eq .Size 7}}seven{{end}}", "seven"),
        ("{{if and .Id (not .Config.Env)}}both{{end}}", "both"),
        ("{{with .Config}}{{json .Env}}{{end}}", "[]"),
        ("a {{- .Size -}} b", "a7b"),
        ("{{.Id | upper | printf}}", None),
        ('{{"a\\tb"}}{{`c\\d`}}', "a\tbc\\d"),
        ("{{println .Id}}", "sha256:abc\n"),
        ('{{index (split .Id ":") 1}}', "abc"),
        ("{{.Nothing}}", "<no value>"),
        ("{{true}} {{.}}", None),
    ],
)
def test_a_template_prints_what_go_prints(text: str, shown: str | None) -> None:
    """Fields, functions, pipelines and blocks; what is not known is refused."""
    if shown is None and "printf" in text:
        with pytest.raises(UsageError, match="printf"):
            Template.parse(text)
        return
    rendered = Template.parse(text).render(IMAGE)
    assert shown is None or rendered == shown


@pytest.mark.parametrize(
    "text",
    [
        "{{",
        "}}",
        "{{}}",
        "{{.Id",
        "{{.Absent}}",
        "{{.Id.More}}",
        "{{range .Id}}{{.}}{{end}}",
        "{{range .RepoTags}}",
        "{{end}}",
        "{{else}}",
        "{{if .Id}}{{else}}{{else}}{{end}}",
        "{{nofunction .Id}}",
        "{{json}}",
        "{{index .RepoTags 9}}",
        "{{len .Size}}",
        "{{.Id .Size}}",
        "{{.Id | .Size}}",
        "{{(.Id}}",
        "{{json ,}}",
        "{{" + "(" * 500 + ".Id" + ")" * 500 + "}}",
        "{{if .Id}}" * 500 + "{{end}}" * 500,
    ],
)
def test_a_wrong_template_is_one_error(text: str) -> None:
    """Read or filled in, it is a ``UsageError`` that names the template."""
    with pytest.raises(UsageError):
        Template.parse(text).render(IMAGE)


_PIECES = st.sampled_from(
    ["{{", "}}", ".", ".Config", ".Id", "json", "range", "if", "end", "else", "|", "(", ")", "$"]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=12).map(" ".join))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    """Nothing that a person types ends in anything else."""
    try:
        Template.parse(text).render(IMAGE)
    except UsageError:
        return
