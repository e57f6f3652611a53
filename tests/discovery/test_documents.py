"""References from the files that people have."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from airgap.discovery.documents import text_images
from airgap.discovery.findings import Findings
from airgap.oci.reference import Reference
from tests.oci import strategies

DIGEST = "sha256:" + "ab" * 32


def names(findings: Findings) -> list[str]:
    """Return what was found, in the order of the text, in its familiar form."""
    return [item.reference.familiar for item in findings.found]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # a comment
spec:
  template:
    spec:
      initContainers:
        - name: prepare
          image: "busybox:1.36"
      containers:
        - name: web
          image: nginx:1.27.1
          env:
            - name: RELATED_IMAGE_PROXY
              value: quay.io/team/proxy:2
            - name: LOG_LEVEL
              value: info:debug
        - name: sidecar
          image: registry.example.com:5000/team/sidecar@DIGEST
          args:
            - --config-reloader-image=quay.io/prometheus-operator/reloader:v0.75
            - --url=https://example.com/path:8080
            - --listen=0.0.0.0:8080
      ephemeralContainers: [{name: debug, image: alpine}]
      volumes:
        - name: model
          image: {reference: quay.io/models/llm:1, pullPolicy: Always}
---
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: backup:2, name: b}]}}}}}
""".replace("DIGEST", DIGEST)


def test_kubernetes_manifests_of_every_kind() -> None:
    """Containers of all sorts, variables of operators, arguments, image volumes; many documents."""
    findings = text_images(DEPLOYMENT, "web.yaml")
    assert names(findings) == [
        "busybox:1.36",
        "nginx:1.27.1",
        "quay.io/team/proxy:2",
        f"registry.example.com:5000/team/sidecar@{DIGEST}",
        "quay.io/prometheus-operator/reloader:v0.75",
        "alpine:latest",
        "quay.io/models/llm:1",
        "backup:2",
    ]
    assert findings.unread == ()


def test_a_finding_says_where_it_stands() -> None:
    """File, line, object and key: as somebody looks for it."""
    findings = text_images(DEPLOYMENT, "web.yaml")
    places = [str(item.place) for item in findings.found]
    assert places[0] == ("web.yaml:11: Deployment/web: spec.template.spec.initContainers[0].image")
    assert places[-1].startswith("web.yaml:35: CronJob/nightly: spec.")


CUSTOM = """
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: k8s}
spec:
  image: quay.io/prometheus/prometheus:v2.53.0
  thanos: {baseImage: quay.io/thanos/thanos:v0.35.1}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: pg}
spec:
  imageName: ghcr.io/cloudnative-pg/postgresql:16.3
  monitoring: {image: {repository: quay.io/exporter, tag: "0.15"}}
---
apiVersion: operators.coreos.com/v1alpha1
kind: ClusterServiceVersion
metadata: {name: op}
spec:
  relatedImages: [{name: op, image: "quay.io/op/op@DIGEST"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: injector}
data:
  template.yaml: |
    containers:
      - name: proxy
        image: docker.io/istio/proxyv2:1.22.0   # by hand
      - image: "{{ .ProxyImage }}"
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crd}
spec:
  versions:
    - schema:
        openAPIV3Schema:
          properties:
            image: {type: string, default: never:mind}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{image: redis:7}]}}
---
apiVersion: v1
kind: Node
status: {images: [{names: ["quay.io/already/there:1"]}]}
""".replace("DIGEST", DIGEST)


def test_custom_resources_and_what_they_hide() -> None:
    """Fields that are called otherwise, parts, files in ConfigMaps; no schemas, no status."""
    findings = text_images(CUSTOM, "all.yaml")
    assert names(findings) == [
        "quay.io/prometheus/prometheus:v2.53.0",
        "quay.io/thanos/thanos:v0.35.1",
        "ghcr.io/cloudnative-pg/postgresql:16.3",
        "quay.io/exporter:0.15",
        f"quay.io/op/op@{DIGEST}",
        "istio/proxyv2:1.22.0",
        "redis:7",
    ]
    assert findings.unread == ()


VALUES = """
image:
  registry: docker.io
  repository: bitnami/redis
  tag: 7.2.5-debian-12-r0
  digest: ""
metrics:
  image: {repository: quay.io/oliver006/redis_exporter, tag: v1.62.0}
controller:
  image: registry.k8s.io/ingress-nginx/controller
  tag: v1.11.1
admission:
  image: {registry: registry.k8s.io, image: ingress-nginx/certgen, tag: v1.4.1, digest: DIGEST}
prepare: {image: {name: busybox, tag: 1.36}}
source: {repository: "https://github.com/team/app.git", tag: v1}
background: {image: /static/background.png}
""".replace("DIGEST", "sha256:" + "cd" * 32)


def test_helm_values_in_all_their_spellings() -> None:
    """Registry, repository, tag and digest apart, beside each other, or together."""
    findings = text_images(VALUES, "values.yaml")
    assert names(findings) == [
        "bitnami/redis:7.2.5-debian-12-r0",
        "quay.io/oliver006/redis_exporter:v1.62.0",
        "registry.k8s.io/ingress-nginx/controller:v1.11.1",
        f"registry.k8s.io/ingress-nginx/certgen:v1.4.1@sha256:{'cd' * 32}",
        "busybox:1.36",
    ]


