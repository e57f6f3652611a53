"""References from Helm charts, without Helm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap.discovery.charts import Chart, chart_images
from airgap.discovery.findings import Findings
from airgap.discovery.templates import NotUnderstood, rendered

FILES = {
    "Chart.yaml": """
apiVersion: v2
name: shop
version: 3.1.0
appVersion: "2.4.1"
dependencies:
  - {name: redis, version: 18.x, alias: cache, condition: cache.enabled}
  - {name: exporter, version: 1.x}
annotations:
  artifacthub.io/images: |
    - name: tool
      image: quay.io/shop/tool:9
""",
    "values.yaml": """
global: {imageRegistry: mirror.example.com}
image: {repository: shop/web, pullPolicy: IfNotPresent}   # its tag is the chart's appVersion
worker: {image: {repository: quay.io/shop/worker, tag: v7}}
job: {name: tool, version: "1.2"}
legacy: registry.example.com/shop/legacy
legacyTag: v0.9
cache: {image: {tag: 7.2-custom}}
exporter: {enabled: false}
""",
    "templates/web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ include "shop.fullname" . }}}
spec:
  containers:
    - name: web
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
    - name: legacy
      image: {{ .Values.legacy }}:{{ .Values.legacyTag }}
    - name: helper
      image: {{ include "shop.image" . | quote }}
    - name: literal
      image: gcr.io/distroless/static:nonroot
    - name: sidecar
      image: {{ default "quay.io/shop/sidecar:1" .Values.sidecar | quote }}
    {{- if .Values.unset }}
    - image: {{ .Values.unset.image }}
    {{- end }}
""",
    "charts/redis/Chart.yaml": "name: redis\nversion: 18.1.0\nappVersion: 7.2.4\n",
    "charts/redis/values.yaml": "image: {registry: docker.io, repository: bitnami/redis, tag: 7.2}",
    "charts/exporter/Chart.yaml": "name: exporter\nversion: 1.0.0\nappVersion: 0.5.0\n",
    "charts/exporter/values.yaml": "image: {repository: exporter}\n",
}


def found(files: dict[str, str]) -> Findings:
    """Return what a chart names."""
    return Findings.of(chart_images(Chart("shop", files)))


def test_a_chart_names_images_in_values_templates_subcharts_and_its_own_list() -> None:
    """Tags come from appVersion, subcharts get their parent's values, hosts their global one."""
    findings = found(FILES)
    assert [reference.familiar for reference in findings.references] == [
        "bitnami/redis:7.2-custom",
        "shop/web:2.4.1",
        "gcr.io/distroless/static:nonroot",
        "mirror.example.com/exporter:0.5.0",
        "mirror.example.com/shop/web:2.4.1",
        "quay.io/shop/sidecar:1",
        "quay.io/shop/tool:9",
        "quay.io/shop/worker:v7",
        "registry.example.com/shop/legacy:v0.9",
    ]
    assert findings.unread == ()


def test_a_place_names_the_chart_that_it_is_in() -> None:
    """The subchart, its file, the line of the template."""
    places = {item.reference.familiar: str(item.place) for item in found(FILES).found}
    assert places["gcr.io/distroless/static:nonroot"] == "shop/templates/web.yaml:14"
    assert places["bitnami/redis:7.2-custom"].startswith("shop/charts/redis/values.yaml:")


def test_a_chart_with_broken_values_says_so() -> None:
    """What can be read of it is."""
    findings = found({**FILES, "values.yaml": "image: [unclosed"})
    assert any("is no YAML" in item.reason for item in findings.unread)
    assert "gcr.io/distroless/static:nonroot" in map(str, findings.references)


VALUES = {".Values.a": "one", ".Chart.AppVersion": "2"}


@pytest.mark.parametrize(
    "template,expected",
    [
        ("plain:1", "plain:1"),
        ('"{{ .Values.a }}:{{ .Chart.AppVersion }}"', "one:2"),
        ("{{- .Values.a -}}", "one"),
        ("{{ $.Values.a | quote }}", "one"),
        ('{{ .Values.none | default "three" }}', "three"),
        ("{{ default .Values.a .Values.none }}", "one"),
        ("{{ .Values.none | default .Values.a | trim }}", "one"),
        ("{{ `raw` }}", "raw"),
    ],
)
def test_simple_templates_are_understood(template: str, expected: str) -> None:
    """Values, the chart's own fields, defaults and quotes."""
    assert rendered(template, VALUES.get) == expected


@pytest.mark.parametrize(
    "template",
    [
        '{{ include "x" . }}',
        "{{ .Values.none }}",
        '{{ printf "%s" .Values.a }}',
        "{{ if .Values.a }}x{{ end }}",
        "{{ .Values.a | sha256sum }}",
        "{{ unclosed",
    ],
)
def test_other_templates_are_not_guessed_at(template: str) -> None:
    """A wrong image is worse than one that is not found."""
    with pytest.raises(NotUnderstood):
        rendered(template, VALUES.get)


@given(st.text(alphabet='{}-| ."`$avesluV', max_size=60))
def test_any_template_is_understood_or_not(text: str) -> None:
    """It never fails otherwise."""
    try:
        rendered(text, VALUES.get)
    except NotUnderstood:
        return


@given(
    st.dictionaries(
        st.sampled_from([*FILES, "charts/redis/templates/x.yaml", "charts/x", "templates/y"]),
        st.text(max_size=80),
    )
)
def test_any_chart_is_read_or_told(files: dict[str, str]) -> None:
    """Whatever stands in its files."""
    found(files)
