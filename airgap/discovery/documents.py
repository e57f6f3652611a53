"""Images of one text file, whatever it is: told by what stands in it, not by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airgap.discovery.compose import compose_images, is_compose
from airgap.discovery.findings import Findings, Found, Place, Unread, unread
from airgap.discovery.names import named
from airgap.discovery.objects import images_in
from airgap.discovery.text_lines import image_lines, listed_images
from airgap.discovery.yaml_tree import Many, NotYaml, Scalar, Tree, read_documents

_YAML_NAMES = (".yaml", ".yml", ".json")


def text_images(text: str, file: str, variables: Mapping[str, str] | None = None) -> Findings:
    """Find the images that a text names.

    Args:
        text: Kubernetes manifests, Helm values or rendered output, a docker-compose file (YAML or
            JSON, one document or many), or a plain list.
        file: what it is called.
        variables: what a ``.env`` file beside it says, for docker-compose.
    """
    return Findings.of(_items(text, file, variables or {}))


def _items(text: str, file: str, variables: Mapping[str, str]) -> Iterator[Found | Unread]:
    try:
        documents = list(read_documents(text))
    except NotYaml as error:
        yield from _not_yaml(text, file, error)
        return
    for document in documents:
        yield from _document(document, text, file, variables)


def _not_yaml(text: str, file: str, error: NotYaml) -> Iterator[Found | Unread]:
    if "{{" in text:
        yield unread(file, "is a template; give what it renders to", Place(file, error.line))
        yield from image_lines(text, Place(file))
    elif file.endswith(_YAML_NAMES):
        yield unread(file, f"is no YAML: {error}", Place(file, error.line))
        yield from image_lines(text, Place(file))
    else:
        yield from listed_images(text, file)


def _document(
    document: Tree, text: str, file: str, variables: Mapping[str, str]
) -> Iterator[Found | Unread]:
    if isinstance(document, Scalar):
        yield from listed_images(text, file)
    elif isinstance(document, Many) and all(isinstance(item, Scalar) for item in document.items):
        for number, item in enumerate(document.items):
            if isinstance(item, Scalar):
                place = Place(file, item.line, f"[{number}]")
                if (found := named(item.text, place)) is not None:
                    yield found
    elif is_compose(document):
        yield from compose_images(document, file, variables)
    else:
        yield from images_in(document, file)
