"""What people look up is held against the model: examples, reference page, schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airgap.config.document import read_document
from airgap.config.loading import load_config, parse_config
from airgap.config.reference import (
    describe_keys,
    example_config,
    json_schema,
    reference_tables,
)
from airgap.oci.reference import Reference

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "config").glob("*.yaml"))
PAGE = ROOT / "docs" / "reference" / "config.md"
TABLE = re.compile(r"<!-- keys: (?P<section>\S+) -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads_and_is_commented(path: Path) -> None:
    """Whoever copies one gets something that works, and reads what it does."""
    load_config(path)
    assert path.read_text().startswith("# ")


def test_the_examples_do_what_their_comments_say() -> None:
    """The names that ``names.yaml`` promises are the names that come out."""
    text = (ROOT / "config" / "names.yaml").read_text()
    promised = re.findall(r"# (\S+) +-> (\S+)", text)
    mapping = load_config(ROOT / "config" / "names.yaml").push.name_mapping()
    assert mapping is not None
    assert len(promised) == 5
    for source, target in promised:
        assert str(mapping.map_reference(Reference.parse(source))) == target


def test_the_printed_example_loads_and_has_every_key() -> None:
    """``airgap config example`` shows all there is, and nothing that is not."""
    text = example_config()
    parse_config(text, "example.yaml")
    present = {
        re.sub(r"\[\d+\]", "[]", _generic(path)) for path in _paths(read_document(text).value)
    }
    wanted = {key.path for key in describe_keys()}
    repeated = {path for path in wanted if path.startswith("import.CHANNEL.map[].")}
    assert wanted - repeated - present == set()


def _paths(value: Any, prefix: str = "") -> list[str]:
    found: list[str] = []
    if isinstance(value, dict):
        for key, below in value.items():
            path = f"{prefix}\0{key}" if prefix else key
            found += [path, *_paths(below, path)]
    elif isinstance(value, list):
        for item in value:
            found += _paths(item, f"{prefix}[0]")
    return found


def _generic(path: str) -> str:
    """Return a path with the names that a person chose replaced by what the reference has."""
    parts = path.split("\0")
    if parts[0] in {"registries", "export", "import"} and len(parts) > 1:
        parts[1] = "HOST" if parts[0] == "registries" else "CHANNEL"
    if parts[0] == "daemon" and len(parts) > 2:
        parts[2] = {"jobs": "JOB", "folders": "FOLDER", "sticks": "STICK"}.get(parts[1], parts[2])
    return ".".join(parts)


def test_every_key_has_a_meaning_and_says_what_it_takes() -> None:
    """No key is left to guessing."""
    keys = list(describe_keys())
    assert len({key.path for key in keys}) == len(keys)
    for key in keys:
        assert key.meaning.endswith("."), key
        assert key.values, key


def test_the_reference_page_has_exactly_the_models_keys() -> None:
    """The tables are the ones that the model gives, for every section.

    Where this fails, ``python -m tests.config.test_reference`` writes them anew.
    """
    page = PAGE.read_text()
    assert {
        m["section"]: m["table"].strip() + "\n" for m in TABLE.finditer(page)
    } == reference_tables()


def test_the_schema_is_closed_and_knows_no_null() -> None:
    """An editor finds the unknown key and the empty value before we do."""
    schema = json_schema()
    sections = [s for s in _schemas(schema) if s.get("type") == "object" and "properties" in s]
    assert len(sections) >= 10
    assert all(section["additionalProperties"] is False for section in sections)
    assert all(found.get("type") != "null" for found in _schemas(schema))
    assert set(schema["properties"]) == set(reference_tables())


def test_the_schema_says_what_each_key_is_for() -> None:
    """Editors show it beside the key."""
    schema = json_schema()
    described = [
        key
        for section in _schemas(schema)
        for key in section.get("properties", {}).values()
        if "description" in key
    ]
    texts = {key.meaning for key in describe_keys()}
    assert {key["description"] for key in described} == texts


def test_the_schema_allows_the_short_forms() -> None:
    """One reference, ``tags: all``, ``newest: 3``, a list of one without brackets."""
    definitions = json_schema()["$defs"]
    kinds = {
        name: [choice.get("type") for choice in definitions[name]["anyOf"]]
        for name in ("MirrorEntry", "TagsSection", "NewestSection")
    }
    assert kinds == {
        "MirrorEntry": ["string", "object"],
        "TagsSection": ["string", "array", "object"],
        "NewestSection": ["integer", "object"],
    }
    entry = definitions["MirrorEntry"]["anyOf"][1]["properties"]
    assert [choice["type"] for choice in entry["platforms"]["anyOf"]] == ["string", "array"]


def _schemas(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _schemas(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(found for value in schema.values() for found in _schemas(value))]


def write_tables() -> None:
    """Write the model's tables into the reference page."""
    tables = reference_tables()

    def table(match: re.Match[str]) -> str:
        name = match["section"]
        return f"<!-- keys: {name} -->\n\n{tables[name]}\n<!-- end -->"

    PAGE.write_text(TABLE.sub(table, PAGE.read_text()))


if __name__ == "__main__":
    write_tables()
