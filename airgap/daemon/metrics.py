"""Figures for Prometheus, made from how everything stands when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from airgap.daemon.records import Outcome
from airgap.daemon.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render_metrics(status: Status) -> bytes:
    """Return the figures in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Figures(status))
    rendered: bytes = generate_latest(registry)
    return rendered


class _Figures(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield every figure."""
        yield from _of_daemon(self._status)
        yield from _of_jobs(self._status)
        yield from _of_store(self._status)
        yield from _of_channels(self._status)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"airgap_{name}", meaning, value=value)


def _of_daemon(status: Status) -> Iterator[Metric]:
    version = GaugeMetricFamily("airgap_build_info", "The version that runs.", labels=["version"])
    version.add_metric([status.version], 1)
    yield version
    yield _gauge("start_time_seconds", "When the daemon began.", status.started)
    yield _gauge(
        "config_ok", "1 while the config on the disk is the one in use.", status.problem is None
    )
    yield CounterMetricFamily(
        "airgap_bytes_moved", "Bytes of content that have moved.", value=status.bytes_moved
    )


def _of_jobs(status: Status) -> Iterator[Metric]:
    labels = ["name", "kind"]
    families = {
        "job_running": "1 while it is being done.",
        "job_late": "1 while its last success is too long ago.",
        "job_last_run_good": "1 if its last run went well.",
        "job_last_run_seconds": "How long its last run took.",
        "job_last_run_time_seconds": "When its last run ended.",
        "job_last_success_time_seconds": "When it went well last.",
        "job_next_run_time_seconds": "When it is done next.",
        "folder_absent": "1 while a drop folder cannot be looked into.",
    }
    made = {
        name: GaugeMetricFamily(f"airgap_{name}", meaning, labels=labels)
        for name, meaning in families.items()
    }
    for line in status.lines:
        of = [line.entry.name, line.entry.kind]
        made["job_running"].add_metric(of, line.activity is not None)
        made["job_late"].add_metric(of, line.is_late)
        if line.last is not None:
            made["job_last_run_good"].add_metric(of, line.last.outcome.is_good)
            made["job_last_run_seconds"].add_metric(of, line.last.seconds or 0)
            made["job_last_run_time_seconds"].add_metric(of, line.last.ended or 0)
        if line.succeeded is not None:
            made["job_last_success_time_seconds"].add_metric(of, line.succeeded)
        if line.next is not None:
            made["job_next_run_time_seconds"].add_metric(of, line.next.timestamp())
        if line.entry.kind == "folder":
            made["folder_absent"].add_metric(of, line.absent is not None)
    yield from made.values()


def _of_store(status: Status) -> Iterator[Metric]:
    yield _gauge("store_ok", "1 while the store can be opened.", status.store is not None)
    if status.store is None:
        return
    yield _gauge("store_blobs", "Pieces of content in the store.", status.store.blobs)
    yield _gauge("store_bytes", "Their bytes.", status.store.bytes)
    yield _gauge(
        "store_bytes_without_deduplication",
        "Bytes that the repositories would have if each kept its own.",
        status.store.named_bytes,
    )
    yield _gauge("store_names", "Names in the store.", status.store.names)
    yield _gauge("store_free_bytes", "What its file system still takes.", status.store.free_bytes)


def _of_channels(status: Status) -> Iterator[Metric]:
    labels = ["channel", "side"]
    sequence = GaugeMetricFamily(
        "airgap_channel_sequence", "The number of the channel's newest bundle.", labels=labels
    )
    outstanding = GaugeMetricFamily(
        "airgap_channel_outstanding", "Bundles without a receipt.", labels=["channel"]
    )
    received = GaugeMetricFamily(
        "airgap_channel_received_time_seconds", "When its newest bundle came.", labels=["channel"]
    )
    for sending in status.channels.sending:
        if sending.last is not None:
            sequence.add_metric([sending.channel, "sending"], sending.last.sequence)
        outstanding.add_metric([sending.channel], len(sending.outstanding))
    for receiving in status.channels.receiving:
        sequence.add_metric([receiving.channel, "receiving"], receiving.sequence)
        received.add_metric([receiving.channel], receiving.received)
    refused = sum(arrival.outcome is Outcome.REFUSED for arrival in status.arrivals)
    yield sequence
    yield outstanding
    yield received
    yield _gauge("folder_refused", "Refused bundles among the newest that arrived.", refused)
