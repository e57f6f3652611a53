"""Images of a Helm chart: from its values, its templates, its subcharts and its own list.

What is found is what the chart's values name, of parts that are switched off by default too. The
exact images of one installation are those of ``helm template``'s output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from airgap.discovery.findings import Found, Place, Unread, unread
from airgap.discovery.image_maps import Defaults
from airgap.discovery.names import named
from airgap.discovery.objects import images_in
from airgap.discovery.templates import NotUnderstood, rendered
from airgap.discovery.text_lines import raw_image_lines
from airgap.discovery.yaml_tree import Keyed, Many, NotYaml, Scalar, Tree, read_documents

CHART_FILE = "Chart.yaml"
_VALUES_FILE = "values.yaml"
_SUBCHARTS = "charts"
_MAX_SUBCHARTS_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's files.

    Attributes:
        name: what errors and findings call it: its folder or archive.
        files: texts by path within the chart, ``templates/deployment.yaml``; subcharts that came
            as archives are unpacked, and stand below ``charts/`` like the others.
    """

    name: str
    files: Mapping[str, str]


def chart_images(
    chart: Chart, above: Keyed | None = None, depth: int = 0
) -> Iterator[Found | Unread]:
    """Yield every image that a chart and its subcharts name.

    Args:
        chart: the files.
        above: values that the chart above sets for this one.
        depth: how many charts are above.
    """
    own, problem = _tree(chart, CHART_FILE)
    values, wrong = _tree(chart, _VALUES_FILE)
    yield from (item for item in (problem, wrong) if item is not None)
    if above is not None:
        values = merged(values, above)
    subcharts = _subcharts(chart)
    settings = {key: value for key, value in values.entries.items() if key not in subcharts}
    defaults = Defaults(own.text("appVersion") or None, _global_registry(values))
    title = f"chart {own.text('name') or chart.name}"
    yield from images_in(own, f"{chart.name}/{CHART_FILE}", defaults)
    whole = replace(values, entries=settings)
    yield from images_in(whole, f"{chart.name}/{_VALUES_FILE}", defaults, title=title)
    yield from _template_images(chart, own, values)
    if depth < _MAX_SUBCHARTS_DEPTH:
        for name, files in subcharts.items():
            inner = Chart(f"{chart.name}/{_SUBCHARTS}/{name}", files)
            yield from chart_images(inner, _values_for(own, values, name), depth + 1)


def merged(under: Keyed, over: Keyed) -> Keyed:
    """Lay values over others, as Helm does: mappings together, everything else replaced."""
    entries: dict[str, Tree] = dict(under.entries)
    for key, value in over.entries.items():
        below = entries.get(key)
        if isinstance(below, Keyed) and isinstance(value, Keyed):
            value = merged(below, value)  # noqa: PLW2901 - the value as it counts in the end
        entries[key] = value
    return Keyed(entries, over.line)


def _tree(chart: Chart, path: str) -> tuple[Keyed, Unread | None]:
    place = Place(f"{chart.name}/{path}")
    try:
        tree = next(read_documents(chart.files.get(path, "")), None)
    except NotYaml as error:
        problem = unread(path, f"is no YAML: {error}", replace(place, line=error.line))
        return Keyed({}, 0), problem
    return (tree if isinstance(tree, Keyed) else Keyed({}, 0)), None


def _subcharts(chart: Chart) -> dict[str, dict[str, str]]:
    """Return the files of each subchart by the name of its folder."""
    found: dict[str, dict[str, str]] = {}
    for path, text in chart.files.items():
        first, _, rest = path.partition("/")
        folder, slash, inner = rest.partition("/")
        if first == _SUBCHARTS and slash:
            found.setdefault(folder, {})[inner] = text
    return {folder: files for folder, files in found.items() if CHART_FILE in files}


def _values_for(own: Keyed, values: Keyed, name: str) -> Keyed:
    """Return what a chart's values say to a subchart: below its name or alias, and globally."""
    entries: dict[str, Tree] = {}
    shared = values.entries.get("global")
    if isinstance(shared, Keyed):
        entries["global"] = shared
    dependencies = own.entries.get("dependencies")
    aliases = {name}
    for entry in dependencies.items if isinstance(dependencies, Many) else ():
        if isinstance(entry, Keyed) and entry.text("name") == name and entry.text("alias"):
            aliases.add(entry.text("alias"))
    told = Keyed(entries, values.line)
    for alias in sorted(aliases):
        section = values.entries.get(alias)
        if isinstance(section, Keyed):
            told = merged(told, section)
    return told


def _global_registry(values: Keyed) -> str:
    for keys in (("global", "imageRegistry"), ("global", "image", "registry")):
        found = values.at(*keys)
        if isinstance(found, Scalar) and found.text:
            return found.text
    return ""


def _template_images(chart: Chart, own: Keyed, values: Keyed) -> Iterator[Found | Unread]:
    def lookup(field: str) -> str | None:
        head, *keys = field.lstrip(".").split(".")
        if head == "Chart":
            return own.text(_of_chart(keys[0])) or None if len(keys) == 1 else None
        value = values.at(*keys) if head == "Values" and keys else None
        return value.text if isinstance(value, Scalar) and value.text else None

    for path, text in sorted(chart.files.items()):
        if not path.startswith("templates/"):
            continue
        for line, value in raw_image_lines(text):
            try:
                name = rendered(value, lookup)
            except NotUnderstood:
                # A helper of the chart makes it; the values that it makes it of were read.
                continue
            item = named(name, Place(f"{chart.name}/{path}", line)) if name else None
            if item is not None:
                yield item


def _of_chart(field: str) -> str:
    return field[:1].lower() + field[1:]
