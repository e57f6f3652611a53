"""The embedded registry: the OCI distribution API v1.1 over any place that can host images."""

from airgap.server.policy import Action, Rule
from airgap.server.registry import RunningRegistry, running_registry
from airgap.server.settings import ServerSettings, TlsFiles

__all__ = ["Action", "Rule", "RunningRegistry", "ServerSettings", "TlsFiles", "running_registry"]