def test_values_without_tag_need_their_chart() -> None:
    """Only the chart knows its appVersion; ``latest`` would be a guess."""
    findings = text_images("image: {repository: nginx, tag: ''}", "values.yaml")
    assert findings.found == ()
    (item,) = findings.unread
    assert "appVersion" in item.reason


def test_kustomize_renames() -> None:
    """``newName`` and ``newTag`` are what is deployed."""
    text = "images: [{name: nginx, newName: quay.io/x/nginx, newTag: '1.27'}]"
    assert names(text_images(text, "kustomization.yaml")) == ["quay.io/x/nginx:1.27"]


COMPOSE = """
name: shop
x-base: &base {restart: always, image: "redis:7"}
services:
  cache: {<<: *base}
  web:
    image: ${REGISTRY:-docker.io}/team/web:${VERSION-1.0}
  database:
    image: "postgres:$PG"
  own:
    build: .
    image: shop/own:dev
  other: {image: "tool:${UNSET}"}
"""


def test_docker_compose_files() -> None:
    """Variables with their defaults and from ``.env``; what is built here is told apart."""
    findings = text_images(COMPOSE, "compose.yaml", {"PG": "16", "VERSION": ""})
    assert names(findings) == ["redis:7", "postgres:16"]
    reasons = {item.text: item.reason for item in findings.unread}
    assert "built here" in reasons["shop/own:dev"]
    assert "$UNSET" in reasons["tool:${UNSET}"]
    findings = text_images(COMPOSE, "compose.yaml", {"PG": "16"})
    assert "team/web:1.0" in names(findings)


@pytest.mark.parametrize(
    "text",
    [
        "nginx:1.27\nquay.io/a/b:2\n",
        "# wanted\nnginx:1.27   # web\n\n  quay.io/a/b:2\n",
        "- nginx:1.27\n- quay.io/a/b:2\n",
        '["nginx:1.27", "quay.io/a/b:2"]',
        "* nginx:1.27\n* docker://quay.io/a/b:2\n",
        "\ufeff".lstrip("\ufeff") + "nginx:1.27\r\nquay.io/a/b:2\r\n",
    ],
)
def test_plain_lists(text: str) -> None:
    """One a line, with or without bullets and comments; YAML and JSON lists too."""
    assert names(text_images(text, "images.txt")) == ["nginx:1.27", "quay.io/a/b:2"]


def test_a_list_with_one_bad_line_names_it() -> None:
    """The others are read."""
    findings = text_images("nginx:1\nNot/A/Reference\nredis:7\n", "images.txt")
    assert names(findings) == ["nginx:1", "redis:7"]
    assert str(findings.unread[0].place) == "images.txt:2"


def test_a_template_is_told_from_its_output() -> None:
    """What stands there literally is read, and that there may be more is said."""
    text = (
        "{{- if .Values.on }}\ncontainers:\n  - image: nginx:1\n  - image: {{ .x }}\n{{- end }}\n"
    )
    findings = text_images(text, "deployment.yaml")
    assert names(findings) == ["nginx:1"]
    assert "template" in findings.unread[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: [" * 5000,
        "!!python/object/apply:os.system [id]",
        "a: *nothing",
        "\x00",
        "?",
    ],
)
def test_hostile_yaml_does_nothing(text: str) -> None:
    """It contains itself, nests, has tags of Python's: nothing is built, nothing fails."""
    text_images(text, "x.yaml")


def test_a_billion_laughs_cost_no_time() -> None:
    """What aliases repeat is looked at once."""
    lines = ["a0: &a0 {image: nginx:1}"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 30)]
    started = time.monotonic()
    assert names(text_images("\n".join(lines), "x.yaml")) == ["nginx:1"]
    assert time.monotonic() - started < 2


@given(st.text())
def test_any_text_is_read_or_told(text: str) -> None:
    """Nothing that stands in a file makes it fail."""
    text_images(text, "x.yaml")
    text_images(text, "x.txt")


_keys = st.sampled_from(
    [
        "image",
        "kind",
        "apiVersion",
        "metadata",
        "spec",
        "repository",
        "tag",
        "services",
        "name",
        "images",
    ]
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=5),
    )
)
def test_any_document_is_read_or_told(document: object) -> None:
    """Whatever shape it has, as YAML and as JSON."""
    text_images(yaml.safe_dump(document), "x.yaml")
    text_images(json.dumps(document), "x.json")


@given(st.lists(strategies.references, min_size=1, max_size=5))
def test_every_reference_of_a_pod_is_found(references: list[Reference]) -> None:
    """Whatever the reference, what comes out is what went in."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"containers": [{"image": str(reference)} for reference in references]},
    }
    expected = [reference.tagged() for reference in references]
    for text in (json.dumps(pod), yaml.safe_dump(pod)):
        assert [item.reference for item in text_images(text, "pod").found] == expected
